"""Poke an argument and see what moves: the future read, pads counted, rows mixed, an argument without effect."""

from __future__ import annotations

import torch
from torch import Tensor

from seqrec_edu.teaching.attempt import Attempt, Finding
from seqrec_edu.teaching.compare import Results, close
from seqrec_edu.teaching.diagnosis.places import real_events
from seqrec_edu.teaching.inputs import Case

ROWS = {"b": "rows of the batch", "h": "heads", "e": "channels", "d": "channels", "p": "places of a head", "u": "users"}


def _case(attempt: Attempt) -> Case | None:
    """A failing case in float64 with some length and more than one row where there is one."""
    usable = [
        attempt.cases[at]
        for at in attempt.failing
        if not attempt.cases[at].single and not attempt.cases[at].name and attempt.got[at] is not None
    ]
    wide = [case for case in usable if case.sizes.get("l", 3) in (3, 5, 6)]
    return max(wide or usable, key=lambda case: (case.sizes.get("b", 1) > 1, case.sizes.get("l", 0)), default=None)


def poked(case: Case, name: str, axis: int | None = None, at: int = 0, where: Tensor | None = None) -> Case:
    """The case with other numbers in one argument, at one place of an axis or wherever ``where`` is True."""
    value = case.fresh()[name]
    other = value + 0.37 * (1 + value.abs())
    if where is not None:
        value = torch.where(where.reshape(*where.shape, *[1] * (value.dim() - where.dim())), other, value)
    elif axis is None:
        value = other
    else:
        value = value.clone()
        value.select(axis, at).copy_(other.select(axis, at))
    return case.other(case.fresh() | {name: value})


def moved(before: Results | None, after: Results | None) -> list[Tensor] | None:
    """Where results differ from what they were."""
    if before is None or after is None or any(a.shape != b.shape for a, b in zip(before, after, strict=True)):
        return None
    return [~close(a, b) for a, b in zip(after, before, strict=True)]


