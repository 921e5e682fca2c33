"""The course as a whole: its glossary, the minutes that it states, the time that its cells take, and how it is run."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from seqrec_edu.notation import AXES, PAPERS, SHAPES, SYMBOLS

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / ".ci"))  # the project's own machinery is no package
import course  # noqa: E402
import glossary  # noqa: E402

LESSONS = course.notebooks()
TIMINGS = course.timings()
CELL_SECONDS = 60
NOTEBOOK_SECONDS = 180
COURSE_SECONDS = 20 * 60
CORES = 2  # of the machine that these limits are for


def problems(lesson: course.Notebook, seconds: list[float]) -> Iterator[str]:
    """What is wrong with the time that a notebook takes, or says that it takes."""
    code = [cell for cell in lesson.content.cells if cell.cell_type == "code"]
    if len(seconds) != len(code):
        yield f"timings of {len(seconds)} cells, and {len(code)} cells: run `make course`"
    for place, taken in enumerate(seconds, start=1):
        if taken >= CELL_SECONDS:
            yield f"code cell {place} takes {taken:.0f} s, not under {CELL_SECONDS}"
    if sum(seconds) >= NOTEBOOK_SECONDS:
        yield f"takes {sum(seconds):.0f} s, not under {NOTEBOOK_SECONDS}"
    found = course.minutes(lesson.content, sum(seconds))
    write = f"write '{course.statement(found)} Needs** …' in the first cell"
    if lesson.stated is None:
        yield f"states no minutes: {write}"
    elif lesson.stated[1] != found.exercises:
        yield f"states {lesson.stated[1]} minutes of exercises, which add up to {found.exercises}: {write}"
    elif abs(lesson.stated[0] - found.total) > max(course.TOLERANCE * found.total, 5):
        yield f"states {lesson.stated[0]} minutes, worked out are {found.total:.0f}: {write}"


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.path.stem)
def test_minutes_and_seconds(lesson):
    assert list(problems(lesson, TIMINGS.get(lesson.path.stem, []))) == []


def test_no_timings_of_notebooks_that_are_gone():
    assert set(TIMINGS) <= {lesson.path.stem for lesson in LESSONS}


def test_the_whole_course_runs_in_twenty_minutes():
    assert sum(map(sum, TIMINGS.values())) / CORES < COURSE_SECONDS


HEAD = "# 02 · Things\n\n**Afterwards you can** do things.\n\n**{} Needs** nothing."
EXERCISE = "**1. Do it** (easy, ten minutes). Do it.\n\n**2 · Do more** *(hard, 20 minutes, and training).* More."


def lesson(head: str = "35 minutes, 30 of them exercises.", exercises: str = EXERCISE, words: int = 720):
    cells = [new_markdown_cell(HEAD.format(head)), new_markdown_cell("word " * words), new_markdown_cell(exercises)]
    return course.Notebook(Path("02_things.ipynb"), new_notebook(cells=[*cells, new_code_cell("x = 1")]))


def test_nothing_is_wrong_with_what_is_stated_rightly():
    assert list(problems(lesson(), [1.0])) == []


@pytest.mark.parametrize(
    ("notebook", "seconds", "complaint"),
    [
        (lesson("Half an hour."), [1.0], "states no minutes: write '**35 minutes, 30 of them exercises. Needs**"),
        (lesson("60 minutes, 30 of them exercises."), [1.0], "states 60 minutes, worked out are 34"),
        (lesson("35 minutes."), [1.0], "states 0 minutes of exercises, which add up to 30"),
        (lesson(words=7200), [1.0], "worked out are 7"),
        (lesson(), [], "timings of 0 cells, and 1 cells: run `make course`"),
        (lesson(), [61.0], "code cell 1 takes 61 s"),
    ],
)
def test_each_fault_is_named(notebook, seconds, complaint):
    (problem,) = problems(notebook, seconds)
    assert complaint in problem


def test_a_notebook_has_a_limit_too():
    many = lesson()
    many.content.cells += [new_code_cell("x = 1") for _ in range(4)]
    assert list(problems(many, [50.0] * 4 + [0.0])) == ["takes 200 s, not under 180"]


@pytest.mark.parametrize(
    ("prose", "expected"),
    [
        ("**A. Name** *(easy, five minutes).* Text", [5]),
        ("**4 · Name** (hard, 25 minutes). Text", [25]),
        ("### 3. Name (medium, twenty-five minutes)", [25]),
        ("**3. Name** (medium, twenty minutes, and some minutes of training). Text", [20]),
        ("Events (two minutes apart) in a sentence; **Fifty minutes. Needs** this.", []),
    ],
)
def test_minutes_of_exercises_are_read(prose, expected):
    assert course.exercise_minutes(prose) == expected


def test_the_readme_states_what_the_notebooks_state():
    table = dict(re.findall(r"\]\(notebooks/([\w-]+)\.ipynb\) \| (\d+) \|", (ROOT / "README.md").read_text("utf-8")))
    assert table == {lesson.path.stem: str((lesson.stated or (0,))[0]) for lesson in LESSONS}


def test_the_glossary_is_what_its_generator_writes():
    assert glossary.PAGE.read_text(encoding="utf-8") == glossary.page(), "run `make course`, or python .ci/glossary.py"


def test_notation_describes_every_symbol():
    assert set(SHAPES) == set(SYMBOLS)
    assert set(PAPERS) <= set(SYMBOLS) | set(AXES)
    for shape in SHAPES.values():
        assert set(re.sub(r"in Mamba-1|;", "", shape).split()) <= set(AXES)


@pytest.mark.parametrize(
    ("source", "letters"),
    [
        ('rearrange(x, "b l (h p) -> b l h p")', ["b", "l", "h", "p", "b", "l", "h", "p"]),
        ("a mask `l l` and 'f d 2'", ["l", "l", "f", "d"]),
        ('print("a word"); x["d"]; `v`; "1 2"', []),
    ],
)
def test_axis_strings_are_found(source, letters):
    assert [letter for _, found in glossary.axis_strings(source) for letter in found] == letters


def test_a_notebook_that_fails_is_named_and_left_alone(tmp_path):
    good, bad = tmp_path / "good.ipynb", tmp_path / "bad.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell("print(2)")]), good)
    nbformat.write(new_notebook(cells=[new_code_cell("x = 1"), new_code_cell("# Divide\nx / 0")]), bad)
    before = bad.read_bytes()
    done = run(good)
    assert done.returncode == 0, done.stderr
    assert nbformat.read(good, as_version=4).cells[0].outputs[0].text == "2\n"
    assert list(course.timings(tmp_path)) == ["good"]
    done = run(bad)
    assert done.returncode == 1
    assert "bad.ipynb, code cell 2 of 2 ('# Divide')" in done.stderr and "ZeroDivisionError" in done.stderr
    assert bad.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.ipynb", "good.ipynb", "timings.json"]


def run(path: Path) -> subprocess.CompletedProcess:
    """Execute one notebook as ``make course`` does."""
    command = [sys.executable, str(ROOT / ".ci" / "notebooks.py"), str(path)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=ROOT)
