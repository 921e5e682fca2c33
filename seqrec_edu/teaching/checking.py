"""``check``: try a function, and say in axis words what is wrong with it."""

from __future__ import annotations

import dis
from collections.abc import Callable

import torch

from seqrec_edu.teaching import diagnosis
from seqrec_edu.teaching.attempt import Attempt, Finding
from seqrec_edu.teaching.compare import first_difference, plain
from seqrec_edu.teaching.definition import Exercise
from seqrec_edu.teaching.exercises import load, names
from seqrec_edu.teaching.guard import Outcome, is_borrowed
from seqrec_edu.teaching.inputs import Case
from seqrec_edu.teaching.verdict import Verdict

EMPTY = {"RESUME", "LOAD_CONST", "RETURN_VALUE", "RETURN_CONST", "NOP", "COPY_FREE_VARS"}


def check(
    function: Callable, exercise: str | None = None, *, seed: int = 0, seconds: float = 5.0, gradients: bool = True
) -> Verdict:
    """Whether ``function`` solves an exercise; if not, what its mistake is.

    The exercise is named, or found by the function's own name, with or without ``my_`` in front. ``seed`` draws the
    inputs. ``seconds`` limits all calls together; ``gradients=False`` leaves gradients out, for a function that runs
    in another process. Nothing that the function does is raised, except a keyboard interrupt. Random generators, the
    default dtype and grad mode are as before afterwards. Raises ``ValueError`` for an exercise that does not exist.
    """
    task = find(function, exercise)
    if not callable(function):
        return _verdict(
            task, Finding("error", "not a function", f"Expected a function, got {type(function).__name__}.")
        )
    borrowed = is_borrowed(function, task.own)
    if borrowed:
        return _verdict(task, _not_allowed(borrowed))
    attempt = Attempt(task, function, seed, seconds)
    finding = _stopped(attempt) or _misbehaved(attempt)
    if finding is None and not attempt.failing:
        finding = _unsteady(attempt, 0) or (diagnosis.gradients(attempt) if gradients else None)
    elif finding is None:
        attempt.begin_experiments()
        finding = _unsteady(attempt, attempt.failing[0]) or diagnosis.name(attempt)
    return _verdict(task, finding, attempt)


def find(function: object, exercise: str | None) -> Exercise:
    """The exercise by its name or by that of the function."""
    if exercise is not None:
        return load(exercise)
    inner = getattr(function, "func", function)  # a partial has the name of what it calls
    name = getattr(inner, "__name__", type(inner).__name__)
    for each in (name, name.removeprefix("my_")):
        if each in names():
            return load(each)
    raise ValueError(
        f"no exercise has the name of the function {name!r}: name it, as in check({name}, {names()[0]!r}); "
        f"there are {', '.join(names())}"
    )


def _not_allowed(what: str) -> Finding:
    return Finding("not allowed", "a borrowed answer", f"It calls {what}, which is what you are asked to write.")


def _stopped(attempt: Attempt) -> Finding | None:
    """Reasons to look no further: nothing written, borrowed, or endless."""
    last, case = attempt.outcomes[-1], attempt.cases[len(attempt.outcomes) - 1]
    if isinstance(last.error, NotImplementedError):
        return Finding("not written", "", "The function is not written yet: it raises NotImplementedError.")
    if _is_empty(attempt.function) and all(each.value is None for each in attempt.outcomes):
        return Finding("not written", "", "The function is not written yet: it does nothing and returns None.")
    if last.borrowed:
        return _not_allowed(last.borrowed[0])
    if last.slow:
        return Finding(
            "too slow", "does not end",
            f"It had not ended when the time was up, at {case.described}. Is there a loop that never stops?", "", case,
        )  # fmt: skip
    return None


def _is_empty(function: Callable) -> bool:
    """Whether nothing stands inside: ``return None``, ``pass`` or ``...``."""
    code = getattr(function, "__code__", None)
    return code is not None and all(each.opname in EMPTY for each in dis.get_instructions(code))


def _misbehaved(attempt: Attempt) -> Finding | None:
    """What is wrong whatever the result is."""
    for outcome, case in zip(attempt.outcomes, attempt.cases, strict=True):
        if outcome.changed:
            changed = ", ".join(outcome.changed)
            return Finding(
                "mistake", "argument changed in place",
                f"It overwrites its argument {changed}: whoever calls it finds other numbers there afterwards. "
                "Work on a copy, or write x = x + … instead of x += ….", "experiment", case,
            )  # fmt: skip
        if outcome.disturbed:
            return Finding(
                "mistake", "global setting changed",
                f"It changes {outcome.disturbed}, which everything else in the process uses as well.",
                "experiment", case,
            )  # fmt: skip
    return None


def _unsteady(attempt: Attempt, at: int) -> Finding | None:
    """Whether the same input gives the same result again."""
    case, before = attempt.cases[at], attempt.got[at]
    if before is None:
        return None
    again, same_draw, other_draw = _seeded(attempt, case)
    if any(each.slow or each.error is not None for each in (again, same_draw, other_draw)):
        return None
    if attempt.same(at, plain(again.value)):
        return None
    drawn = diagnosis.alike(plain(again.value), plain(same_draw.value), case)
    if drawn and not diagnosis.alike(plain(again.value), plain(other_draw.value), case):
        name, sentence = "random", "It draws random numbers: the same input gives another result at every call."
    else:
        name = "remembers earlier calls"
        sentence = (
            "The same input gives another result later on: something is kept between calls, "
            "in a global variable or a default argument."
        )
    return Finding("mistake", name, sentence, "experiment", case)


def _seeded(attempt: Attempt, case: Case) -> list[Outcome]:
    """The same input thrice: with one state of torch's random generator, with the same, with another."""
    found = []
    with torch.random.fork_rng(devices=[]):
        for seed in (1, 1, 2):
            torch.manual_seed(seed)
            found.append(attempt.call(case))
    return found


def _verdict(task: Exercise, finding: Finding | None, attempt: Attempt | None = None) -> Verdict:
    tried = len(attempt.outcomes) if attempt else 0
    if finding is None:
        return Verdict(task.name, "right", tried=tried)
    found = Verdict(
        task.name, finding.kind, finding.name, finding.sentence, finding.case, found_by=finding.found_by, tried=tried,
        hints=task.hints,
    )  # fmt: skip
    if finding.case is not None and attempt is not None and finding.case in attempt.cases:
        at = attempt.cases.index(finding.case)
        if at < len(attempt.got) and attempt.got[at] is not None:
            place = first_difference(attempt.got[at], attempt.wanted[at], task.results, finding.case, task.tolerance)
            if place is not None:
                found.position, found.got, found.expected = place.where, place.got, place.expected
    return found
