"""`seqrec-edu course`, as a person types it."""

import pytest
from typer.testing import CliRunner

from seqrec_edu.cli.course import app
from tests.teaching.course import small


def call(*arguments, code=0):
    result = CliRunner().invoke(app, [*map(str, arguments)])
    assert result.exit_code == code, result.output
    return result.output


def test_what_a_teacher_does_before_a_term(tmp_path):
    source = small.save(tmp_path)
    assert "2 questions" not in call("time", source) and "?: not measured" in call("time", source)
    assert "3 slides" in call("slides", source, "--out", tmp_path / "s.html")
    assert "generate_assignment sums" in call("export", source, "--out", tmp_path / "nbgrader")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("build", "none.ipynb"), "none.ipynb is neither a file nor a folder"),
        (("export", "none.ipynb", "--to", "otter"), "there is no export to 'otter'; there is nbgrader"),
        (("bundle", "--project", "nowhere"), "nowhere is no checkout of the course"),
    ],
)
def test_errors_say_what_to_do(arguments, says):
    output = call(*arguments, code=1)
    assert says in output and "Traceback" not in output


def test_a_build_that_fails_lists_the_problems_and_writes_nothing(tmp_path):
    notebook = small.notebook()
    notebook.cells[3].metadata["nbgrader"]["grade_id"] = "thirds"
    output = call("build", small.save(tmp_path, notebook), "--out", tmp_path / "out", code=1)
    assert "sums: cells 4, 8 share the grade_id 'thirds'" in output
    assert not (tmp_path / "out").exists()
