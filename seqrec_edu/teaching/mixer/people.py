"""The people whose next item a mixer helps to predict: planted worlds with a known best score, drawn by a seed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from seqrec_edu.data.synthetic import World, world
from seqrec_edu.data.synthetic.world import rank_gains

LENGTH = 32  # events of a history
TRAINED, ASKED = 1_000, 1_000  # people to learn from, and others whose next item is asked for
SHORTEST = 8  # events that are read of somebody who is asked


@dataclass(frozen=True)
class Task:
    """One world, the metric in it, and the shares of the ceiling at which points begin and are complete."""

    name: str
    dials: tuple[tuple[str, float], ...]
    metric: str
    begin: float
    full: float

    @property
    def world(self) -> World:
        return world(self.name, **dict(self.dials))


@dataclass(frozen=True)
class People:
    """Histories of one world: items and times "u l" to learn from; of others, what came before the next item.

    ``truth`` "u v" is the true distribution of that next item; ``gains`` "v - 1" what the metric pays for each rank.
    """

    items: Tensor
    times: Tensor
    read_items: Tensor
    read_times: Tensor
    length: Tensor
    truth: Tensor
    gains: Tensor

    @property
    def n_items(self) -> int:
        return self.truth.shape[1] - 1

    def expected(self, scores: Tensor) -> Tensor:
        """What the metric expects of scores "u v" for each person: the gain of every item's rank, by its chance."""
        order = scores[:, 1:].argsort(dim=1, descending=True, stable=True) + 1
        return self.truth.gather(1, order) @ self.gains

    @property
    def ceiling(self) -> Tensor:
        """The same for the truth itself, and no scores expect more."""
        return self.expected(self.truth)


TASKS = (
    Task("gap-switch", (("items", 60),), "HR@1", 0.55, 0.95),
    Task("decay-repeat", (("items", 100), ("repeat", 0.6), ("share_long", 0.1)), "NDCG@10", 0.60, 0.87),
)


@lru_cache(maxsize=4)
def people(task: Task, seed: int) -> People:
    """Draw them. Those who are asked are not among those who are learnt from.

    Nobody's next item is drawn: its distribution is known, so a score can be an expectation, free of the luck of a
    draw, and nobody can guess an answer that does not exist.
    """
    made = task.world
    trained = made.sample(_seed(task, seed, "trained"), TRAINED, LENGTH)
    asked = made.sample(_seed(task, seed, "asked"), ASKED, LENGTH)
    place = np.random.default_rng(_seed(task, seed, "places")).integers(SHORTEST, LENGTH, ASKED)
    truth = made.bayes_rows(asked, asked.offsets[:-1] + place)
    gains = rank_gains(asked.n_items, (int(task.metric.split("@")[1]),))[task.metric]
    items, times = (_table(values, ASKED) for values in (asked.items, asked.times))
    length = torch.from_numpy(place)
    inside = torch.arange(LENGTH) < length[:, None]
    return People(
        _table(trained.items, TRAINED), _table(trained.times, TRAINED),
        torch.where(inside, items, 0)[:, :-1], torch.where(inside, times, 0)[:, :-1], length,
        torch.from_numpy(truth), torch.from_numpy(gains),
    )  # fmt: skip


def _table(values: np.ndarray, users: int) -> Tensor:
    return torch.from_numpy(values.astype(np.int64)).reshape(users, -1)


def _seed(task: Task, seed: int, what: str) -> int:
    key = f"mixer\0{task.name}\0{seed}\0{what}"
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:7], "big")
