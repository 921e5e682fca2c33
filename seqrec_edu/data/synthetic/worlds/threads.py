"""Threads: several chains, interleaved; each remembers its place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from seqrec_edu.data.check import BadInput
from seqrec_edu.data.synthetic import splitmix
from seqrec_edu.data.synthetic.world import BAYES
from seqrec_edu.data.synthetic.worlds.planted import PAD, Planted, dial, pick

_WINDOWS = {BAYES: None, "last item only": 1, "window of 5": 5}  # events that a predictor looks back


@dataclass(frozen=True)
class Threads(Planted):
    """`chains` circles of `steps` items. A user follows `followed` of them, with Dirichlet(`concentration`) weights;
    each event takes one of these by its weight and shows its next item. A first item of a chain is any of it.

    With F chains followed, m of them met, n_c events of chain c among n, and α the concentration,

        p(next = y | history) = (α + n_c) / (F α + n)                   y the item after the last one of a chain c met
                              = (F − m) α / (F α + n) / (chains − m) / steps          y in a chain not met

    Blind: "last item only" and "window of 5" are exact for somebody who sees only the last event, or the last five.
    A history with more than F chains, which the world cannot make, counts as one of somebody who follows m.
    """

    chains: int = dial(20, 1, 1_000, "number of chains")
    steps: int = dial(25, 2, 1_000, "items of a chain")
    followed: int = dial(4, 1, 1_000, "chains that one user follows")
    concentration: float = dial(1.0, 0.01, 100, "of the Dirichlet weights: small means one chain above all")

    name = "threads"
    decides = "which chains were followed, and where each stopped"
    winner = "selection and state: SSM and attention after long training; low-rank and windows behind"
    lesson = "Every thread needs a place of its own in the state: a hard benchmark that no block reaches quickly."
    predictors = tuple(_WINDOWS)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.followed > self.chains:
            raise BadInput(f"nobody can follow {self.followed} of {self.chains} chains; take followed ≤ chains")

    @cached_property
    def item_ids(self) -> list[str]:
        return [PAD, *(f"chain {c}, step {s}" for c in range(1, self.chains + 1) for s in range(1, self.steps + 1))]

    @cached_property
    def genres(self) -> list[str]:
        return ["", *(f"chain {c}" for c in range(1, self.chains + 1) for _ in range(self.steps))]

    def draw(self, seed: int, users: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
        """See `Planted.draw`."""
        every, rows = np.arange(self.chains), np.arange(users.size)
        mine = np.argsort(splitmix.bits(self._keys(seed, "chains", users)[:, None], every), axis=1)[:, : self.followed]
        weights = splitmix.dirichlet(self._keys(seed, "taste", users), self.concentration, self.followed)
        place = pick(splitmix.uniform(self._keys(seed, "start", users)[:, None], every), self.steps)
        (u,) = self._events(seed, users, length, 1)
        items = np.empty(u.shape, dtype=np.int64)
        for k in range(length):
            chain = mine[rows, splitmix.categorical(u[:, k], weights)]
            items[:, k] = 1 + chain * self.steps + place[rows, chain]
            place[rows, chain] = (place[rows, chain] + 1) % self.steps
        return items, self._visits(seed, users, length)

    def walk(self, items: np.ndarray, times: np.ndarray, predictor: str = BAYES) -> Iterator[np.ndarray]:
        """See `World.walk`."""
        window = _WINDOWS[predictor] or items.shape[1]
        users, counts = np.arange(len(items)), np.zeros((len(items), self.chains))
        place = np.zeros(counts.shape, dtype=np.int64)  # of the last event of each chain; in use where counts > 0
        for k in range(items.shape[1] + 1):
            yield self._rows(counts, place)
            if k == items.shape[1]:
                return
            chain, place_now = np.divmod(np.maximum(items[:, k], 1) - 1, self.steps)
            counts[users, chain] += 1.0
            place[users, chain] = place_now
            if k >= window:
                counts[users, (np.maximum(items[:, k - window], 1) - 1) // self.steps] -= 1.0

    def _rows(self, counts: np.ndarray, place: np.ndarray) -> np.ndarray:
        met, alpha = counts > 0, self.concentration
        n_met = met.sum(axis=1, keepdims=True)
        followed = np.maximum(self.followed, n_met)
        total = followed * alpha + counts.sum(axis=1, keepdims=True)
        unmet = (followed - n_met) * alpha / total / np.maximum(self.chains - n_met, 1) / self.steps
        rows = np.repeat(np.where(met, 0.0, unmet), self.steps, axis=1)
        user, chain = np.nonzero(met)
        following = chain * self.steps + (place[user, chain] + 1) % self.steps
        rows[user, following] = ((alpha + counts) / total)[user, chain]
        return np.concatenate([np.zeros((len(rows), 1)), rows], axis=1)
