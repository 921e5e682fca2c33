"""Write docs/glossary.md out of ``seqrec_edu.notation`` and the notebooks: ``python .ci/glossary.py``.

Which notebook uses a letter is found by search: an axis letter in an axis string ("b l h p"), a symbol in a formula or
as a name in code.
"""

import io
import re
import tokenize
from pathlib import Path

from course import ROOT, Notebook, notebooks

from seqrec_edu.notation import AXES, PAPERS, SHAPES, SYMBOLS

PAGE = ROOT / "docs" / "glossary.md"
TEX = {"dt": r"\Delta", "decay_scale": r"\tau"}
# A string in quotes or backticks of at least two single letters, apart from what einops allows beside them.
QUOTED = re.compile(r"""(["'`])([^"'`\n]{3,80})\1""")
BESIDE = re.compile(r"->|→|\.\.\.|…|\d+")
# Where a notebook needs a letter for something else, and says so there.
OTHERWISE = {
    "00_start_here": {"k": "a place in a list"},
    "09_both_directions_and_gates": {"s": "an event that is read", "t": "an event"},
    "11_full_training": {"s": "a seed", "$L": "a loss"},
    "12_reproduce_a_paper": {"s": "a seed"},
}
FORMULA = re.compile(r"\$\$(.+?)\$\$|\$([^$\n]+?)\$", re.DOTALL)
HEAD = """\
# Glossary

Letters of axes and names of symbols are the same everywhere: in signatures, in error messages, in formulas and in the
notebooks. This page is written from `seqrec_edu/notation.py` by `python .ci/glossary.py`, and a test holds it to that.
The exceptions, which their notebooks explain: {otherwise}.

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
    names = set(re.findall(r"`(\w+)`", prose)).union(
        *(names_in(cell.source) for cell in notebook.content.cells if cell.cell_type == "code")
    )
    return letters | {f"${name}" for name in SYMBOLS if TEX.get(name, name) in written or name in names}


def names_in(code: str) -> set[str]:
    """Every name in a cell; what stands in strings and comments is none."""
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(code).readline))
    except (tokenize.TokenError, IndentationError):  # a magic
        return set(re.findall(r"\w+", code))
    return {token.string for token in tokens if token.type == tokenize.NAME}


def page() -> str:
    """The glossary as markdown."""
    course = notebooks()
    used = {n.path.stem: {key for key in uses(n) if key not in OTHERWISE.get(n.path.stem, {})} for n in course}
    otherwise = "; ".join(
        f"in {stem[:2]} `{key.strip('$')}` is {meaning}"
        for stem, keys in OTHERWISE.items()
        for key, meaning in keys.items()
    )

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
    return "\n".join([HEAD.format(otherwise=otherwise), *axes_head, *axes, *symbols_head, *symbols, ""])


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
