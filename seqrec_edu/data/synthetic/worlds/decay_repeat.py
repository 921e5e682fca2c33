"""DecayRepeat: people come back to what they met lately, and lately is counted in hours, not in events."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from seqrec_edu.data.synthetic import splitmix
from seqrec_edu.data.synthetic.world import BAYES
from seqrec_edu.data.synthetic.worlds.gaps import times_from, two_speeds
from seqrec_edu.data.synthetic.worlds.planted import PAD, Planted, dial, evenly, numbered, pick

_SEED, _USERS = 2**63 + 1, 2_000  # of the reference gaps; a seed far from those that people choose
_OLDEST = 700.0  # ages beyond so many forgetting times weigh the same: exp(−700) is nothing, and still no subnormal


@dataclass(frozen=True)
class DecayRepeat(Planted):
    """With chance `repeat`, an earlier event j is repeated, chosen by its age; else any item comes.

        p(next = y | history) = (1 − repeat) / V + repeat · Σ_j w_j [x_j = y] / Σ_j w_j,     w_j = exp(−(t − t_j) / τ)

    τ is `hours`. *Whose* time t is does not matter: of an exponential, exp(−t / τ) is a factor of every weight and
    falls out of the ratio. So the row is the same whether ages are counted up to the current event or up to the next,
    whose time nobody knows yet. Before the first event any item comes.

    Blind: "position kernel" has the mean normalised weight of an event so many positions back, for each length of
    history, over a reference sample of gaps: a good fixed kernel over order, not proved the best without time.
    """

    items: int = dial(500, 2, 20_000, "number of items")
    repeat: float = dial(0.7, 0, 1, "share of events that repeat an earlier one")
    hours: float = dial(6.0, 0.01, 10_000, "forgetting time, hours")
    short: float = dial(300.0, 1, 1e7, "median of short gaps, s")
    long: float = dial(86_400.0, 1, 1e7, "median of long gaps, s")
    share_long: float = dial(0.25, 0, 1, "share of gaps that are long")
    spread: float = dial(0.8, 0.01, 2, "spread of the logarithm of gaps")

    name = "decay-repeat"
    decides = "how many hours ago each earlier item came"
    winner = "decay scaled by real gaps (TiM4Rec's mask in its monotone form), by a few points over position kernels"
    lesson = "Order tells most of recency; real gaps add a modest and clean part, all of it at the top of the list."
    predictors = (BAYES, "position kernel")

    @cached_property
    def item_ids(self) -> list[str]:
        return [PAD, *numbered("item", self.items)]

    @property
    def _tau(self) -> float:
        return 3_600.0 * self.hours

    def _gaps(self, keys: np.ndarray, length: int) -> np.ndarray:
        return two_speeds(keys, length, self.short, self.long, self.share_long, self.spread)[1]

    def draw(self, seed: int, users: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
        """See `Planted.draw`."""
        times = times_from(self._keys(seed, "start", users), self._gaps(self._keys(seed, "gaps", users), length))
        u, v = self._events(seed, users, length, 2)
        items, rows = 1 + pick(v, self.items), np.arange(users.size)
        for k in range(1, length):
            ages = (times[:, k - 1 : k] - times[:, :k]) / self._tau
            earlier = splitmix.categorical(v[:, k], splitmix.exp(-np.minimum(ages, _OLDEST)))
            items[:, k] = np.where(u[:, k] < self.repeat, items[rows, earlier], items[:, k])
        return items, times

    def walk(self, items: np.ndarray, times: np.ndarray, predictor: str = BAYES) -> Iterator[np.ndarray]:
        """See `World.walk`."""
        weights = self._by_age(items, times) if predictor == BAYES else self._by_position(items)
        yield evenly(len(items), self._v)
        for each in weights:
            yield evenly(len(items), self._v, 1.0 - self.repeat) + self.repeat * each

    def _by_age(self, items: np.ndarray, times: np.ndarray) -> Iterator[np.ndarray]:
        users, weights = np.arange(len(items)), np.zeros((len(items), self._v))
        for k in range(items.shape[1]):
            if k:  # everything met so far ages by the same gap
                weights *= np.exp(-np.maximum(times[:, k] - times[:, k - 1], 0) / self._tau)[:, None]
            weights[users, items[:, k]] += 1.0
            yield weights / weights.sum(axis=1, keepdims=True)

    def _by_position(self, items: np.ndarray) -> Iterator[np.ndarray]:
        users, kernel = np.arange(len(items)), position_kernel(self, items.shape[1])
        for k in range(items.shape[1]):
            weights = np.zeros((len(items), self._v))
            for back in range(k + 1):
                weights[users, items[:, k - back]] += kernel[k, back]
            yield weights


@lru_cache(maxsize=64)
def position_kernel(world: DecayRepeat, length: int) -> np.ndarray:
    """Mean share of the event so many positions back "k back" among the k + 1 events of a history."""
    gaps = world._gaps(splitmix.key(_SEED, world.name, "kernel", np.arange(_USERS)), length)
    ages = np.concatenate([np.zeros((_USERS, 1)), np.cumsum(gaps, axis=1)[:, :-1]], axis=1)
    weights = np.exp(-ages / world._tau)
    kernel = np.zeros((length, length))
    for k in range(length):
        known = weights[:, : k + 1]
        kernel[k, : k + 1] = (known / known.sum(axis=1, keepdims=True)).mean(axis=0)
    return kernel
