"""What a student gets back: their notebook, or a fresh one, with a cell of words after each question's function."""

import json
import re
from html import escape
from pathlib import Path

from seqrec_edu.teaching.grading.collect import statements
from seqrec_edu.teaching.grading.salvage import read_cells

TAG = "seqrec-edu-feedback"


def feedback_notebook(report, paths=()):
    """A notebook as text: the student's own cells if ``paths`` has one that can be read, outputs left out."""
    cells = _own_cells(paths) or [_code(each["code"]) for each in report["questions"] if each["code"]]
    placed = [_words(_summary(report), "summary")]
    left = {each["function"]: each for each in report["questions"]}
    for cell in _with_last_marked(cells, left):
        names = cell.pop("answers", [])
        placed.append(cell)
        placed += [_words(_said(left.pop(name)), name) for name in names]
    placed += [_words(_said(each), each["function"]) for each in left.values()]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    tree = {"cells": placed, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    for number, cell in enumerate(placed):
        cell["id"] = f"feedback-{number}"
    return json.dumps(tree, indent=1, ensure_ascii=False) + "\n"


def _own_cells(paths):
    """Cells of the first readable notebook, words and code, without outputs and earlier feedback."""
    for path in map(Path, paths):
        try:
            cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
            return [
                _code(_text(cell["source"])) if cell.get("cell_type") == "code" else _words(_text(cell["source"]))
                for cell in cells
                if TAG not in cell.get("metadata", {}).get("tags", ())
            ]
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue
    return []


def _with_last_marked(cells, wanted):
    """The cells, each with the questions whose last definition stands in it."""
    last = {}
    for index, cell in enumerate(cells):
        if cell["cell_type"] == "code":
            for name in wanted:
                found, _ = read_cells("cell", cell["source"].encode())
                if any(name in each.binds for each in statements(found)):
                    last[name] = index
    for name, index in last.items():
        cells[index].setdefault("answers", []).append(name)
    return cells


def _summary(report):
    lines = [f"# {report['assignment']}: {report['points']:g} of {report['out_of']:g} points", ""]
    lines += [f"Student: {_plain(report['student'])}", ""]
    if report["reason"]:
        lines += [_plain(report["reason"]), ""]
    lines += ["| question | points | verdict |", "|---|---|---|"]
    for each in report["questions"]:
        verdict = _plain(each["mistake"] or each["kind"]).replace("|", "\\|")
        lines.append(f"| {_plain(each['question'])} | {each['points']:g} of {each['out_of']:g} | {verdict} |")
    lines += [f"\n* {_plain(note)}" for note in report["notes"]]
    return "\n".join(lines)


def _said(result):
    mistake = f", {_plain(result['mistake'])}" if result["mistake"] else ""
    lines = [
        f"**{_plain(result['question'])}: {result['points']:g} of {result['out_of']:g} points.** "
        f"{result['kind']}{mistake}"
    ]
    lines += [_plain(result["sentence"])] if result["sentence"] else []
    for name, key in (("Smallest input", "example"), ("First difference", "position")):
        lines += [f"{name}:\n\n{_indented(result[key])}"] if result[key] else []
    for number, hint in enumerate(result["hints"], 1):
        lines.append(
            f"<details><summary>Hint {number} of {len(result['hints'])}</summary>\n\n{_plain(hint)}\n\n</details>"
        )
    lines += [f"* {_plain(note)}" for note in result["notes"]]
    return "\n\n".join(lines)


def _plain(text):
    """Words as words: no markup, no link, no formula out of a student's error message."""
    return re.sub(r"([\\`*_\[\]$!#])", r"\\\1", escape(" ".join(str(text).split()), quote=False))


def _indented(text):
    return "\n".join("    " + line for line in str(text).splitlines())


def _text(source):
    return source if isinstance(source, str) else "".join(source)


def _code(source):
    return {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": source}


def _words(source, about=""):
    return {"cell_type": "markdown", "metadata": {"tags": [TAG, about]} if about else {}, "source": source}
