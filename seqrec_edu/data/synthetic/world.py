"""A `World`: histories from a known process, the exact distribution of the next item, and the best possible score."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from seqrec_edu.data.check import BadInput
from seqrec_edu.data.histories import Histories

BAYES = "bayes"
CUTOFFS = (1, 5, 10, 20, 50)
_TARGETS_AT_ONCE = 2048  # whose rows a ceiling holds
_USERS_AT_ONCE = 128  # few, so that what a walk works on stays in the processor's cache


@dataclass(frozen=True)
class Ceiling:
    """Expected ranking metrics of one predictor, the mean over targets, under the true next-item distribution.

    Attributes:
        predictor: "bayes" (the true distribution itself, hence the ceiling) or the name of a blind predictor.
        targets: number of targets in the mean.
        metrics: "HR@10" → expected value; the same for NDCG@K and MRR@K, and "MRR" without a cutoff.
        errors: "HR@10" → standard error of the value that one draw of all targets shows, given their histories.
    """

    predictor: str
    targets: int
    metrics: dict[str, float]
    errors: dict[str, float]

    def __str__(self) -> str:
        shown = ", ".join(f"{name} {self.metrics[name]:.4f} ± {self.errors[name]:.4f}" for name in self.metrics)
        return f"{self.predictor}, {self.targets:,} targets: {shown}"


class World(ABC):
    """Histories whose next-item distribution is known. A world says how to `sample` and to `walk`; the rest follows.

    Attributes:
        item_ids: source ids of its items, "<pad>" first.
        predictors: "bayes" first, then the blind ones it offers.
    """

    item_ids: list[str]
    predictors: tuple[str, ...] = (BAYES,)

    @abstractmethod
    def sample(self, seed: int, users: int, length: int | None = None) -> Histories:
        """Make histories. User u depends on (seed, u) only: asking for more users leaves the first as they are."""

    @abstractmethod
    def walk(self, items: np.ndarray, times: np.ndarray, predictor: str = BAYES) -> Iterator[np.ndarray]:
        """Yield what a predictor believes before event 0, before event 1, …, and last after all: l + 1 arrays "u v".

        Args:
            items: int64 "u l", right-padded with 0.
            times: int64 "u l", Unix seconds; anything at pads.
            predictor: one of `predictors`.
        """

    def bayes_rows(self, histories: Histories, targets: np.ndarray, predictor: str = BAYES) -> np.ndarray:
        """Distribution of the item at each target, given all events of that user before it.

        Args:
            histories: histories over this world's items.
            targets: event indices "m", for instance `split.test`. The target's own item and time are not looked at.
            predictor: one of `predictors`.

        Returns:
            float64 "m v", v = n_items + 1; column 0 (padding) is 0 and each row sums to 1.

        Raises:
            BadInput: other items than this world's, targets that do not exist, or an unknown predictor.
        """
        _check(self, histories, predictor)
        targets = _checked_targets(histories, targets)
        users = np.searchsorted(histories.offsets, targets, side="right") - 1
        positions = targets - histories.offsets[users]
        rows = np.empty((targets.size, len(self.item_ids)))
        for part in _parts(users, positions):
            walked, row_of = np.unique(users[part], return_inverse=True)
            items, times = _padded(histories, walked, int(positions[part].max()))
            for k, row in enumerate(self.walk(items, times, predictor)):
                here = np.flatnonzero(positions[part] == k)
                rows[part[here]] = row[row_of[here]]
        return rows

    def next_distribution(self, items: Sequence[int], times: Sequence[int], predictor: str = BAYES) -> np.ndarray:
        """Distribution of the item after one history "l", which may be empty or made up; float64 "v".

        Args:
            items: item indices 1..n_items.
            times: Unix seconds, whole, never decreasing.
            predictor: one of `predictors`.

        Raises:
            BadInput: items and times differ in length, an item does not exist, or time runs backwards.
        """
        items, times = np.asarray(items), np.asarray(times)
        if items.ndim != 1 or items.shape != times.shape:
            raise BadInput(f"items and times must be one list each, equally long; got {items.shape} and {times.shape}")
        if items.size and (items.dtype.kind not in "iu" or times.dtype.kind not in "iu"):
            raise BadInput(
                f"items and times must be whole numbers, got {items.dtype} and {times.dtype}; convert them first"
            )
        # The checks of Histories apply, with a target in last place that nobody looks at.
        items, times = (
            np.append(items, 1).astype(np.int32),
            np.append(times, times[-1:].max(initial=0)).astype(np.int64),
        )
        one = Histories(items, times, np.array([0, items.size]), self.item_ids, ["one"])
        return self.bayes_rows(one, np.array([items.size - 1]), predictor)[0]

    def ceiling(
        self, histories: Histories, targets: np.ndarray, predictor: str = BAYES, cutoffs: Sequence[int] = CUTOFFS
    ) -> Ceiling:
        """Expected metrics when a predictor ranks all items and the truth draws each target (say, `split.test`).

        The expectation is a sum over the true row, not a simulation: E[HR@K] = Σ of the true probabilities of the K
        items ranked first; E[NDCG@K] weighs them by 1 / log₂(1 + rank), E[MRR@K] by 1 / rank. Items that a predictor
        scores equal are ranked by index. For "bayes" every order of ties gives the same value, and no predictor has a
        higher one. A model that scores above this by more than its interval has seen what it should not have: it is
        leaking.

        Raises:
            BadInput: as `bayes_rows`, or no targets.
        """
        targets = _checked_targets(histories, targets)
        if targets.size == 0:
            raise BadInput("a ceiling needs at least one target, got none; is the split empty?")
        gains = rank_gains(len(self.item_ids) - 1, cutoffs)
        table = np.stack(list(gains.values()), axis=1)
        total, variance = np.zeros(len(gains)), np.zeros(len(gains))
        for start in range(0, targets.size, _TARGETS_AT_ONCE):
            some = targets[start : start + _TARGETS_AT_ONCE]
            truth = self.bayes_rows(histories, some)
            believed = truth if predictor == BAYES else self.bayes_rows(histories, some, predictor)
            probability = np.take_along_axis(truth, ranking(believed), axis=1)
            expected = probability @ table
            total += expected.sum(axis=0)
            variance += (probability @ (table * table) - expected * expected).sum(axis=0)
        errors = np.sqrt(np.maximum(variance, 0.0)) / targets.size
        metrics = dict(zip(gains, (total / targets.size).tolist(), strict=True))
        return Ceiling(predictor, targets.size, metrics, dict(zip(gains, errors.tolist(), strict=True)))


def ranking(rows: np.ndarray) -> np.ndarray:
    """Items "m n_items" from the most to the least likely of each row "m v"; ties by index, padding left out."""
    return np.argsort(-rows[:, 1:], axis=1, kind="stable") + 1


def rank_gains(n_items: int, cutoffs: Sequence[int] = CUTOFFS) -> dict[str, np.ndarray]:
    """What each metric pays for a target at rank 1, 2, …, n_items: name → float64 "n_items"."""
    ranks = np.arange(1, n_items + 1)
    kinds = {"HR": np.ones(n_items), "NDCG": 1.0 / np.log2(1.0 + ranks), "MRR": 1.0 / ranks}
    gains = {f"{name}@{k}": np.where(ranks <= k, gain, 0.0) for name, gain in kinds.items() for k in cutoffs}
    return gains | {"MRR": kinds["MRR"]}


def _check(world: World, histories: Histories, predictor: str) -> None:
    if histories.item_ids != world.item_ids:
        raise BadInput(
            f"these histories number their {histories.n_items} items in another way than this world its "
            f"{len(world.item_ids) - 1}; use histories that the world made (a core or a file may have renumbered items)"
        )
    if predictor not in world.predictors:
        raise BadInput(f"predictor must be one of {', '.join(map(repr, world.predictors))}, got {predictor!r}")


def _checked_targets(histories: Histories, targets: np.ndarray) -> np.ndarray:
    targets = np.asarray(targets)
    if targets.ndim != 1 or (targets.size and targets.dtype.kind not in "iu"):
        raise BadInput(f"targets must be a flat array of event indices, got {targets.dtype} of shape {targets.shape}")
    if targets.size and not (targets.min() >= 0 and targets.max() < histories.n_events):
        raise BadInput(f"targets must lie in 0..{histories.n_events - 1}, got {targets.min()}..{targets.max()}")
    return targets.astype(np.int64)


def _parts(users: np.ndarray, positions: np.ndarray) -> Iterator[np.ndarray]:
    """Group targets by user, and users of about equal length into parts that are walked together."""
    walked, user_of = np.unique(users, return_inverse=True)
    lengths = np.zeros(walked.size, dtype=np.int64)
    np.maximum.at(lengths, user_of, positions)
    place = np.argsort(np.argsort(lengths, kind="stable"), kind="stable")
    part_of = place[user_of] // _USERS_AT_ONCE
    for part in range(part_of.max(initial=-1) + 1):
        yield np.flatnonzero(part_of == part)


def _padded(histories: Histories, users: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
    """The first `length` events of the given users, "u l", right-padded with 0."""
    events = histories.offsets[users][:, None] + np.arange(length)
    inside = events < histories.offsets[users + 1][:, None]
    events = np.where(inside, events, 0)
    return np.where(inside, histories.items[events], 0).astype(np.int64), np.where(inside, histories.times[events], 0)
