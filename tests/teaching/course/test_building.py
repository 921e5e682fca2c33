"""Versions from one source: what is proved, and that each fault is named before anything is written."""

import base64
import json
from copy import deepcopy

import nbformat
import pytest

from seqrec_edu.teaching.course import Limits, NotReady, build, proofs, rules, versions
from seqrec_edu.teaching.course.leaks import leaks
from seqrec_edu.teaching.course.running import Ended, kernel
from seqrec_edu.teaching.course.source import number_of, parse, read
from tests.teaching.course import small


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("course")
    (made,) = build(small.save(folder), folder / "out")
    return made, folder / "out"


def assignment(change=None):
    notebook = small.notebook()
    if change:
        change(notebook)
    return parse(notebook, small.Path("sums.ipynb"))


def code(notebook, text):
    """The first code cell that holds a text."""
    return next(cell for cell in notebook.cells if cell.cell_type == "code" and text in cell.source)


def test_what_a_source_says_is_read_from_its_cells():
    made = assignment()
    assert (made.title, made.minutes, made.points) == ("Two sums", 10, 4)
    double, thirds = made.questions
    assert (double.function, double.exercise, double.title) == ("double", "double", "Write double")
    assert (double.goal, double.minutes, double.points, double.stated_points) == ("add numbers.", 4, 2, 2)
    assert (thirds.text, thirds.solution, thirds.checks, thirds.tests) == (6, 7, (8,), (9,))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("ten minutes", 10),
        ("Twenty-five minutes.", 25),
        ("12 minutes", 12),
        ("some minutes, five minutes", 5),
        ("", None),
    ],
)
def test_numbers_in_words(text, value):
    assert number_of("minute", text) == value


def test_three_versions_and_a_record_are_written(built):
    made, out = built
    found = sorted(str(path.relative_to(out)) for path in out.rglob("*.*"))
    wanted = ["instructor/sums.ipynb", "instructor/sums.json", "release/sums.ipynb", "solution/sums.ipynb"]
    assert found == wanted
    for version in ("release", "solution", "instructor"):
        nbformat.validate(nbformat.read(out / version / "sums.ipynb", as_version=4))
    record = json.loads((out / "instructor" / "sums.json").read_text(encoding="utf-8"))
    assert record["points"] == 4 and [each["function"] for each in record["questions"]] == ["double", "thirds"]
    # Two sums may take less than what the record rounds to.
    assert record["seconds"] >= 0 and len(record["cell_seconds"]) == len(made.assignment.notebook.cells)


def test_the_release_holds_stubs_and_nothing_else_of_the_answer(built):
    release = built[0].release
    sources = "\n".join(cell.source for cell in release.cells)
    assert sources.count("raise NotImplementedError") == 2
    for gone in ("added_to_itself", "hidden_verdict", "BEGIN", "often halved", "2 + 1"):
        assert gone not in sources
    assert all(not cell.outputs and cell.execution_count is None for cell in release.cells if cell.cell_type == "code")
    test = code(release, "Graded with other numbers")
    assert test.metadata["deletable"] is False and test.metadata["editable"] is False
    assert "editable" not in code(release, "def double").metadata


def test_the_solution_is_executed_and_keeps_hidden_tests_hidden(built):
    solution = built[0].solution
    assert code(solution, "verdict = check(double").outputs[0].data["text/plain"] == "this is right"
    sources = "\n".join(cell.source for cell in solution.cells)
    assert "added_to_itself" in sources and "hidden_verdict" not in sources and "BEGIN" not in sources
    counts = [cell.execution_count for cell in solution.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))


def test_the_instructor_gets_everything(built):
    sources = "\n".join(cell.source for cell in built[0].instructor.cells)
    assert "hidden_verdict" in sources and "often halved" in sources and "BEGIN SOLUTION" in sources


def test_building_again_gives_the_same_files(built):
    made, out = built
    for version in ("release", "untouched"):
        first, second = (nbformat.writes(getattr(versions, version)(made.assignment)) for _ in range(2))
        assert first == second
    assert read(out / "release" / "sums.ipynb").notebook == versions.release(made.assignment)


def meta(text, **changes):
    def change(notebook):
        code(notebook, text).metadata["nbgrader"] |= changes

    return change


def rewrite(text, old, new):
    def change(notebook):
        cell = next(cell for cell in notebook.cells if text in cell.source)
        assert old in cell.source
        cell.source = cell.source.replace(old, new)

    return change


