"""Before anything is timed: does it compute the same?"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from seqrec_edu.bench.case import Case, Inputs, Variant

# At full size two results in float32 are compared, each with rounding errors of its own in sums over all histories.
FULL_SIZE = 10


@dataclass(frozen=True)
class Verdict:
    """Whether an outcome is the one expected, the largest relative error, and which tensor has it."""

    agrees: bool
    error: float
    where: str


def outcome(run, inputs: Inputs, learn: tuple[str, ...]) -> dict[str, Tensor | None]:
    """The output, and the gradients of a fixed weighting of it to the inputs named; None for one that is not used."""
    if not learn:
        with torch.no_grad():
            return {"output": run(**inputs)}
    leaves = leaves_of(inputs, learn)
    y = run(**leaves)
    gradients = torch.autograd.grad(y, [leaves[name] for name in learn], weights(y), allow_unused=True)
    return {"output": y.detach()} | {f"gradient of {name}": g for name, g in zip(learn, gradients, strict=True)}


def leaves_of(inputs: Inputs, learn: tuple[str, ...]) -> Inputs:
    return {name: value.detach().requires_grad_(name in learn) for name, value in inputs.items()}


def weights(y: Tensor) -> Tensor:
    """The upstream gradient: random, so that no error cancels; 1 for a loss."""
    if y.dim() == 0:
        return torch.ones_like(y)
    # Drawn in float64, then rounded: other types draw other numbers.
    generator = torch.Generator(y.device).manual_seed(99)
    return torch.randn(y.shape, generator=generator, dtype=torch.float64, device=y.device).to(y.dtype)


def widen(inputs: Inputs) -> Inputs:
    """The same inputs in float64; whole numbers stay."""
    return {name: value.to(_wide(value.dtype)) for name, value in inputs.items()}


def _wide(dtype: torch.dtype) -> torch.dtype:
    return torch.complex128 if dtype.is_complex else torch.float64 if dtype.is_floating_point else dtype


def check(case: Case, variant: Variant, expected: dict[str, dict[str, Tensor | None]]) -> Verdict:
    """A variant in float32 against its truth in float64, on a case of fewer histories. ``expected`` keeps truths."""
    inputs = case.make({**case.sizes, **case.fewer})
    if variant.truth not in expected:
        expected[variant.truth] = outcome(case.truths[variant.truth], widen(inputs), case.learn)
    return compare(outcome(variant.run, inputs, case.learn), expected[variant.truth], variant.tolerance, case.error)


def compare(found, expected, tolerance: float, error=None) -> Verdict:
    """The worst tensor of two outcomes."""
    worst = Verdict(True, 0.0, "output")
    for name, right in expected.items():
        other = found[name]
        if right is None or other is None:
            # A gradient that one of them leaves out must be zero in the other.
            present = right if other is None else other
            off = 0.0 if present is None or not present.any() else float("inf")
        elif right.shape != other.shape:
            return Verdict(False, float("inf"), f"{name}, of shape {tuple(other.shape)} for {tuple(right.shape)}")
        else:
            off = (error or relative)(other, right)
        if not off <= worst.error:  # not-a-number is worse than anything
            worst = Verdict(off <= tolerance, off if off == off else float("inf"), name)
    return worst


def relative(found: Tensor, expected: Tensor) -> float:
    """Norm of the difference over the norm of what is expected."""
    found, expected = (tensor.to(_wide(tensor.dtype)) for tensor in (found, expected))
    return float((found - expected).norm() / expected.norm().clamp_min(1e-30))


def disagreeing(found: Tensor, expected: Tensor) -> float:
    """Share of rows that are not equal: for ranks, where a rounding error changes a whole place or nothing."""
    return float((found.double() != expected.double()).double().mean())
