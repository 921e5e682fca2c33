"""GapSwitch: the gap before the current item decides which of two successors follows. Time decides, nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from seqrec_edu.data.synthetic import splitmix
from seqrec_edu.data.synthetic.world import BAYES
from seqrec_edu.data.synthetic.worlds.gaps import chance_long, times_from, two_speeds
from seqrec_edu.data.synthetic.worlds.planted import PAD, Planted, dial, evenly, pick


@dataclass(frozen=True)
class GapSwitch(Planted):
    """Two fixed permutations π₀, π₁ of the items. With x the current item and g the speed of the gap before it,

        p(next = y | history) = noise / V + (1 − noise) · Σ_g p(g | gap) · [y = π_g(x)]

    g is 1 (long) with chance `share_long`, else 0 (short), anew for every gap. The gap *before the current item* is
    known when the next is asked for. The gap of a first event is not: both speeds stay possible. p(g | gap) is exact
    for whole seconds; at the default contrast it is 0 or 1, and it blurs as `long` comes near `short`.

    Blind: "without time" weighs the two successors by `share_long`; items say nothing about gaps not yet used, so
    this is the best that can be done without time.
    """

    items: int = dial(200, 2, 20_000, "number of items")
    noise: float = dial(0.1, 0, 1, "share of events that are any item")
    short: float = dial(120.0, 1, 1e7, "median of short gaps, s")
    long: float = dial(172_800.0, 1, 1e7, "median of long gaps, s")
    share_long: float = dial(0.5, 0, 1, "share of gaps that are long")
    spread: float = dial(0.6, 0.01, 2, "spread of the logarithm of gaps")

    name = "gap-switch"
    decides = "the gap before the current item: short or long"
    winner = "any block that sees gaps (time-aware SSD, TiSASRec); all others stop at the line without time"
    lesson = "Order alone cannot tell which of two successors follows; one look at the clock can."
    predictors = (BAYES, "without time")

    @cached_property
    def item_ids(self) -> list[str]:
        return [PAD, *(f"a{number}" for number in range(1, self.items + 1))]

    @cached_property
    def successors(self) -> np.ndarray:
        """π₀ and π₁, "2 v"; column 0 is 0."""
        # Sorting random bits shuffles; 64 bits do not tie. A fixed key: the items mean the same for every seed.
        shuffled = [
            np.argsort(splitmix.bits(splitmix.key(0, self.name, "successor", g), np.arange(self.items))) for g in (0, 1)
        ]
        return np.stack([np.append(0, 1 + order) for order in shuffled])

    @property
    def _law(self) -> tuple[float, float, float, float]:
        return self.short, self.long, self.share_long, self.spread

    def draw(self, seed: int, users: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
        """See `Planted.draw`."""
        is_long, seconds = two_speeds(self._keys(seed, "gaps", users), length, *self._law)
        u, v = self._events(seed, users, length, 2)
        items = 1 + pick(v, self.items)
        for k in range(1, length):
            follow = self.successors[is_long[:, k - 1].astype(np.int64), items[:, k - 1]]
            items[:, k] = np.where(u[:, k] < self.noise, items[:, k], follow)
        return items, times_from(self._keys(seed, "start", users), seconds)

    def walk(self, items: np.ndarray, times: np.ndarray, predictor: str = BAYES) -> Iterator[np.ndarray]:
        """See `World.walk`."""
        long = chance_long(times, *self._law) if predictor == BAYES else np.full(times.shape, float(self.share_long))
        users = np.arange(len(items))
        yield evenly(users.size, self._v)
        for k in range(items.shape[1]):
            rows = evenly(users.size, self._v, self.noise)
            for g, chance in enumerate((1.0 - long[:, k], long[:, k])):
                rows[users, self.successors[g, items[:, k]]] += (1.0 - self.noise) * chance
            yield rows
