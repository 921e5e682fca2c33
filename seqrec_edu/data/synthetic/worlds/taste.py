"""Taste: a fixed mixture of interests, no order at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from seqrec_edu.data.synthetic import splitmix
from seqrec_edu.data.synthetic.world import BAYES
from seqrec_edu.data.synthetic.worlds.clusters import Clustered, mean_taste
from seqrec_edu.data.synthetic.worlds.planted import dial, pick

_WINDOWS = {BAYES: None, "window of 5": 5, "last cluster": 1}  # events that a predictor looks back


@dataclass(frozen=True)
class Taste(Clustered):
    """Each user has weights θ over the clusters, Dirichlet(`concentration`), for life; an event takes a cluster by θ
    and one of its items, all alike. With n_c events of cluster c among n and α the concentration,

        p(next = y | history) = (α + n_c) / (clusters · α + n) / size,     c the cluster of y

    Blind: "window of 5" and "last cluster" are exact for somebody who sees only the last five events, or the last.
    """

    clusters: int = dial(20, 2, 500, "number of clusters")
    size: int = dial(10, 1, 500, "items of a cluster")
    concentration: float = dial(0.15, 0.01, 100, "of the Dirichlet weights: small means few interests each")

    name = "taste"
    decides = "how often each cluster came, in any order"
    winner = "few users: causal low-rank attention (rank 4); with many, level with full attention and a linear SSM"
    lesson = "Order says nothing: four pooled interests are enough for what full attention does."
    predictors = tuple(_WINDOWS)

    def draw(self, seed: int, users: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
        """See `Planted.draw`."""
        weights = splitmix.dirichlet(self._keys(seed, "taste", users), self.concentration, self.clusters)
        u, v = self._events(seed, users, length, 2)
        cluster = np.stack([splitmix.categorical(u[:, k], weights) for k in range(length)], axis=1)
        return 1 + cluster * self.size + pick(v, self.size), self._visits(seed, users, length)

    def walk(self, items: np.ndarray, times: np.ndarray, predictor: str = BAYES) -> Iterator[np.ndarray]:
        """See `World.walk`."""
        window = _WINDOWS[predictor] or items.shape[1]
        users, counts = np.arange(len(items)), np.zeros((len(items), self.clusters))
        for k in range(items.shape[1] + 1):
            rows = np.repeat(mean_taste(counts, self.concentration) / self.size, self.size, axis=1)
            yield np.concatenate([np.zeros((len(items), 1)), rows], axis=1)
            if k < items.shape[1]:
                counts[users, self.cluster_of[items[:, k]]] += 1.0
                if k >= window:
                    counts[users, self.cluster_of[items[:, k - window]]] -= 1.0
