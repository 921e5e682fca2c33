"""What a student gets back: their notebook, or a fresh one, with a cell of words after each question's function."""

import json
import re
from collections import Counter
from html import escape
from pathlib import Path

from seqrec_edu.teaching.grading.book import remarks
from seqrec_edu.teaching.grading.collect import short_names, statements
from seqrec_edu.teaching.grading.salvage import read_cells

TAG = "seqrec-edu-feedback"


def feedback_notebook(report, paths=()):
    """A notebook as text: the student's own cells if ``paths`` has one that can be read, outputs left out.

    Of several it is the one that most answers were taken from; answers from another follow with their code.
    """
    shown, cells = _own_cells(report, paths)
    placed = [_words(_summary(report), "summary")]
    left = {each["function"]: each for each in report["questions"]}
    own = {name: each for name, each in left.items() if cells and each["file"] in ("", shown)}
    for cell in _with_last_marked(cells, own):
        names = cell.pop("answers", [])
        placed.append(cell)
        placed += [_words(_said(left.pop(name)), name) for name in names]
    for name, each in left.items():
        placed += [_code(each["code"])] if each["code"] and name not in own else []
        placed.append(_words(_said(each), name))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    tree = {"cells": placed, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    for number, cell in enumerate(placed):
        cell["id"] = f"feedback-{number}"
    return json.dumps(tree, indent=1, ensure_ascii=False) + "\n"


def _own_cells(report, paths):
    """``(file, cells)`` of the notebook with most answers, words and code, without outputs and earlier feedback."""
    answers = Counter(each["file"] for each in report["questions"] if each["file"])
    files = sorted(zip(short_names(paths), paths, strict=True), key=lambda each: -answers[each[0]])
    for name, path in files:
        try:
            cells = json.loads(Path(path).read_text(encoding="utf-8"))["cells"]
            return name, [
                _code(_text(cell["source"])) if cell.get("cell_type") == "code" else _words(_text(cell["source"]))
                for cell in cells
                if TAG not in cell.get("metadata", {}).get("tags", ())
            ]
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue
    return "", []


def _with_last_marked(cells, questions):
    """The cells, each with the questions that it answers."""
    best = {}
    for index, cell in enumerate(cells):
        if cell["cell_type"] == "code":
            found = statements(read_cells("cell", cell["source"].encode())[0])
            for name, question in questions.items():
                best[name] = max(best.get(name, (0, 0)), (_fit(cell["source"], found, name, question), index))
    for name, (fit, index) in best.items():
        if fit:
            cells[index].setdefault("answers", []).append(name)
    return cells


def _fit(source, found, name, question):
    """How surely a cell holds the answer: 3 what was graded, 2 a definition, 1 one that cannot be parsed, 0 none."""
    binding = [each for each in found if name in each.binds]
    if binding and question["kind"] != "unreadable":
        return 3 if any(each.text in question["code"] for each in binding) else 2
    return int(bool(binding) or re.search(rf"(?m)^\s*def {re.escape(name)}\b", source) is not None)


def _summary(report):
    lines = [f"# {report['assignment']}: {report['points']:g} of {report['out_of']:g} points", ""]
    lines += [f"Student: {_plain(report['student'])}", ""]
    said = remarks(report)
    if report["reason"]:
        lines += [_plain(said.pop(0)), ""]
    lines += ["| question | points | verdict |", "|---|---|---|"]
    for each in report["questions"]:
        verdict = _plain(each["mistake"] or each["kind"]).replace("|", "\\|")
        lines.append(f"| {_plain(each['question'])} | {each['points']:g} of {each['out_of']:g} | {verdict} |")
    lines += [f"\n* {_plain(note)}" for note in said]
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
    lines += [f"* {_plain(note)}" for note in result["notes"] if note not in result["sentence"]]
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
