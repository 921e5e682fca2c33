"""Items in clusters of equal size, and the belief about a fixed mixture of clusters: what three worlds share."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from seqrec_edu.data.synthetic.worlds.planted import PAD, Planted


class Clustered(Planted):
    """A world whose first items are `clusters` × `size`, cluster by cluster."""

    clusters: int
    size: int

    @property
    def n_clustered(self) -> int:
        return self.clusters * self.size

    @cached_property
    def item_ids(self) -> list[str]:
        return [PAD, *self._clustered_ids]

    @property
    def _clustered_ids(self) -> list[str]:
        return [f"cluster {c}, item {i}" for c in range(1, self.clusters + 1) for i in range(1, self.size + 1)]

    @cached_property
    def genres(self) -> list[str]:
        return ["", *(f"cluster {c}" for c in range(1, self.clusters + 1) for _ in range(self.size))]

    @cached_property
    def cluster_of(self) -> np.ndarray:
        """Cluster of each clustered item, "1 + n_clustered", from 0; entry 0 (padding) is not used."""
        return np.append(0, np.repeat(np.arange(self.clusters), self.size))


def mean_taste(counts: np.ndarray, concentration: float) -> np.ndarray:
    """Mean "u c" of a symmetric Dirichlet after events counted by cluster "u c": (α + n_c) / (C α + n)."""
    weights = concentration + counts
    return weights / weights.sum(axis=1, keepdims=True)
