"""The source notebook of an assignment: what its cells say, read once and stored nowhere else.

A question is a text with a heading, a learning goal, minutes and points; a solution cell that defines one function; an
instant check; a hidden test. Titles, minutes, points, functions and exercises are read from these cells.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from seqrec_edu.teaching.course.regions import HIDDEN_TESTS, SOLUTION, STUB, BadMarks, has, unmarked, without

SCHEMA = 3
INSTRUCTOR = "instructor"  # tag of a cell that only the instructor's version keeps
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*$", re.MULTILINE)
SECTION = re.compile(r"^#{2,6}\s+(.+?)\s*$", re.MULTILINE)  # of a question; # alone is the assignment's title
NUMBERED = re.compile(r"^(?:question\s+)?\d+\s*[.·:]\s*", re.IGNORECASE)
BRACKETS = re.compile(r"\s*\([^()]*\)$")  # "(medium, twenty minutes, 4 points)"
GOAL = re.compile(r"\*\*Goal[.:]?\*\*[.:]?\s*(.+)")
WORDS = dict(
    zip(
        [
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
            "sixteen",
            "seventeen",
            "eighteen",
            "nineteen",
        ],
        range(1, 20),
        strict=True,
    )
)
JUDGES = {"check": "seqrec_edu.teaching", "try_mixer": "seqrec_edu.teaching.mixer"}  # the instant check, whose it is
TENS = {"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90}


@dataclass(frozen=True)
class Question:
    """One question; places count the notebook's cells from 0. A number that the text does not state is None."""

    function: str
    exercise: str
    title: str
    goal: str
    minutes: float | None
    points: float
    stated_points: float | None
    text: int
    solution: int
    checks: tuple[int, ...]
    tests: tuple[int, ...]
    judge: str = JUDGES["check"]


@dataclass(frozen=True)
class Assignment:
    """A source notebook and what was read from it."""

    name: str
    title: str
    minutes: float | None
    questions: tuple[Question, ...]
    notebook: NotebookNode
    path: Path

    @property
    def points(self) -> float:
        return sum(question.points for question in self.questions)


def read(path: str | Path) -> Assignment:
    """Read a source notebook.

    Raises ValueError where there is no file or it is no notebook. What is missing *inside* is for ``rules.problems``
    to say.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path} is a folder: name one notebook" if path.is_dir() else f"there is no file {path}")
    try:
        notebook = nbformat.read(path, as_version=4)
    except (nbformat.reader.NotJSONError, UnicodeDecodeError) as wrong:
        raise ValueError(f"{path} is no notebook: it is not JSON ({wrong.__cause__ or wrong})") from None
    except (nbformat.ValidationError, KeyError, AttributeError) as wrong:
        raise ValueError(f"{path} is no notebook: {str(wrong).splitlines()[0][:200]}") from None
    return parse(notebook, path)


def parse(notebook: NotebookNode, path: Path) -> Assignment:
    """What the cells of a source notebook say."""
    cells = notebook.cells
    opening = next((cell.source for cell in cells if cell.cell_type == "markdown"), "")
    heading = HEADING.search(opening)
    starts = [place for place, cell in enumerate(cells) if cell.cell_type == "code" and is_solution(cell)]
    ends = [*starts[1:], len(cells)][: len(starts)]
    questions, after = [], 0
    for start, end in zip(starts, ends, strict=True):
        question = _question(cells, after, start, end)
        questions.append(question)
        after = max((start, *question.checks, *question.tests)) + 1
    title = heading.group(1) if heading else path.stem
    return Assignment(path.stem, title, number_of("minute", opening), tuple(questions), notebook, path)


def sources(path: str | Path) -> list[Path]:
    """The source notebooks that a path means: itself, or all in the folder. Raises ValueError where there is none."""
    path = Path(path)
    if path.is_file():
        return [path]
    found = [each for each in sorted(path.glob("*.ipynb")) if not each.name.startswith(".")]
    if not found:
        what = "a folder without notebooks" if path.is_dir() else "neither a file nor a folder"
        raise ValueError(f"{path} is {what}: name an assignment's source notebook or a folder of them")
    return found


def grader(cell: NotebookNode) -> dict:
    """nbgrader's metadata of a cell, {} where it has none."""
    return cell.metadata.get("nbgrader", {})


