"""From ranks to numbers: HR, NDCG and MRR at K, how sure each is, and whether two models differ.

Everything here follows from one number per target, its *expected rank* among all items of the catalogue
(1 = best). Items that score the same share their places: with `g` items above the target and `q` others
level with it, breaking the tie at random would put the target at 1 + g + q/2 on average, and that is the
rank used. A metric is the metric *of* this rank, not the average metric over all ways to break the tie:
a target level with one other item at places 10 and 11 has rank 10.5 and misses HR@10. The rule cannot be
gamed: a model that scores every item the same gets rank (V + 1) / 2, so HR@10 = 0 for every V > 19,
where an optimistic rank (1 + g) would give it a perfect HR@10 = 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from seqrec_edu.ops._target_rank.reference import rank_in

CUTOFFS = (5, 10, 20, 50)
LEVEL = 0.95
RESAMPLES = 1000
# Weights held at one time: 8 MiB as drawn and 8 MiB as float64, whatever the number of users.
_WEIGHTS_AT_ONCE = 2**20


def expected_rank(
    scores: Float[Tensor, "u v"], target: Int[Tensor, " u"], exclude: Int[Tensor, "u s"] | None = None
) -> Float[Tensor, " u"]:
    """Expected rank of each target among all items 1..v-1, from dense scores.

    rank = 1 + #{items above the target} + 0.5 · #{other items level with it}

    Column 0 is padding and never ranks. `exclude` holds item ids that must not rank, row by row, padded with 0;
    repeats count once, and the target itself is never excluded. Cost: O(u · v) time and u · v bytes.
    The rule stands in `ops/_target_rank/reference.py`; `ops.target_rank` gives the same ranks without a users × items
    matrix.

    Returns float64. Raises ValueError for shapes that do not fit, ids outside the catalogue, and NaN scores, which can
    be neither above nor below anything.
    """
    _check_scores(scores, target, exclude)
    return rank_in(scores, target, exclude).double()


def per_target(ranks: Float[Tensor, " u"], cutoffs: Sequence[int] = CUTOFFS) -> dict[str, Float[Tensor, " u"]]:
    """Every metric for every target, float64, named "HR@10", "NDCG@10", "MRR@10" and so on.

    With one relevant item at rank r: HR@K = [r ≤ K]; NDCG@K = [r ≤ K] / log2(1 + r); MRR@K = [r ≤ K] / r.
    The best possible DCG is 1 (the item in first place), so NDCG needs no further normaliser.
    Raises ValueError for ranks that are not one finite number ≥ 1 per target, and for cutoffs that are not positive.
    """
    ranks = _checked_ranks(ranks)
    bad = [k for k in cutoffs if isinstance(k, bool) or not isinstance(k, int) or k < 1]
    if bad or not cutoffs:
        raise ValueError(f"expected cutoffs K as whole numbers of 1 or more, got {list(cutoffs)!r}")
    gains = {"HR": torch.ones_like(ranks), "NDCG": 1.0 / torch.log2(1.0 + ranks), "MRR": 1.0 / ranks}
    return {f"{name}@{k}": torch.where(ranks <= k, gain, 0.0) for name, gain in gains.items() for k in cutoffs}


def metrics(ranks: Float[Tensor, " u"], cutoffs: Sequence[int] = CUTOFFS) -> dict[str, float]:
    """Mean of every metric over the targets. One target per user makes this the mean over users."""
    return {name: value.mean().item() for name, value in per_target(ranks, cutoffs).items()}


def intervals(
    ranks: Float[Tensor, " u"],
    users: Int[Tensor, " u"] | None = None,
    *,
    cutoffs: Sequence[int] = CUTOFFS,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, tuple[float, float]]:
    """Percentile bootstrap interval (low, high) of every metric, from resampling users with replacement.

    `users` names the user of each target; all targets of a user are drawn together, because they are not
    independent. Without it every target counts as its own user. The interval says how the number would move with
    other users of the same kind; it does not contain the spread between training seeds. Where no user scores
    at all, it is (0, 0): the bootstrap cannot see what never occurred.

    Cost: O(resamples · distinct outcomes) time, about 16 MiB beside the table of users × metrics.
    Raises ValueError as `per_target`, and for a level outside (0, 1) or fewer than one resample.
    """
    values = per_target(ranks, cutoffs)
    table = torch.stack(list(values.values()), dim=1).numpy()
    means = resampled_means(table, users, resamples, seed)
    low, high = percentiles(means, level)
    return {name: (float(low[i]), float(high[i])) for i, name in enumerate(values)}


@dataclass(frozen=True)
class Difference:
    """Mean of one metric under a minus under b, on the same targets, with its bootstrap interval."""

    value: float
    low: float
    high: float

    @property
    def clear(self) -> bool:
        """Whether the interval excludes zero."""
        return self.low > 0 or self.high < 0

    def __str__(self) -> str:
        return f"{self.value:+.4f} [{self.low:+.4f}, {self.high:+.4f}]"


def paired_difference(
    a: Float[Tensor, " u"],
    b: Float[Tensor, " u"],
    users: Int[Tensor, " u"] | None = None,
    *,
    cutoffs: Sequence[int] = CUTOFFS,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Difference]:
    """Metric of a minus metric of b with its interval, target by target on the same users.

    Two models mostly succeed and fail on the same people. Pairing removes what they share, so this interval is
    narrower than what two separate intervals suggest: overlapping intervals do not mean "no difference".
    `a` and `b` must list the same targets in the same order, as two calls of `evaluate` on one split do.
    Raises ValueError as `intervals`, and when the two have different lengths.
    """
    if len(a) != len(b):
        raise ValueError(
            f"expected two lists of ranks of the same targets, got {len(a)} and {len(b)}; "
            "evaluate both models on the same split, with the same `max_users` and `seed`"
        )
    under_a, under_b = per_target(a, cutoffs), per_target(b, cutoffs)
    table = torch.stack([under_a[name] - under_b[name] for name in under_a], dim=1).numpy()
    low, high = percentiles(resampled_means(table, users, resamples, seed), level)
    value = table.mean(axis=0)
    return {name: Difference(float(value[i]), float(low[i]), float(high[i])) for i, name in enumerate(under_a)}


def resampled_means(table: np.ndarray, users: Tensor | None, resamples: int, seed: int) -> np.ndarray:
    """Mean of each column over targets, in `resamples` redraws of the users: "u m" -> "resamples m".

    A redraw of n users only matters through how often each *distinct outcome* comes up, and that count is
    multinomial with the observed frequencies. Drawing it directly is the same bootstrap as drawing n indices, and
    far cheaper: a rank beyond the last cutoff is one outcome however many users share it.
    """
    if isinstance(resamples, bool) or not isinstance(resamples, int) or resamples < 1:
        raise ValueError(f"expected at least 1 bootstrap resample, got resamples={resamples!r}")
    sums = np.concatenate([table, np.ones((len(table), 1))], axis=1)  # last column: targets of this user
    if users is not None:
        sums = _sum_by_user(sums, users)
    # Equal sums can differ in their last bits; rounding only merges outcomes that are equal in fact.
    outcomes, occurrences = np.unique(np.round(sums, 12), axis=0, return_counts=True)
    n = int(occurrences.sum())
    rng = np.random.default_rng(seed)
    at_once = max(1, _WEIGHTS_AT_ONCE // len(outcomes))
    means = np.empty((resamples, table.shape[1]))
    for first in range(0, resamples, at_once):
        rows = min(at_once, resamples - first)
        total = rng.multinomial(n, occurrences / n, size=rows) @ outcomes
        means[first : first + rows] = total[:, :-1] / total[:, -1:]
    return means


def _sum_by_user(sums: np.ndarray, users: Tensor) -> np.ndarray:
    users = torch.as_tensor(users).cpu().numpy()
    if users.shape != (len(sums),):
        raise ValueError(f"expected one user per rank, got {users.shape} users for {len(sums)} ranks")
    _, index = np.unique(users, return_inverse=True)
    return np.stack([np.bincount(index, weights=column) for column in sums.T], axis=1)


def percentiles(means: np.ndarray, level: float) -> np.ndarray:
    if not 0.0 < level < 1.0:
        raise ValueError(f"expected an interval level between 0 and 1 such as 0.95, got {level!r}")
    return np.quantile(means, [(1.0 - level) / 2.0, (1.0 + level) / 2.0], axis=0)


def _checked_ranks(ranks: Tensor) -> Tensor:
    ranks = torch.as_tensor(ranks).detach().cpu().double()
    if ranks.ndim != 1 or len(ranks) == 0:
        raise ValueError(f"expected ranks of shape 'u' with at least one target, got shape {tuple(ranks.shape)}")
    if not bool((torch.isfinite(ranks) & (ranks >= 1)).all()):
        worst = ranks[~(torch.isfinite(ranks) & (ranks >= 1))][0].item()
        raise ValueError(f"expected finite ranks of 1 (best) or more, got {worst}; ranks count from 1, not from 0")
    return ranks


def _check_scores(scores: Tensor, target: Tensor, exclude: Tensor | None) -> None:
    if scores.ndim != 2 or target.shape != scores.shape[:1]:
        raise ValueError(
            f"expected scores 'u v' and target 'u', got scores {tuple(scores.shape)} and target {tuple(target.shape)}"
        )
    v = scores.shape[1]
    if len(target) and not bool(((target >= 1) & (target < v)).all()):
        raise ValueError(f"expected targets to be items 1..{v - 1} (0 is padding), got {target.min()}..{target.max()}")
    if exclude is not None:
        if exclude.ndim != 2 or len(exclude) != len(scores):
            raise ValueError(f"expected exclude 'u s' with u = {len(scores)}, got shape {tuple(exclude.shape)}")
        if exclude.numel() and not bool(((exclude >= 0) & (exclude < v)).all()):
            raise ValueError(f"expected exclude to hold items 1..{v - 1}, padded with 0, got {exclude.max()}")
    # A NaN anywhere shows in the sum, which is read much faster; +inf and -inf together show there as well.
    if bool(scores.sum().isnan()) and bool(scores[:, 1:].isnan().any()):
        row = int(scores[:, 1:].isnan().any(1).nonzero()[0])
        raise ValueError(f"scores of row {row} contain NaN, which cannot be ranked; look for the layer that made it")
