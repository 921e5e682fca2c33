"""What all planted worlds share: dials with limits, histories of equal length, and how a world introduces itself."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import field, fields
from typing import Any, ClassVar

import numpy as np

from seqrec_edu.data.check import BadInput, Report
from seqrec_edu.data.histories import Histories
from seqrec_edu.data.synthetic import splitmix
from seqrec_edu.data.synthetic.clock import visit_times
from seqrec_edu.data.synthetic.world import World

PAD = "<pad>"
_NEW_VISIT = 0.4  # share of events that open a visit, where the clock is only scenery


def dial(default: float, low: float, high: float, what: str) -> Any:
    """A field of a world that people may turn: its default, its limits (both allowed), and what it is.

    A whole default makes a dial for whole numbers.
    """
    return field(default=default, metadata={"low": low, "high": high, "what": what})


class Planted(World):
    """A world with one mechanism. Each is a frozen dataclass whose fields are its dials.

    Attributes:
        name: what `world(name)` and `load(name)` call it.
        decides: what the next item depends on, in a few words.
        winner: which block should win, and which should not.
        lesson: why, in one line.
        usual_length: events of each user where nobody asks for another number.
        genres: for people to read, one for each of `item_ids`; None where items fall into no groups.
    """

    name: ClassVar[str]
    decides: ClassVar[str]
    winner: ClassVar[str]
    lesson: ClassVar[str]
    usual_length: ClassVar[int] = 50
    genres: list[str] | None = None

    def __post_init__(self) -> None:
        for each in fields(self):
            value, low, high = getattr(self, each.name), each.metadata["low"], each.metadata["high"]
            whole = isinstance(each.default, int)
            kinds = int | np.integer if whole else int | float | np.integer | np.floating
            if isinstance(value, bool) or not isinstance(value, kinds):
                raise BadInput(f"{each.name} must be a {'whole ' * whole}number, got {value!r}")
            if not low <= value <= high:
                what = each.metadata["what"]
                raise BadInput(f"{each.name} ({what}) must lie in {low:g}..{high:g}, got {value!r}")

    @abstractmethod
    def draw(self, seed: int, users: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
        """Items and Unix seconds, int64 "u l" each, of the users with these numbers.

        A user's events depend on (seed, number, dials) only, and the first of them not on how many are drawn.
        """

    def sample(self, seed: int, users: int, length: int | None = None) -> Histories:
        """Make histories, all of one length.

        Args:
            seed: integer in [0, 2^64).
            users: at least 1.
            length: events of every user, at least 1; None means `usual_length`.

        Raises:
            BadInput: a number is out of range.
        """
        length = self.usual_length if length is None else length
        for what, value in (("users", users), ("length", length)):
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
                raise BadInput(f"{what} must be a whole number, at least 1, got {value!r}")
        items, times = self.draw(seed, np.arange(users), int(length))
        return Histories(
            items=items.ravel().astype(np.int32),
            times=times.ravel(),
            offsets=np.arange(users + 1) * int(length),
            item_ids=list(self.item_ids),
            user_ids=[f"U{number:06d}" for number in range(1, users + 1)],
            name=self.name,
            item_genres=list(self.genres) if self.genres else None,
            report=self._report(seed, users),
        )

    def _report(self, seed: int, users: int) -> Report:
        report = Report(source=f"{self.name} (synthetic)")
        report.note("synthetic", "synthetic histories, drawn by a known process: no person or event is real", users)
        turned = ((each.name, getattr(self, each.name), each.default) for each in fields(self))
        changed = ", ".join(f"{name}={value:g}" for name, value, default in turned if value != default)
        report.note("recipe", f"seed {seed}, {users:,} users, dials: {changed or 'default'}")
        return report

    def _keys(self, seed: int, what: str, users: np.ndarray) -> np.ndarray:
        """The stream of each user for one purpose, "u"."""
        return splitmix.key(seed, self.name, what, users)

    def _events(self, seed: int, users: np.ndarray, length: int, draws: int) -> list[np.ndarray]:
        """So many uniforms for every event, each "u l"; draw d of event k has counter draws · k + d."""
        keys = self._keys(seed, "items", users)[:, None]
        return [splitmix.uniform(keys, draws * np.arange(length) + each) for each in range(draws)]

    def _visits(self, seed: int, users: np.ndarray, length: int) -> np.ndarray:
        """Times "u l" that say nothing about the items: visits on some days, minutes between the events of a visit."""
        return visit_times(self._keys(seed, "times", users), length, _NEW_VISIT)

    @property
    def _v(self) -> int:
        """Items, padding counted."""
        return len(self.item_ids)


def numbered(word: str, n: int) -> list[str]:
    """`word 1` … `word n`."""
    return [f"{word} {number}" for number in range(1, n + 1)]


def pick(u: np.ndarray, n: int) -> np.ndarray:
    """One of 0 … n − 1, all alike, from uniforms in [0, 1)."""
    # u · n can round up to n, for a u next to 1.
    return np.minimum((u * n).astype(np.int64), n - 1)


def evenly(users: int, v: int, weight: float = 1.0) -> np.ndarray:
    """Rows "u v" that spread a weight evenly over all items, padding left out."""
    rows = np.full((users, v), weight / (v - 1))
    rows[:, 0] = 0.0
    return rows
