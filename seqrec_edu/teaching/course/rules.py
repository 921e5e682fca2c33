"""What a source notebook must hold before anything is executed, and what no version may hold. Problems in words."""

import re
from collections import Counter
from collections.abc import Iterator
from importlib import import_module

from nbformat import NotebookNode

from seqrec_edu.teaching.course import regions
from seqrec_edu.teaching.course.leaks import texts
from seqrec_edu.teaching.course.source import (
    SCHEMA,
    Assignment,
    Question,
    defined,
    grader,
    hidden,
    is_solution,
    is_test,
)

NAME = re.compile(r"[A-Za-z0-9][\w-]*")
# The first alternative keeps out the paths of links and of file names inside a folder.
FOLDER = re.compile(r"(?<![\w.:/<-])/(?:home|Users|root|tmp|var|opt|usr|mnt|srv|work|private)/\w|\b[A-Z]:\\+\w")
DATE = re.compile(r"\b(?:19|20)\d\d-\d\d-\d\d\b")


def problems(assignment: Assignment) -> list[str]:
    """Everything that keeps a source notebook from being an assignment; [] when there is nothing."""
    return [*_notebook(assignment), *_cells(assignment.notebook), *_questions(assignment)]


def traces(notebook: NotebookNode, version: str) -> list[str]:
    """What ties a version to one machine or one day: paths, dates, widget state."""
    found = [f"{version}: widget state is saved"] if "widgets" in notebook.metadata else []
    for where, text in texts(notebook):
        for pattern, what in ((FOLDER, "an absolute path"), (DATE, "a date")):
            if hit := pattern.search(text[:200_000]):
                found.append(f"{version}, {where}: {what}: {text[max(hit.start() - 20, 0) : hit.end() + 20]!r}")
    for place, cell in enumerate(notebook.cells, start=1):
        kinds = {kind for output in cell.get("outputs", []) for kind in output.get("data", {})}
        if any("widget" in kind for kind in kinds) and not kinds & {"image/png", "image/svg+xml"}:
            found.append(f"{version}, cell {place}: a widget without a picture of it")
    return found


def of_ones_own(assignment: Assignment) -> Iterator[str]:
    """Questions that our grader cannot judge. Nothing is wrong with them: the build proves them, nbgrader grades them.

    Loads the judges, and with them torch.
    """
    for number, question in enumerate(assignment.questions, start=1):
        try:
            import_module(question.judge).exercise(question.exercise)
        except ValueError:
            yield (
                f"question {number}: `check` knows no exercise {question.exercise!r}, so nbgrader can grade it and "
                "`course grade` cannot; seqrec_edu.teaching.exercises() lists those that it knows"
            )


def _notebook(assignment: Assignment) -> Iterator[str]:
    if not NAME.fullmatch(assignment.name):
        yield f"the file's name {assignment.name!r} may hold letters, digits, - and _ only: it names folders"
    if assignment.minutes is None:
        yield "cell 1 does not state how many minutes the assignment takes ('Forty-five minutes.')"
    code = next((cell.source for cell in assignment.notebook.cells if cell.cell_type == "code"), "")
    if "find_spec" not in code and "ImportError" not in code and "ModuleNotFoundError" not in code:
        yield "the first code cell does not say what to do where the package is missing (try … except ImportError)"
    if not assignment.questions:
        yield "there is no question: no code cell is marked as a solution in nbgrader's metadata"


def _cells(notebook: NotebookNode) -> Iterator[str]:
    marked = [(place, cell, grader(cell)) for place, cell in enumerate(notebook.cells, start=1) if grader(cell)]
    for name, count in Counter(marks.get("grade_id", "") for _, _, marks in marked).items():
        places = [str(place) for place, _, marks in marked if marks.get("grade_id", "") == name]
        if count > 1:
            yield f"cells {', '.join(places)} share the grade_id {name!r}: each needs its own"
    for place, cell, marks in marked:
        if not NAME.fullmatch(str(marks.get("grade_id", ""))):
            yield f"cell {place}: grade_id {marks.get('grade_id')!r} must begin with a letter or digit, without blanks"
        if marks.get("schema_version") != SCHEMA:
            yield f"cell {place}: nbgrader schema {marks.get('schema_version')}, expected {SCHEMA}"
        if is_test(cell) and not marks.get("locked"):
            yield f"cell {place}: a graded test must be locked, or a learner may change it unseen"
        if is_test(cell) and not float(marks.get("points", 0)) > 0:
            yield f"cell {place}: a graded test without points"
    for place, cell in enumerate(notebook.cells, start=1):
        yield from (f"cell {place}: {wrong}" for wrong in regions.bad_marks(cell.source))
        if regions.has(cell.source, regions.SOLUTION) and not is_solution(cell):
            yield f"cell {place}: holds a solution, but is not marked as one in nbgrader's metadata"
        if hidden(cell) and not is_test(cell):
            yield f"cell {place}: holds hidden tests, but is not a graded cell in nbgrader's metadata"


def _questions(assignment: Assignment) -> Iterator[str]:
    for number, question in enumerate(assignment.questions, start=1):
        where = f"question {number} (cell {question.solution + 1})"
        yield from (f"{where}: {wrong}" for wrong in _question(assignment, question))
    for name, count in Counter(question.function for question in assignment.questions).items():
        if name and count > 1:
            yield f"{count} questions ask for a function {name!r}: a name can be graded once"


def _question(assignment: Assignment, question: Question) -> Iterator[str]:
    cells = assignment.notebook.cells
    if not question.title:
        yield "no text with a heading above the solution cell"
    if not question.goal:
        yield "no learning goal ('**Goal:** …')"
    if question.minutes is None:
        yield "no minutes ('ten minutes')"
    if question.points <= 0:
        yield "no points: no graded test follows the solution"
    if question.stated_points is not None and question.stated_points != question.points:
        yield f"the text says {question.stated_points:g} points, its graded cells give {question.points:g}"
    if question.stated_points is None:
        yield "the text does not state its points ('2 points')"
    if not question.function:
        yield "the stub defines no function: begin the solution's marks below its signature"
    elif len(public := [name for name in defined(cells[question.solution].source) if not name.startswith("_")]) > 1:
        yield f"defines {', '.join(public)}: one function to a question (helpers begin with _)"
    if not regions.has(cells[question.solution].source, regions.SOLUTION):
        yield "no BEGIN SOLUTION … END SOLUTION: the learner would see an empty cell"
    if not question.checks:
        yield f"no instant check (a cell with check({question.function or 'function'}, …))"
    if not any(hidden(cells[place]) for place in question.tests):
        yield "no hidden test (BEGIN HIDDEN TESTS … END HIDDEN TESTS in a graded cell)"
