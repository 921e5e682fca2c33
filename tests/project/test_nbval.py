"""The comparison of notebook outputs: what it lets pass and what it must catch, alone and through nbval."""

import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

ROOT = Path(__file__).resolve().parents[2]
agree = runpy.run_path(str(ROOT / "notebooks" / "conftest.py"))["agree"]

SAME = [
    ("loss 0.12346", "loss 0.12345"),
    ("tensor([ 0.100, -0.000])", "tensor([0.100,  0.000])"),
    ("0.123", "0.124"),
    ("1234.5 events", "1235.5 events"),
    ("1e-05", "2e-05"),
    ("[1. 2. 3.]", "[1.0001 2. 3.]"),
    ("12.34 %", "12.35 %"),
    ("nan", "nan"),
    ("NDCG@10   0.1650", "NDCG@10  0.1651"),
]
DIFFERENT = [
    ("0.12", "0.13"),
    ("3", "4"),
    ("3", "3.0"),
    ("loss 0.5", "lost 0.5"),
    ("0.5", "-0.5"),
    ("0.5", "0.5 0.5"),
    ("0.5 0.7", "0.7 0.5"),
    ("nan", "0.5"),
    ("torch 2.13.0", "torch 2.13.1"),
    ("torch 2.13", "torch 2.14"),
    ("HR@10 0.5", "HR@20 0.5"),
    ("a b", "ab"),
    ("a\nb", "a b"),
    ("1e3", "1e4"),
]


@pytest.mark.parametrize(("reference", "found"), SAME)
def test_texts_that_agree(reference, found):
    assert agree(reference, found)
    assert agree(found, reference)


@pytest.mark.parametrize(("reference", "found"), DIFFERENT)
def test_texts_that_differ(reference, found):
    assert not agree(reference, found)
    assert not agree(found, reference)


def cell(source: str, stored: str):
    return new_code_cell(source, outputs=[new_output("stream", name="stdout", text=stored)])


def figure(source: str, stored: dict[str, object]):
    return new_code_cell(source, outputs=[new_output("display_data", data=stored)])


SHOW = """from IPython.display import display
display({"application/vnd.plotly.v1+json": {"data": [{"y": [0.5]}]}, "text/plain": "Figure: y 0.50000"}, raw=True)"""
PLOTLY = "application/vnd.plotly.v1+json"
CELLS = [
    (True, cell("print(0.12346)", "0.12345\n")),
    (False, cell("print(0.12)", "0.13\n")),
    (False, cell("print(3)", "4\n")),
    (True, cell("print(object())", "<object object at 0x7f0123456789>\n")),
    (True, figure(SHOW, {PLOTLY: {"data": [{"y": [0.5000001]}]}, "text/plain": "Figure: y 0.50001"})),
    (False, figure(SHOW, {PLOTLY: {"data": [{"y": [0.7]}]}, "text/plain": "Figure: y 0.70000"})),
]


def test_nbval_uses_the_tolerance(tmp_path):
    """One notebook with right and wrong outputs, run as ``make test`` runs the course."""
    notebook = new_notebook(cells=[cell for _, cell in CELLS])
    for count, code in enumerate(notebook.cells, start=1):
        code.execution_count = count
    nbformat.write(notebook, tmp_path / "probe.ipynb")
    for name in ("conftest.py", "sanitize.cfg"):
        shutil.copy(ROOT / "notebooks" / name, tmp_path)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--color=no", "-rA", "--nbval", "probe.ipynb"]
    command += ["--nbval-current-env", "--nbval-sanitize-with", "sanitize.cfg", "--import-mode=importlib"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    verdicts = {place: verdict for verdict, place in re.findall(r"^(PASSED|FAILED) .*::Cell (\d+)", done.stdout, re.M)}
    expected = {str(place): "PASSED" if passes else "FAILED" for place, (passes, _) in enumerate(CELLS)}
    assert verdicts == expected, done.stdout + done.stderr
