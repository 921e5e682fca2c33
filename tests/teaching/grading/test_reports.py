"""Grade book, feedback and similarity are made from reports alone, the same each time, and safe to open."""

import csv
import io
import json

import nbformat

from seqrec_edu.teaching.grading.book import average, grade_csv, grade_page, overview
from seqrec_edu.teaching.grading.feedback import TAG, feedback_notebook
from seqrec_edu.teaching.grading.similarity import common_answers, shingles, similar_pairs, similarity_text

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
        "code": code, "file": "",
    }  # fmt: skip
    return {
        "student": student, "assignment": "a", "state": "graded", "reason": "", "points": points, "out_of": 2.0,
        "notes": [], "questions": [question], "files": [],
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


def test_a_class_of_copies_is_told_of_though_no_two_differ_from_what_most_wrote():
    copies = [report(f"s{number:02}", code=RENAMED if number % 2 else LOOP) for number in range(11)]
    alone = report("z", code=OTHER)
    assert similar_pairs([*copies, alone]) == [] and common_answers([*copies[:6]]) == {}
    common = common_answers([*copies, alone])
    assert common == {"Q1": [each["student"] for each in copies]}
    text = similarity_text([], common)
    assert "and what most wrote" in text and "11 answers hold hardly more than that: s00, s01" in text
    assert similarity_text([]) == "No two answers are alike beyond what was given.\n"


def refused(student="hal"):
    made = report(student, 0.0, "missing", "", "There is no function f.", "")
    return made | {"state": "refused", "reason": "hal.ipynb is empty", "notes": ["hal.ipynb is empty"]}


def notebook(path, *sources):
    path.write_text(json.dumps({"cells": [{"cell_type": "code", "source": source} for source in sources]}))
    return path


def test_a_file_that_cannot_be_read_is_no_mistake_and_is_averaged_apart():
    reports = [report("a", 2.0, "right", ""), report("b"), refused()]
    assert overview(reports) == [{"question": "Q1", "right": 1, "of": 2, "common": [("flipped in l", 1)]}]
    assert average(reports) == "1.50 of 2 points on average; 1.00 with the 1 refused or not handed in counted as 0"
    assert average(reports[:2]) == "1.50 of 2 points on average" and average([]).startswith("0.00 of 0")
    assert "<p>1 student: 1 graded." in grade_page(reports[:1], "one")


def test_nothing_is_said_twice():
    assert grade_page([refused()], "class").count("hal.ipynb is empty") == 1
    assert feedback_notebook(refused()).count("hal.ipynb is empty") == 1
    sentence = "There is no function f in what could be read; d.ipynb, code cell 4 could not be read: syntax error."
    made = report("dina", 0.0, "unreadable", "", sentence, "")
    made |= {"state": "partly", "reason": f"Q1: {sentence}", "notes": [sentence.split("; ")[1][:-1]]}
    assert grade_page([made], "class").count("code cell 4") == 1
    assert "partly<br><small>Q1</small>" in grade_page([made], "class")
    assert feedback_notebook(made).count("code cell 4") == 2  # above all, and below the cell


def test_a_question_that_cannot_be_graded_has_no_points_rather_than_none():
    made = report("a", 0.0, "not graded", "", "`check` knows no exercise 'own'.")
    assert next(csv.DictReader(io.StringIO(grade_csv([made]))))["Q1"] == ""


def test_feedback_is_in_the_file_that_the_answer_came_from(tmp_path):
    stub = "def f(x, a):\n    raise NotImplementedError"
    paths = [notebook(tmp_path / "1.ipynb", "# untouched", stub), notebook(tmp_path / "2.ipynb", "# mine", LOOP, stub)]
    made = report("ivy")
    made["questions"][0]["file"] = "2.ipynb"
    cells = nbformat.reads(feedback_notebook(made, paths), as_version=4).cells
    assert cells[1].source == "# mine" and cells[2].source == LOOP  # and below what was graded, not the last
    assert "1 of 2 points" in cells[3].source and cells[4].source == stub
    other = made["questions"][0] | {"question": "Q2", "function": "g", "file": "1.ipynb", "code": "def g(): return 7"}
    made["questions"] = [*made["questions"], other, other | {"function": "h", "code": "def h(): return 8"}]
    made["questions"].append(made["questions"][0] | {"function": "k", "code": ""})
    made["questions"].append(made["questions"][0] | {"function": "m", "code": ""})
    cells = nbformat.reads(feedback_notebook(made, paths), as_version=4).cells
    assert cells[1].source == "# mine" and "def g(): return 7" in [cell.source for cell in cells]


def test_feedback_on_a_cell_that_cannot_be_parsed_stands_below_it(tmp_path):
    path = notebook(tmp_path / "d.ipynb", "x = 1", "def f(x, a:\n    return x", "y = f(x, 1)")
    made = report("dina", 0.0, "unreadable", "", "It could not be read.", "")
    cells = nbformat.reads(feedback_notebook(made, [path]), as_version=4).cells
    assert cells[2].source.startswith("def f(x, a:") and "It could not be read" in cells[3].source


def test_alike_answers_come_in_groups_of_which_every_two_are_alike():
    def pair(one, two, percent=100.0):
        return {"question": "Q1", "students": [one, two], "percent": percent, "shared": 20}

    pairs = [pair("a", "b"), pair("a", "c"), pair("b", "c"), pair("c", "d", 90.0), pair("a", "e", 85.0)]
    pairs.append(pair("b", "e", 82.5))
    lines = similarity_text(pairs).splitlines()[2:]
    assert lines[0] == "Q1: a, b, c: 100 % (at least 20 places)" and lines[1] == "Q1: c and d: 90 % (20 places)"
    assert sorted(lines[2:]) == ["Q1: a and e: 85 % (20 places)", "Q1: b and e: 82.5 % (20 places)"]
