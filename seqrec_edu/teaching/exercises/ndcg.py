"""How high the right item stood, as one number."""

import math

import torch

from seqrec_edu.teaching.definition import Exercise
from seqrec_edu.teaching.inputs import Argument


def places(draw, sizes):
    """Ranks from 1 to 14, some half-way between two places."""
    return 1 + torch.randint(0, 27, (sizes["u"],), generator=draw).double() / 2


exercise = Exercise(
    "ndcg",
    title="How high, not only whether",
    goal="Turn ranks into NDCG@k, so that the top of the list counts more than its end.",
    notebook="00_start_here",
    minutes=10,
    difficulty="easy",
    points=2,
    arguments={
        "rank": Argument("u", places),
        "k": Argument("", lambda draw, sizes: torch.randint(4, 11, (), generator=draw), "whole"),
    },
    result="",
    own=("training.metrics",),
    sizes={"u": 8},
    hints=(
        "First what one person is worth: 1 / log2(1 + rank) if the rank is k or less, else 0.",
        "Rank 1 is worth 1, because log2(2) is 1. Rank 3 is worth a half.",
        "Then the mean over all people, also those who are worth 0.",
        "worth = 1 / torch.log2(1 + rank); torch.where(rank <= k, worth, 0) and its mean.",
    ),
)


@exercise.solution
def ndcg(rank, k):
    """NDCG@k = (1/u) Σ_u [rank_u ≤ k] / log2(1 + rank_u), with one right item per person.

    rank "u" (1 is best; 2.5 where items tie), k a whole number  ->  a number: a tensor without axes, dtype of rank
    """
    worth = 1 / torch.log2(1 + rank)
    inside = rank <= k
    return torch.where(inside, worth, 0).mean()


@exercise.alternative
def person_by_person(rank, k):
    total = torch.zeros((), dtype=rank.dtype)
    for each in rank:
        if each <= k:
            total = total + math.log(2) / torch.log1p(each)
    return total / len(rank)


@exercise.alternative
def by_product(rank, k):
    return ((rank <= k) / (rank + 1).log2()).sum() / len(rank)


@exercise.alternative
def hits_only_then_their_share(rank, k):
    hits = rank[rank <= k]
    return torch.log2(hits + 1).reciprocal().sum() / rank.numel()


@exercise.special("ranks at k and half a place beyond")
def at_the_edge(draw):
    return {"rank": torch.tensor([1, 9.5, 10, 10.5, 11]).double(), "k": torch.tensor(10)}


@exercise.special("nobody with a hit")
def nobody(draw):
    return {"rank": torch.tensor([11.0, 12.5, 200]).double(), "k": torch.tensor(10)}


@exercise.special("everybody with rank 1")
def perfect(draw):
    return {"rank": torch.ones(3).double(), "k": torch.tensor(5)}


exercise.part("worth of the hits")(lambda rank, k: ((rank <= k) / torch.log2(1 + rank)).mean())
exercise.part("worth of the misses")(lambda rank, k: ((rank > k) / torch.log2(1 + rank)).mean())
exercise.part("share of hits")(lambda rank, k: (rank <= k).double().mean())
exercise.part("share of misses")(lambda rank, k: (rank > k).double().mean())

exercise.slips(
    ("natural logarithm", "The logarithm is the natural one: with base 2, rank 1 is worth 1.",
     ("torch.log2", "torch.log")),
    ("logarithm of base 10", "The logarithm has base 10: with base 2, rank 1 is worth 1.",
     ("torch.log2", "torch.log10")),
    ("1 + missing", "It divides by log2(rank): at rank 1 that is 0. The formula has log2(1 + rank).",
     ("1 + rank", "rank")),
    ("1 taken off the rank", "It divides by log2(rank - 1): 1 is added to the rank, so that rank 1 is worth 1.",
     ("1 + rank", "rank - 1")),
    ("ranks counted from 0", "It divides by log2(2 + rank), right for ranks that begin at 0: here the best is 1.",
     ("1 + rank", "2 + rank")),
    ("rank k left out", "A rank of exactly k counts as a miss: k places count, so ≤ and not <.",
     ("rank <= k", "rank < k")),
    ("one place too many", "Rank k + 1 still counts as a hit: the list ends after k places.",
     ("rank <= k", "rank < k + 2")),
    ("half places rounded down", "Half places are rounded down before the comparison: 10.5 is not among the first ten.",
     ("inside = rank <= k", "inside = rank.floor() <= k")),
    ("ranks rounded down", "The ranks are rounded down: 2.5 is worth less than 2 and more than 3.",
     ("worth = 1", "rank = rank.floor()\n    worth = 1")),
    ("ranks rounded to the nearest", "The ranks are rounded: 2.5 is worth less than 2 and more than 3.",
     ("worth = 1", "rank = rank.round()\n    worth = 1")),
    ("misses counted as rank k", "Ranks beyond k are set to k and still worth something: they are worth 0.",
     ("torch.where(inside, worth, 0)", "(1 / torch.log2(1 + rank.clamp(max=k)))")),
    ("hits over the mean discount", "The share of hits is divided by a mean of logarithms: divide first, then average.",
     ("torch.where(inside, worth, 0).mean()",
      "inside.double().mean() / torch.log2(1 + rank).mean()")),
    ("never cut off", "Ranks beyond k count as well: they are worth 0.", ("torch.where(inside, worth, 0)", "worth")),
    ("mean over hits only", "The mean is taken over the hits only: people without a hit count too, with 0.",
     ("torch.where(inside, worth, 0)", "worth[inside]")),
    ("sum instead of mean", "The worth of all people is added up: it should be divided by their number u.",
     (".mean()", ".sum()")),
    ("multiplied by u", "The sum is multiplied by the number of people: a mean is divided by it.",
     (".mean()", ".sum() * len(rank)")),
    ("divided by k", "The sum is divided by k places: it should be divided by u people.",
     (".mean()", ".sum() / k")),
    ("hits only counted", "This is HR@k: every hit is worth 1, whatever its rank.",
     ("inside, worth, 0)", "inside, torch.ones_like(worth), 0)")),
    ("reciprocal rank", "This is MRR@k, with 1 / rank: in NDCG a rank is worth 1 / log2(1 + rank).",
     ("torch.log2(1 + rank)", "rank")),
    ("multiplied by the logarithm", "It multiplies by log2(1 + rank): a worse rank should be worth less.",
     ("1 / torch.log2(1 + rank)", "torch.log2(1 + rank)")),
    ("ideal list of k items", "It divides by the ideal sum over k right items: with one right item the ideal is 1.",
     (".mean()", ".mean() / (1 / torch.log2(torch.arange(2, k + 2))).sum()")),
    ("hits and misses exchanged", "The ranks beyond k count, and the hits are worth 0.",
     ("inside, worth, 0)", "inside, 0, worth)")),
    ("one number per person", "The result still has the axis u: asked for is the mean over people.",
     (".mean()", "")),
    ("worth of the mean rank", "It takes the mean rank first: asked for is the mean of what each rank is worth.",
     ("worth = 1 / torch.log2(1 + rank)", "worth = 1 / torch.log2(1 + rank.mean())")),
)  # fmt: skip
