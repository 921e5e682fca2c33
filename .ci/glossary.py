"""Write docs/glossary.md out of ``seqrec_edu.notation`` and the notebooks: ``python .ci/glossary.py``.

Which notebook uses a letter is found by search: an axis letter in an axis string ("b l h p"), a symbol in a formula or
as a name in code.
"""

import re
from pathlib import Path

from course import ROOT, Notebook, notebooks

from seqrec_edu.notation import AXES, PAPERS, SHAPES, SYMBOLS

PAGE = ROOT / "docs" / "glossary.md"
TEX = {"dt": r"\Delta", "decay_scale": r"\tau"}
# A string in quotes or backticks of at least two single letters, apart from what einops allows beside them.
QUOTED = re.compile(r"""(["'`])([^"'`\n]{3,80})\1""")
BESIDE = re.compile(r"->|→|\.\.\.|…|\d+")
FORMULA = re.compile(r"\$\$(.+?)\$\$|\$([^$\n]+?)\$", re.DOTALL)
HEAD = """\
# Glossary

Letters of axes and names of symbols are the same everywhere: in signatures, in error messages, in formulas and in the
notebooks. This page is written from `seqrec_edu/notation.py` by `python .ci/glossary.py`, and a test holds it to that.

A shape is written as the letters of its axes, time second: `b l h p` is a tensor of histories × events × heads × head
width. In formulas a letter as a subscript counts along its axis; $t$ is an event, $s$ one that is not after it.
`seqrec_edu.notation.describe("b l d")` spells a shape out.
"""


def axis_strings(source: str) -> list[tuple[str, list[str]]]:
    """Every axis string of a cell with its letters: ``"b l (h p) -> b l h p"``, ``"f d"``."""
    found = []
    for _, text in QUOTED.findall(source):
        parts = BESIDE.sub(" ", text.replace("(", " ").replace(")", " ")).split()
        if len(parts) > 1 and all(re.fullmatch("[a-z]", part) for part in parts):
            found.append((text, parts))
    return found


def formulas(source: str) -> str:
    """Everything between dollars."""
    return " ".join(display or inline for display, inline in FORMULA.findall(source))


def uses(notebook: Notebook) -> set[str]:
    """The axis letters (as they are) and symbols (with a dollar before them) that a notebook uses."""
    prose = "\n".join(cell.source for cell in notebook.content.cells if cell.cell_type == "markdown")
    code = "\n".join(cell.source for cell in notebook.content.cells if cell.cell_type == "code")
    letters = {letter for _, found in axis_strings(f"{prose}\n{code}") for letter in found}
    written = re.sub(r"\\(?:text|mathrm|operatorname|texttt)\{[^}]*\}", " ", formulas(prose))
    written = set(re.findall(r"\\[A-Za-z]+|[A-Za-z]", written))
    names = set(re.findall(r"\w+", code))
    return letters | {f"${name}" for name in SYMBOLS if TEX.get(name, name) in written or name in names}


def page() -> str:
    """The glossary as markdown."""
    course = notebooks()
    used = {notebook.path.stem: uses(notebook) for notebook in course}

    def where(key: str) -> str:
        links = (
            f"[{notebook.number or notebook.title.split(':')[0].lower()}](../notebooks/{notebook.path.name})"
            for notebook in course
            if key in used[notebook.path.stem]
        )
        return ", ".join(links) or "–"

    axes = [
        row(f"`{letter}`", cell(meaning), cell(PAPERS.get(letter, "–")), where(letter))
        for letter, meaning in AXES.items()
    ]
    symbols = [
        row(f"`{name}`", cell(meaning), shapes(SHAPES[name]), cell(PAPERS.get(name, "the same")), where(f"${name}"))
        for name, meaning in SYMBOLS.items()
    ]
    axes_head = ["## Axes\n", row("letter", "axis", "in the papers", "notebooks"), "|---|---|---|---|"]
    symbols_head = [
        "\n## Symbols\n",
        row("name", "meaning", "shape", "in the papers", "notebooks"),
        "|---|---|---|---|---|",
    ]
    return "\n".join([HEAD, *axes_head, *axes, *symbols_head, *symbols, ""])


def row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def cell(text: str) -> str:
    """Text for a table: a bar would end the cell."""
    return text.replace("|", "\\|")


def shapes(text: str) -> str:
    """Each shape in backticks: ``b l h; b l e in Mamba-1``."""
    return "; ".join(re.sub(r"^((?:[a-z] )*[a-z])\b(?= in |$)", r"`\1`", one) for one in text.split("; "))


if __name__ == "__main__":
    Path(PAGE).write_text(page(), encoding="utf-8")
