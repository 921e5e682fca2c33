"""A small class of mixers, each in processes of its own: points in part, reasons, and no way around them."""

import inspect
import os
import sys
from pathlib import Path

import pytest

from seqrec_edu.teaching.grading import Assignment, Question, grade
from seqrec_edu.teaching.grading.book import grade_csv
from seqrec_edu.teaching.grading.feedback import feedback_notebook

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
import answers  # noqa: E402

ASSIGNMENT = Assignment("mixers", (Question("A mixer", "build_mixer", 20.0, "build_mixer", judge="quick"),))
IMPORTS = "import math\n\nimport torch\nfrom torch import nn\n\n\n"
CLASS = {
    "mean": ({"wrong"}, ""),
    "ahead": ({"mistake"}, "future read"),
    "by_heart": ({"mistake"}, "remembers earlier calls"),
    "borrowed": ({"not allowed"}, ""),
    "no_module": ({"error"}, "TypeError"),
}
needs_walls = pytest.mark.skipif(
    not (sys.platform.startswith("linux") and hasattr(os, "geteuid") and os.geteuid() == 0),
    reason="the walls between processes need root on Linux",
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    place = tmp_path_factory.mktemp("mixers")
    (place / "in").mkdir()
    for name in CLASS:
        text = inspect.getsource(getattr(answers, name)).replace(f"def {name}(", "def build_mixer(", 1)
        (place / "in" / f"{name}.py").write_text(IMPORTS + text)
    return grade(place / "in", ASSIGNMENT, place / "out", workers=1, path=[HERE]), place


@needs_walls
def test_everybody_gets_what_they_must(run):
    found = {report["student"]: report["questions"][0] for report in run[0].reports}
    for name, (kinds, mistake) in CLASS.items():
        assert found[name]["kind"] in kinds and found[name]["mistake"].startswith(mistake), found[name]
    assert 2.0 < found["mean"]["points"] < 10.0 and len(found["mean"]["notes"]) == 6
    assert found["ahead"]["points"] == 1.0 and "reads what comes later" in found["ahead"]["sentence"]
    assert found["borrowed"]["points"] == found["no_module"]["points"] == 0.0
    assert "is not for the answer to use" in found["borrowed"]["sentence"]


@needs_walls
def test_again_gives_the_same_points_in_books_and_feedback(run):
    graded, place = run
    (place / "one").mkdir()
    (place / "one" / "mean.py").write_text((place / "in" / "mean.py").read_text())
    again = grade(place / "one", ASSIGNMENT, place / "again", workers=1, path=[HERE]).reports[0]
    first = next(report for report in graded.reports if report["student"] == "mean")
    assert {**again, "seconds": 0} == {**first, "seconds": 0}
    assert f"{first['points']:g}" in grade_csv(graded.reports)
    assert "of the ceiling" in feedback_notebook(first)
