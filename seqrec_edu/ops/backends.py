"""Which version of an operation runs, and why not a faster one.

Every operation is a ladder of rungs with one signature, fastest first. A rung that cannot run says why; a rung that the
caller named and that cannot run is an error, never a silent detour.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import torch
from torch import Tensor

NAMES = ("kernel", "mamba_ssm", "cpu", "vectorised", "reference")

_forced: ContextVar[str | None] = ContextVar("forced backend", default=None)
_operations: dict[str, "Operation"] = {}


class BackendError(ValueError):
    """The backend that was named cannot run here; the message says why."""


@dataclass(frozen=True)
class Rung:
    """One version of an operation. ``refuses(x)`` gives the reason it cannot run on a tensor like ``x``, or None."""

    name: str
    run: Callable
    refuses: Callable[[Tensor], str | None] = lambda x: None


class Operation:
    """The rungs of one operation, fastest first; ``pick`` chooses among them."""

    def __init__(self, name: str, *rungs: Rung):
        self.name = name
        self.rungs = {rung.name: rung for rung in rungs}
        _operations[name] = self

    def pick(self, x: Tensor, backend: str | None) -> Callable:
        """The function to run: the named backend, else the one forced by ``use``, else the first that can."""
        wanted = backend or _forced.get()
        if wanted is None:
            return next(rung.run for rung in self.rungs.values() if rung.refuses(x) is None)
        if wanted not in NAMES:
            raise BackendError(f"{self.name}: no backend is called '{wanted}'; there are {', '.join(NAMES)}")
        if wanted not in self.rungs:
            raise BackendError(f"{self.name}: has no '{wanted}' version; it has {', '.join(self.rungs)}")
        reason = self.rungs[wanted].refuses(x)
        if reason:
            raise BackendError(f"{self.name}: backend '{wanted}' cannot run: {reason}")
        return self.rungs[wanted].run

    def explain(self, x: Tensor) -> dict[str, str]:
        """For each rung, ``"runs"``, ``"could run"`` or the reason it cannot, for a tensor like ``x``."""
        chosen, verdicts = None, {}
        for name, rung in self.rungs.items():
            reason = rung.refuses(x)
            if reason is None and chosen is None:
                chosen, verdicts[name] = name, "runs"
            else:
                verdicts[name] = reason or "could run"
        return verdicts


@contextmanager
def use(backend: str) -> Iterator[None]:
    """Force one backend for every operation inside the block: ``with ops.use("reference"): …``."""
    if backend not in NAMES:
        raise BackendError(f"no backend is called '{backend}'; there are {', '.join(NAMES)}")
    token = _forced.set(backend)
    try:
        yield
    finally:
        _forced.reset(token)


def explain(operation: str, x: Tensor | None = None) -> str:
    """Say in words which version of ``operation`` runs for a tensor like ``x`` and why the others do not."""
    if operation not in _operations:
        raise ValueError(f"no operation is called '{operation}'; there are {', '.join(sorted(_operations))}")
    x = torch.empty(1) if x is None else x
    verdicts = _operations[operation].explain(x)
    return "\n".join(
        [f"{operation} on {x.device}, {x.dtype}"] + [f"  {name:<11}{why}" for name, why in verdicts.items()]
    )


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
    forced = _forced.get()
    if forced:
        return {name: forced for name in sorted(_operations)}
    return {row["operation"]: row["backend"] for row in explain_all(x)}
