"""A small assignment that needs no torch: two questions, a check of its own, and everything a source must hold."""

import ast
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

OPENING = """# Two sums

**Afterwards you can** add. **Ten minutes. Needs** nothing."""

SETUP = """try:
    import json
except ImportError as missing:
    raise SystemExit("pip install seqrec-edu") from missing


class Verdict:
    def __init__(self, kind):
        self.kind, self.sentence = kind, f"this is {kind}"

    def __bool__(self):
        return self.kind == "right"

    def __repr__(self):
        return self.sentence


def check(function, exercise=None, *, seed=0):
    expected = {"double": 2 * seed + 6, "thirds": (seed + 3) / 3}[exercise]
    try:
        return Verdict("right" if function(seed + 3) == expected else "wrong")
    except NotImplementedError:
        return Verdict("not written")"""

DOUBLE = '''def double(number):
    """Twice the number."""
    ### BEGIN SOLUTION
    added_to_itself = number + number  # a comment
    return added_to_itself
    ### END SOLUTION'''

THIRDS = '''def thirds(number):
    """A third of the number."""
    ### BEGIN SOLUTION
    return number / float(2 + 1)
    ### END SOLUTION'''

TEST = """# Graded with other numbers than yours.
### BEGIN HIDDEN TESTS
for secret_seed in (11, 12):
    hidden_verdict = check({name}, "{name}", seed=secret_seed)
    assert hidden_verdict, hidden_verdict
### END HIDDEN TESTS"""


def text(number, title, goal="**Goal:** add numbers.", rest="easy, four minutes, 2 points"):
    return new_markdown_cell(f"## {number}. {title} ({rest})\n\n{goal}", metadata=marks(f"text-{number}", locked=True))


def marks(name, *, grade=False, solution=False, locked=False, points=None):
    found = {
        "grade": grade,
        "grade_id": name,
        "locked": locked,
        "schema_version": 3,
        "solution": solution,
        "task": False,
    }
    return {"nbgrader": found | ({"points": points} if points is not None else {})}


def question(number, name, source, points=2):
    return [
        text(number, f"Write {name}"),
        new_code_cell(source, metadata=marks(name, solution=True)),
        new_code_cell(f'verdict = check({name}, "{name}")\nverdict'),
        new_code_cell(TEST.format(name=name), metadata=marks(f"test-{name}", grade=True, locked=True, points=points)),
    ]


def notebook():
    """A source with which nothing is wrong; cell ids count, so that files are the same each time."""
    teacher = new_code_cell('print("for the teacher: the third is often halved")', metadata={"tags": ["instructor"]})
    cells = [
        new_markdown_cell(OPENING),
        new_code_cell(SETUP),
        *question(1, "double", DOUBLE),
        *question(2, "thirds", THIRDS),
        new_code_cell("if verdict:\n    print(thirds(6))"),
        teacher,
    ]
    for place, cell in enumerate(cells):
        cell.id = f"cell-{place}"
        if cell.cell_type == "code":
            ast.parse(cell.source)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return new_notebook(cells=cells, metadata={"kernelspec": kernel})


def save(folder: Path, made=None, name="sums") -> Path:
    path = Path(folder) / f"{name}.ipynb"
    nbformat.write(made or notebook(), path)
    return path
