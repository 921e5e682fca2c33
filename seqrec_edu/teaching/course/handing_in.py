"""From a source or a built course to the grader: questions, grades, grade book, feedback, likeness."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat

from seqrec_edu.data.files import write_whole
from seqrec_edu.teaching.course import versions
from seqrec_edu.teaching.course.source import read


def gradable(path: str | Path) -> Any:
    """The grader's ``Assignment`` of a source notebook: the questions' functions, exercises, points; the release.

    Raises ValueError where the notebook has no question.
    """
    from seqrec_edu.teaching.grading import Assignment, Question

    assignment = read(path)
    if not assignment.questions:
        raise ValueError(f"{path} has no question: name the source notebook or the instructor's version")
    questions = tuple(
        Question(each.title or each.function, each.function, each.points, each.exercise, judge=each.judge)
        for each in assignment.questions
    )
    release = nbformat.writes(versions.release(assignment), version=nbformat.NO_CONVERT)
    return Assignment(assignment.name, questions, release)


def grade(
    folder: str | Path, path: str | Path, out: str | Path, *, workers: int | None = None, again: bool = False,
    progress: Callable[[dict], None] | None = None,
) -> Any:  # fmt: skip
    """Grade the submissions in ``folder`` against a source notebook, and write everything a teacher reads to ``out``.

    ``grades.csv``, ``grades.html``, ``feedback/STUDENT.ipynb``, ``similar.txt`` and ``similar.json``, beside the
    grader's own ``reports/``. Started again it goes on where it was stopped. Returns what the grader returns.
    """
    from seqrec_edu.teaching.grading import grade as run
    from seqrec_edu.teaching.grading.book import grade_csv, grade_page
    from seqrec_edu.teaching.grading.feedback import feedback_notebook
    from seqrec_edu.teaching.grading.run import submissions
    from seqrec_edu.teaching.grading.similarity import similar_pairs, similarity_text

    folder, out, assignment = Path(folder), Path(out), gradable(path)
    done = run(folder, assignment, out, workers=workers, again=again, progress=progress)
    if not done.reports:
        raise ValueError(f"{folder} holds no submission: expected STUDENT.ipynb, or a folder for each student")
    handed_in = submissions(folder, assignment.name)
    for report in done.reports:
        feedback = feedback_notebook(report, handed_in[report["student"]])
        write_whole(out / "feedback" / f"{report['student']}.ipynb", feedback.encode())
    pairs = similar_pairs(done.reports, "\n\n".join(_code(assignment.release)))
    texts = {
        "grades.csv": grade_csv(done.reports),
        "grades.html": grade_page(done.reports, read(path).title),
        "similar.json": json.dumps(pairs, indent=1, ensure_ascii=False) + "\n",
        "similar.txt": similarity_text(pairs),
    }
    for name, text in texts.items():
        write_whole(out / name, text.encode())
    return done


def _code(release: str) -> list[str]:
    return [cell.source for cell in nbformat.reads(release, as_version=4).cells if cell.cell_type == "code"]
