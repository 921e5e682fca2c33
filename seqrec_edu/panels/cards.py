"""A history as cards to take out, move and add; the one it came from is never changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from seqrec_edu.data.person import Person
from seqrec_edu.figures.text import short

DAY = 86400
_FIGURE_SPACE = "\u2007"  # as wide as a digit; an ordinary space would collapse in a list
_NONE, _MOVED, _ADDED = "", "↔ ", "+ "
_WIDTH = 40  # characters of a name on a card
_OFFERED = 40  # items that a search offers


@dataclass(frozen=True)
class Cards:
    """Events in the order of time.

    Attributes:
        items, times: "l".
        marks: "l", what was done with each.
    """

    items: np.ndarray
    times: np.ndarray
    marks: tuple[str, ...]

    @classmethod
    def of(cls, person: Person) -> Cards:
        """The events of a person, untouched."""
        return cls(person.items, person.times, (_NONE,) * len(person))

    def __len__(self) -> int:
        return len(self.items)

    @property
    def key(self) -> tuple[bytes, bytes]:
        """The same for the same events, however they were come by."""
        return self.items.tobytes(), self.times.tobytes()

    @property
    def days(self) -> np.ndarray:
        """Days since the first event, "l"."""
        return (self.times - self.times[0]) / DAY

    def without(self, event: int) -> Cards:
        """One event taken out."""
        marks = self.marks[:event] + self.marks[event + 1 :]
        return Cards(np.delete(self.items, event), np.delete(self.times, event), marks)

    def moved(self, event: int, days: float) -> Cards:
        """One event at another time."""
        times = self.times.copy()
        times[event] += round(days * DAY)
        marks = (*self.marks[:event], self.marks[event] or _MOVED, *self.marks[event + 1 :])
        return replace(self, times=times, marks=marks)._in_order()

    def with_item(self, item: int, day: float) -> Cards:
        """One event more, so many days after the first; never beyond the end by less than half a day."""
        time = int(self.times[0]) + round(day * DAY)
        last = int(self.times[-1])
        time = last if 0 < time - last < DAY / 2 else time
        return Cards(np.append(self.items, item), np.append(self.times, time), (*self.marks, _ADDED))._in_order()

    def rows(self, catalogue: Sequence[str]) -> list[tuple[str, int]]:
        """What a list of them says: (text, index)."""
        return [
            (f"{i + 1:{_FIGURE_SPACE}>3}  day {day:.1f}  {mark}{short(catalogue[item], _WIDTH)}", i)
            for i, (item, day, mark) in enumerate(zip(self.items, self.days, self.marks, strict=True))
        ]

    def _in_order(self) -> Cards:
        order = np.argsort(self.times, kind="stable")
        return Cards(self.items[order], self.times[order], tuple(self.marks[i] for i in order))


class Catalogue:
    """The items of a dataset by name, each name once."""

    def __init__(self, names: Sequence[str]) -> None:
        self._items: dict[str, int] = {}
        for item in range(1, len(names)):
            name = " ".join(names[item].split())
            self._items[f"{name} (item {item})" if name in self._items else name] = item
        self._folded = [(name.casefold(), name) for name in self._items]

    def find(self, text: str) -> int | None:
        """The item of exactly this name, or the only one whose name contains the text."""
        if text in self._items:
            return self._items[text]
        fits = self.offered(text, most=2) if text.strip() else []
        return self._items[fits[0]] if len(fits) == 1 else None

    def offered(self, text: str, *, most: int | None = _OFFERED) -> list[str]:
        """The first names that contain the text, those that start with it before others; None gives all."""
        wanted = text.strip().casefold()
        fits = [(not folded.startswith(wanted), n) for n, (folded, _) in enumerate(self._folded) if wanted in folded]
        return [self._folded[n][1] for _, n in sorted(fits)[:most]]