def drop(text):
    def change(notebook):
        notebook.cells = [cell for cell in notebook.cells if text not in cell.source]

    return change


RULES = [
    (meta("def double", grade_id="thirds"), "cells 4, 8 share the grade_id 'thirds'"),
    (meta("def double", grade_id="a b"), "grade_id 'a b' must begin with"),
    (meta("def double", schema_version=2), "nbgrader schema 2, expected 3"),
    (meta("check(double, \"double\", seed", locked=False), "a graded test must be locked"),
    (meta("check(double, \"double\", seed", points=0), "a graded test without points"),
    (meta("check(double, \"double\", seed", points=3), "the text says 2 points, its graded cells give 3"),
    (rewrite("Write double", "**Goal:** add numbers.", ""), "question 1 (cell 4): no learning goal"),
    (rewrite("Write double", "four minutes", "quick"), "question 1 (cell 4): no minutes"),
    (rewrite("Write double", ", 2 points", ""), "does not state its points"),
    (rewrite("Write double", "## 1. Write double", "Write double"), "no text with a heading"),
    (rewrite("# Two sums", "Ten minutes.", ""), "cell 1 does not state how many minutes"),
    (rewrite("def double", "### END SOLUTION", ""), "BEGIN SOLUTION without its END SOLUTION"),
    (rewrite("def double", "### BEGIN SOLUTION", ""), "END SOLUTION without its BEGIN SOLUTION"),
    (rewrite("def double", "### BEGIN SOLUTION", "### BEGIN SOLUTION\n    ### BEGIN SOLUTION"), "already open"),
    (rewrite("ImportError", "ImportError", "OSError"), "the first code cell does not say what to do"),
    (rewrite("def double", "def double(number):", "double = None\nif double:"), "the stub defines no function"),
    (rewrite("def double", "def double", "def half(x):\n    return x\n\n\ndef double"), "one function to a question"),
    (drop('"double")\nverdict'), "no instant check"),
    (drop("check(double, \"double\", seed"), "no hidden test"),
    (rewrite("if verdict", "if verdict", "### BEGIN SOLUTION\n### END SOLUTION\nif verdict"), "is not marked as one"),
    (rewrite("if verdict", "if verdict", "### BEGIN HIDDEN TESTS\n### END HIDDEN TESTS\nif verdict"), "not a graded"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "says"), RULES, ids=[says for _, says in RULES])
def test_each_broken_rule_is_named_with_its_cell(change, says):
    assert any(says in problem for problem in rules.problems(assignment(change)))


def test_nothing_is_wrong_with_the_small_assignment():
    made = assignment()
    assert rules.problems(made) == [] and leaks(versions.release(made), made) == []


