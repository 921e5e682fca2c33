"""Named places where a tensor can be looked at while a model runs: ``tap("dt", dt, "b l h")``.

A tap returns its tensor. Nothing is kept unless somebody is ``recording``; then every tensor is stored under the path
of the module that is running, for instance ``ssds.0.dt``. A tensor is tapped where the layer holds it anyhow; what only
a reader wants is given as a function, which runs while recording and never otherwise.

| name | axes | what it is |
|---|---|---|
| embedding | b l d | what the first layer reads |
| hidden | b l d | what a block, or the model, gives |
| mask | b l | true at real events, where a layer is given one |
| convolved | b l e | output of a causal convolution; e counts its channels |
| x | b l e, b l h p | what a state space writes into its state |
| dt | b l e, b l h | step Δ, after softplus |
| A | e n, h | continuous decay, negative |
| B, C | b l n | how the state is written and read |
| decay | b l e n, b l h | exp(dt·A), with a factor on the decay exp(τ·dt·A): what the state keeps of itself |
| decay_scale | b l h | τ, where it acts on the decay alone |
| z, gate | b l e | a Mamba's gate before and after SiLU |
| scanned | b l e, b l h p | what a scan gives, with skip; Mamba-1: with gate too |
| gated | b l e, b l d | after gate and norm |
| gap | b l, b l h | time between events as the network reads it |
| time_factor | b l h | τ, from the gaps |
| q, k, v | b l h p | queries, keys and values as the attention gets them |
| pool_k, pool_v | b l r | logits of the pools of a low-rank attention |
| buckets, table_k | b l l, c h p | time between two events in classes, and what a class adds to the key |
| place_weights | b h l l | attention by position alone (LightSANs) |
| attended | b l h p | what the heads of an attention give |
| filter | f d, l d | a spectral filter: factor per frequency (complex), or per lag |
| filtered | b l d | what the filter gives |
| u, gate | b l d | a gated linear unit: what is let through, and its gate in (0, 1) |
| gate, gated | b l d | MLSA4Rec: gate on the Mamba stream, and the stream behind it |
| oldest_first, newest_first | b l d | the two readings of a bidirectional block, as they are summed |
| share | b l h | how much of its gap each position keeps for the next layer (TiM4Rec as released) |
| state | b l e | what a GRU carries, after each event; e is its hidden size |

A module that runs twice has its second tensors at ``NAME@2``: SSD4Rec's ``layers.0.ssd.dt@2`` is the reading newest
first. Attention weights and other l × l matrices are no taps: fused kernels never form them, ``lens.mixing_matrix``
does.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass

import torch
from torch import Tensor, nn

_recorders = 0  # a plain number, which a compiled graph can be guarded by; who records is in the context
_recorder: ContextVar[Recorder | None] = ContextVar("who records", default=None)


@dataclass(frozen=True, repr=False)
class Tap:
    """One recorded tensor: a copy on the CPU without gradient.

    ``name`` is the path of its module and the tap's own name, ``axes`` one letter per axis (``notation.AXES``),
    ``module`` that path alone ("" for the model itself).
    """

    name: str
    tensor: Tensor
    axes: str
    module: str

    @property
    def own_name(self) -> str:
        """The name without path and without the count of a repeated call: "dt" of ``layers.0.ssd.dt@2``."""
        return self.name[len(self.module) :].lstrip(".").partition("@")[0]

    def numpy(self):
        """The numbers as an array."""
        return self.tensor.numpy()

    def __repr__(self) -> str:
        return f"Tap({self.name}, '{self.axes}' {' × '.join(map(str, self.tensor.shape))})"


class Recorder:
    """Collects what passes the taps: ``taps`` maps qualified names to `Tap`s, in the order in which they were passed.

    Paths come from ``model``; without one, names stand alone. ``only`` are the taps' own names to keep, all if None.
    """

    def __init__(self, model: nn.Module | None = None, only: Sequence[str] | None = None):
        self.taps: dict[str, Tap] = {}
        self._model, self._only = model, None if only is None else frozenset(only)
        self._running: list[str] = []  # paths of the modules that are running, the innermost last

    def add(self, name: str, value: Tensor | Callable[[], Tensor], axes: str) -> None:
        """Store a copy. Errors: ``ValueError`` where ``axes`` do not count the tensor's axes."""
        if self._only is not None and name not in self._only:
            return
        with torch.no_grad():
            tensor = value if isinstance(value, Tensor) else value()
        path = self._running[-1] if self._running else ""
        qualified = f"{path}.{name}" if path else name
        if tensor.dim() != len(axes.split()):
            raise ValueError(f"tap {qualified}: '{axes}' names {len(axes.split())} axes, got {tuple(tensor.shape)}")
        key, call = qualified, 1
        while key in self.taps:
            call += 1
            key = f"{qualified}@{call}"
        self.taps[key] = Tap(key, tensor.detach().to("cpu", copy=True), axes, path)

    @contextlib.contextmanager
    def attached(self) -> Iterator[None]:
        """Follow the calls of the model's modules, so that it is known who is running."""
        handles = []
        for path, module in [] if self._model is None else self._model.named_modules():
            handles.append(module.register_forward_pre_hook(self._entering(path), prepend=True))
            handles.append(module.register_forward_hook(self._leaving, always_call=True))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _entering(self, path: str) -> Callable:
        def enter(module, inputs):
            if _recorder.get() is self:  # another thread may run the same model
                self._running.append(path)

        return enter

    def _leaving(self, module, inputs, output):
        if _recorder.get() is self:
            self._running.pop()


def tap(name: str, value: Tensor | Callable[[], Tensor] | None, axes: str):
    """Let a tensor be seen under a name; returns it unchanged, and costs a function call where nobody records.

    ``value`` may be a function that makes the tensor, called only while recording, or None, which is passed over.
    ``axes`` has a letter per axis: ``tap("decay", lambda: torch.exp(dt * A), "b l h")``.
    In a graph of ``torch.compile`` a tap is nothing.
    """
    if _recorders and value is not None and not torch.compiler.is_compiling():
        recorder = _recorder.get()
        if recorder is not None:
            recorder.add(name, value, axes)
    return value


@contextlib.contextmanager
def recording(model: nn.Module | None = None, *, only: Sequence[str] | None = None) -> Iterator[Recorder]:
    """``with recording(model) as recorder: model(batch)``, then ``recorder.taps["ssds.0.dt"]``.

    Everything is recorded that this thread runs inside the block; blocks nest, the innermost records. What
    ``torch.compile`` has compiled runs uncompiled meanwhile, for a compiled graph has no taps.
    ``only`` keeps taps of these names (``only=["decay"]``): all others cost nothing.
    Cost: a copy of every tensor, on the CPU; a Mamba's "decay" has b·l·e·n numbers.
    """
    global _recorders
    recorder = Recorder(getattr(model, "_orig_mod", model), only)
    token = _recorder.set(recorder)
    _recorders += 1
    try:
        with _uncompiled(), recorder.attached():
            yield recorder
    finally:
        _recorders -= 1
        _recorder.reset(token)


def _uncompiled() -> contextlib.AbstractContextManager:
    """Where nothing can have been compiled yet, the compiler is not even loaded for this."""
    if "torch._dynamo" not in sys.modules:
        return contextlib.nullcontext()
    return torch.compiler.set_stance("force_eager")
