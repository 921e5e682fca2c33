"""Periodic: a habit that returns every seventh event, under noise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from seqrec_edu.data.synthetic import splitmix
from seqrec_edu.data.synthetic.clock import DAY, FIRST_DAY, FIRST_DAYS
from seqrec_edu.data.synthetic.world import BAYES
from seqrec_edu.data.synthetic.worlds.planted import PAD, Planted, dial, evenly, numbered, pick
from seqrec_edu.data.synthetic.worlds.schedules import habits

_JITTER = 1_800  # s, to either side of the hour of the day that a person keeps


@dataclass(frozen=True)
class Periodic(Planted):
    """Each user has a pool of items and a schedule: slot s of the period always asks for the same item of the pool.

        p(next = y | history) = noise / V + (1 − noise) · p(item of the next slot = y | history)

    Pool members are drawn from all V items, each by itself (so two may be the same), and each slot takes one of the
    pool at random, which makes the phase random as well. Slots are counted in events: event k belongs to slot k mod
    period. One event comes a day, at an hour of each person's own ± 30 minutes.

    "bayes" is exact, over pool and schedule together (`schedules`): what is known of one slot helps with the others.
    Blind: "slot only" is exact from the events of the next slot alone; "one period back" from the last of these;
    "bag of items" counts items, whatever their slot.
    """

    items: int = dial(500, 2, 20_000, "number of items")
    period: int = dial(7, 1, 8, "events until the habit returns")
    pool: int = dial(3, 1, 8, "items of one person's habit")
    noise: float = dial(0.3, 1e-6, 1, "share of events that are any item")

    name = "periodic"
    decides = "what came 7, 14, 21 … events back"
    winner = "a causal spectral filter, at once and with fewest parameters; attention near it, selective SSMs behind"
    lesson = "A filter has the period as one weight; a decaying state must carry seven slots through the noise."
    predictors = (BAYES, "slot only", "one period back", "bag of items")

    @cached_property
    def item_ids(self) -> list[str]:
        return [PAD, *numbered("item", self.items)]

    def draw(self, seed: int, users: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
        """See `Planted.draw`."""
        pool_keys, slot_keys = (self._keys(seed, what, users)[:, None] for what in ("pool", "schedule"))
        pool = 1 + pick(splitmix.uniform(pool_keys, np.arange(self.pool)), self.items)
        schedule = np.take_along_axis(
            pool, pick(splitmix.uniform(slot_keys, np.arange(self.period)), self.pool), axis=1
        )
        u, v, w = self._events(seed, users, length, 3)
        habit = schedule[:, np.arange(length) % self.period]
        items = np.where(u < self.noise, 1 + pick(v, self.items), habit)

        start, hour = (splitmix.uniform(self._keys(seed, "start", users), counter)[:, None] for counter in (0, 1))
        days = np.floor(start * FIRST_DAYS).astype(np.int64) + np.arange(length)
        seconds = _JITTER + pick(hour, DAY - 2 * _JITTER) + pick(w, 2 * _JITTER + 1) - _JITTER
        return items, FIRST_DAY + days * DAY + seconds

    def walk(self, items: np.ndarray, times: np.ndarray, predictor: str = BAYES) -> Iterator[np.ndarray]:
        """See `World.walk`."""
        if predictor == BAYES:
            believed = habits(items, self.items, self.period, self.pool, self.noise)
        elif predictor == "bag of items":
            believed = self._shares(items)
        else:
            believed = self._slots(items, only_last=predictor == "one period back")
        for rows in believed:
            yield evenly(len(items), self._v, self.noise) + (1.0 - self.noise) * rows

    def _slots(self, items: np.ndarray, only_last: bool) -> Iterator[np.ndarray]:
        """p(item of the next slot | events of that slot): p(y) ∝ likelihood ratio ^ count of y."""
        ratio = np.log1p((1.0 - self.noise) * self.items / self.noise)
        users, counts = np.arange(len(items)), np.zeros((self.period, len(items), self._v))
        for k in range(items.shape[1] + 1):
            known = counts[k % self.period]
            weights = np.exp(ratio * (known - known.max(axis=1, keepdims=True)))
            weights[:, 0] = 0.0
            yield weights / weights.sum(axis=1, keepdims=True)
            if k < items.shape[1]:
                if only_last:
                    known[:] = 0.0
                known[users, items[:, k]] += 1.0

    def _shares(self, items: np.ndarray) -> Iterator[np.ndarray]:
        users, counts = np.arange(len(items)), np.zeros((len(items), self._v))
        yield evenly(len(items), self._v)
        for k in range(items.shape[1]):
            counts[users, items[:, k]] += 1.0
            yield counts / counts.sum(axis=1, keepdims=True)
