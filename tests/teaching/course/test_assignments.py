"""Every assignment's source passes the proofs of the build: solutions, stubs, leaks, minutes, goals and points."""

from pathlib import Path

import pytest

from seqrec_edu.teaching import check, exercise
from seqrec_edu.teaching.course import prove, read

FOLDER = Path(__file__).resolve().parents[3] / "notebooks" / "assignments"
SOURCES = sorted(FOLDER.glob("*.ipynb"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_the_build_would_write_it(path, monkeypatch):
    monkeypatch.setenv("SEQREC_EDU_PICTURES", "0")  # Chrome draws them; that they are stored is another test's affair
    built, problems = prove(read(path))
    assert problems == [] and built is not None


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_its_questions_are_exercises_of_the_package(path):
    for question in read(path).questions:
        known = exercise(question.exercise)
        assert (question.minutes, question.points) == (known.minutes, known.points), question.title
        scope: dict = {}
        exec("import torch\nfrom einops import einsum\n" + known.stub, scope)
        assert check(scope[known.name], known.name).kind == "not written"
