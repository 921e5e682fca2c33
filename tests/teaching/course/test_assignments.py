"""Every assignment's source passes the proofs of the build: solutions, stubs, leaks, minutes, goals and points."""

from importlib import import_module
from pathlib import Path

import pytest

from seqrec_edu.teaching.course import prove, read, variant, versions
from seqrec_edu.teaching.course.rosters import personal
from seqrec_edu.teaching.course.running import kernel

FOLDER = Path(__file__).resolve().parents[3] / "notebooks" / "assignments"
SOURCES = sorted(FOLDER.glob("*.ipynb"))


@pytest.fixture(scope="module")
def execute():
    """One kernel for all of them: torch is loaded once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEQREC_EDU_PICTURES", "0")  # Chrome draws them; that they are stored is another test's affair
        with kernel(FOLDER) as run:
            yield run


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_the_build_would_write_it(path, execute):
    built, problems = prove(read(path), execute=execute)
    assert problems == [] and built is not None


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_every_student_gets_numbers_of_their_own(path):
    mine = [personal(versions.release(read(path)), variant(student, path.stem)) for student in ("ada", "bob")]
    sources = [[cell.source for cell in notebook.cells] for notebook in mine]
    assert sources[0] != sources[1]
    assert "# variant:" not in "".join(sources[0]) and 'student = "ada"' in "".join(sources[0])


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_its_questions_are_exercises_of_the_package(path):
    for question in read(path).questions:
        judge = import_module(question.judge)
        known = judge.exercise(question.exercise)
        assert (question.minutes, question.points) == (known.minutes, known.points), question.title
        scope: dict = {}
        exec("import torch\nfrom einops import einsum\n" + known.stub, scope)
        assert judge.check(scope[known.name], known.name).kind == "not written"
