"""What kind of thing came back: an error, no tensor, another shape, another kind of number, or no number at all."""

from __future__ import annotations

import itertools

import torch

from seqrec_edu.teaching.attempt import Attempt, Finding
from seqrec_edu.teaching.compare import Results, close, shape_text
from seqrec_edu.teaching.diagnosis.places import when


def errors(attempt: Attempt) -> Finding | None:
    """An exception, with the learner's own line, and where it happens if not everywhere."""
    failed = [at for at, each in enumerate(attempt.outcomes) if each.error is not None]
    if not failed:
        return None
    outcome, case = attempt.outcomes[failed[0]], attempt.cases[failed[0]]
    if isinstance(outcome.error, SystemExit):
        return Finding(
            "error", "exit", "It calls exit(), which would end the program of whoever uses it.", "experiment", case
        )
    where = f" in {outcome.line}" if outcome.line else ""
    only = f" It happens {when(attempt, failed)}." if len(failed) < len(attempt.cases) else ""
    sentence = f"It stops with {outcome.message}{where}.{only}"
    return Finding("error", type(outcome.error).__name__, sentence, "experiment", case)


def not_tensors(attempt: Attempt) -> Finding | None:
    """Results that are no tensors, or too few or too many."""
    for at, outcome in enumerate(attempt.outcomes):
        case, count = attempt.cases[at], len(attempt.task.results)
        if attempt.got[at] is None:
            kind = type(outcome.value).__name__
            if outcome.value is None:
                return Finding(
                    "mistake", "nothing returned", "It returns None. Is a return missing?", "experiment", case
                )
            return Finding("mistake", "not a tensor", f"Expected {_expected(attempt)}, got {kind}.", "experiment", case)
        if len(attempt.got[at]) != count:
            sentence = f"Expected {_expected(attempt)}, got {len(attempt.got[at])} results."
            return Finding("mistake", "number of results", sentence, "experiment", case)
    return None


def _expected(attempt: Attempt) -> str:
    """``a tensor "b l h p"``, or the tensors in their order."""
    axes = attempt.task.results
    if axes == ("",):
        return "a tensor without axes"
    return f'a tensor "{axes[0]}"' if len(axes) == 1 else "the tensors " + ", ".join(f'"{each}"' for each in axes)


def device(attempt: Attempt) -> Finding | None:
    for at, got in enumerate(attempt.got):
        for a, b in zip(got, attempt.wanted[at], strict=True):
            if a.device != b.device:
                sentence = f"The arguments are on {b.device}, the result is on {a.device}."
                return Finding("mistake", "another device", sentence, "experiment", attempt.cases[at])
    return None


def shape(attempt: Attempt) -> Finding | None:
    """Axes that are missing, too many, exchanged or of another size: said of the most telling case."""
    bad = [
        (at, index)
        for at, got in enumerate(attempt.got)
        for index, (a, b) in enumerate(zip(got, attempt.wanted[at], strict=True))
        if a.shape != b.shape
    ]
    if not bad:
        return None
    # Where all axes have different sizes, the shape says which is which.
    at, index = max(bad, key=lambda each: len(set(attempt.wanted[each[0]][each[1]].shape)))
    axes = attempt.task.results[index].split()
    got, want = tuple(attempt.got[at][index].shape), tuple(attempt.wanted[at][index].shape)
    name, text = _about_shape(axes, got, want)
    expected = shape_text(" ".join(axes), want)
    return Finding("mistake", name, f"{text} Expected {expected}, got {got}.", "experiment", attempt.cases[at])


def _about_shape(axes: list[str], got: tuple, want: tuple) -> tuple[str, str]:
    if sorted(got) == sorted(want):
        order = next(p for p in itertools.permutations(range(len(want))) if tuple(want[i] for i in p) == got)
        return "axes in another order", f'The axes of the result come as "{" ".join(axes[i] for i in order)}".'
    for left_out in range(1, len(want)):
        for gone in itertools.combinations(range(len(want)), left_out):
            if tuple(size for i, size in enumerate(want) if i not in gone) == got:
                return "axis missing", f"The result has lost the axis {', '.join(axes[i] for i in gone)}."
    if len(got) > len(want):
        return (
            "axis too many",
            f"The result has {len(got)} axes instead of {len(want)}: one too many was kept or added.",
        )
    if len(got) == len(want):
        wrong = [i for i in range(len(want)) if got[i] != want[i]]
        listed = ", ".join(f"{axes[i]} is {got[i]} instead of {want[i]}" for i in wrong)
        return "axis of another size", f"In the result {listed}."
    return "another shape", "The result has another shape."


def number_kind(attempt: Attempt) -> Finding | None:
    """float32 out of float64, whole numbers, complex numbers."""
    for at, got in enumerate(attempt.got):
        case = attempt.cases[at]
        for a, b in zip(got, attempt.wanted[at], strict=True):
            if b.is_complex() != a.is_complex() or b.is_floating_point() != a.is_floating_point():
                text = f"Expected {_kind(b.dtype)} as a result, got {_kind(a.dtype)}."
            elif b.is_floating_point() and a.dtype != case.dtype and not case.single:
                text = (
                    f"The arguments are {_kind(case.dtype)} and the result is {_kind(a.dtype)}: digits are "
                    f"lost on the way."
                )
            elif b.dtype == torch.bool != a.dtype:
                text = f"Expected True and False, got {_kind(a.dtype)}."
            else:
                continue
            return Finding("mistake", "another kind of number", text, "experiment", case)
    return None


def _kind(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def precision(attempt: Attempt) -> Finding | None:
    """Wrong by less than float32 would be: something on the way has single precision."""
    if all(_nearly(attempt.got[at], attempt.wanted[at]) for at in attempt.failing):
        sentence = "The result is right to about seven digits only: something on the way was computed in float32."
        return Finding("mistake", "float32 inside", sentence, "experiment", attempt.cases[attempt.failing[0]])
    return None


def _nearly(got: Results, want: Results) -> bool:
    return all(bool(close(a, b, single=True, tolerance=0.05).all()) for a, b in zip(got, want, strict=True))


def not_finite(attempt: Attempt) -> Finding | None:
    """NaN or infinity out of finite input."""
    bad = [
        at
        for at in attempt.failing
        if any(
            bool((~a.isfinite() & b.isfinite()).any()) for a, b in zip(attempt.got[at], attempt.wanted[at], strict=True)
        )
    ]
    if not bad or len(bad) < len(attempt.failing):
        return None
    what = "NaN" if any(bool(a.isnan().any()) for a in attempt.got[bad[0]]) else "infinity"
    sentence = (
        f"The result has {what}, {when(attempt, bad)}: a division by zero, an exponential that "
        f"overflows, or a softmax over nothing?"
    )
    return Finding("mistake", f"{what} in the result", sentence, "experiment", attempt.cases[bad[0]])
