"""The score of a mixer: parts with points and a sentence each, as text and as a table."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape


@dataclass(frozen=True)
class Part:
    """One line of the table. ``short`` fits into it, ``sentence`` explains."""

    name: str
    points: float
    out_of: float
    sentence: str


@dataclass(frozen=True)
class Scored:
    """What the grader says of a mixer. ``kind``, ``mistake``, ``sentence`` and ``hints`` are as in `Verdict`.

    kind is "right" from ``PASSED`` of the points on, if nothing is read that must not be; ``share`` is what was earned
    of all points, 0 to 1; ``notes`` are the parts in words.
    """

    exercise: str
    kind: str
    mistake: str = ""
    sentence: str = ""
    parts: tuple[Part, ...] = ()
    hints: tuple[str, ...] = ()
    example: None = None
    position: str = ""

    @property
    def passed(self) -> bool:
        return self.kind == "right"

    def __bool__(self) -> bool:
        return self.passed

    @property
    def points(self) -> float:
        """To a tenth of a point."""
        return round(sum(part.points for part in self.parts), 1)

    @property
    def out_of(self) -> float:
        return sum(part.out_of for part in self.parts)

    @property
    def share(self) -> float:
        return self.points / self.out_of if self.parts else 0.0

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(f"{part.name}: {part.points:.1f} of {part.out_of:g}. {part.sentence}" for part in self.parts)

    @property
    def headline(self) -> str:
        mistake = f", {self.mistake}" if self.mistake else ""
        earned = f" {self.points:.1f} of {self.out_of:g} points." if self.parts else ""
        return f"{self.exercise}: {self.kind}{mistake}.{earned}"

    def hint(self) -> str:
        """All hints, one to a line."""
        return "\n".join(self.hints)

    def __str__(self) -> str:
        rows = [f"{part.name:<14}{part.points:5.1f} of {part.out_of:2g}  {part.sentence}" for part in self.parts]
        return "\n".join([self.headline, *([self.sentence] if self.sentence and not rows else []), *rows])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        said = "" if self.parts else f"<p>{escape(self.sentence)}</p>"
        rows = "".join(
            f"<tr><th scope='row' style='text-align:left'>{escape(part.name)}</th>"
            f"<td>{part.points:.1f} of {part.out_of:g}</td>"
            f"<td style='text-align:left'>{escape(part.sentence)}</td></tr>"
            for part in self.parts
        )
        table = f"<table>{rows}</table>" if rows else ""
        return f"<div role='status'><p><strong>{escape(self.headline)}</strong></p>{said}{table}</div>"
