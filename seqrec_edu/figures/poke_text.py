"""What a changed place of a history moved, in words: a line, a sentence and a table."""

from collections.abc import Sequence

import numpy as np

from .arrays import checked
from .events import Events
from .text import Table, aligned, number

EXACT, ROUNDING = "0 exactly", "rounding"


class Row:
    """A row of places, checked. Event e stands at number e; pads behind at l + 1 …, pads in front at 0, -1 …

    Arguments and errors as `figures.poke_response`.
    """

    def __init__(
        self,
        change: np.ndarray,
        place: int,
        names: Sequence[str] | None = None,
        times: Sequence[int] | None = None,
        *,
        pads: int = 0,
        side: str = "right",
        tolerance: float = 1e-12,
    ) -> None:
        self.change = checked("change", change, "t")
        if (self.change < 0).any():
            raise ValueError("change must not be negative: it is a size")
        if side not in ("right", "left") or not 0 <= pads < len(self.change):
            raise ValueError(f'pads must leave an event, on the side "right" or "left": got {pads} on {side!r}')
        if not 0 <= place < len(self.change):
            raise ValueError(f"place must be within 0…{len(self.change) - 1} of this row, got {place}")
        self.pads, self.tolerance, self.length = pads, tolerance, len(self.change) - pads
        self.first = 1 - pads if side == "left" else 1
        self.last = self.first + len(self.change) - 1
        self.poked = self.first + place
        self.is_pad = not 1 <= self.poked <= self.length
        self.events = Events(self.length, names, times)
        self.number = np.arange(1, self.length + 1)
        self.inside = self.change[self.number - self.first]  # at events
        self.moved = self.inside > tolerance
        self.before = self.number < self.poked

    @property
    def pad_range(self) -> tuple[float, float]:
        """Ends of the pads along the axis."""
        return (self.first - 0.5, 0.5) if self.first < 1 else (self.length + 0.5, self.last + 0.5)

    @property
    def summary(self) -> str:
        """The line under a title."""
        if self.is_pad:
            return f"a pad was changed: {self.moved.sum() or 'none'} of {self.length} outputs at events moved"
        late = self.moved & self.before
        if late.any():
            return f"<b>{late.sum()} of {self.poked - 1} earlier outputs move</b>: they read a later event"
        said = "no earlier output moves" if self.poked > 1 else "none is earlier"
        return f"{said}; {self.moved.sum()} of {self.length - self.poked + 1} from event {self.poked} on do"

    def says(self, event: int) -> str:
        """What the change of one output tells."""
        moved = self.change[event - self.first]
        if moved <= self.tolerance:
            return EXACT if moved == 0 else ROUNDING
        if self.is_pad:
            return "reads the pad"
        return "reads a later event" if event < self.poked else f"reads {'it' if event > self.poked else 'itself'}"


def poke_sentence(
    change: np.ndarray, place: int, *, pads: int = 0, side: str = "right", tolerance: float = 1e-12
) -> str:
    """Say what moved: outputs at and after the change, outputs before it, and how still the others stood.

    Args:
        change, place, pads, side, tolerance: as `poke_response`.
    """
    row = Row(change, place, pads=pads, side=side, tolerance=tolerance)
    many, most = row.moved.sum(), number(float(row.inside.max()), 2)
    if row.is_pad:
        seen = f"{many} of {row.length} outputs move, by up to {most} of the largest: the pad is read"
        return seen if many else f"no output at an event moves ({_still(row.inside)}): the pad is not read"
    if not many:
        return f"no output moves ({_still(row.inside)}): it is not read"
    after = f"{(row.moved & ~row.before).sum()} of {(~row.before).sum()} outputs from it on move"
    late, past = row.moved & row.before, row.inside[row.before]
    if late.any():
        ahead = f"{late.sum()} of the {len(past)} before it move too, by up to {number(float(past.max()), 2)}"
    else:
        ahead = f"none before it ({_still(past)}): nobody reads it ahead" if len(past) else "none is before it"
    return f"{after}, by up to {most} of the largest; {ahead}"


def poke_table(
    change: np.ndarray,
    place: int,
    names: Sequence[str] | None = None,
    times: Sequence[int] | None = None,
    *,
    pads: int = 0,
    side: str = "right",
    tolerance: float = 1e-12,
) -> Table:
    """Write the bars as text: each output, how far it moved, and what that says.

    Args:
        change, place, names, times, pads, side, tolerance: as `poke_response`.
    """
    row = Row(change, place, names, times, pads=pads, side=side, tolerance=tolerance)
    sizes = [f"{size:.3g}" if size > tolerance or not size else f"< {tolerance:g}" for size in row.inside]
    rows = [(row.events.called(event - 1), sizes[event - 1], row.says(event)) for event in row.number]
    return aligned(("output at", "moved by", "what that says"), rows)


def _still(changes: np.ndarray) -> str:
    """How still outputs stood, in words. How large rounding is differs between machines, so no number."""
    return EXACT if not changes.any() else ROUNDING
