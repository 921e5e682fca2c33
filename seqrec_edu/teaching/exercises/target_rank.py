"""The rank of the item that was really chosen, ties counted fairly."""

import torch

from seqrec_edu.teaching.definition import Exercise
from seqrec_edu.teaching.inputs import Argument, whole


def few_levels(draw, sizes):
    """Scores that are often equal."""
    return torch.randint(0, 4, (sizes["u"], sizes["v"]), generator=draw).double() / 2 - 0.5


exercise = Exercise(
    "target_rank",
    title="An honest rank",
    goal="Rank the target among all items so that having no opinion earns nothing.",
    notebook="01_honest_numbers",
    minutes=10,
    difficulty="easy",
    points=3,
    arguments={"scores": Argument("u v", few_levels), "target": whole("u", 1, "v")},
    result="u",
    own=("ops._target_rank", "training.metrics"),
    least={"v": 4},
    hints=(
        "Best is 1. Every item that scores more than the target puts it one place further down.",
        "Items level with the target share their places: each counts one half. The target is not its own rival.",
        "Column 0 is padding, not an item: it is neither above nor level, whatever its score.",
        "own = scores.gather(1, target[:, None]); compare scores[:, 1:] with own, and take 1 from the level ones.",
    ),
)


@exercise.solution
def target_rank(scores, target):
    """1 + items above the target + half of the other items level with it. Item 0 is padding and never ranks.

    scores "u v", target "u" (item numbers from 1)  ->  rank "u", a number such as 2.5, in the dtype of scores
    """
    own = scores.gather(1, target[:, None])
    items = scores[:, 1:]
    above = (items > own).sum(1)
    level = (items == own).sum(1) - 1
    return (1 + above + 0.5 * level).to(scores.dtype)


@exercise.alternative
def between_best_and_worst(scores, target):
    own = scores[torch.arange(len(target)), target].unsqueeze(1)
    best = 1 + (scores[:, 1:] > own).sum(1)
    worst = (scores[:, 1:] >= own).sum(1)
    return (best + worst).to(scores.dtype) / 2


@exercise.alternative
def user_by_user(scores, target):
    ranks = []
    for row, item in zip(scores, target.tolist()):  # noqa: B905
        others = torch.cat([row[1:item], row[item + 1 :]])
        ranks.append(1 + float((others > row[item]).sum()) + float((others == row[item]).sum()) / 2)
    return torch.tensor(ranks, dtype=scores.dtype)


@exercise.alternative
def by_sorting(scores, target):
    rows = scores[:, 1:].sort(1).values.contiguous()
    own = scores.gather(1, target[:, None]).contiguous()
    low = torch.searchsorted(rows, own)
    high = torch.searchsorted(rows, own, right=True)
    return (rows.shape[1] - (low + high - 1) / 2).squeeze(1).to(scores.dtype)


@exercise.special("a model without opinion, all scores equal")
def indifferent(draw):
    return {"scores": torch.zeros(2, 8, dtype=torch.float64), "target": torch.tensor([1, 5])}


@exercise.special("scores that differ in the last digits")
def nearly_level(draw):
    last_digits = 1 + 1e-9 * torch.arange(8, dtype=torch.float64)
    return {"scores": torch.stack([last_digits, last_digits.flip(0)]), "target": torch.tensor([1, 5])}


@exercise.special("padding with the highest score")
def loud_padding(draw):
    scores = torch.randn(2, 6, generator=draw, dtype=torch.float64)
    scores[:, 0] = 9
    return {"scores": scores, "target": torch.tensor([2, 5])}


def own(scores, target):
    return scores.gather(1, target[:, None])


exercise.part("one")(lambda scores, target: torch.ones(len(target)))
exercise.part("items above")(lambda scores, target: (scores[:, 1:] > own(scores, target)).sum(1))
exercise.part("other items level with the target")(
    lambda scores, target: (scores[:, 1:] == own(scores, target)).sum(1) - 1
)
exercise.part("items below")(lambda scores, target: (scores[:, 1:] < own(scores, target)).sum(1))
exercise.part("padding above")(lambda scores, target: (scores[:, :1] > own(scores, target)).sum(1))
exercise.part("padding level with the target")(lambda scores, target: (scores[:, :1] == own(scores, target)).sum(1))

exercise.slips(
    ("ties for the target", "Ties are given to the target: a model that scores everything alike would get rank 1.",
     ("0.5 * level", "0 * level")),
    ("ties against the target", "Ties count in full against the target: that is the worst case, and asked for "
                                "is the expected rank.",
     ("0.5 * level", "level")),
    ("target its own rival", "The target counts as level with itself: every rank is half a place too "
                             "large.", (" - 1\n", "\n")),
    ("padding ranks", "Column 0 takes part: it is padding, not an item, and has no rank.",
     ("scores[:, 1:]", "scores")),
    ("counted from 0", "The best rank is 1, and here it is 0.", ("1 + above", "above")),
    ("lowest score first", "The rank is counted from the lowest score: items above the target are those with more.",
     ("items > own", "items < own")),
    ("order of a sort", "The rank is the place in a sorted list: among equal scores that is the order of the "
                        "item numbers.",
     ("level = (items == own).sum(1) - 1\n    return (1 + above + 0.5 * level)",
      "before = torch.arange(1, scores.shape[1]) < target[:, None]\n    return (1 + above + ((items == own) & "
      "before).sum(1))")),
    ("target's column shifted", "The own score is read at target - 1: item numbers begin at 1, and column 0 is "
                                "padding.",
     ("gather(1, target[:, None])", "gather(1, target[:, None] - 1)")),
    ("whole ranks only", "The half place of a tie is rounded "
                         "away.", ("1 + above + 0.5 * level", "1 + above + level // 2")),
    ("rank of the first user for all", "All users get the own score of the first: every row has its own target.",
     ("target[:, None]", "target[:1, None].expand(len(target), 1)")),
    ("share instead of rank", "The result is divided by the number of items: asked for is the place itself.",
     (".to(scores.dtype)", ".to(scores.dtype) / items.shape[1]")),
    ("reciprocal rank", "This is 1 / rank, the value for MRR: asked for is the rank itself.",
     ("return (1 + above + 0.5 * level)", "return (1 / (1 + above + 0.5 * level))")),
)  # fmt: skip
