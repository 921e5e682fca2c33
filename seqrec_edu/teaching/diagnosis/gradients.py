"""Right values are not enough where something is to be trained: the gradient must arrive, and be right."""

from __future__ import annotations

import torch
from torch import Tensor

from seqrec_edu.teaching.attempt import Attempt, Finding
from seqrec_edu.teaching.compare import close
from seqrec_edu.teaching.definition import as_tuple
from seqrec_edu.teaching.inputs import Case

LOST = (
    "The values are right, but no gradient flows back to {}: was something detached, or taken through "
    ".item(), numpy or torch.tensor(…)?"
)
INFINITE = (
    "The values are right, but the gradient of {} has NaN or infinity: something that is thrown away "
    "afterwards was infinite before."
)
OVERWRITTEN = (
    "The values are right, but no gradient can be computed: a tensor that it still needs is written over in place. "
    "Collect the steps in a list, and torch.stack them at the end."
)
OTHER = "The values are right, but the gradient of {} is another: a part of the way was detached."


def gradients(attempt: Attempt) -> Finding | None:
    """Compare the gradients of all arguments the exercise names, on a usual case and on the special ones."""
    names = attempt.task.gradients
    if not names:
        return None
    usual = [case for case in attempt.cases if case.dtype == torch.float64 and case.contiguous and not case.name]
    for case in [usual[len(usual) // 2], *(case for case in attempt.cases if case.name)]:
        values = _asking(case, names)
        outcome = attempt.call(case, values)
        if outcome.error is not None or outcome.slow:
            problem = outcome.message or "too slow"
            sentence = f"With arguments that ask for a gradient it fails: {problem}."
            return Finding("mistake", "no gradient", sentence, "experiment", case)
        try:
            mine = _gradients(as_tuple(outcome.value), [values[name] for name in names])
        except RuntimeError:  # of autograd, about a tensor that was written over
            return Finding("mistake", "written over", OVERWRITTEN, "experiment", case)
        values = _asking(case, names)
        with torch.enable_grad():
            right = _gradients(as_tuple(attempt.task.solved(*values.values())), [values[name] for name in names])
        for name, got, want in zip(names, mine, right, strict=True):
            problem = _problem(got, want)
            if problem:
                title, sentence = problem
                return Finding("mistake", title, sentence.format(name), "experiment", case)
    return None


def _asking(case: Case, names: tuple[str, ...]) -> dict[str, Tensor]:
    return {name: value.detach().requires_grad_(name in names) for name, value in case.fresh().items()}


def _problem(got: Tensor | None, want: Tensor | None) -> tuple[str, str] | None:
    needed = want is not None and bool((want != 0).any())
    if got is None:
        return ("gradient lost", LOST) if needed else None
    if not bool(got.isfinite().all()):
        return "gradient not finite", INFINITE
    return ("gradient differs", OTHER) if want is not None and not bool(close(got, want).all()) else None


def _gradients(results: tuple, leaves: list[Tensor]) -> list[Tensor | None]:
    """Of a weighted sum of the results, so that no two of their numbers can be exchanged."""
    total = 0.0
    for each in results:
        if isinstance(each, Tensor) and each.requires_grad:
            weights = torch.linspace(0.5, 1.5, each.numel(), dtype=torch.float64).view(each.shape)
            product = each.masked_fill(~each.isfinite(), 0) * weights
            total = total + (product.real.sum() + product.imag.sum() if each.is_complex() else product.sum())
    if not isinstance(total, Tensor):
        return [None] * len(leaves)
    return list(torch.autograd.grad(total, leaves, allow_unused=True))
