"""One state space computed in five ways: what each costs, and how far it is when an event has been read."""

from __future__ import annotations

import importlib
import itertools
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from einops import einsum
from torch import Tensor

from seqrec_edu import ops
from seqrec_edu.lens.view_costs import SCAN, SSD, Cost, costs
from seqrec_edu.lens.view_space import StateSpace
from seqrec_edu.ops import gpu
from seqrec_edu.ops._ssd.reference import log_decay

VIEWS = ("recurrence", "sum", "matrix", "chunks", "kernel")

# Largest difference, as a share of the largest output, up to which two views are equal: the bar of the operations, and
# in bfloat16, which rounds by up to 1/256, four roundings.
TOLERANCES = {torch.float64: 1e-9, torch.float32: 2e-5, torch.bfloat16: 2.0**-6}
_ENOUGH = 0.005  # seconds after which a view is not timed again

_RUNS = {
    (SSD, "cpu"): "a compiled loop over the events, the state in registers",
    (SCAN, "cpu"): "a compiled loop over the events, the state in registers",
    (SSD, "vectorised"): "chunks of {tile} events as matrix products",
    (SCAN, "vectorised"): "event by event, in memory that is used again",
    (SSD, "kernel"): "one program a head walks over chunks of {tile} events, the state in registers",
    (SCAN, "kernel"): "one program for up to 64 channels walks over the events, the states in registers",
}


@dataclass(frozen=True)
class Moment:
    """How far a view is at a step: multiply-adds done of all its work, numbers held, the steps it touches."""

    done: int
    work: int
    held: int
    first: int
    last: int


