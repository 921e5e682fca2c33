"""The committed notebooks: executed, small, readable without a kernel, and tied to no machine, day or speed."""

import json
import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted(ROOT.glob("notebooks/**/*.ipynb"))
LIMIT = 500_000
SCREEN = 40
PLOTLY = "application/vnd.plotly.v1+json"
DIGEST = "Figure: "  # how seqrec_edu.figures.digest begins
FOLDER = re.compile(r"(?<![\w.:/<-])/(?:home|Users|root|tmp|var|opt|usr|mnt|srv|work|private)/\w|\b[A-Z]:\\+\w")
DATE = re.compile(r"\b(?:19|20)\d\d-\d\d-\d\d\b")
SPEED = re.compile(r"\d ?it/s|\btook \d|\bWall time\b|\bCPU times\b|\d ?s/it")
LEFT_OUT = ("nbval-skip", "nbval-ignore-output")
LEFT_OUT_MARKS = ("NBVAL_SKIP", "NBVAL_IGNORE_OUTPUT", "PYTEST_VALIDATE_IGNORE_OUTPUT")
REASON = re.compile(r"^# Not (?:run|compared): \S.{9,}", re.MULTILINE)


def problems(notebook: nbformat.NotebookNode, size: int) -> list[str]:
    """Everything about one notebook that a reader or nbval would stumble over, in words."""
    found = []
    if size > LIMIT:
        found.append(f"{size:,} bytes, more than {LIMIT:,}: shrink figures, or show a shorter output")
    if "widgets" in notebook.metadata:
        found.append("widget state is saved: remove metadata.widgets")
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    counts = [cell.execution_count for cell in code]
    if counts != list(range(1, len(code) + 1)):
        found.append(f"execution counts {counts}, not 1 to {len(code)}: run it from top to bottom in a fresh kernel")
    for place, cell in enumerate(code, start=1):
        found += [f"code cell {place}: {problem}" for problem in cell_problems(cell)]
    return found


def cell_problems(cell: nbformat.NotebookNode) -> Iterator[str]:
    """What is wrong with one code cell and its outputs."""
    if len(cell.source.splitlines()) > SCREEN:
        yield f"more than {SCREEN} lines: move the code to the package and show its source"
    marked = set(LEFT_OUT) & set(cell.metadata.get("tags", [])) or any(mark in cell.source for mark in LEFT_OUT_MARKS)
    if marked and not REASON.search(cell.source):
        yield "left out of the comparison without a line '# Not compared: reason' or '# Not run: reason'"
    texts = list(output_texts(cell))
    for pattern, what in ((FOLDER, "an absolute path"), (DATE, "a date"), (SPEED, "a duration or a speed")):
        if hit := next(filter(None, map(pattern.search, texts)), None):
            yield f"{what} in an output: {hit.string[max(hit.start() - 20, 0) : hit.end() + 20]!r}"
    figures = [output.data for output in cell.outputs if PLOTLY in output.get("data", {})]
    if figures and sum(text.count(DIGEST) for text in texts) < len(figures):
        yield f"a figure without its digest line ('{DIGEST}…')"
    if any("image/png" not in data and "image/svg+xml" not in data for data in figures):
        yield "a figure without a stored picture"
    if "raises-exception" not in cell.metadata.get("tags", []) and any(o.output_type == "error" for o in cell.outputs):
        yield "ends in an error"


def output_texts(cell: nbformat.NotebookNode) -> Iterator[str]:
    """The outputs that a person reads, as text; pictures and the numbers inside figures are left out."""
    for output in cell.outputs:
        yield output.get("text", "")
        yield "\n".join(output.get("traceback", []))
        for kind, content in output.get("data", {}).items():
            if not kind.startswith("image/") and kind != PLOTLY:
                yield content if isinstance(content, str) else json.dumps(content)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook(path: Path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert not problems(notebook, path.stat().st_size)


def healthy() -> nbformat.NotebookNode:
    """A notebook with a printed line and a figure with which nothing is wrong."""
    picture = {PLOTLY: {"data": []}, "image/png": "iVBORw0KGgo=", "text/plain": "Figure: y 3"}
    printed = new_output(
        "stream", name="stdout", text="loss 0.500, 3 of 4, 2023 items, ratio 1/2, https://a.org/home/x"
    )
    first = new_code_cell("print(loss)", execution_count=1, outputs=[printed])
    second = new_code_cell("show(fig)", execution_count=2, outputs=[new_output("display_data", data=picture)])
    return new_notebook(cells=[new_markdown_cell("# Title"), first, second])


def say(text: str) -> Callable[[nbformat.NotebookNode], None]:
    def change(notebook: nbformat.NotebookNode) -> None:
        notebook.cells[1].outputs[0].text = text

    return change


def tag(name: str) -> Callable[[nbformat.NotebookNode], None]:
    def change(notebook: nbformat.NotebookNode) -> None:
        notebook.cells[1].metadata["tags"] = [name]

    return change


def change_count(value: int | None) -> Callable[[nbformat.NotebookNode], None]:
    def change(notebook: nbformat.NotebookNode) -> None:
        notebook.cells[2].execution_count = value

    return change


def keep_widgets(notebook: nbformat.NotebookNode) -> None:
    notebook.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": {}}


def lose_picture(notebook: nbformat.NotebookNode) -> None:
    del notebook.cells[2].outputs[0].data["image/png"]


def lose_digest(notebook: nbformat.NotebookNode) -> None:
    notebook.cells[2].outputs[0].data["text/plain"] = "Figure()"


def lengthen(notebook: nbformat.NotebookNode) -> None:
    notebook.cells[1].source = "x = 1\n" * (SCREEN + 1)


def fail(notebook: nbformat.NotebookNode) -> None:
    notebook.cells[1].outputs = [new_output("error", ename="ValueError", evalue="no", traceback=["ValueError: no"])]


# Put together here, so that the search for absolute paths in the project's own files does not find them.
HOME = "/".join(("", "home", "ada"))
WINDOWS_HOME = "\\".join(("C:", "Users", "ada"))
SPOILED = [
    (keep_widgets, "widget state"),
    (change_count(None), "execution counts"),
    (change_count(7), "execution counts"),
    (say(f"saved to {HOME}/runs/x"), "absolute path"),
    (say(f"in {WINDOWS_HOME}"), "absolute path"),
    (say("File /tmp/ipykernel_1/2.py"), "absolute path"),
    (say("on 2026-01-31"), "a date"),
    (say("100 steps, 12.5it/s"), "a duration"),
    (say("took 3 s"), "a duration"),
    (tag("nbval-skip"), "left out"),
    (tag("nbval-ignore-output"), "left out"),
    (lose_picture, "without a stored picture"),
    (lose_digest, "without its digest"),
    (lengthen, "more than 40 lines"),
    (fail, "ends in an error"),
]


def test_nothing_is_wrong_with_a_healthy_notebook():
    assert problems(healthy(), LIMIT) == []


@pytest.mark.parametrize(("spoil", "complaint"), SPOILED)
def test_each_fault_is_named(spoil, complaint):
    notebook = deepcopy(healthy())
    spoil(notebook)
    (problem,) = problems(notebook, LIMIT)
    assert complaint in problem


def test_size_is_limited():
    (problem,) = problems(healthy(), LIMIT + 1)
    assert "500,001 bytes" in problem


def test_a_reason_makes_leaving_out_acceptable():
    notebook = healthy()
    notebook.cells[1].metadata["tags"] = ["nbval-ignore-output"]
    notebook.cells[1].source = "# Not compared: says what this machine has.\ndoctor()"
    assert problems(notebook, LIMIT) == []
