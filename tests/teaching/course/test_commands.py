"""`seqrec-edu course`, but for `grade`: what is said where a path or a count is not the usual one."""

import pytest
from typer.testing import CliRunner

from seqrec_edu.cli.course import app
from tests.teaching.course import small
from tests.teaching.course.test_parts import varied


def call(*arguments, code=0):
    result = CliRunner().invoke(app, [*map(str, arguments)], env={"COLUMNS": "200"})
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture()
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small.save(tmp_path, varied())
    (tmp_path / "afile").write_text("", encoding="utf-8")
    (tmp_path / "afolder").mkdir()
    (tmp_path / "r.csv").write_text("id\nada\n", encoding="utf-8")


@pytest.mark.parametrize(
    "command",
    [
        ("build", "sums.ipynb"),
        ("variants", "sums.ipynb", "--students", "r.csv"),
        ("export", "sums.ipynb"),
        ("grade", "afolder", "--assignment", "sums.ipynb"),
    ],
    ids=lambda command: command[0],
)
@pytest.mark.parametrize("out", ["afile", "afile/below"])
def test_a_file_where_a_folder_is_needed_is_said_before_anything_else(here, command, out):
    said = call(*command, "--out", out, code=2)
    assert "afile is a file, a folder is needed" in said and "proving" not in said


@pytest.mark.parametrize("command", [("slides", "sums.ipynb"), ("bundle", "--no-wheels")], ids=lambda each: each[0])
def test_a_folder_where_a_file_is_needed_is_said(here, command):
    assert "afolder is a folder, a file is needed" in call(*command, "--out", "afolder", code=2)


def test_one_of_a_kind_is_counted_as_one(here):
    assert "wrote 1 notebook and sums.csv in out" in call("variants", "sums.ipynb", "--students", "r.csv", "-o", "out")


def test_a_folder_is_not_one_notebook(here):
    said = call("variants", "afolder", "--students", "r.csv", code=1)
    assert "error: afolder is a folder: name one notebook" in said


def test_what_build_measured_is_shown_where_time_says_that_it_is(here):
    assert "`seqrec-edu course time course/instructor` then shows" in call("time", "sums.ipynb")
    call("build", "sums.ipynb", "--out", "course")
    assert "not measured" not in call("time", "course/instructor")
