"""What a teacher writes: hidden tests of other forms, questions that the package does not know, files that are none."""

import pytest

from seqrec_edu.teaching.course import build, proofs, rules, versions
from seqrec_edu.teaching.course.running import kernel
from seqrec_edu.teaching.course.source import parse, read, sources
from tests.teaching.course import small


def test_a_bare_assertion_of_a_check_is_proved_like_one_that_carries_the_verdict(tmp_path):
    notebook = small.notebook()
    test = notebook.cells[5]
    test.source = '### BEGIN HIDDEN TESTS\nassert check(double, "double", seed=101)\n### END HIDDEN TESTS'
    made = parse(notebook, tmp_path / "sums.ipynb")
    with kernel(tmp_path) as run:
        ended = run(versions.untouched(made))
    assert (ended[5].error, ended[5].kind) == ("AssertionError", "not written")
    assert proofs.stubs_fail(made, ended) == []


def test_a_question_that_our_grader_does_not_know_is_named_and_built_all_the_same(tmp_path):
    heard = []
    build(small.save(tmp_path), tmp_path / "out", say=heard.append)
    assert (tmp_path / "out" / "release" / "sums.ipynb").is_file()
    first, second = (line for line in heard if line.startswith("warning: "))
    assert "sums: question 1: `check` knows no exercise 'double'" in first and "exercises()" in first
    assert "question 2" in second and "'thirds'" in second


def test_a_question_of_the_package_needs_no_warning():
    notebook = small.notebook()
    notebook.cells[4].source = 'verdict = check(double, "target_rank")\nverdict'
    known = parse(notebook, small.Path("sums.ipynb"))
    assert [line[:10] for line in rules.of_ones_own(known)] == ["question 2"]


def test_what_is_no_source_is_refused(tmp_path):
    (tmp_path / "a.ipynb").write_text("{", encoding="utf-8")
    with pytest.raises(ValueError, match=r"is no notebook: it is not JSON \(Expecting .* line 1"):
        read(tmp_path / "a.ipynb")
    (tmp_path / "b.ipynb").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=r"b\.ipynb is no notebook: it is not JSON"):
        read(tmp_path / "b.ipynb")
    with pytest.raises(ValueError, match="is a folder: name one notebook"):
        read(tmp_path)
    with pytest.raises(ValueError, match=r"there is no file .*c\.ipynb"):
        read(tmp_path / "c.ipynb")
    with pytest.raises(ValueError, match="neither a file nor a folder"):
        sources(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="a folder without notebooks"):
        sources(tmp_path / "empty")