def dependence(attempt: Attempt) -> Finding | None:
    """Which places of the result hear of one place of an argument, here and in the solution."""
    case = _case(attempt)
    if case is None:
        return None
    before = attempt.results(case), attempt.solve(case)
    found = _pads(attempt, case, before)
    if found:
        return found
    for letter in ("l", "b", "h", "e", "d", "p", "u"):
        for name, argument in attempt.task.arguments.items():
            if argument.kind != "number" or letter not in argument.letters or case.sizes[letter] < 2:
                continue
            axis, size = argument.letters.index(letter), case.sizes[letter]
            for index, axes in enumerate(attempt.task.results):
                if axes.split().count(letter) != 1:
                    continue
                words = _along(attempt, case, before, name, axis, size // 2, index, axes.split().index(letter))
                if words:
                    title, sentence = _sentence(words, letter, name)
                    return Finding("mistake", title, sentence, "experiment", case)
    return None


def _along(attempt, case, before, name, axis, at, index, result_axis) -> str:
    other = poked(case, name, axis, at)
    mine, right = moved(before[0], attempt.results(other)), moved(before[1], attempt.solve(other))
    if mine is None or right is None:
        return ""
    heard, should = (m[index].transpose(0, result_axis).flatten(1).any(1) for m in (mine, right))
    if bool((heard & ~should)[:at].any()):
        return "earlier"
    if bool((heard & ~should)[at + 1 :].any()):
        return "later"
    if bool((should & ~heard)[at + 1 :].any()):
        return "not later"
    if bool((should & ~heard)[:at].any()):
        return "not earlier"
    return (
        "not itself" if bool(should[at]) and not bool(heard[at]) else "itself" if bool(heard[at] & ~should[at]) else ""
    )


def _sentence(words: str, letter: str, name: str) -> tuple[str, str]:
    if letter != "l":
        if words in ("earlier", "later"):
            rows = ROWS.get(letter, f"places of axis {letter}")
            return (
                f"{rows} mixed",
                f"The {rows} are not kept apart: {name} of one changes the result of another (axis {letter}).",
            )
        return (
            f"{name} without effect along {letter}",
            f"{name} does not reach all the results it should along axis {letter}.",
        )
    return {
        "earlier": (
            "future read",
            f"It reads the future: {name} of a later event changes the result of earlier ones.",
        ),
        "later": (
            f"{name} reaches too far",
            f"{name} of an event changes the results of later events, and should not.",
        ),
        "not later": (
            "past forgotten",
            f"{name} of an event does not reach the events after it as it should: what is carried along l gets lost.",
        ),
        "not earlier": (
            "later events not seen",
            f"{name} of an event should change the results before it as well, and does not.",
        ),
        "not itself": (
            f"{name} of the event itself missing",
            f"The result of an event does not depend on {name} of the same event: it comes one event late.",
        ),
        "itself": (
            f"{name} of the event itself used",
            f"The result of an event depends on {name} of the same event, and should not.",
        ),
    }[words]  # fmt: skip


def _pads(attempt: Attempt, case: Case, before) -> Finding | None:
    """Other contents of the pads change the results of real events."""
    real = real_events(case)
    if real is None or bool(real.all()):
        return None
    for name, argument in attempt.task.arguments.items():
        if argument.kind != "number" or argument.letters[:2] != ("b", "l"):
            continue
        other = poked(case, name, where=~real)
        mine, right = moved(before[0], attempt.results(other)), moved(before[1], attempt.solve(other))
        if mine is None or right is None or any(bool(each.any()) for each in right):
            continue
        if any(bool(each.any()) for each in mine):
            sentence = f"The pads are counted: what stands in {name} where there is no event changes the result."
            return Finding("mistake", "pads counted", sentence, "experiment", case)
    return None


def unused(attempt: Attempt) -> Finding | None:
    """An argument without effect, or with one that it should not have."""
    case = _case(attempt)
    if case is None:
        return None
    before = attempt.results(case), attempt.solve(case)
    for name, argument in attempt.task.arguments.items():
        if argument.kind != "number":
            continue
        other = poked(case, name)
        mine, right = moved(before[0], attempt.results(other)), moved(before[1], attempt.solve(other))
        if mine is None or right is None:
            continue
        heard, should = (any(bool(each.any()) for each in m) for m in (mine, right))
        if heard != should:
            title = f"{name} unused" if should else f"{name} used"
            sentence = (
                f"{name} has no effect on the result." if should else f"{name} changes the result, and should not."
            )
            return Finding("mistake", title, sentence, "experiment", case)
    return None


def growth(attempt: Attempt) -> Finding | None:
    """Twice an argument: twice the result in the solution, and here?"""
    case = _case(attempt)
    if case is None:
        return None
    before = attempt.results(case), attempt.solve(case)
    for name, argument in attempt.task.arguments.items():
        if argument.kind != "number":
            continue
        double = case.other(case.fresh() | {name: 2 * case.fresh()[name]})
        mine, right = (_power(b, f(double)) for b, f in zip(before, (attempt.results, attempt.solve), strict=True))
        if right is None or mine == right:
            continue
        how = "in no simple way" if mine is None else f"with its power {mine}" if mine else "not at all"
        sentence = f"Twice {name} should give {2**right} times the result; here the result follows {name} {how}."
        title = f"not linear in {name}" if right == 1 else f"growth with {name}"
        return Finding("mistake", title, sentence, "experiment", case)
    return None


def _power(before: Results | None, after: Results | None) -> int | None:
    """k where doubling the argument multiplied the result by 2 to the k."""
    if before is None or after is None:
        return None
    for power in (0, 1, 2):
        if all(a.shape == b.shape and bool(close(a, 2**power * b).all()) for a, b in zip(after, before, strict=True)):
            return power
    return None
