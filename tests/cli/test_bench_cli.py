"""`seqrec-edu bench ops`, as a person types it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from seqrec_edu.bench import run
from seqrec_edu.cli.bench import app
from seqrec_edu.cli.bench import ops as command

ROOT = Path(__file__).resolve().parents[2]


def call(*arguments, code=0):
    result = CliRunner().invoke(app, ["ops", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result.output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("scan",), "there is no operation scan; there are attention, causal_conv1d"),
        (("--lengths", "50,x"), "whole numbers from 1 on"),
        (("--lengths", "0"), "whole numbers from 1 on"),
        (("--rounds", "0"), "rounds must be at least 1"),
        (("--peers", "/no/such/folder"), "is no folder"),
    ],
)
def test_errors_say_what_to_do(arguments, says):
    output = call(*arguments, code=1)
    assert says in output and "Traceback" not in output


def test_a_quick_run_of_one_operation(tmp_path):
    """In processes of its own, as always; less than ten seconds on an idle core."""
    done = subprocess.run(
        [sys.executable, "-m", "seqrec_edu", "bench", "ops", "glu", "--quick", "--rounds", "2", "--out", str(tmp_path)],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "quick: not to be quoted" in done.stdout and "Triton kernel: unavailable" in done.stdout
    document = json.loads((tmp_path / "glu.json").read_text(encoding="utf-8"))
    assert document["quick"] and document["aims"] == [] and document["settings"]["rounds"] == 2
    ways = {each["key"]: each for each in document["cases"][0]["variants"]}
    assert {key for key, each in ways.items() if each["status"] == "timed"} == {"reference", "f-glu", "vectorised"}
    assert all(each["error"] < 1e-5 for each in ways.values() if each["status"] == "timed")
    assert ways["f-glu"]["times_ours"]["default"]["both"]["median"] > 0
    assert "memory" in ways["reference"] and document["facts"]["threads"] == 1
    assert "not to be quoted" in (tmp_path / "glu.md").read_text(encoding="utf-8")
    assert not list(tmp_path.glob(".*"))


def test_the_processes_are_told_what_was_asked(monkeypatch, tmp_path):
    asked = []

    def stop(name, settings, say):
        asked.append((name, settings))
        raise RuntimeError("far enough")

    monkeypatch.setattr(run, "bench", stop)
    output = call("ssd", "--lengths", "7,9,7", "--large", "--growth", "--peers", tmp_path, code=1)
    (name, settings) = asked[0]
    assert name == "ssd" and settings.lengths == (7, 9) and settings.large and settings.growth
    assert settings.peers == str(tmp_path.resolve()) and "far enough" in output


def test_the_help_names_every_option():
    assert command.__doc__
    output = call("--help")
    for option in ("--rounds", "--quick", "--large", "--growth", "--lengths", "--out", "--peers", "--figure"):
        assert option in output
