"""Does the evidence support a claim? Does a published number agree with ours? With what is not known said aloud.

Two things make a difference between two models uncertain: other people would have been asked (users), and other random
numbers would have trained other models (seeds). The difference here is the mean over users of each user's metric,
averaged over seeds, under one variant minus the other, so that what both find hard cancels. Its interval joins

* users: the percentile bootstrap over users of those paired differences, [l, h], which holds the seeds as they are;
* seeds: t(2S - 2) · √(2 s² / S), with s² the mean of the two variants' variances over the S seeds both have,

at right angles, as independent errors add: [d - √((d - l)² + e²), d + √((h - d)² + e²)] with e the second. It keeps
the lopsidedness of the first and covers at least as often as it says (a test simulates that). Seeds are not paired:
nothing in one training corresponds to another. With one seed there is no s², and no verdict.

A claim is *supported* where the interval of NDCG@10 lies above zero, *contradicted* below, and else the evidence
*cannot tell*. Each interval is at 95 % by itself: of twenty claims about nothing one, on average, would come out
supported or contradicted all the same. Rather fewer: with few seeds the noise of single trainings is in both parts, and
in simulations with two or three seeds the joined interval covered 96 to 99 %.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from seqrec_edu.reproduce.papers import Claim
from seqrec_edu.reproduce.published import Figure
from seqrec_edu.reproduce.results import Outcome
from seqrec_edu.training.metrics import (
    LEVEL,
    RESAMPLES,
    Difference,
    per_target,
    percentiles,
    resampled_means,
)

SUPPORTED, CONTRADICTED, CANNOT_TELL, NOT_RUN = "supported", "contradicted", "cannot tell", "not run"
AGREES, DIFFERS = "agrees", "differs"
SELECT = "NDCG@10"
JUDGED = ("NDCG@10", "HR@10")


@dataclass(frozen=True)
class Verdict:
    """A word, and why it is not a stronger one."""

    word: str
    why: str = ""

    def __str__(self) -> str:
        return self.word + (f" ({self.why})" if self.why else "")


@dataclass(frozen=True)
class Judged:
    """A claim with the differences it rests on, by metric; none where it could not be computed."""

    claim: Claim
    verdict: Verdict
    differences: Mapping[str, Difference]
    seeds: int
    objectives: tuple[str, ...] = ()


def judge(claim: Claim, outcomes: Mapping[str, Outcome]) -> Judged:
    """The verdict on a claim from the runs on one dataset; see the head of this file for the method."""
    missing = [name for name in (claim.better, claim.worse) if name not in outcomes]
    if missing:
        return Judged(claim, Verdict(NOT_RUN, f"no receipt of {' and '.join(missing)}"), {}, 0)
    better, worse = outcomes[claim.better], outcomes[claim.worse]
    objectives = tuple(dict.fromkeys(each.first.protocol["objective"] for each in (better, worse)))
    seeds = [seed for seed in better.ranks if seed in worse.ranks]
    if not seeds:
        return Judged(claim, Verdict(CANNOT_TELL, "no ranks of a seed that both have"), {}, 0, objectives)
    of_better, of_worse = (_by_user(each, seeds) for each in (better, worse))
    found = {metric: difference(of_better[metric], of_worse[metric]) for metric in JUDGED}
    main = found[SELECT]
    if len(seeds) == 1:
        verdict = Verdict(CANNOT_TELL, "one seed: the spread between trainings is not known")
    elif main.clear:
        verdict = Verdict(SUPPORTED if main.low > 0 else CONTRADICTED)
    else:
        verdict = Verdict(CANNOT_TELL, "the interval holds zero")
    return Judged(claim, verdict, found, len(seeds), objectives)


def difference(
    better: Float[np.ndarray, "s u"],
    worse: Float[np.ndarray, "s u"],
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Difference:
    """Mean of a metric under one variant minus the other, over seeds and users, with the interval described above.

    With one seed the interval is that over users alone.
    """
    if better.shape != worse.shape or better.ndim != 2:
        raise ValueError(f"expected two tables 'seeds users' of one shape, got {better.shape} and {worse.shape}")
    per_user = (better.mean(axis=0) - worse.mean(axis=0))[:, None]
    low, high = percentiles(resampled_means(per_user, None, resamples, seed), level)[:, 0]
    value = float(per_user.mean())
    spread = seed_error(better.mean(axis=1), worse.mean(axis=1), level)
    return Difference(value, value - math.hypot(value - low, spread), value + math.hypot(high - value, spread))


def seed_error(better: Float[np.ndarray, " s"], worse: Float[np.ndarray, " s"], level: float = LEVEL) -> float:
    """Half the interval that the spread between seeds gives to the difference of two means; 0 with one seed."""
    seeds = len(better)
    if seeds < 2:
        return 0.0
    variance = (np.var(better, ddof=1) + np.var(worse, ddof=1)) / 2
    return t_quantile(level, 2 * (seeds - 1)) * math.sqrt(2 * variance / seeds)


def t_quantile(level: float, df: int) -> float:
    """The t between whose minus and plus Student's distribution with df degrees of freedom has `level` of its mass."""
    low, high = 0.0, 1.0
    while _mass_within(high, df) < level:
        high *= 2
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if _mass_within(middle, df) < level else (low, middle)
    return high


