"""NoiseHMM: a cursor walks a circle of items, and noise covers it now and then."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from seqrec_edu.data.synthetic import splitmix
from seqrec_edu.data.synthetic.world import BAYES
from seqrec_edu.data.synthetic.worlds.planted import PAD, Planted, dial, numbered, pick


@dataclass(frozen=True)
class NoiseHMM(Planted):
    """A hidden cursor c on a circle of V items. At each event, with chance `noise`, any item is shown and the cursor
    stays; else the cursor steps to the next item and that is shown.

        p(next = y | history) = noise / V + (1 − noise) · b(y − 1)
        b(c | history, x)     ∝ b(c) · noise / V + (1 − noise) · b(x − 1) · [c = x]             b before event 0: 1 / V

    Blind: "last item only" is exact for somebody who sees nothing but the current item: b starts anew at each.
    """

    items: int = dial(200, 2, 20_000, "number of items on the circle")
    noise: float = dial(0.4, 0, 1, "share of events that are any item, with the cursor staying")

    name = "noise-hmm"
    decides = "where a hidden cursor stands on a circle"
    winner = "anything with a short memory and a recursion: attention, selective SSM and fixed linear SSM alike"
    lesson = "The ceiling is far below 1 and is reached; the last item alone stops at .36, for it may be noise."
    predictors = (BAYES, "last item only")

    @cached_property
    def item_ids(self) -> list[str]:
        return [PAD, *numbered("place", self.items)]

    def draw(self, seed: int, users: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
        """See `Planted.draw`."""
        u, v = self._events(seed, users, length, 2)
        steps = u >= self.noise
        start = pick(splitmix.uniform(self._keys(seed, "start", users), 0), self.items)
        cursor = (start[:, None] + np.cumsum(steps, axis=1)) % self.items
        return 1 + np.where(steps, cursor, pick(v, self.items)), self._visits(seed, users, length)

    def walk(self, items: np.ndarray, times: np.ndarray, predictor: str = BAYES) -> Iterator[np.ndarray]:
        """See `World.walk`."""
        users, anywhere = np.arange(len(items)), np.full((len(items), self.items), 1.0 / self.items)
        cursor = anywhere
        for k in range(items.shape[1] + 1):
            shown = self.noise / self.items + (1.0 - self.noise) * np.roll(cursor, 1, axis=1)
            yield np.concatenate([np.zeros((len(items), 1)), shown], axis=1)
            if k == items.shape[1]:
                return
            if predictor != BAYES:
                cursor, shown = anywhere, np.full_like(anywhere, 1.0 / self.items)
            x = items[:, k] - 1
            stepped = (1.0 - self.noise) * cursor[users, x - 1]  # x − 1 = −1 is the last place of the circle
            # Without noise, what cannot happen (a jump) is followed: the cursor is where it was shown.
            likely = shown[users, x]
            cursor = cursor * (self.noise / self.items / np.where(likely > 0, likely, 1.0))[:, None]
            cursor[users, x] += np.where(likely > 0, stepped / np.where(likely > 0, likely, 1.0), 1.0)
