"""Whose is which file, who handed in nothing, and the command that grades a class of a source with an own question."""

import csv
import os
import sys

import pytest
from typer.testing import CliRunner

from seqrec_edu.cli.course import app
from seqrec_edu.teaching.course import gradable, versions
from seqrec_edu.teaching.course.source import read
from seqrec_edu.teaching.exercises import load
from seqrec_edu.teaching.grading.handed_in import handed_in
from tests.teaching.course import small
from tests.teaching.grading import hostile

FLIP = load("flip")


def put(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x = 1")


def test_everybody_with_a_file_or_a_folder_is_there_and_nobody_else(tmp_path):
    put(tmp_path, "ada.ipynb", "bob/a.py", "bob/notes.txt", "cy/sums/b.ipynb", "cy/other/c.ipynb", "nic/answers.pdf")
    put(tmp_path, "notes.txt", "roster.csv", ".hidden/x.py", "__MACOSX/x.py", "eve/.ipynb_checkpoints/x.ipynb")
    (tmp_path / "fay.ipynb").symlink_to(tmp_path / "ada.ipynb")
    (tmp_path / "gus").mkdir()
    (tmp_path / "gus" / "mine.ipynb").symlink_to(tmp_path / "ada.ipynb")
    found = handed_in(tmp_path, "sums")
    files = {student: [path.name for path in paths] for student, paths in found.students.items()}
    assert files == {
        "ada": ["ada.ipynb"], "bob": ["a.py", "notes.txt"], "cy": ["b.ipynb"], "eve": [], "fay": [], "gus": [],
        "nic": [],
    }  # fmt: skip
    assert found.strays == ["notes.txt", "roster.csv"]
    assert found.unread == {
        "eve": "no notebook or Python file; the folder is empty",
        "fay": "no notebook or Python file; found fay.ipynb (a link)",
        "gus": "no notebook or Python file; found mine.ipynb (a link)",
        "nic": "no notebook or Python file; found answers.pdf",
    }


def test_an_id_is_spelled_as_on_the_roster(tmp_path):
    put(tmp_path, "ADA.ipynb", "Mu\u0308ller/a.ipynb")
    assert sorted(handed_in(tmp_path, roster=["Ada"]).students) == ["Ada", "M\u00fcller"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems allow only names that are text")
def test_a_name_that_is_no_text_costs_nobody_a_grade(tmp_path):
    (tmp_path / "in").mkdir()
    for name in (b"m\xfcller.ipynb", b"no\x1bte.txt"):
        (tmp_path / "in" / os.fsdecode(name)).write_bytes(hostile.notebook(RIGHT))
    said = call(tmp_path / "in", "-a", source(tmp_path), "--out", tmp_path / "out", "--workers", "1")
    assert "m\ufffdller: 2 of 4" in said and "not read: no\ufffdte.txt" in said
    assert "m\ufffdller" in (tmp_path / "out" / "grades.csv").read_text(encoding="utf-8")
    assert "def flip" in (tmp_path / "out" / "feedback" / "m\ufffdller.ipynb").read_text(encoding="utf-8")


def source(folder):
    """Question 1 on an exercise that `check` knows, question 2 on one of the teacher's own."""
    made = small.notebook()
    for cell in made.cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") == "double":
            cell.source = f"def {NAME}(x, mask):\n    ### BEGIN SOLUTION\n    return x\n    ### END SOLUTION"
        cell.source = cell.source.replace('check(double, "double"', f'check({NAME}, "flip"')
    return small.save(folder, made)


NAME = FLIP.name
RIGHT = "import torch\n\n" + FLIP.source


def call(*arguments, code=0):
    result = CliRunner().invoke(app, ["grade", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result.output


def test_a_class_with_a_roster_and_a_question_of_ones_own(tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    put(folder, "nic/answers.pdf", "zed.zip", "eve.txt")
    (folder / "ada.ipynb").write_bytes(hostile.notebook(RIGHT, "def thirds(number): return number / 3"))
    (tmp_path / "roster.csv").write_text("id,mail\nADA,a@x\nnic,n@x\nzed,z@x\nfay,f@x\n")
    (folder / "bob.py").write_text(RIGHT)
    order = (folder, "-a", source(tmp_path), "--out", out, "--students", tmp_path / "roster.csv", "--workers", "1")
    said = call(*order)
    rows = {row["student"]: row for row in csv.DictReader((out / "grades.csv").open(encoding="utf-8"))}
    assert {name: (row["state"], row["points"]) for name, row in rows.items()} == {
        "ADA": ("partly", "2"), "bob": ("partly", "2"), "fay": ("nothing", "0"), "nic": ("refused", "0"),
        "zed": ("nothing", "0"),
    }  # fmt: skip
    assert rows["ADA"]["Write thirds"] == "" and "`check` knows no exercise 'thirds'" in rows["ADA"]["reason"]
    assert rows["nic"]["reason"] == "no notebook or Python file; found answers.pdf"
    assert rows["zed"]["reason"] == "no notebook or Python file; found zed.zip"
    for line in (
        "not graded: Write thirds. `check` knows no exercise 'thirds'", "not on the roster, but graded: bob",
        "handed in nothing: fay, zed", "not read: eve.txt, zed.zip; expected",
        "5 students, 2 graded now", "2.00 of 4 points on average; 0.80 with the 3 refused",
    ):  # fmt: skip
        assert line in said
    assert sorted(path.stem for path in (out / "feedback").iterdir()) == ["ADA", "bob", "nic"]
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert "5 students, 0 graded now" in call(*order)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    (folder / "bob.py").unlink()
    said = call(*order)
    assert "left by an earlier run, of nobody who is graded now: feedback/bob.ipynb, reports/bob.json" in said


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("in/ada.ipynb", "-a", "sums.ipynb"), "in/ada.ipynb is a file: name the folder around it"),
        (("nowhere", "-a", "sums.ipynb"), "no folder nowhere"),
        (("in", "-a", "release.ipynb"), "release.ipynb is the release or the solution: name the source or"),
        (("in", "-a", "own.ipynb"), "no question can be graded. `check` knows no exercise 'double'"),
        (("in", "-a", "sums.ipynb", "--out", "in/graded"), "in/graded is inside the folder of submissions"),
        (("in", "-a", "sums.ipynb", "--students", "none.csv"), "none.csv"),
        (("empty", "-a", "sums.ipynb"), "empty holds no submission"),
    ],
)
def test_errors_say_what_to_do(tmp_path, monkeypatch, arguments, says):
    monkeypatch.chdir(tmp_path)
    put(tmp_path, "in/ada.ipynb", "empty/notes.txt")
    source(tmp_path)
    small.save(tmp_path, name="own")
    small.save(tmp_path, versions.release(read("own.ipynb")), name="release")
    assert says in call(*arguments, code=1)


def test_an_out_that_is_a_file_is_said_before_grading(tmp_path):
    put(tmp_path, "afile")
    said = call(tmp_path, "-a", source(tmp_path), "--out", tmp_path / "afile", code=2)
    assert "a folder is needed" in " ".join(said.split())


def test_a_stop_says_what_the_same_command_does(tmp_path, monkeypatch):
    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("seqrec_edu.teaching.course.handing_in.grade", stopped)
    assert "the same command goes on from here" in call(tmp_path, "-a", "x", code=130)
    assert "the same command begins anew" in call(tmp_path, "-a", "x", "--again", code=130)


def test_the_questions_keep_one_that_nobody_can_grade(tmp_path):
    known, own = gradable(source(tmp_path)).questions
    assert known.ungraded() is None and own.ungraded().kind == "not graded" and own.blocked() == ()
