"""The committed notebooks: executed, small, readable without a kernel, and tied to no machine, day or speed."""

import json
import re
import sys
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from seqrec_edu.notation import AXES

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / ".ci"))  # the project's own machinery is no package
from glossary import axis_strings  # noqa: E402

NOTEBOOKS = sorted(ROOT.glob("notebooks/*.ipynb"))  # assignments are templates, not lessons
LIMIT = 500_000
SCREEN = 25
PLOTLY = "application/vnd.plotly.v1+json"
PANEL = "application/vnd.jupyter.widget-view+json"
PICTURES = {PLOTLY, PANEL, "image/png", "image/svg+xml", "image/jpeg"}
DIGEST = "Figure: "  # how seqrec_edu.figures.digest begins
FOLDER = re.compile(r"(?<![\w.:/<-])/(?:home|Users|root|tmp|var|opt|usr|mnt|srv|work|private)/\w|\b[A-Z]:\\+\w")
DATE = re.compile(r"\b(?:19|20)\d\d-\d\d-\d\d\b")
SPEED = re.compile(r"\d ?it/s|\btook \d|\bWall time\b|\bCPU times\b|\d ?s/it")
LEFT_OUT = ("nbval-skip", "nbval-ignore-output")
LEFT_OUT_MARKS = ("NBVAL_SKIP", "NBVAL_IGNORE_OUTPUT", "PYTEST_VALIDATE_IGNORE_OUTPUT")
REASON = re.compile(r"^# Not (?:run|compared): \S.{9,}", re.MULTILINE)
LINK = re.compile(r"!?\[[^\]]*\]\(<?([^)>\s]+)>?[^)]*\)|<(?:a|img)\b[^>]*?\b(?:href|src)=[\"']([^\"']+)")
OUTSIDE = re.compile(r"[a-z][a-z0-9+.-]*:|//")
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)
NAMED = re.compile(r"<[^>]*\b(?:id|name)=[\"']([^\"']+)")
WORDLESS = re.compile(r"!\[\s*\]\(|<img\b(?![^>]*\balt=[\"'][^\"'])")


def problems(notebook: nbformat.NotebookNode, size: int, folder: Path = ROOT / "notebooks") -> list[str]:
    """Everything about one notebook in this folder that a reader or nbval would stumble over, in words."""
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
    text = "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    found += [f"the text: {problem}" for problem in text_problems(text, folder)]
    for cell in notebook.cells:
        unknown = {written for written, letters in axis_strings(cell.source) if set(letters) - set(AXES)}
        found += [f"axis letters that the glossary lacks: {written!r}" for written in sorted(unknown)]
    return found


def text_problems(text: str, folder: Path) -> Iterator[str]:
    """Links that lead nowhere, and pictures that say nothing to whoever cannot see them."""
    prose = re.sub(r"^(`{3,}).*?^\1|`[^`\n]+`", "", text, flags=re.DOTALL | re.MULTILINE)
    for target in (first or second for first, second in LINK.findall(prose)):
        if OUTSIDE.match(target):
            continue
        path, _, fragment = target.partition("#")
        file = folder / unquote(path)
        if path and not file.exists():
            yield f"a broken link: {target} is not there"
        elif fragment and unquote(fragment) not in (anchors(file) if path else notebook_anchors(text)):
            yield f"a broken link: {target} names no heading"
    if WORDLESS.search(prose):
        yield "a picture without alternative text"


def anchors(file: Path) -> set[str]:
    """What a link may name in a notebook or a markdown file."""
    if file.suffix == ".ipynb":
        cells = nbformat.read(file, as_version=4).cells
        return notebook_anchors("\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown"))
    text = file.read_text(encoding="utf-8") if file.suffix == ".md" else ""
    return {re.sub(r"[^\w\- ]", "", name.lower()).replace(" ", "-") for name in HEADING.findall(text)}


def notebook_anchors(text: str) -> set[str]:
    """Headings as JupyterLab and nbconvert name them: their text with hyphens for blanks; and names given in HTML."""
    shown = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", name) for name in HEADING.findall(text))
    return {re.sub(r"[*`]", "", name).replace(" ", "-") for name in shown} | set(NAMED.findall(text))


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
    pictures = [output.data for output in cell.outputs if PICTURES & set(output.get("data", {}))]
    if pictures and sum(text.count(DIGEST) for text in texts) < len(pictures):
        yield f"a figure without its digest line ('{DIGEST}…')"
    if any(WORDLESS.search(data.get("text/html", "")) for data in (o.get("data", {}) for o in cell.outputs)):
        yield "a picture without alternative text"
    figures = [data for data in pictures if PLOTLY in data]
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


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_first_cell_says_what_to_do_where_the_package_is_missing(path, monkeypatch):
    first = next(cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match="run: make lab"):
        exec(first.source, {})


def healthy() -> nbformat.NotebookNode:
    """A notebook with a printed line and a figure with which nothing is wrong."""
    picture = {PLOTLY: {"data": []}, "image/png": "iVBORw0KGgo=", "text/plain": "Figure: y 3"}
    printed = new_output(
        "stream", name="stdout", text="loss 0.500, 3 of 4, 2023 items, ratio 1/2, https://a.org/home/x"
    )
    first = new_code_cell("print(loss)", execution_count=1, outputs=[printed])
    second = new_code_cell("show(fig)", execution_count=2, outputs=[new_output("display_data", data=picture)])
    text = (
        "# Title\n\n## What *you* saw\n\n[here](#What-you-saw), [there](00_start_here.ipynb#Who-is-this-person?), "
        "[a file](../README.md#begin), [a paper](https://arxiv.org/abs/2405.21060), `v[i](x)`, `b l d` "
        "![a state](../docs/images/theatre.png)"
    )
    return new_notebook(cells=[new_markdown_cell(text), first, second])


def write(text: str) -> Callable[[nbformat.NotebookNode], None]:
    def change(notebook: nbformat.NotebookNode) -> None:
        notebook.cells[0].source += f"\n\n{text}"

    return change


def code(text: str) -> Callable[[nbformat.NotebookNode], None]:
    def change(notebook: nbformat.NotebookNode) -> None:
        notebook.cells[1].source = text

    return change


def display(data: dict[str, str]) -> Callable[[nbformat.NotebookNode], None]:
    def change(notebook: nbformat.NotebookNode) -> None:
        notebook.cells[1].outputs.append(new_output("display_data", data=data))

    return change


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
    (lengthen, "more than 25 lines"),
    (write("[gone](99_gone.ipynb)"), "broken link: 99_gone.ipynb is not there"),
    (write("<a href='gone.md'>gone</a>"), "broken link"),
    (write("[gone](#Nowhere)"), "broken link: #Nowhere names no heading"),
    (write("[gone](00_start_here.ipynb#Nowhere)"), "names no heading"),
    (write("[gone](../README.md#nowhere)"), "names no heading"),
    (write("![](../docs/images/theatre.png)"), "without alternative text"),
    (write('<img src="../docs/images/theatre.png" alt="">'), "without alternative text"),
    (display({"text/html": "<img src='data:,'>"}), "without alternative text"),
    (display({"image/png": "iVBORw0KGgo="}), "without its digest"),
    (display({PANEL: "", "text/plain": "[Theatre]"}), "without its digest"),
    (code('x = rearrange(x, "b l (h q) -> b l h q")'), "the glossary lacks: 'b l (h q) -> b l h q'"),
    (write("Its shape is `b l q`."), "the glossary lacks: 'b l q'"),
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
