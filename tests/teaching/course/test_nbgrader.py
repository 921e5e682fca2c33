"""nbgrader's own commands accept what is exported, and grade it as we do. Only where nbgrader is installed."""

import csv
import importlib.util
import os
import re
import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import nbformat
import pytest

from seqrec_edu.teaching.course import export, read
from tests.teaching.course import small

SOURCES = sorted((Path(__file__).resolve().parents[3] / "notebooks" / "assignments").glob("*.ipynb"))

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("nbgrader") is None,
    reason="nbgrader is not installed: pip install 'seqrec-edu[class]'",
)


def run(folder: Path, *arguments: str) -> None:
    """A command of nbgrader, which finds `alembic` on PATH."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def hand_in(folder: Path, name: str, student: str, change) -> None:
    """A submission made from nbgrader's release; ``change(released cell, source cell)`` writes the answers."""
    source = nbformat.read(folder / "source" / name / f"{name}.ipynb", as_version=4)
    made = deepcopy(nbformat.read(folder / "release" / name / f"{name}.ipynb", as_version=4))
    for cell, original in zip(made.cells, source.cells, strict=True):
        change(cell, original, cell.metadata.get("nbgrader", {}))
    path = folder / "submitted" / student / name / f"{name}.ipynb"
    path.parent.mkdir(parents=True)
    nbformat.write(made, path)


def answer(cell, original, marks):
    if marks.get("solution"):
        cell.source = re.sub(r"(?m)^.*(?:BEGIN|END) SOLUTION.*\n?", "", original.source)


def cheat(cell, original, marks):
    if marks.get("grade"):
        cell.source = "assert True"


def graded(folder: Path, name: str, students: dict) -> dict[str, float]:
    """Points by student, after nbgrader's release and autograding."""
    for student, change in students.items():
        hand_in(folder, name, student, change)
    run(folder, "autograde", name, "--create")
    run(folder, "export")
    with (folder / "grades.csv").open(encoding="utf-8") as lines:
        return {row["student_id"]: float(row["score"]) for row in csv.DictReader(lines)}


def test_generate_and_autograde(tmp_path):
    export(small.save(tmp_path), tmp_path / "course")
    folder = tmp_path / "course"
    run(folder, "generate_assignment", "sums", "--create")
    released = (folder / "release" / "sums" / "sums.ipynb").read_text(encoding="utf-8")
    assert "added_to_itself" not in released and "hidden_verdict" not in released and "not written yet" in released
    found = graded(folder, "sums", {"ada": answer, "bob": lambda *_: None, "eve": cheat})
    assert found == {"ada": 4, "bob": 0, "eve": 0}


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_every_assignment_is_released_and_graded(source, tmp_path):
    points = read(source).points
    export(source, tmp_path / "course")
    run(tmp_path / "course", "generate_assignment", source.stem, "--create")
    assert graded(tmp_path / "course", source.stem, {"ada": answer, "bob": lambda *_: None}) == {
        "ada": points,
        "bob": 0,
    }