def test_nothing_is_written_where_something_is_wrong(tmp_path):
    notebook = small.notebook()
    drop('"double")\nverdict')(notebook)
    small.save(tmp_path)
    small.save(tmp_path, notebook, "worse")
    with pytest.raises(NotReady, match=r"nothing was written; 1 problem:\n  worse: question 1 \(cell 4\): no instant"):
        build(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


SECRET = "added_to_itself = number + number"
TEST = 'hidden_verdict = check(double, "double", seed=secret_seed)'
PLACES = {
    "source": lambda cells: cells[0].update(source=f"Try:\n\n    {SECRET}"),
    "blanks and quotes": lambda cells: cells[2].update(source="added_to_itself=number  +number # so"),
    "one name changed": lambda cells: cells[2].update(source="added_to_itself = numbeR + numbers"),
    "hidden test": lambda cells: cells[2].update(source=TEST.replace('"', "'")),
    "metadata": lambda cells: cells[0].metadata.update(note={"deep": [SECRET]}),
    "output": lambda cells: cells[1].update(outputs=[nbformat.v4.new_output("stream", text=f"x\n{SECRET}\n")]),
    "attachment": lambda cells: cells[0].update(
        attachments={"a.png": {"image/png": base64.b64encode(b"\x89PNG " + SECRET.encode()).decode()}}
    ),
    "traceback": lambda cells: cells[1].update(
        outputs=[nbformat.v4.new_output("error", ename="E", evalue="e", traceback=["line 1", f"-> {SECRET}"])]
    ),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_leak_is_found_wherever_it_is(place):
    made = assignment()
    release = versions.release(made)
    PLACES[place](release.cells)
    found = leaks(release, made)
    assert (found and "that is to be hidden" in found[0]) or "nearly a line" in found[0]


def endings(made, failing=()):
    """As a sound source ends with stubs, but for the cells named."""
    ended = [Ended() for _ in made.notebook.cells]
    for question in made.questions:
        ended[question.checks[0]] = Ended(kind="not written")
        ended[question.tests[0]] = Ended(error="AssertionError", kind="not written")
    for place, end in failing:
        ended[place] = end
    return ended


@pytest.mark.parametrize(
    ("place", "end", "says"),
    [
        (4, Ended(kind="right"), "the check of double in cell 5 says 'right'"),
        (4, Ended(), "shows no verdict as its last value"),
        (5, Ended(), "the test in cell 6 of double passes"),
        (5, Ended(error="NameError", message="secret"), "ends in NameError: secret: the reason must be"),
        (5, Ended(error="AssertionError", kind="wrong"), "the reason must be"),
        (5, Ended(error="AssertionError"), "cell 6 ends in AssertionError: the reason must be"),
        (5, Ended(error="AssertionError"), "and below it `assert graded, graded`"),
        (5, Ended(error="ValueError", message="word " * 90), "word word …: the reason"),
        (10, Ended(error="NotImplementedError"), "cell 11 ends in NotImplementedError: a release must run"),
    ],
)
def test_stubs_must_fail_for_the_right_reason(place, end, says):
    made = assignment()
    assert proofs.stubs_fail(made, endings(made)) == []
    assert proofs.stubs_fail(made, endings(made, [(5, Ended(error="NotImplementedError"))])) == []
    (problem,) = proofs.stubs_fail(made, endings(made, [(place, end)]))
    assert says in problem


def test_solutions_must_pass():
    made = assignment()
    ended = [Ended(kind="right" if place in (4, 8) else "") for place in range(len(made.notebook.cells))]
    assert proofs.solutions_pass(made, ended) == []
    ended[4], ended[9] = Ended(kind="mistake", sentence="decay shifted"), Ended(error="AssertionError", message="no")
    first, second = proofs.solutions_pass(made, ended)
    assert "cell 10 ends in AssertionError: no" in first
    assert "the check of double in cell 5 says 'mistake' (decay shifted), expected 'right'" in second


def test_stated_minutes_are_compared_with_what_was_measured():
    made = assignment()
    release = versions.release(made)
    assert proofs.minutes_hold(made, release, seconds=1) == []
    (problem,) = proofs.minutes_hold(made, release, seconds=600)
    assert "cell 1 states 10 minutes; 20 were derived" in problem and "8 working, 10.0 waiting" in problem


def test_traces_of_a_machine_or_a_day_are_found():
    home = "/".join(("", "home", "ada", "course"))
    for text, says in ((f"saved in {home}", "an absolute path"), ("made on 2026-01-31", "a date")):
        release = versions.release(assignment())
        release.cells[0].source = text
        (problem,) = rules.traces(release, "release")
        assert says in problem and "release, cell 1" in problem
    release.cells[0].source = "fine"
    release.metadata["widgets"] = {}
    assert rules.traces(release, "release") == ["release: widget state is saved"]


def test_a_loop_without_end_and_a_wrong_solution_are_said_and_nothing_is_left_running(tmp_path):
    notebook = small.notebook()
    rewrite("def thirds", "return number / float(2 + 1)", "return number")(notebook)
    notebook.cells.append(nbformat.v4.new_code_cell("while True:\n    pass", id="endless"))
    notebook.cells.append(nbformat.v4.new_code_cell("print(1)", id="after"))
    path = small.save(tmp_path, notebook)
    with pytest.raises(NotReady) as refused:
        build(path, tmp_path / "out", limits=Limits(cell=2, total=20))
    said = str(refused.value)
    assert "the check of thirds in cell 9 says 'wrong'" in said
    assert "cell 10 ends in AssertionError: this is wrong" in said
    assert "cell 13 ends in TimeLimit: more than 2 seconds" in said
    assert "cell 14 ends in NotRun: cell 13 took more than 2 seconds" in said


def test_a_second_notebook_in_one_kernel_sees_nothing_of_the_first(tmp_path):
    first, second = (
        nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(line)]) for line in ("x = 1", "print(x)")
    )
    with kernel(tmp_path) as run:
        assert run(first)[0].error == ""
        assert run(deepcopy(second))[0].error == "NameError"
