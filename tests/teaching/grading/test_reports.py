"""Grade book, feedback and similarity are made from reports alone, the same each time, and safe to open."""

import csv
import io
import json

import nbformat

from seqrec_edu.teaching.grading.book import grade_csv, grade_page, overview
from seqrec_edu.teaching.grading.feedback import TAG, feedback_notebook
from seqrec_edu.teaching.grading.similarity import shingles, similar_pairs, similarity_text

LOOP = """
def f(x, a):
    state, out = 0, []
    for t in range(x.shape[1]):
        state = a * state + x[:, t]
        out.append(state)
    return torch.stack(out, 1)
"""
RENAMED = (
    LOOP.replace("state", "memory").replace("out", "result").replace("def f(x, a):", 'def f(x, a):\n    """Mine."""')
)
OTHER = """
def f(x, a):
    powers = a ** torch.arange(x.shape[1])
    mask = torch.tril(powers[:, None] / powers[None, :])
    return (mask @ x.reshape(len(x), -1)).view_as(x) + 0 * x.sum().clamp(min=0).sqrt()
"""


def report(student, points=1.0, kind="mistake", mistake="flipped in l", sentence="The axis l is reversed.", code=LOOP):
    question = {
        "question": "Q1", "function": "f", "points": points, "out_of": 2.0, "kind": kind, "mistake": mistake,
        "sentence": sentence, "example": "x b=1, l=2", "position": "b=0, l=1", "hints": ["One."], "notes": [],
        "code": code,
    }  # fmt: skip
    return {
        "student": student, "assignment": "a", "state": "graded", "reason": "", "points": points, "out_of": 2.0,
        "notes": [], "questions": [question],
    }  # fmt: skip


def test_csv_has_everybody_and_no_formula():
    rows = list(csv.DictReader(io.StringIO(grade_csv([report("b"), report("=HYPERLINK(1)"), report("ä, c", 2.0)]))))
    assert [row["student"] for row in rows] == ["'=HYPERLINK(1)", "b", "ä, c"]
    assert rows[1]["Q1"] == "1" and rows[1]["Q1: verdict"] == "mistake: flipped in l"


def test_overview_counts_named_mistakes():
    rows = overview([report("a"), report("b"), report("c", 2.0, "right", "")])
    assert rows == [{"question": "Q1", "right": 1, "of": 3, "common": [("flipped in l", 2)]}]


def test_page_escapes_what_students_wrote():
    page = grade_page([report("<img src=x onerror=alert(1)>", sentence="<script>bad()</script>")], "A & B")
    assert "<img" not in page and "<script>bad" not in page and "A &amp; B" in page
    assert grade_page([], "nobody came").startswith("<!doctype html>")


def test_feedback_in_the_students_own_notebook(tmp_path):
    path = tmp_path / "n.ipynb"
    cells = [
        {"cell_type": "markdown", "source": "# Mine"},
        {"cell_type": "code", "source": ["def f(x, a): return x\n"], "outputs": [{"x": 1}]},
        {"cell_type": "code", "source": "print(1)"},
    ]
    path.write_text(json.dumps({"cells": cells}))
    text = feedback_notebook(report("ada", sentence="![x](http://evil) <b>"), [path])
    made = nbformat.reads(text, as_version=4)
    nbformat.validate(made)
    assert [cell.source.split("\n")[0][:10] for cell in made.cells][1:3] == ["# Mine", "def f(x, a"]
    said = made.cells[3]
    assert "1 of 2 points" in said.source and "Hint 1 of 1" in said.source and TAG in said.metadata.tags
    assert "![x](" not in said.source and "<b>" not in said.source
    path.write_text(text)
    again = nbformat.reads(feedback_notebook(report("ada"), [path]), as_version=4)
    assert len(again.cells) == len(made.cells)


def test_feedback_without_a_notebook_has_the_code_that_was_graded():
    made = nbformat.reads(feedback_notebook(report("ada")), as_version=4)
    assert [cell.cell_type for cell in made.cells] == ["markdown", "code", "markdown"]


def test_renaming_does_not_hide_a_copy_and_another_way_is_no_copy():
    found = similar_pairs([report("a"), report("b", code=RENAMED), report("c", code=OTHER)])
    assert [(row["students"], row["percent"]) for row in found] == [(["a", "b"], 100.0)]
    assert "a and b" in similarity_text(found)
    assert shingles(LOOP) == shingles(RENAMED) and shingles("def f(:") == set()


def test_what_the_release_held_counts_for_nobody():
    assert similar_pairs([report("a"), report("b", code=RENAMED)], release="import torch\n" + LOOP) == []
