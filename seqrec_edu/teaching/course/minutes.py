"""How long a notebook takes a person: reading, working, and waiting for cells."""

import re
from collections.abc import Iterable

from nbformat import NotebookNode

WORDS_A_MINUTE = 180
CODE_LINES_A_MINUTE = 15  # followed, not skimmed
A_FIGURE = 0.5  # each has a question beside it
CLOSED = re.compile(r"<details>.*?</details>", re.DOTALL)  # hints and answers: opened by some, in working time
IMAGE = re.compile(r"!\[[^\]]*\]\([^)]*\)")
TOLERANCE = 0.25  # of the stated minutes, and never less than two minutes


def reading(cells: Iterable[NotebookNode]) -> float:
    """Minutes to read texts (180 words a minute) and code (15 lines a minute), and to look at stored pictures."""
    words = lines = figures = 0
    for cell in cells:
        if cell.cell_type == "markdown":
            words += len(IMAGE.sub("", CLOSED.sub("", cell.source)).split())
        elif cell.cell_type == "code":
            lines += sum(bool(line.strip()) for line in cell.source.splitlines())
            figures += sum("image/png" in output.get("data", {}) for output in cell.outputs)
    return words / WORDS_A_MINUTE + lines / CODE_LINES_A_MINUTE + figures * A_FIGURE


def agrees(stated: float, derived: float) -> bool:
    return abs(stated - derived) <= max(2.0, TOLERANCE * stated)
