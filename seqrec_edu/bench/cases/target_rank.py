"""Full ranking, leave-one-out: the place of every user's target among the first 20 of all items, seen ones left out."""

import torch

from seqrec_edu import ops
from seqrec_edu.bench import rivals
from seqrec_edu.bench.agreement import disagreeing
from seqrec_edu.bench.case import Case, Variant, Work, chosen, ladder, normal, only, uniform, whole
from seqrec_edu.bench.settings import Settings

USED = ("hidden", "items", "target", "exclude")
WITHIN = 20
SIZES = ((6_040, 3_417, 100), (4_096, 50_001, 50))
LARGE = ((256, 1_000_001, 50),)
SORTABLE = 30e6  # scores
DISAGREE = 2e-3  # share of users: scores that rounding makes equal, or parts, may change a place


def cases(settings: Settings) -> list[Case]:
    if settings.quick:
        return [_case({"u": 40, "v": 200, "s": 5, "d": 16})]
    return [_case({"u": u, "v": v, "s": s, "d": 64}) for u, v, s in SIZES + (LARGE if settings.large else ())]


def run(hidden, items, target, exclude, backend):
    return rivals.place(ops.target_rank(hidden, items, target, exclude=exclude, backend=backend), WITHIN)


def _case(sizes):
    u, v, s, d = sizes.values()
    scores = 4.0 * u * v
    sortable = None if u * v <= SORTABLE else "sorting this many scores takes minutes"
    positives = _within(rivals.by_positive_matrix)
    others = [
        Variant("positives", "top-k and a matrix of positives (RecBole's way)", positives, needs=4 * scores),
        Variant("top-k", "top-k alone", _within(rivals.by_top_k), needs=3 * scores),
        Variant("argsort", "argsort of every row", _within(rivals.by_sorting), missing=sortable, needs=6 * scores),
    ]
    own = ladder("target_rank", run, reference=5 * scores)
    return Case(
        name=f"{u:,} users × {v - 1:,} items, {s} seen",
        sizes=sizes,
        make=make,
        learn=(),
        truths={"same": lambda **inputs: run(**inputs, backend="reference")},
        variants=tuple(_tolerant(variant) for variant in (own[0], *others, *own[1:])),
        work={"same": {"forward": Work(4 * (u + v) * d + 8 * u * s, 2 * u * v * d)}},
        fewer={"u": min(u, 64 if v > 500_000 else 512)},
        chosen=chosen("target_rank"),
        error=disagreeing,
    )


def _within(way):
    return only(lambda *given: way(*given, WITHIN), *USED)


def _tolerant(variant):
    return Variant(**{**vars(variant), "tolerance": DISAGREE})


def make(sizes):
    """Histories that point at their target, some more than others, so that places from 1 to far down occur."""
    u, v, s, d = (sizes[axis] for axis in "uvsd")
    items, target = normal(v, d, seed=1), whole(1, v, u, seed=2)
    seen = whole(0, v, u, s, seed=4)
    return {
        "hidden": normal(u, d, seed=3) + uniform(0, 0.7, u, 1, seed=5) * items[target],
        "items": items,
        "target": target,
        "exclude": torch.where(seen == target[:, None], 0, seen),
    }
