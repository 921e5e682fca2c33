"""What the notebooks say of themselves, and how many minutes each takes: ``python .ci/course.py`` prints the table.

Minutes are worked out, not felt: reading the words, reading the code, waiting for the cells, and the minutes that each
exercise states. A notebook's first cell states the sum and how much of it is exercises; a test holds it to that.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parent.parent
WORDS_PER_MINUTE = 180  # prose with formulas; a formula counts as the words it is written in
LINES_PER_MINUTE = 15  # code that is followed, not skimmed
FIGURE_MINUTES = 0.5  # each has a question beside it
TOLERANCE = 0.25
NUMBERS = {
    "one": 1, "five": 5, "ten": 10, "fifteen": 15, "twenty": 20, "twenty-five": 25, "thirty": 30, "forty": 40,
    "forty-five": 45, "fifty": 50, "sixty": 60,
}  # fmt: skip
# An exercise begins with its name in bold and, in brackets, how hard it is and how long it takes.
EXERCISE = re.compile(r"^(?:#+ +|\*\*)[^\n]*?\(([^()\n]*?)\bminutes", re.MULTILINE)
STATED = re.compile(r"\*\*(\d+) minutes(?:, (\d+) of them exercises)?\.")
AFTERWARDS = re.compile(r"\*\*Afterwards you can\*\*\s+(.*?)(?:\n\n|$)", re.DOTALL)


@dataclass(frozen=True)
class Minutes:
    """Where the minutes of a notebook go."""

    reading: float
    code: float
    figures: float
    waiting: float
    exercises: int

    @property
    def total(self) -> float:
        return self.reading + self.code + self.figures + self.waiting + self.exercises

    @property
    def rounded(self) -> int:
        """To be stated: to the next five."""
        return max(5, 5 * round(self.total / 5))


@dataclass(frozen=True)
class Notebook:
    """A notebook of the course: the place in the course is the number that its name begins with."""

    path: Path
    content: nbformat.NotebookNode

    @classmethod
    def read(cls, path: Path) -> "Notebook":
        return cls(path, nbformat.read(path, as_version=4))

    @property
    def number(self) -> str:
        """ "00" to "99"; empty for one that stands beside the course."""
        return match.group() if (match := re.match(r"\d\d(?=_)", self.path.stem)) else ""

    @property
    def head(self) -> str:
        return self.content.cells[0].source

    @property
    def title(self) -> str:
        """The first heading, without the number."""
        return re.sub(r"^#\s+(?:\d+\s*·\s*)?", "", self.head.splitlines()[0]).strip()

    @property
    def afterwards(self) -> str:
        return match.group(1).strip() if (match := AFTERWARDS.search(self.head)) else ""

    @property
    def stated(self) -> tuple[int, int] | None:
        """Minutes in all and minutes of exercises, as the first cell states them."""
        match = STATED.search(self.head)
        return (int(match.group(1)), int(match.group(2) or 0)) if match else None


def notebooks(folder: Path = ROOT / "notebooks") -> list[Notebook]:
    """All notebooks in the order of the course: by number, then those without one."""
    found = [Notebook.read(path) for path in folder.glob("*.ipynb")]
    return sorted(found, key=lambda notebook: (notebook.number or "99", notebook.path.stem))


def timings(folder: Path = ROOT / "notebooks") -> dict[str, list[float]]:
    """Seconds of each code cell of each notebook, as ``make course`` last measured them."""
    stored = json.loads((folder / "timings.json").read_text(encoding="utf-8"))
    return {name: entry["seconds"] for name, entry in stored.items()}


def minutes(content: nbformat.NotebookNode, seconds: float) -> Minutes:
    """Work out the minutes of a notebook whose cells take so many seconds."""
    prose = "\n".join(cell.source for cell in content.cells if cell.cell_type == "markdown")
    code = [cell for cell in content.cells if cell.cell_type == "code"]
    lines = sum(bool(line.strip()) for cell in code for line in cell.source.splitlines())
    figures = sum("image/png" in output.get("data", {}) for cell in code for output in cell.outputs)
    return Minutes(
        reading=len(re.sub(r"<[^>]+>", " ", prose).split()) / WORDS_PER_MINUTE,
        code=lines / LINES_PER_MINUTE,
        figures=figures * FIGURE_MINUTES,
        waiting=seconds / 60,
        exercises=sum(exercise_minutes(prose)),
    )


def exercise_minutes(prose: str) -> list[int]:
    """The minutes of every exercise: the last number before the word, in digits or spelt out."""
    found = [re.findall(r"[a-z-]+|\d+", match.lower()) for match in EXERCISE.findall(prose)]
    return [number(words[-1]) for words in found if words and number(words[-1])]


def number(word: str) -> int:
    """``"15"`` and ``"fifteen"`` alike; 0 for any other word."""
    return int(word) if word.isdigit() else NUMBERS.get(word, 0)


def statement(worked_out: Minutes) -> str:
    """How the first cell states these minutes."""
    exercises = f", {worked_out.exercises} of them exercises" if worked_out.exercises else ""
    return f"**{worked_out.rounded} minutes{exercises}."


def main() -> None:
    """Print what each notebook states and what is worked out."""
    known = timings()
    print(f"{'notebook':<32}{'stated':>12} reading  code  figures  waiting  exercises  to state")
    for notebook in notebooks():
        found = minutes(notebook.content, sum(known.get(notebook.path.stem, [])))
        read = f"{found.reading:>8.0f}{found.code:>6.0f}{found.figures:>9.0f}"
        stated = " + ".join(map(str, notebook.stated or ["–"]))
        print(
            f"{notebook.path.stem:<32}{stated:>12}{read}{found.waiting:>9.1f}{found.exercises:>11}  {statement(found)}"
        )


if __name__ == "__main__":
    main()
