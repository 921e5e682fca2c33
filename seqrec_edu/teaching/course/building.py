"""From a source notebook to release, solution and instructor versions; written only when every proof holds."""

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from seqrec_edu.teaching.course import proofs, rules, versions
from seqrec_edu.teaching.course.leaks import leaks
from seqrec_edu.teaching.course.running import STOPPED, Ended, Execute, Limits, kernel
from seqrec_edu.teaching.course.source import Assignment, read, sources

LIMIT = 500_000  # bytes of a version
USUAL = Limits()


class NotReady(ValueError):
    """An assignment whose proofs do not hold; ``problems`` lists why, and the message says it in words."""

    def __init__(self, problems: dict[str, list[str]]):
        self.problems = problems
        count = sum(map(len, problems.values()))
        lines = [f"{name}: {problem}" for name, found in problems.items() for problem in found]
        super().__init__("\n  ".join([f"nothing was written; {count} problem{'s' * (count != 1)}:", *lines]))


@dataclass(frozen=True)
class Built:
    """The versions of one assignment, proved, and what was measured on the way."""

    assignment: Assignment
    release: NotebookNode
    solution: NotebookNode
    instructor: NotebookNode
    record: dict


def build(
    path: str | Path,
    out: str | Path,
    *,
    limits: Limits = USUAL,
    say: Callable[[str], None] = lambda line: None,
) -> list[Built]:
    """Make the versions of one source notebook, or of all in a folder: ``out/release``, ``solution``, ``instructor``.

    Proved first, for every assignment: the solutions run and every check and hidden test passes; untouched stubs fail
    for the right reason and nothing else fails; no line of a solution or hidden test is in the release; the stated
    minutes agree with reading, working and the measured seconds; every question has a goal and points; nothing ties
    a version to a machine or a day. Costs two runs of each notebook in one kernel.

    Returns what was built, in order of names; ``say`` hears of questions that our grader cannot judge. Raises
    NotReady, a ValueError that lists every problem with its cell; then nothing is written.
    """
    assignments = [read(each) for each in sources(path)]
    if found := {each.name: wrong for each in assignments if (wrong := rules.problems(each))}:
        raise NotReady(found)  # before a kernel is started for any of them
    built = []
    for assignment in assignments:
        say(f"proving {assignment.name}")
        made, problems = prove(assignment, limits)
        built += [made] if made else []
        found |= {assignment.name: problems} if problems else {}
    if found:
        raise NotReady(found)
    _write_all(built, Path(out))
    for assignment in assignments:
        for warning in rules.of_ones_own(assignment):
            say(f"warning: {assignment.name}: {warning}")
    return built


def prove(
    assignment: Assignment, limits: Limits = USUAL, execute: Execute | None = None
) -> tuple[Built | None, list[str]]:
    """The versions and no problem, or None and the problems. Nothing is executed while the source breaks a rule.

    ``execute`` is a kernel that runs already (``running.kernel``): then the imports are paid for once.
    """
    if problems := rules.problems(assignment):
        return None, problems
    executed, untouched = deepcopy(assignment.notebook), versions.untouched(assignment)
    own = contextlib.nullcontext(execute) if execute else kernel(assignment.path.resolve().parent, limits)
    with own as run:
        with_solutions = run(executed)
        problems = proofs.solutions_pass(assignment, with_solutions)
        if any(end.error in STOPPED for end in with_solutions):
            return None, problems
        with_stubs = run(untouched)
    release = versions.release(assignment)
    solution = versions.solution(assignment, executed)
    instructor = versions.instructor(assignment, executed)
    seconds = sum(end.seconds for end in with_solutions)
    problems += [
        *proofs.stubs_fail(assignment, with_stubs),
        *proofs.minutes_hold(assignment, release, seconds),
        *leaks(release, assignment),
    ]
    for version, notebook in (("release", release), ("solution", solution), ("instructor", instructor)):
        problems += rules.traces(notebook, version) + _form(notebook, version)
    if problems:
        return None, problems
    return Built(assignment, release, solution, instructor, _record(assignment, release, with_solutions)), []


def write(built: Built, folder: Path) -> None:
    """The files of one assignment below ``folder``."""
    name = built.assignment.name
    for version in ("release", "solution", "instructor"):
        (folder / version).mkdir(parents=True, exist_ok=True)
        (folder / version / f"{name}.ipynb").write_text(_text(getattr(built, version)), encoding="utf-8")
    record = json.dumps(built.record, indent=1, ensure_ascii=False) + "\n"
    (folder / "instructor" / f"{name}.json").write_text(record, encoding="utf-8")


def _write_all(built: Sequence[Built], out: Path) -> None:
    """By way of a temporary folder: a version that is there already is replaced whole, or not at all."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".building-") as name:
        temporary = Path(name)
        for each in built:
            write(each, temporary)
        for path in sorted(temporary.rglob("*.*")):
            target = out / path.relative_to(temporary)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(path, target)


def _record(assignment: Assignment, release: NotebookNode, ended: Sequence[Ended]) -> dict:
    """What the grader and the lesson plan read: questions, points, minutes, seconds, and the source's hash."""
    seconds = sum(end.seconds for end in ended)
    return {
        "assignment": assignment.name,
        "title": assignment.title,
        "points": assignment.points,
        "stated_minutes": assignment.minutes,
        "derived_minutes": round(proofs.minutes_needed(assignment, release, seconds), 1),
        "seconds": round(seconds, 1),
        "cell_seconds": [round(end.seconds, 2) for end in ended],
        "source_sha256": hashlib.sha256(_text(assignment.notebook).encode()).hexdigest(),
        "questions": [
            {
                "function": question.function,
                "exercise": question.exercise,
                "title": question.title,
                "goal": question.goal,
                "minutes": question.minutes,
                "points": question.points,
                "seconds": round(sum(ended[place].seconds for place in question.checks), 2),
            }
            for question in assignment.questions
        ],
    }


def _form(notebook: NotebookNode, version: str) -> list[str]:
    try:
        nbformat.validate(deepcopy(notebook))
    except nbformat.ValidationError as wrong:
        return [f"{version}: not a valid notebook: {str(wrong).splitlines()[0]}"]
    size = len(_text(notebook).encode())
    return [f"{version}: {size:,} bytes, more than {LIMIT:,}"] if size > LIMIT else []


def _text(notebook: NotebookNode) -> str:
    return nbformat.writes(notebook, version=nbformat.NO_CONVERT) + "\n"
