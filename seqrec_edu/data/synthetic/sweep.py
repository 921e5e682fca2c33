"""`sweep`: what a dial of a world does to its ceiling and to every blind predictor."""

from __future__ import annotations

from collections.abc import Iterable

from seqrec_edu.data.check import BadInput
from seqrec_edu.data.synthetic.world import CUTOFFS, rank_gains
from seqrec_edu.data.synthetic.worlds import world


def sweep(
    name: str,
    dial: str,
    values: Iterable[float],
    *,
    metric: str = "HR@10",
    users: int = 1_000,
    seed: int = 0,
    length: int | None = None,
    **dials: float,
) -> list[dict[str, float]]:
    """Expected score of the last event of each history, under the truth, for every predictor along a dial.

    sweep("gap-switch", "long", [120, 480, 1_920], metric="HR@1")
    → [{"long": 120, "bayes": .45, "without time": .45}, …]

    Args:
        name: of a planted world.
        dial: which dial turns; `values` it takes in turn.
        metric: "HR@K", "NDCG@K", "MRR@K" (K of 1, 5, 10, 20, 50) or "MRR".
        users, seed, length: of the histories made at each value.
        dials: changes that stay.

    Returns:
        One row for each value: the dial → its value, and predictor → score ("bayes" is the ceiling).

    Raises:
        BadInput: a name is unknown, or a value is out of range.
    """
    if metric not in (known := rank_gains(1, CUTOFFS)):
        raise BadInput(f"metric must be one of {', '.join(known)}, got {metric!r}")
    if dial in dials:
        raise BadInput(f"{dial} is the dial that turns; it cannot also stay at {dials[dial]!r}")
    turned = [(value, world(name, **dials, **{dial: value})) for value in values]  # all checked before any is sampled
    table = []
    for value, each in turned:
        histories = each.sample(seed, users, length)
        targets = histories.offsets[1:] - 1
        scores = {one: each.ceiling(histories, targets, one).metrics[metric] for one in each.predictors}
        table.append({dial: value, **scores})
    return table
