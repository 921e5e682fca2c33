"""What is proved of an assignment by running it: solutions pass, untouched stubs fail for the right reason."""

from collections.abc import Iterator
from textwrap import shorten

from nbformat import NotebookNode

from seqrec_edu.teaching.course import minutes
from seqrec_edu.teaching.course.running import Ended
from seqrec_edu.teaching.course.source import Assignment, Question

RIGHT, NOT_WRITTEN = "right", "not written"
REASON = (
    "the reason must be NotImplementedError or the verdict 'not written'; "
    "write `graded = check(…)` and below it `assert graded, graded`"
)


def solutions_pass(assignment: Assignment, ended: list[Ended]) -> list[str]:
    """No cell fails, and every instant check says that the solution is right."""
    found = [f"with the solutions, {_failed(place, end)}" for place, end in enumerate(ended, start=1) if end.error]
    for question, place in _checks(assignment):
        if not ended[place].error and ended[place].kind != RIGHT:
            found.append(f"with the solutions, {_check_said(question, place, ended[place], RIGHT)}")
    return found


def stubs_fail(assignment: Assignment, ended: list[Ended]) -> list[str]:
    """Every check says "not written", every hidden test fails for that reason, and nothing else fails."""
    found = []
    for question, place in _checks(assignment):
        if not ended[place].error and ended[place].kind != NOT_WRITTEN:
            found.append(f"with stubs, {_check_said(question, place, ended[place], NOT_WRITTEN)}")
    tests = {place: question for question in assignment.questions for place in question.tests}
    for place, end in enumerate(ended):
        right = end.error == "NotImplementedError" or (end.error == "AssertionError" and end.kind == NOT_WRITTEN)
        if place not in tests and end.error:
            found.append(f"with stubs, {_failed(place + 1, end)}: a release must run from top to bottom")
        elif place in tests and not end.error:
            found.append(f"with stubs, the test in cell {place + 1} of {tests[place].function} passes")
        elif place in tests and not right:
            found.append(f"with stubs, {_failed(place + 1, end)}: {REASON}")
    return found


def minutes_hold(assignment: Assignment, release: NotebookNode, seconds: float) -> list[str]:
    """The stated minutes agree with what is derived: reading, the questions' minutes and the measured seconds."""
    derived = minutes_needed(assignment, release, seconds)
    if assignment.minutes is None or minutes.agrees(assignment.minutes, derived):
        return []
    parts = (
        f"{minutes.reading(release.cells):.0f} reading, {_working(assignment):g} working, {seconds / 60:.1f} waiting"
    )
    return [f"cell 1 states {assignment.minutes:g} minutes; {derived:.0f} were derived ({parts})"]


def minutes_needed(assignment: Assignment, release: NotebookNode, seconds: float) -> float:
    return minutes.reading(release.cells) + _working(assignment) + seconds / 60


def _working(assignment: Assignment) -> float:
    return sum(question.minutes or 0 for question in assignment.questions)


def _checks(assignment: Assignment) -> Iterator[tuple[Question, int]]:
    for question in assignment.questions:
        for place in question.checks:
            yield question, place


def _failed(place: int, end: Ended) -> str:
    first = shorten((end.message.splitlines() or [""])[0], 200, placeholder=" …")
    return f"cell {place} ends in {end.error}" + (f": {first}" if first else "")


def _check_said(question: Question, place: int, end: Ended, expected: str) -> str:
    said = f"says {end.kind!r} ({end.sentence})" if end.kind else "shows no verdict as its last value"
    return f"the check of {question.function} in cell {place + 1} {said}, expected {expected!r}"
