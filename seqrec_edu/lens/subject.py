"""The module under audit, as something that can be called with made-up histories."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from seqrec_edu.data.batches import Batch
from seqrec_edu.lens.rows import ITEM, NUMBER, TIME, Rows, random_rows
from seqrec_edu.lens.signature import BATCH, LENGTH, MASK, Argument, Unreadable, arguments

MOVE = 0.1  # see `Subject.moved`
SHORTEST = 4


class CannotCall(ValueError):
    """The module could not be run on made-up histories; the message says what was tried."""


class Subject:
    """A copy of a module that takes `Rows` and gives its output at every event, "b l" or "b l d".

    Attributes:
        module: the copy, in evaluation mode. The module itself is never touched.
        exact: whether it computes in float64; where an operation of it will not, it stays in its own precision.
        length: events of the made-up histories.
    """

    def __init__(
        self, module: nn.Module, args: list[Argument], inner: int, length: int, n_items: int, seed: int, exact: bool
    ):
        self.module, self.args, self.inner, self.length = module, args, inner, length
        self.n_items, self.seed, self.exact = n_items, seed, exact

    @property
    def tolerance(self) -> float:
        """Relative change that counts as none: rounding lies far below, in either precision."""
        return 1e-10 if self.exact else 1e-4

    @property
    def kinds(self) -> dict[str, str]:
        """The streams of a history this module reads, by argument; a model that takes a `Batch` reads item and time."""
        if any(argument.kind == BATCH for argument in self.args):
            return {"item": ITEM, "time": TIME}
        return {a.name: a.kind for a in self.args if a.kind in (ITEM, TIME, NUMBER)}

    @property
    def like(self) -> Tensor:
        """An empty tensor of the precision and on the device the module computes with."""
        floating = (p for p in self.module.parameters() if p.is_floating_point())
        return next(floating, torch.zeros(0)).new_empty(0, dtype=torch.float64 if self.exact else None)

    def rows(self, lengths: list[int], width: int | None = None, *, salt: int = 0, pads: bool = False) -> Rows:
        """Random histories for this module; another ``salt`` gives others."""
        widths = {a.name: (self.inner,) * a.inner_axes for a in self.args if a.kind == NUMBER}
        return random_rows(
            self.kinds, widths, lengths, width or max(lengths),
            n_items=self.n_items, seed=self.seed + salt, like=self.like, pads=pads,
        )  # fmt: skip

    def full(self) -> Rows:
        """Two histories without a pad."""
        return self.rows([self.length] * 2)

    def padded(self) -> Rows:
        """Three histories, one of them a single event, none filling its row."""
        longest = self.length - self.length // 4
        return self.rows([longest, max(2, longest // 2), 1], self.length)

    def run(self, rows: Rows, **more: Any) -> tuple[Tensor, Any]:
        """Output and the state that comes with it, or None; several outputs per event are laid side by side."""
        found = self.module(**self._call(rows), **more)
        outputs, state = [found], None
        if isinstance(found, tuple):
            outputs, state = (found[:-1], found[-1]) if len(found) > 1 else (found, None)
        for y in outputs:
            if not isinstance(y, Tensor) or y.shape[:2] != (len(rows.length), rows.width):
                got = tuple(y.shape) if isinstance(y, Tensor) else type(y).__name__
                wanted = f"({len(rows.length)}, {rows.width}, …)"
                raise CannotCall(f"forward must give y or (y, state) with one y per event, 'b l …' {wanted}, got {got}")
        if len(outputs) > 1:
            outputs = [torch.cat([y.reshape(*y.shape[:2], -1) for y in outputs], dim=2)]
        return outputs[0], state

    def __call__(self, rows: Rows) -> Tensor:
        """Output at every event, without gradients."""
        with torch.no_grad():
            return self.run(rows)[0]

    def change(self, before: Tensor, after: Tensor, mask: Tensor) -> float:
        """Largest difference over real events, relative to the size of the output. NaN counts as infinite."""
        a, b = before[mask].double(), after[mask].double()
        size = a.abs().max().clamp(min=1e-30)
        return float(((a - b).abs().max() / size).nan_to_num(nan=torch.inf))

    def moved(self) -> Subject:
        """The same module a small random step away from its weights.

        A weight that starts at zero hides all that will flow through it once it has learned. What an audit asks for
        must hold whatever the weights, so it asks here. Only what is trained is moved.
        """
        module, draw = copy.deepcopy(self.module), torch.Generator().manual_seed(self.seed)
        with torch.no_grad():
            for p in module.parameters():
                if p.requires_grad and p.numel():
                    step = torch.randn(p.shape, generator=draw).to(p) * (MOVE + 0.1 * p.std(correction=0))
                    p.copy_((p + step).to(torch.float32) if p.is_floating_point() else p + step)
            for before, embedding in zip(self.module.modules(), module.modules(), strict=True):
                if isinstance(embedding, nn.Embedding) and embedding.padding_idx is not None:
                    pad = embedding.padding_idx  # what is read as a pad has no gradient: zero, or as it was drawn
                    embedding.weight[pad] = before.weight[pad].float()
        return self.with_module(module)

    def thawed(self) -> Subject:
        """The same module with a gradient for every parameter, frozen ones too."""
        module = copy.deepcopy(self.module)
        for p in module.parameters():
            p.requires_grad_(p.requires_grad or p.is_floating_point() or p.is_complex())
        return self.with_module(module)

    def single(self) -> Subject:
        """The same module in float32."""
        copied = self.with_module(copy.deepcopy(self.module).float())
        copied.exact = False
        return copied

    def with_module(self, module: nn.Module) -> Subject:
        """Another module in this one's place, called in the same way with the same histories."""
        return Subject(module, self.args, self.inner, self.length, self.n_items, self.seed, self.exact)

    def _call(self, rows: Rows) -> dict[str, Any]:
        given: dict[str, Any] = dict(rows.streams)
        for argument in self.args:
            if argument.kind == BATCH:
                user = torch.zeros_like(rows.length)
                given = {argument.name: Batch(rows.streams["item"], rows.streams["time"], rows.length, None, user)}
            elif argument.kind == MASK:
                given[argument.name] = rows.mask
            elif argument.kind == LENGTH:
                given[argument.name] = rows.length
        return given