def _mass_within(t: float, df: int) -> float:
    """P(-t ≤ T ≤ t), as the finite sums that it is for whole df (Abramowitz and Stegun 26.7.3 and 26.7.4)."""
    angle = math.atan2(t, math.sqrt(df))
    cosine, odd = math.cos(angle), df % 2
    term, total = (cosine if odd else 1.0), 0.0
    for k in range((df - 1) // 2 if odd else df // 2):
        total += term
        term *= cosine**2 * (2 * k + 1 + odd) / (2 * k + 2 + odd)
    inner = math.sin(angle) * total
    return 2 / math.pi * (angle + inner) if odd else inner


def _by_user(outcome: Outcome, seeds: Sequence[int | None]) -> dict[str, np.ndarray]:
    """Every judged metric of every user, "s u". One target per user in leave-one-out; else users are averaged."""
    rows: dict[str, list[np.ndarray]] = {metric: [] for metric in JUDGED}
    for seed in seeds:
        ranks = outcome.ranks[seed]
        _, user = np.unique(ranks.users, return_inverse=True)
        values = per_target(torch.from_numpy(ranks.ranks), cutoffs=(10,))
        for metric in JUDGED:
            rows[metric].append(np.bincount(user, weights=values[metric].numpy()) / np.bincount(user))
    return {metric: np.stack(each) for metric, each in rows.items()}


def interval(outcome: Outcome, metric: str) -> Difference:
    """Mean of a test metric over seeds, and the interval over users: the mean of the receipts' own, ends apart."""
    shown = [receipt.metrics["test"]["values"][metric] for receipt in outcome.receipts.values()]
    ends = {end: [each["value"] if each[end] is None else each[end] for each in shown] for end in ("low", "high")}
    return Difference(float(np.mean(outcome.values(metric))), *(float(np.mean(each)) for each in ends.values()))


def against_published(
    figure: Figure, metric: str, outcome: Outcome | None, figures: Sequence[Figure]
) -> tuple[Verdict, Difference | None]:
    """Whether a published value agrees with ours: within our interval over users, widened by our range over seeds.

    The range is added on both sides, because what was published is mostly one training. A value beyond that differs,
    unless those who published the same model on the same data are as far from each other: then nobody can tell.
    """
    if outcome is None:
        return Verdict(NOT_RUN), None
    ours = interval(outcome, metric)
    if not figure.comparable:
        return Verdict(CANNOT_TELL, "not comparable: see the note"), ours
    if list(outcome.receipts) != [None] and len(outcome.receipts) == 1:
        return Verdict(CANNOT_TELL, "one seed here"), ours
    alike = [
        each.values[metric]
        for each in figures
        if each.comparable and (each.model, each.data) == (figure.model, figure.data) and metric in each.values
    ]
    seeds, others = (max(values) - min(values) for values in (outcome.values(metric), alike))
    beyond = max(ours.low - figure.values[metric], figure.values[metric] - ours.high) - seeds
    if beyond <= 0:
        return Verdict(AGREES), ours
    if beyond <= others:
        return Verdict(CANNOT_TELL, f"published from {min(alike):.4f} to {max(alike):.4f}"), ours
    return Verdict(DIFFERS), ours