def is_solution(cell: NotebookNode) -> bool:
    return bool(grader(cell).get("solution"))


def is_test(cell: NotebookNode) -> bool:
    return bool(grader(cell).get("grade")) and not is_solution(cell)


def tags(cell: NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def stub(source: str) -> str:
    """A solution cell as the learner gets it; one without marks is emptied as a whole."""
    return without(source, SOLUTION, STUB) if has(source, SOLUTION) else STUB


def defined(source: str) -> list[str]:
    """The names of the functions that a cell defines at its top; [] where it cannot be parsed."""
    return [node.name for node in tree(source) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def tree(source: str) -> list[ast.stmt]:
    try:
        return ast.parse(source).body
    except SyntaxError:
        return []


def checks(source: str) -> Iterator[tuple[str, str, str]]:
    """(function, exercise, judge) of every ``check(function, "exercise")`` in a cell, and of other instant checks."""
    for node in ast.walk(ast.Module(tree(source), [])):
        name = node.func if isinstance(node, ast.Call) else None
        called = name.attr if isinstance(name, ast.Attribute) else name.id if isinstance(name, ast.Name) else None
        if called in JUDGES and node.args and isinstance(node.args[0], ast.Name):
            given = node.args[1] if len(node.args) > 1 else None
            given = next((word.value for word in node.keywords if word.arg == "exercise"), given)
            named = given.value if isinstance(given, ast.Constant) else node.args[0].id.removeprefix("my_")
            yield node.args[0].id, str(named), JUDGES[called]


def number_of(unit: str, text: str) -> float | None:
    """The first number of a unit in a text: "ten minutes", "25 minutes", "twenty-five minutes", "0.5 points"."""
    for match in re.finditer(rf"(\d+(?:\.\d+)?|[A-Za-z]+(?:-[a-z]+)?)\s+{unit}s?\b", text):
        if (value := _value(match.group(1).lower())) is not None:
            return value
    return None


def _value(word: str) -> float | None:
    if word[0].isdigit():
        return float(word)
    tens, _, ones = word.partition("-")
    if ones:
        return float(TENS[tens] + WORDS[ones]) if tens in TENS and ones in WORDS else None
    known = {**WORDS, **TENS}
    return float(known[word]) if word in known else None


def _question(cells: list[NotebookNode], after: int, start: int, end: int) -> Question:
    """The question whose solution cell is at ``start``; its text lies between ``after`` and there."""
    texts = [place for place in range(after, start) if cells[place].cell_type == "markdown"]
    begin = next((place for place in reversed(texts) if SECTION.search(cells[place].source)), start)
    text = "\n".join(cells[place].source for place in texts if place >= begin)
    heading, goal = SECTION.search(text), GOAL.search(text)
    tests = [place for place in range(start + 1, end) if is_test(cells[place])]
    code = [place for place in range(start + 1, end) if cells[place].cell_type == "code" and place not in tests]
    try:
        bare = stub(cells[start].source)
    except BadMarks:
        bare = unmarked_or_not(cells[start].source)
    names = [name for name in defined(bare) if not name.startswith("_")]
    function = names[0] if names else ""
    asked = [(place, used) for place in code for used in checks(cells[place].source) if used[0] == function]
    return Question(
        function=function,
        exercise=asked[0][1][1] if asked else function.removeprefix("my_"),
        title=BRACKETS.sub("", NUMBERED.sub("", heading.group(1))) if heading else "",
        goal=goal.group(1).strip() if goal else "",
        minutes=number_of("minute", text),
        points=sum(float(grader(cells[place]).get("points", 0)) for place in tests),
        stated_points=number_of("point", text),
        text=begin,
        solution=start,
        checks=tuple(dict.fromkeys(place for place, _ in asked)),
        tests=tuple(tests),
        judge=asked[0][1][2] if asked else JUDGES["check"],
    )


def unmarked_or_not(source: str) -> str:
    try:
        return unmarked(source)
    except BadMarks:
        return source


def hidden(cell: NotebookNode) -> bool:
    return has(cell.source, HIDDEN_TESTS)
