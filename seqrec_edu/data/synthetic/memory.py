"""What a shop remembers about each of many people while their histories are walked through event by event."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Decay = Callable[[np.ndarray], np.ndarray]  # age → weight in (0, 1]


class Memory:
    """The current item of each user, and when each item and each genre was last met.

    A *moment* is whatever the caller counts ages in: Unix seconds, or positions for a predictor that is blind to time.
    """

    def __init__(self, users: int, genre_of: np.ndarray):
        self.genre_of = genre_of  # "v", genre number of each item; entry 0 is not used
        self.item = np.zeros(users, dtype=np.int64)  # 0 before the first event
        self.now = np.zeros(users, dtype=np.int64)
        self.seen = np.zeros((users, genre_of.size), dtype=bool)
        self.last_seen = np.zeros((users, genre_of.size), dtype=np.int64)
        self.last_of_genre = np.zeros((users, int(genre_of.max()) + 1), dtype=np.int64)  # item, 0 = none yet

    def see(self, items: np.ndarray, moments: np.ndarray) -> None:
        """Take in one event per user; item 0 (past the end of a history) leaves that user as it was."""
        rows = np.flatnonzero(items)
        items, moments = items[rows], moments[rows]
        self.item[rows], self.now[rows] = items, moments
        self.seen[rows, items], self.last_seen[rows, items] = True, moments
        self.last_of_genre[rows, self.genre_of[items]] = items

    def again(self, decay: Decay, rows: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Weight "rows v" of each item met before, but not of the current one, by its age."""
        weights = np.where(self.seen[rows], decay(self.now[rows][:, None] - self.last_seen[rows]), 0.0)
        weights[np.arange(len(weights)), self.item[rows]] = 0.0
        return weights

    def resume(self, decay: Decay, rows: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Weight "rows g" of each genre met before, but not of the current one, by the age of its last event."""
        last = self.last_of_genre[rows]
        moments = np.take_along_axis(self.last_seen[rows], last, axis=1)
        weights = np.where(last > 0, decay(self.now[rows][:, None] - moments), 0.0)
        started = np.flatnonzero(self.item[rows])
        weights[started, self.genre_of[self.item[rows][started]]] = 0.0
        return weights
