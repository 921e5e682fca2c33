"""`Person`: one history with the names of its items, as a reader looks at it and edits it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from seqrec_edu.data.check import BadInput


@dataclass(frozen=True, eq=False)
class Person:
    """The events of one user, oldest first, and what every item of the catalogue is called.

    Attributes:
        items: int64 "l", from 1.
        times: int64 "l", Unix seconds, never decreasing.
        catalogue: name of every item; entry 0 is padding.
        name: what to call this person.
    Raises:
        BadInput: no event, arrays of different lengths, times that run backwards, items outside the catalogue.
    """

    items: np.ndarray
    times: np.ndarray
    catalogue: Sequence[str] = field(repr=False)
    name: str = "somebody"

    def __post_init__(self) -> None:
        for key in ("items", "times"):
            object.__setattr__(self, key, np.array(getattr(self, key), dtype=np.int64))
        if self.items.ndim != 1 or self.items.shape != self.times.shape:
            raise BadInput(f"items and times must be 'l' of one length, got {self.items.shape} and {self.times.shape}")
        if not len(self):
            raise BadInput(f"{self.name} has no events: there is no history to look at")
        if (np.diff(self.times) < 0).any():
            raise BadInput(f"the times of {self.name} run backwards; sort the events by time first")
        if self.items.min() < 1 or self.items.max() > self.n_items:
            found = f"{self.items.min()}..{self.items.max()}"
            raise BadInput(f"items must be in 1..{self.n_items} (0 is padding), {self.name} has {found}")

    def __len__(self) -> int:
        return len(self.items)

    @property
    def n_items(self) -> int:
        """Number of items in the catalogue, padding not counted."""
        return len(self.catalogue) - 1

    @property
    def timed(self) -> bool:
        """Whether the times say anything: at least two of them differ."""
        return bool(self.times[0] != self.times[-1])

    @property
    def labels(self) -> list[str]:
        """What each event's item is called, "l"."""
        return [self.catalogue[item] for item in self.items]

    def label(self, item: int) -> str:
        """What an item is called."""
        return self.catalogue[item]

    def last(self, events: int) -> Person:
        """The same person with the newest ``events`` only. Errors: BadInput below 1."""
        if events < 1:
            raise BadInput(f"last: expected at least 1 event, got {events}")
        return replace(self, items=self.items[-events:], times=self.times[-events:])

    def edited(self, items: Sequence[int], times: Sequence[int]) -> Person:
        """The same person with another history; it is put in order of time, and ties keep their order."""
        items, times = np.asarray(items, dtype=np.int64), np.asarray(times, dtype=np.int64)
        order = np.argsort(times, kind="stable")
        return replace(self, items=items[order], times=times[order])