@dataclass(frozen=True, eq=False, repr=False)
class Views:
    """The output of a state space in five ways, and what each takes.

    Attributes:
        space: what was computed.
        dtype, chunk: in which precision, and with how many events a chunk.
        outputs: view → "l p" in float64, as the view gave it.
        matrix: "l l", the one of that view, in float64; its row t are the weights of the sum.
        milliseconds: view → time of the processor, as measured on this machine, just now; never the same again.
        backend: the version of the operation that "kernel" is here; ``tile`` events are in it together.
        words: what that version does, and why Triton's does not run where it does not.
    """

    space: StateSpace
    dtype: torch.dtype
    chunk: int
    outputs: dict[str, Tensor]
    matrix: Tensor
    milliseconds: dict[str, float]
    backend: str
    tile: int
    words: str

    def __repr__(self) -> str:
        precision = str(self.dtype).removeprefix("torch.")
        return f"Views of {self.space!r} in {precision}: {'equal' if self.agree else 'NOT equal'}"

    @property
    def tolerance(self) -> float:
        """Share of the largest output up to which two views are equal in this precision."""
        return TOLERANCES[self.dtype]

    @cached_property
    def differences(self) -> dict[tuple[str, str], float]:
        """Largest difference of each pair, as a share of the largest output of the recurrence."""
        largest = float(self.outputs["recurrence"].abs().max()) or 1.0
        return {
            (one, other): float((self.outputs[one] - self.outputs[other]).abs().max()) / largest
            for one, other in itertools.combinations(self.outputs, 2)
        }

    @property
    def apart(self) -> list[tuple[str, str]]:
        """Pairs that differ by more than the tolerance."""
        return [pair for pair, value in self.differences.items() if not value <= self.tolerance]

    @property
    def agree(self) -> bool:
        """Whether all five are equal."""
        return not self.apart

    @cached_property
    def costs(self) -> dict[str, Cost]:
        """View → cost of this head."""
        p, n = self.space.state.shape[1:]
        return costs(self.space.operation, l=len(self.space), p=p, n=n, chunk=self.chunk, tile=self.tile)

    def at(self, step: int) -> dict[str, Moment]:
        """View → how far it is when ``step``, from 0, has been read. Errors: ``ValueError`` on a step there is not.

        The recurrence has done its share of every event so far; the sum begins anew at each, with all past terms; the
        matrix is formed as a whole before anything is read of it; chunks and kernel are done block by block.
        """
        l, (p, n) = len(self.space), self.space.state.shape[1:]
        if not 0 <= step < l:
            raise ValueError(f"step must be within 0…{l - 1}, got {step}")
        past = costs(self.space.operation, l=step + 1, p=p, n=n, chunk=self.chunk, tile=self.tile)
        blocks = {"recurrence": 1, "matrix": l, "chunks": min(self.chunk, l), "kernel": min(self.tile, l)}
        found = {}
        for view, cost in self.costs.items():
            if view == "sum":
                found[view] = Moment(past[view].work, cost.work, past[view].held, 0, step)
                continue
            size = blocks[view]
            first, count = step // size * size, math.ceil(l / size)
            done = cost.work * (step // size + 1) // count
            found[view] = Moment(done, cost.work, cost.held, first, min(first + size, l) - 1)
        return found


def five_views(space: StateSpace, *, dtype: torch.dtype = torch.float32, chunk: int = 16) -> Views:
    """The same output by recurrence, by the unrolled sum, as a masked matrix, in chunks, and by the fastest kernel.

    recurrence  ``H[t] = a[t] H[t-1] + dt[t] x[t] B[t]ᵀ``, ``y[t] = H[t] C[t]``: the reference, event by event
    sum         ``y[t] = Σ_{s≤t} (a[s+1] … a[t]) (C[t]·B[s]) dt[s] x[s]``: each past term with what is left of it
    matrix      ``y = M x``: all weights at once, a running sum of log-decays under the exponential
    chunks      SSD: the matrix inside chunks, the recurrence between them; a Mamba: the vectorised version, ``chunk``
                events at a time, the state handed on
    kernel      the version that ``ops.explain`` names; Triton's where there is a GPU

    dtype: float64, float32 or bfloat16, to which the recorded inputs are rounded first.
    chunk: events a chunk; it changes cost, never the result. Cost: about l² · (n + p), and 60 ms at l = 200.
    Errors: ``ValueError`` on another dtype or ``chunk < 1``. Mamba-2, arXiv 2405.21060, sections 3 to 6.
    """
    if dtype not in TOLERANCES:
        known = ", ".join(str(each).removeprefix("torch.") for each in TOLERANCES)
        raise ValueError(f"dtype must be one of {known}, got {dtype}")
    if chunk < 1:
        raise ValueError(f"chunk must be at least 1, got {chunk}")
    given, run = space.rounded(dtype), getattr(ops, space.operation)
    backend, device = _fastest(space.operation, given["x"])
    near = space.rounded(dtype, device)
    named = {"backend": "kernel"} if backend == "kernel" else {}
    ways: dict[str, Callable[[], Tensor]] = {
        "recurrence": lambda: run(**given, backend="reference"),
        "sum": lambda: unrolled(space.operation, given),
        "matrix": lambda: _times(_matrix(space.operation, given, kept=formed), given["x"]),
        "chunks": lambda: _chunks(space.operation, given, chunk),
        "kernel": lambda: run(**near, **named),
    }
    outputs, milliseconds, formed = {}, {}, []
    with torch.no_grad():
        for view, way in ways.items():
            y, milliseconds[view] = _timed(way)
            outputs[view] = y[0].reshape(len(space), -1).cpu().double()
    tile = _tile(space.operation, backend, given)
    words = _words(space.operation, backend, tile, given["x"])
    M = formed[-1][0, 0].double()
    return Views(space, dtype, chunk, outputs, M, milliseconds, backend, tile, words)


def unrolled(operation: str, given: dict[str, Tensor]) -> Tensor:
    """``y[t] = Σ_{s≤t} (a[s+1] … a[t]) (C[t]·B[s]) dt[s] x[s]``: every term is kept and fades by itself.

    given: arguments of one history and one head or channel. Returns what the operation does; cost l²·(n + p).
    """
    x, dt, A, B, C = (given[name][0] for name in ("x", "dt", "A", "B", "C"))
    B, C = B.reshape(len(x), -1), C.reshape(len(x), -1)
    if operation == SSD:
        decay = torch.exp(log_decay(given["dt"], given["A"], given.get("decay_scale")))[0]  # "l 1"
    else:
        decay = torch.exp(dt * A)  # "l n": every number of the state fades at its own pace
    values, left, outputs = x.reshape(len(x), -1), decay[:0], []
    for t in range(len(x)):
        left = torch.cat([left * decay[t], torch.ones_like(decay[:1])])
        if operation == SSD:
            weights = left[:, 0] * (B[: t + 1] @ C[t]) * dt[: t + 1, 0]
        else:
            weights = (left * B[: t + 1]) @ C[t] * dt[: t + 1, 0]
        outputs.append(weights @ values[: t + 1])
    return torch.stack(outputs).reshape(given["x"].shape)


def _matrix(operation: str, given: dict[str, Tensor], kept: list[Tensor]) -> Tensor:
    """The mixing matrix of the arguments, which is put on a list as well: a reader wants to see it."""
    named = {"decay_scale": given["decay_scale"]} if "decay_scale" in given else {}
    kept.append(ops.mixing_matrix(operation, *(given[name] for name in ("dt", "A", "B", "C")), **named))
    return kept[-1]


def _times(M: Tensor, x: Tensor) -> Tensor:
    """A matrix per head or channel, "b h l l", times what it mixes."""
    return einsum(M, x.flatten(3) if x.dim() > 3 else x[..., None], "b h t s, b s h p -> b t h p")


def _chunks(operation: str, given: dict[str, Tensor], chunk: int) -> Tensor:
    if operation == SSD:
        return ops.ssd(**given, chunk_size=chunk, backend="vectorised")
    state, outputs = None, []
    for first in range(0, given["x"].shape[1], chunk):
        part = {name: v if name == "A" else v[:, first : first + chunk] for name, v in given.items()}
        y, state = ops.selective_scan(**part, initial_state=state, return_state=True, backend="vectorised")
        outputs.append(y)
    return torch.cat(outputs, dim=1)


# --- what "kernel" is on this machine ------------------------------------------------------------------------------


def _fastest(operation: str, x: Tensor) -> tuple[str, str]:
    """The version that runs, and where: Triton's on a GPU, else the one that ``ops.explain`` names."""
    if torch.cuda.is_available() and gpu.refuses(x.cuda()) is None:
        return "kernel", "cuda"
    return next(row["backend"] for row in ops.explain_all(x) if row["operation"] == operation), "cpu"


def _tile(operation: str, backend: str, given: dict[str, Tensor]) -> int:
    """Events that the version takes together."""
    if operation == SCAN or backend in ("cpu", "reference"):
        return 1
    if backend == "kernel":
        kernel = importlib.import_module("seqrec_edu.ops._ssd.kernel")
        return kernel.constants(given["x"], given["B"], 64)["Q"]
    return min(64, given["x"].shape[1])


def _words(operation: str, backend: str, tile: int, x: Tensor) -> str:
    does = _RUNS.get((operation, backend), "the equation line by line").format(tile=tile)
    said = f'The fastest version here is "{backend}": {does}'
    return said if backend == "kernel" else f"{said}. Triton's kernel does not run: {gpu.refuses(x) or gpu.HELD_BACK}"


def _timed(run: Callable[[], Tensor]) -> tuple[Tensor, float]:
    """The result, and the least milliseconds of processor time of up to three runs."""
    best, spent = math.inf, 0.0
    for _ in range(3):
        start = time.process_time()
        y = run()
        if y.is_cuda:
            torch.cuda.synchronize()
        taken = time.process_time() - start
        best, spent = min(best, taken), spent + taken
        if spent > _ENOUGH:
            break
    return y, 1e3 * best
