"""SlowInterest: a hidden taste that changes now and then, under half noise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from seqrec_edu.data.synthetic import splitmix
from seqrec_edu.data.synthetic.world import BAYES
from seqrec_edu.data.synthetic.worlds.clusters import Clustered
from seqrec_edu.data.synthetic.worlds.planted import dial, pick


@dataclass(frozen=True)
class SlowInterest(Clustered):
    """A hidden cluster z: before each event it changes to one of the others with chance `change`. The event is any
    item with chance `noise`, else an item of z, all of them alike.

        p(next = y | history) = noise / V + (1 − noise) · b'(z_y) / size
        b'(z)                 = (1 − change) · b(z) + change · (1 − b(z)) / (clusters − 1)
        b(z | history, x)     ∝ b'(z) · (noise / V + (1 − noise) · [z = z_x] / size)

    Blind: "last cluster" is exact for somebody who sees nothing but the current item; "lifetime bag" counts the
    clusters of all events, however long ago.
    """

    clusters: int = dial(20, 2, 500, "number of clusters")
    size: int = dial(10, 1, 500, "items of a cluster")
    change: float = dial(0.03, 0, 1, "chance that the cluster changes before an event")
    noise: float = dial(0.5, 1e-6, 1, "share of events that are any item")

    name = "slow-interest"
    decides = "a hidden taste that changes about every 33 events"
    winner = "few users: causal low-rank attention, then attention; with many, every mixer with a full view arrives"
    lesson = (
        "One event says little and the whole life too much: what counts is a memory about as long as a taste lasts."
    )
    predictors = (BAYES, "last cluster", "lifetime bag")

    def draw(self, seed: int, users: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
        """See `Planted.draw`."""
        changes, other, u, v = self._events(seed, users, length, 4)
        start = pick(splitmix.uniform(self._keys(seed, "start", users), 0), self.clusters)[:, None]
        steps = np.where(changes < self.change, 1 + pick(other, self.clusters - 1), 0)
        cluster = (start + np.cumsum(steps, axis=1)) % self.clusters
        wanted = cluster * self.size + pick(v, self.size)
        return 1 + np.where(u < self.noise, pick(v, self.n_clustered), wanted), self._visits(seed, users, length)

    def walk(self, items: np.ndarray, times: np.ndarray, predictor: str = BAYES) -> Iterator[np.ndarray]:
        """See `World.walk`."""
        believed = self._lifetime(items) if predictor == "lifetime bag" else self._forward(items, predictor == BAYES)
        for taste in believed:
            rows = np.repeat((1.0 - self.noise) / self.size * taste, self.size, axis=1) + self.noise / self.n_clustered
            yield np.concatenate([np.zeros((len(items), 1)), rows], axis=1)

    def _forward(self, items: np.ndarray, remembers: bool) -> Iterator[np.ndarray]:
        users, anything = np.arange(len(items)), np.full((len(items), self.clusters), 1.0 / self.clusters)
        taste = anything  # b', one step ahead already
        for k in range(items.shape[1] + 1):
            yield taste
            if k == items.shape[1]:
                return
            now = (taste if remembers else anything) * (self.noise / self.n_clustered)
            cluster = self.cluster_of[items[:, k]]
            now[users, cluster] *= 1.0 + (1.0 - self.noise) * self.clusters / self.noise
            now /= now.sum(axis=1, keepdims=True)
            taste = (1.0 - self.change) * now + self.change * (1.0 - now) / (self.clusters - 1)

    def _lifetime(self, items: np.ndarray) -> Iterator[np.ndarray]:
        counts = np.zeros((len(items), self.clusters))
        users = np.arange(len(items))
        yield np.full(counts.shape, 1.0 / self.clusters)
        for k in range(items.shape[1]):
            counts[users, self.cluster_of[items[:, k]]] += 1.0
            yield counts / (k + 1.0)
