"""Which version of an operation runs, and why not a faster one.

Every operation is a ladder of rungs with one signature, fastest first. A rung that cannot run says why; a rung that the
caller named and that cannot run is an error, never a silent detour.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

NAMES = ("kernel", "mamba_ssm", "cpu", "vectorised", "reference")

_forced: ContextVar[dict[str, str]] = ContextVar("forced backend of each operation", default=MappingProxyType({}))
_operations: dict[str, "Operation"] = {}


class BackendError(ValueError):
    """The backend that was named cannot run here; the message says why."""


@dataclass(frozen=True)
class Rung:
    """One version of an operation.

    ``refuses(x)`` gives the reason it cannot run on a tensor like ``x``, or None; where other tensors of the call
    decide too, it takes them behind ``x``. ``held_back`` is the reason why it runs only where it is named.
    """

    name: str
    run: Callable
    refuses: Callable[..., str | None] = lambda x, *others: None
    held_back: str | None = None

    def waits(self, x: Tensor, *others: Tensor) -> str | None:
        """Why it is not chosen by itself for tensors like these, or None."""
        return self.refuses(x, *others) or self.held_back


class Operation:
    """The rungs of one operation, fastest first; ``pick`` chooses among them.

    ``matrix`` computes the matrix that the operation mixes a history with, if it mixes one.
    """

    def __init__(self, name: str, *rungs: Rung, matrix: Callable | None = None):
        self.name = name
        self.rungs = {rung.name: rung for rung in rungs}
        self.matrix = matrix
        _operations[name] = self

    def pick(self, x: Tensor, backend: str | None, *others: Tensor) -> Callable:
        """The function to run: the named backend, else the one forced by ``use``, else the first that can.

        ``others`` are what ``refuses`` of this operation's rungs takes behind ``x``.
        """
        wanted = backend or _forced.get().get(self.name)
        if wanted is None:
            return next(rung.run for rung in self.rungs.values() if rung.waits(x, *others) is None)
        if wanted not in NAMES:
            raise BackendError(f"{self.name}: no backend is called '{wanted}'; there are {', '.join(NAMES)}")
        if wanted not in self.rungs:
            raise BackendError(f"{self.name}: has no '{wanted}' version; it has {', '.join(self.rungs)}")
        reason = self.rungs[wanted].refuses(x, *others)
        if reason:
            raise BackendError(f"{self.name}: backend '{wanted}' cannot run: {reason}")
        return self.rungs[wanted].run

    def explain(self, x: Tensor, *others: Tensor) -> dict[str, str]:
        """For each rung, ``"runs"``, ``"could run"`` or the reason it cannot, for tensors like these."""
        chosen, verdicts = None, {}
        for name, rung in self.rungs.items():
            reason = rung.waits(x, *others)
            if reason is None and chosen is None:
                chosen, verdicts[name] = name, "runs"
            else:
                verdicts[name] = reason or "could run"
        return verdicts


@contextmanager
def use(backend: str, *operations: str) -> Iterator[None]:
    """Force one backend inside the block, for the operations named or for all: ``with ops.use("reference"): …``.

    ``with ops.use("cpu", "ssd", "causal_conv1d"): …`` leaves the others to choose for themselves. Blocks nest.
    Errors: ``BackendError`` for a backend that does not exist; in the block, from an operation that cannot run it.
    """
    if backend not in NAMES:
        raise BackendError(f"no backend is called '{backend}'; there are {', '.join(NAMES)}")
    named = [_named(operation).name for operation in operations] or list(_operations)
    token = _forced.set({**_forced.get(), **dict.fromkeys(named, backend)})
    try:
        yield
    finally:
        _forced.reset(token)


def explain(operation: str, x: Tensor | None = None, *others: Tensor) -> str:
    """Say in words which version of ``operation`` runs for a tensor like ``x`` and why the others do not.

    ``low_rank_attention`` looks at a second tensor too: ``explain("low_rank_attention", q, pool_k)``.
    """
    x = torch.empty(1) if x is None else x
    verdicts = _named(operation).explain(x, *others)
    return "\n".join(
        [f"{operation} on {x.device}, {x.dtype}"] + [f"  {name:<11}{why}" for name, why in verdicts.items()]
    )


def mixing_matrix(operation: str, *args, **options) -> Tensor:
    """The matrix M with ``y = M v`` that ``operation`` mixes a history with, exact, per head or channel.

    ``ops.mixing_matrix("ssd", dt, A, B, C, decay_scale=τ)`` is "b h l l". The arguments are those of the operation that
    decide the mixing, in its order; see ``mixing_matrix`` in its ``reference.py``.
    Errors: ``ValueError`` where there is no such operation, or it mixes nothing over time.
    """
    matrix = _named(operation).matrix
    if matrix is None:
        mixing = ", ".join(sorted(name for name, each in _operations.items() if each.matrix))
        raise ValueError(f"{operation} does not mix a history, so it has no matrix; these do: {mixing}")
    return matrix(*args, **options)


def explain_all(x: Tensor | None = None) -> list[dict[str, str]]:
    """One row per operation: its name, the backend that runs, and why each faster one does not."""
    x = torch.empty(1) if x is None else x
    rows = []
    for name, operation in sorted(_operations.items()):
        verdicts = operation.explain(x)
        chosen = next(rung for rung, verdict in verdicts.items() if verdict == "runs")
        faster = [f"{rung}: {why}" for rung, why in verdicts.items() if why not in ("runs", "could run")]
        rows.append({"operation": name, "backend": chosen, "reason": "; ".join(faster) or "the fastest there is"})
    return rows


def chosen(x: Tensor) -> dict[str, str]:
    """The backend each operation would run for a tensor like ``x``, honouring ``use``: what a receipt records."""
    return {row["operation"]: row["backend"] for row in explain_all(x)} | _forced.get()


def _named(operation: str) -> Operation:
    if operation not in _operations:
        raise ValueError(f"no operation is called '{operation}'; there are {', '.join(sorted(_operations))}")
    return _operations[operation]
