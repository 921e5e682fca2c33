"""The events of a history along an axis: a number and a short name to read, the full name and the date on hover."""

from collections.abc import Sequence

import numpy as np

from .text import drawn, short

NAMED = 24  # up to this many events an axis has room for their names
_WHOLE = 64  # up to this many events hover has every name in full; beyond, 60 characters keep the figure small
_STEPS = (1, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)


class Events:
    """What the events of one history are called, wherever they stand on an axis.

    Args:
        length: number of events, l.
        names: "l", what to call each event; None calls it by its number.
        times: "l", Unix seconds (UTC), shown on hover; None shows no date.
        step: events that share one cell, where a picture is too small for each to have its own.

    Raises:
        ValueError: names or times of another length, or times that are not integers or decrease.
    """

    def __init__(
        self,
        length: int,
        names: Sequence[str] | None = None,
        times: Sequence[int] | None = None,
        *,
        step: int = 1,
    ) -> None:
        for what, given in (("names", names), ("times", times)):
            if given is not None and len(given) != length:
                raise ValueError(f'{what} must be "l", one per event: {length} are expected, got {len(given)}.')
        self.length, self.step = length, step
        self.names = None if names is None else [" ".join(str(name).split()) for name in names]
        self.times = None if times is None else _whole_seconds(times)

    @property
    def labels(self) -> list[str]:
        """One unique label per cell, in full: `3: Tent, 2024-03-01 10:12`; it follows the word "event" on hover."""
        last = self.length
        if self.step > 1:
            return [f"{i + 1} to {min(i + self.step, last)}" for i in range(0, last, self.step)]
        return [self.full(i) for i in range(last)]

    @property
    def are_named(self) -> bool:
        """Whether an axis has room for the names of all."""
        return self.names is not None and self.length <= NAMED and self.step == 1

    def full(self, i: int) -> str:
        """Number, name and date of one event, to be drawn."""
        width = max(60, *map(len, self.names)) if self.names and self.length <= _WHOLE else 60
        name = f": {drawn(self.names[i], width)}" if self.names else ""
        return f"{i + 1}{name}" + (f", {self.date(i)}" if self.times is not None else "")

    def called(self, i: int, width: int = 34) -> str:
        """Number and short name of one event, for a sentence or a table."""
        return f"{i + 1} {short(self.names[i], width)}" if self.names else f"event {i + 1}"

    def date(self, i: int) -> str:
        """Date of one event to the minute, in UTC."""
        return str(np.datetime64(int(self.times[i]), "s").astype("datetime64[m]")).replace("T", " ")

    def ticks(self, *, named: bool = False, most: int = 12, width: int = 24) -> dict:
        """Tick positions and texts for an axis of cells; names where they fit.

        Each tick stands a hair beside its cell: at the very place Plotly would show its short text on hover, too.
        """
        cells = -(-self.length // self.step)
        if named and self.are_named:
            at, texts = list(range(cells)), [f"{drawn(name, width)}  {i}" for i, name in enumerate(self.names, 1)]
        else:
            every = next((s for s in _STEPS if self.length / s <= most), _STEPS[-1])
            numbers = sorted({1, *range(every, self.length + 1, every)}) if every > 1 else range(1, self.length + 1)
            numbers = [n for n in numbers if n == 1 or n - 1 >= every * 0.6]
            at, texts = [(n - 1) // self.step for n in numbers], [str(n) for n in numbers]
        hair = 5e-4 * cells
        return {"tickvals": [round(place + hair, 4) for place in at], "ticktext": texts}


def _whole_seconds(times: Sequence[int]) -> np.ndarray:
    times = np.asarray(times)
    if times.dtype.kind not in "iu":
        raise ValueError(f"times must hold integers (Unix seconds), got {times.dtype}.")
    times = times.astype(np.int64)
    if (np.diff(times) < 0).any():
        at = int(np.flatnonzero(np.diff(times) < 0)[0])
        raise ValueError(f"times must not decrease, but event {at + 2} is earlier than event {at + 1}.")
    return times
