"""TasteChain: taste and order side by side in one history."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from seqrec_edu.data.synthetic import splitmix
from seqrec_edu.data.synthetic.world import BAYES
from seqrec_edu.data.synthetic.worlds.clusters import Clustered, mean_taste
from seqrec_edu.data.synthetic.worlds.planted import PAD, dial, numbered, pick


@dataclass(frozen=True)
class TasteChain(Clustered):
    """With chance `chain`, an event is the next link of a circle of `links` items, after the last link that came; else
    it is drawn from a fixed taste, as in `Taste`. A first link is any.

        p(next = y | history) = chain · [y = link after the last link]                                 y a link
        p(next = y | history) = (1 − chain) · (α + n_c) / (clusters · α + n) / size                    y in cluster c

    n counts the events of the taste alone. Blind: "chain only" does not know the taste, "taste only" not the last
    link, "last item only" sees nothing but the current item; each is exact for what it sees.
    """

    clusters: int = dial(20, 2, 500, "number of clusters")
    size: int = dial(10, 1, 500, "items of a cluster")
    concentration: float = dial(0.15, 0.01, 100, "of the Dirichlet weights: small means few interests each")
    links: int = dial(100, 1, 20_000, "items of the chain")
    chain: float = dial(0.5, 0, 1, "share of events that come from the chain")

    name = "taste-chain"
    decides = "how often each cluster came, and the last link of a chain"
    winner = "open: attention learns both soonest, SSM and hybrids arrive later, and all reach the ceiling"
    lesson = "The chain is learned first and the taste later: judge blocks by the curve, not by one number."
    predictors = (BAYES, "chain only", "taste only", "last item only")

    @cached_property
    def item_ids(self) -> list[str]:
        return [PAD, *self._clustered_ids, *numbered("chain", self.links)]

    @cached_property
    def genres(self) -> list[str]:
        return [*super().genres, *(["chain"] * self.links)]

    def draw(self, seed: int, users: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
        """See `Planted.draw`."""
        weights = splitmix.dirichlet(self._keys(seed, "taste", users), self.concentration, self.clusters)
        start = pick(splitmix.uniform(self._keys(seed, "start", users), 0), self.links)
        which, u, v = self._events(seed, users, length, 3)
        cluster = np.stack([splitmix.categorical(u[:, k], weights) for k in range(length)], axis=1)
        linked = which < self.chain
        link = (start[:, None] + np.cumsum(linked, axis=1)) % self.links
        items = np.where(linked, self.n_clustered + link, cluster * self.size + pick(v, self.size))
        return 1 + items, self._visits(seed, users, length)

    def walk(self, items: np.ndarray, times: np.ndarray, predictor: str = BAYES) -> Iterator[np.ndarray]:
        """See `World.walk`."""
        users, counts = np.arange(len(items)), np.zeros((len(items), self.clusters))
        last = np.full(len(items), -1)  # link, from 0; −1 where none is known
        for k in range(items.shape[1] + 1):
            yield self._rows(counts, last)
            if k == items.shape[1]:
                return
            if predictor == "last item only":
                counts[:], last[:] = 0.0, -1
            linked = items[:, k] > self.n_clustered
            if predictor != "taste only":
                last[linked] = items[linked, k] - self.n_clustered - 1
            if predictor != "chain only":
                counts[users[~linked], self.cluster_of[items[~linked, k]]] += 1.0

    def _rows(self, counts: np.ndarray, last: np.ndarray) -> np.ndarray:
        users = np.arange(len(last))
        taste = np.repeat(mean_taste(counts, self.concentration) / self.size, self.size, axis=1)
        link = np.where(last[:, None] >= 0, 0.0, 1.0 / self.links) * np.ones(self.links)
        link[users[last >= 0], (last[last >= 0] + 1) % self.links] = 1.0
        return np.concatenate([np.zeros((users.size, 1)), (1.0 - self.chain) * taste, self.chain * link], axis=1)
