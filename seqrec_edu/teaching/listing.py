"""The exercises by name, and all of them as a table."""

from __future__ import annotations

from html import escape

from seqrec_edu.teaching.definition import Exercise
from seqrec_edu.teaching.exercises import load, names

COLUMNS = ("name", "notebook", "minutes", "difficulty", "points", "goal")


def exercise(name: str) -> Exercise:
    """The exercise of this name. ``ValueError`` with all known names where there is none."""
    return load(name)


def exercises() -> Table:
    """All exercises: name, notebook, minutes, difficulty, points and goal."""
    return Table(sorted((load(name) for name in names()), key=lambda each: (each.notebook, each.name)))


class Table(list):
    """A list of exercises that shows itself as a table."""

    def _rows(self) -> list[list[str]]:
        return [[str(getattr(each, column)) for column in COLUMNS] for each in self]

    def __str__(self) -> str:
        rows = [list(COLUMNS), *self._rows()]
        widths = [max(len(row[place]) for row in rows) for place in range(len(COLUMNS))]
        return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(r, widths, strict=True)).rstrip() for r in rows)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head = "".join(f"<th scope='col'>{column}</th>" for column in COLUMNS)
        body = "".join("<tr>" + "".join(f"<td>{escape(c)}</td>" for c in row) + "</tr>" for row in self._rows())
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