def subject(
    module: nn.Module, *, length: int | None = None, width: int | None = None, n_items: int | None = None, seed: int = 0
) -> Subject:
    """Find out how a module is called, by its signature and by trying; see `audit` for the arguments.

    Raises:
        CannotCall: naming what was tried and what the module raised.
    """
    if not isinstance(module, nn.Module):
        raise CannotCall(f"audit needs an nn.Module (a model or a layer), got {type(module).__name__}")
    module = getattr(module, "_orig_mod", module)  # what torch.compile wraps keeps its signature inside
    length = _length(module, length)
    try:
        args = arguments(module)
        whole = copy.deepcopy(module).eval()
    except (Unreadable, RuntimeError) as error:
        raise CannotCall(f"audit of {type(module).__name__}: {error}") from error
    n_items = n_items or _n_items(module)
    first: Exception | None = None
    for exact in (True, False):
        copied = copy.deepcopy(whole).double() if exact else whole
        for read, inner in _attempts(module, args, width):
            tried = Subject(copied, read, inner, length, n_items, seed, exact)
            try:
                tried(tried.padded())
                return tried
            except Exception as error:  # whatever a module raises on the wrong input: the next attempt may fit
                first = first or error
    shapes = ", ".join(f"{a.name} ({a.kind})" for a in args)
    raise CannotCall(
        f"audit of {type(module).__name__}: forward was called with {shapes} on made-up histories of {length} places "
        f"and raised {type(first).__name__}: {first}. Say what fits with length=, width= or n_items=, or wrap it in a "
        "module whose forward takes (batch), (item, time, mask) or (x, mask)."
    ) from first


def _length(module: nn.Module, length: int | None) -> int:
    limit = setting(module, "history_length")
    length = length or min(24, limit or 24)
    if length < SHORTEST or (limit and length > limit):
        allowed = f"{SHORTEST} to {limit}" if limit else f"at least {SHORTEST}"
        raise CannotCall(f"audit of {type(module).__name__}: length must be {allowed} events, got {length}")
    return length


def _n_items(module: nn.Module) -> int:
    """Items of the catalogue: what the configuration says, else the size of the first embedding."""
    tables = [m.num_embeddings - 1 for m in module.modules() if isinstance(m, nn.Embedding)]
    return max(2, setting(module, "n_items") or (tables[0] if tables else 2))


def _attempts(module: nn.Module, args: list[Argument], width: int | None) -> list[tuple[list[Argument], int]]:
    """Ways to read the arguments: items first where a nameless one may be items, then every width it may have."""
    reads = [m.in_features for m in module.modules() if isinstance(m, nn.Linear)]
    sizes = [width] if width else [setting(module, "d_model"), *reads[:1], *sorted(_sizes(module), reverse=True), 8]
    attempts = [(args, inner) for inner in dict.fromkeys(size for size in sizes if size)]
    embeds = any(isinstance(m, nn.Embedding) for m in module.modules())
    guessed = [a for a in args if a.kind == NUMBER and not a.told]
    if embeds and guessed:
        items = [replace(a, kind=ITEM) if a is guessed[0] else a for a in args]
        attempts = [(items, 8), *attempts]
    return attempts


def _sizes(module: nn.Module) -> set[int]:
    """Every size of an axis of a parameter or buffer: one of them is the width."""
    tensors = [*module.parameters(), *module.buffers()]
    return set(sorted({size for tensor in tensors for size in tensor.shape})[:32])


def setting(module: nn.Module, name: str) -> int | None:
    """A whole number in the module's configuration, or on the module itself."""
    for holder in (getattr(module, "config", None), module):
        value = getattr(holder, name, None)
        if isinstance(value, int):
            return value
    return None
