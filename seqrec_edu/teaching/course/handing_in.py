"""From a source or a built course to the grader: questions, grades, grade book, feedback, likeness."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat

from seqrec_edu.teaching.course import versions
from seqrec_edu.teaching.course.rosters import students
from seqrec_edu.teaching.course.source import read


def gradable(path: str | Path) -> Any:
    """The grader's ``Assignment`` of a source notebook: the questions' functions, exercises, points; the release.

    Raises ValueError where the notebook has no question, or is not the one that the questions can be read from. A
    question whose exercise nobody knows stays in it, and is not graded.
    """
    from seqrec_edu.teaching.grading import Assignment, Question

    assignment = read(path)
    if not assignment.questions:
        raise ValueError(f"{path} has no question: name the source notebook or the instructor's version")
    if not all(each.function for each in assignment.questions):
        raise ValueError(f"{path} is the release or the solution: name the source or the instructor's version")
    questions = tuple(
        Question(each.title or each.function, each.function, each.points, each.exercise, judge=each.judge)
        for each in assignment.questions
    )
    release = nbformat.writes(versions.release(assignment), version=nbformat.NO_CONVERT)
    return Assignment(assignment.name, questions, release)


def grade(
    folder: str | Path, path: str | Path, out: str | Path, *, workers: int | None = None, again: bool = False,
    progress: Callable[[dict], None] | None = None, roster: str | Path | None = None,
) -> Any:  # fmt: skip
    """Grade the submissions in ``folder`` against a source notebook, and write everything a teacher reads to ``out``.

    ``grades.csv``, ``grades.html``, ``feedback/STUDENT.ipynb``, ``similar.txt`` and ``similar.json``, beside the
    grader's own ``reports/``. With a ``roster`` those who handed in nothing are listed too. Started again it goes on
    where it was stopped. Returns what the grader returns.
    """
    from seqrec_edu.teaching.grading import grade as run
    from seqrec_edu.teaching.grading import publish

    everyone, assignment = students(roster) if roster is not None else (), gradable(path)
    lost = [each.ungraded() for each in assignment.questions]
    if all(lost):
        raise ValueError(f"{path}: no question can be graded. {lost[0].sentence}")
    done = run(folder, assignment, out, workers=workers, again=again, progress=progress, roster=everyone)
    if all(report["state"] == "nothing" for report in done.reports):
        raise ValueError(f"{folder} holds no submission: expected STUDENT.ipynb, or a folder for each student")
    publish(done, folder, assignment, out, title=read(path).title)
    return done
