"""A lesson plan: what the parts of a folder's notebooks take, from measured seconds, reading and working minutes."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nbformat import NotebookNode

from seqrec_edu.teaching.course import minutes
from seqrec_edu.teaching.course.regions import SOLUTION, BadMarks, has
from seqrec_edu.teaching.course.source import (
    INSTRUCTOR,
    SECTION,
    Assignment,
    is_solution,
    number_of,
    read,
    sources,
    stub,
    tags,
)  # fmt: skip

TIMINGS = "timings.json"
EXERCISE = re.compile(r"^(?:#+ +|\*\*)[^\n]*?\(([^()\n]*\bminutes?\b[^()\n]*)\)", re.MULTILINE)
HEADER = ("notebook", "part", "reading", "working", "waiting", "minutes", "from")


@dataclass(frozen=True)
class Part:
    """One section of a notebook: minutes to read, to work and to wait for cells. ``measured`` says if the last was."""

    notebook: str
    title: str
    reading: float
    working: float
    waiting: float
    measured: bool

    @property
    def total(self) -> float:
        return self.reading + self.working + self.waiting


def plan(folder: str | Path) -> list[Part]:
    """The parts of one notebook, or of all in a folder, in order of names.

    Seconds per cell come from ``timings.json`` beside the notebooks, or from the record that ``course build`` writes
    beside an instructor's version. Where there are none, waiting is 0 and the part says that it was not measured.
    """
    return [part for path in sources(folder) for part in _parts(read(path), *_seconds(path))]


def rows(parts: Sequence[Part]) -> list[list[str]]:
    """The plan as table cells: one line per part, then its notebook's sum. ``from`` counts the notebook's minutes."""
    lines, names = [], list(dict.fromkeys(part.notebook for part in parts))
    for name in names:
        own, clock = [part for part in parts if part.notebook == name], 0.0
        for place, part in enumerate(own):
            lines.append([name if place == 0 else "", part.title, *_minutes(part), f"{clock:.0f}"])
            clock += part.total
        total = Part(name, "all", *(sum(getattr(part, each) for part in own) for each in FIELDS), own[0].measured)
        lines.append(["", "all", *_minutes(total), ""])
    return lines


FIELDS = ("reading", "working", "waiting")


def _minutes(part: Part) -> list[str]:
    waiting = f"{part.waiting:.1f}" if part.measured else "?"
    return [f"{part.reading:.0f}", f"{part.working:.0f}", waiting, f"{part.total:.0f}"]


def _parts(assignment: Assignment, seconds: list[float] | None) -> list[Part]:
    """Sections by their headings; the exercises' minutes stand in the headings or bold names that begin them."""
    groups: list[tuple[str, list[NotebookNode]]] = [("opening", [])]
    clock = iter(seconds or [])
    waiting = [0.0]
    for cell in assignment.notebook.cells:
        spent = next(clock, 0.0) if cell.cell_type == "code" else 0.0
        if INSTRUCTOR in tags(cell):
            continue
        heading = SECTION.search(cell.source) if cell.cell_type == "markdown" else None
        if heading:
            groups.append((re.sub(r"\s*\([^()]*\)$", "", heading[1]), []))
            waiting.append(0.0)
        groups[-1][1].append(_as_released(cell))
        waiting[-1] += spent
    return [
        Part(assignment.name, title, minutes.reading(cells), _working(cells), spent / 60, seconds is not None)
        for (title, cells), spent in zip(groups, waiting, strict=True)
        if cells
    ]


def _as_released(cell: NotebookNode) -> NotebookNode:
    """A solution is not read in class: its stub is."""
    if cell.cell_type != "code" or not is_solution(cell) or not has(cell.source, SOLUTION):
        return cell
    try:
        return NotebookNode({**cell, "source": stub(cell.source)})
    except BadMarks:
        return cell


def _working(cells: list[NotebookNode]) -> float:
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    return sum(number_of("minute", match) or 0 for match in EXERCISE.findall(text))


def _seconds(path: Path) -> tuple[list[float] | None]:
    """Seconds of each code cell, or None where nobody measured."""
    beside = path.with_name(TIMINGS)
    if beside.is_file():
        stored = json.loads(beside.read_text(encoding="utf-8")).get(path.stem)
        if stored is not None:
            return (list(stored["seconds"] if isinstance(stored, dict) else stored),)
    for record in (path.with_suffix(".json"), path.parent.parent / "instructor" / f"{path.stem}.json"):
        if record.is_file():
            known = json.loads(record.read_text(encoding="utf-8"))
            cells = read(path).notebook.cells
            per_cell = known.get("cell_seconds", [])
            if len(per_cell) == len(cells):
                return ([each for each, cell in zip(per_cell, cells, strict=True) if cell.cell_type == "code"],)
    return (None,)
