"""What a case is: inputs of one size, the function they belong to, and several ways to compute it."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor

from seqrec_edu.ops import gpu

Inputs = dict[str, Tensor]
OURS, RIVALS = 2e-5, 1e-4  # relative error allowed in float32: ours, and what others may lose in their own way
BF16 = 2e-2
LABELS = {
    "reference": "reference, line by line",
    "vectorised": "ours, plain PyTorch",
    "cpu": "ours, compiled loop",
    "kernel": "ours, Triton kernel",
    "mamba_ssm": "mamba-ssm",
}


@dataclass(frozen=True)
class Work:
    """The least that has to be done: bytes moved to and from memory, floating point operations, exponentials."""

    bytes: float
    operations: float
    exponentials: float = 0.0


@dataclass(frozen=True)
class Variant:
    """One way to compute a case.

    ``run(**inputs)`` takes all inputs of the case and uses what it needs. ``truth`` names the function it has to equal.
    ``missing`` is the reason why it cannot run here. ``needs`` is about how many bytes a pass takes, where it is many.
    """

    key: str
    label: str
    run: Callable[..., Tensor]
    truth: str = "same"
    missing: str | None = None
    tolerance: float = RIVALS
    bf16: bool = False
    needs: float = 0.0


@dataclass(frozen=True)
class Case:
    """Inputs of one size and the variants that are timed on them.

    ``make(sizes)`` draws the inputs in float32, ``learn`` names those that get gradients (none: the operation has
    none). ``truths`` are references that run in float64 on a case of ``fewer`` histories. ``chosen`` is the variant
    that the operation runs by itself. ``error`` says how far an outcome is from the one expected.
    """

    name: str
    sizes: dict[str, int]
    make: Callable[[Mapping[str, int]], Inputs]
    learn: tuple[str, ...]
    truths: Mapping[str, Callable[..., Tensor]]
    variants: tuple[Variant, ...]
    work: Mapping[str, Mapping[str, Work]]  # truth → "forward", "both"
    fewer: Mapping[str, int]
    chosen: str
    error: Callable[[Tensor, Tensor], float] | None = field(default=None)

    @property
    def passes(self) -> tuple[str, ...]:
        """What is timed: the forward pass, and both passes where there are gradients."""
        return ("forward", "both") if self.learn else ("forward",)

    def variant(self, key: str) -> Variant:
        return next(variant for variant in self.variants if variant.key == key)


def ladder(
    operation: str, call: Callable[..., Tensor], *, truth: str = "same", suffix: str = "", **needs: float
) -> list[Variant]:
    """A variant for every version that an operation has, slowest first; ``call(backend=…, **inputs)`` runs one.

    ``needs`` gives bytes by version. A version that cannot run here stays in the list with its reason.
    """
    found = []
    for name, rung in reversed(rungs(operation).items()):
        found.append(
            Variant(
                name + suffix,
                LABELS[name] + (f", {truth}" if suffix else ""),
                partial(call, backend=name),
                truth=truth,
                missing=_reason(name, rung),
                tolerance=OURS,
                needs=needs.get(name, 0.0),
            )
        )
    return found


def chosen(operation: str) -> str:
    """The version that the operation runs by itself for float32 on the CPU."""
    x = torch.empty(1)
    return next(name for name, rung in rungs(operation).items() if rung.waits(x) is None)


def rungs(operation: str):
    return importlib.import_module(f"seqrec_edu.ops._{operation}").OPERATION.rungs


def _reason(name, rung):
    if name == "kernel" and gpu.interpreting():
        return "on the CPU it runs in Triton's interpreter only, which says nothing about its speed"
    return rung.refuses(torch.empty(1))


def normal(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def uniform(low: float, high: float, *shape: int, seed: int) -> Tensor:
    return low + (high - low) * torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def whole(low: int, high: int, *shape: int, seed: int) -> Tensor:
    """Whole numbers from ``low`` to ``high - 1``."""
    return torch.randint(low, high, shape, generator=torch.Generator().manual_seed(seed))


def only(function: Callable[..., Tensor], *names: str) -> Callable[..., Tensor]:
    """``function`` called with the inputs of these names, whatever else the case has."""

    def run(**inputs):
        return function(*(inputs[name] for name in names))

    return run
