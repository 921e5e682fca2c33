"""What a search over settings finds on average, by the number of tries it can afford."""

import math

import torch

from seqrec_edu.teaching.definition import Exercise
from seqrec_edu.teaching.inputs import Argument, normal

exercise = Exercise(
    "expected_best",
    title="Report what a budget buys",
    goal="Say what the best of k tries is on average, so that two searches of different length can be compared.",
    notebook="11_full_training",
    minutes=15,
    difficulty="medium",
    points=3,
    arguments={
        "values": normal("n"),
        "k": Argument("", lambda draw, sizes: torch.randint(2, 7, (), generator=draw).double()),
    },
    result="",
    own=("reproduce",),
    sizes={"n": 7},
    tolerance=300.0,  # torch.arange(1, n + 1) / n is float32, and good enough
    hints=(
        "Sort the values upwards. One draw is among the lowest i of n with chance i/n.",
        "The best of k draws is among the lowest i only if all k of them are: chance (i/n)^k.",
        "It is exactly number i with chance (i/n)^k - ((i-1)/n)^k. An average is a sum of values times chances.",
        "i = torch.arange(1, n + 1); (v * ((i / n) ** k - ((i - 1) / n) ** k)).sum() with v = values.sort().values",
    ),
)


@exercise.solution
def expected_best(values, k):
    """The expected largest of k draws with replacement: Σ v(i) [(i/n)^k - ((i-1)/n)^k] over i = 1 … n, where
    v(1) ≤ … ≤ v(n) are the values sorted upwards.

    values "n" in any order, k a tensor with a whole number from 1 on, such as 4.0  ->  a tensor without axes, in the
    dtype of values
    """
    n = len(values)
    v = values.sort().values
    i = torch.arange(1, n + 1).to(v)
    chance = (i / n) ** k - ((i - 1) / n) ** k
    return (v * chance).sum()


@exercise.alternative
def best_value_by_value(values, k):
    total, n = torch.zeros_like(values[0]), len(values)
    for i, value in enumerate(sorted(values)):
        total = total + value * (((i + 1) / n) ** k - (i / n) ** k)
    return total


@exercise.alternative
def by_steps_between_values(values, k):
    v = torch.sort(values, descending=True).values
    at_most = torch.linspace(1, 0, len(v) + 1, dtype=v.dtype)[1:-1] ** k
    return v[0] - ((v[:-1] - v[1:]) * at_most).sum()


@exercise.alternative
def draw_by_draw(values, k):
    v = values.sort().values
    best = torch.full_like(v, 1 / len(v))
    for _ in range(int(k) - 1):
        at_most = best.cumsum(0)
        best = torch.diff(at_most * torch.arange(1, len(v) + 1) / len(v), prepend=v.new_zeros(1))
    return best @ v


def case(values, k):
    """Arguments from numbers."""
    return {"values": torch.tensor(values, dtype=torch.float64), "k": torch.tensor(float(k)).double()}


@exercise.special("one draw, which is the mean")
def one_draw(draw):
    return case([3.0, 1.0, 2.0, 0.5], 1)


@exercise.special("values of which some are equal")
def ties(draw):
    return case([0.2, 0.1, 0.2, 0.4, 0.2], 2)


@exercise.special("many more draws than values")
def many(draw):
    return case([0.31, 0.12, 0.27], 40)


@exercise.special("as many draws as values")
def all_of_them(draw):
    return case([0.3, -0.2, 0.1, 0.9], 4)


@exercise.mistake(
    "without replacement", "The k draws are all different: with replacement one value may come several times."
)
def without_replacement(values, k):
    v, n, k = values.sort().values, len(values), min(int(k), len(values))
    chance = [math.comb(i, k - 1) / math.comb(n, k) for i in range(n)]
    return (v * torch.tensor(chance, dtype=v.dtype)).sum()


SUM = "return (v * chance).sum()"
CHANCE = "chance = (i / n) ** k - ((i - 1) / n) ** k"
exercise.slips(
    ("not sorted", "The values are taken in the order they came: v(1) is the smallest, v(n) the largest.",
     ("values.sort().values", "values")),
    ("sorted downwards", "The values are sorted downwards: this is the expected worst of k draws.",
     ("values.sort()", "values.sort(descending=True)")),
    ("largest of all", "This is the largest of all n values: k draws with replacement may miss it.",
     (SUM, "return v[-1]")),
    ("median", "This is the median: asked for is the mean of the best of k.", (SUM, "return v.median()")),
    ("best of the first k", "The best of the first k values is what one search found: asked for is the average over "
     "all draws.",
     (SUM, "return values[: int(k)].max()")),
    ("mean of the best k", "This is the mean of the k best values: asked for is the best of k draws.",
     (SUM, "return v[-int(k) :].mean()")),
    ("place k of the sorted values", "The value at place k of the sorted ones is taken: every value has a chance to "
     "be the best.",
     (SUM, "return v[min(int(k), n) - 1]")),
    ("chance of at most", "(i/n)^k is the chance that the best is at most v(i): take off that of v(i-1).",
     (" - ((i - 1) / n) ** k", "")),
    ("chance of at least", "The chance that some draw is at least v(i) is taken: needed is that the best is exactly "
     "v(i).",
     (CHANCE, "chance = 1 - ((i - 1) / n) ** k")),
    ("chance of being drawn", "1 - (1 - 1/n)^k is the chance that a value is drawn at all: it also has to be the best.",
     (CHANCE, "chance = 1 - (1 - 1 / n + 0 * i) ** k")),
    ("power outside", "The difference i/n - (i-1)/n is taken before the power: each gets its own power, then the "
     "difference.",
     (CHANCE, "chance = (i / n - (i - 1) / n) ** k")),
    ("power missing", "This is the mean, what one draw gives: the power k is missing.", (SUM, "return v.mean()")),
    ("times k for the power", "i/n is multiplied by k: k draws that are all at most v(i) multiply their chances, a "
     "power.",
     (CHANCE, "chance = i / n * k - (i - 1) / n * k")),
    ("power n", "The power is n: it is k, the number of draws.",
     ("(i / n) ** k", "(i / n) ** n"),
     ("- 1) / n) ** k", "- 1) / n) ** n")),
    ("k and n exchanged", "k and n are exchanged: n is how many values there are, k how many are drawn.",
     (CHANCE, "chance = (i / k) ** n - ((i - 1) / k) ** n")),
    ("one draw too many", "The power is k + 1: there are k draws.",
     ("(i / n) ** k", "(i / n) ** (k + 1)"),
     ("- 1) / n) ** k", "- 1) / n) ** (k + 1)")),
    ("one draw too few", "The power is k - 1: there are k draws.",
     ("(i / n) ** k", "(i / n) ** (k - 1)"),
     ("- 1) / n) ** k", "- 1) / n) ** (k - 1)")),
    ("power on the numerator", "Only i is raised to the power: it is i/n as a whole.",
     ("(i / n) ** k", "i**k / n"),
     ("((i - 1) / n) ** k", "(i - 1) ** k / n")),
    ("counted from 0", "i runs from 0 to n - 1: the lowest of n values has i = 1.",
     (CHANCE, "i = i - 1\n    chance = (i / n) ** k - ((i - 1).clamp(min=0) / n) ** k")),
    ("counted from 0, without a floor", "i runs from 0 to n - 1: the lowest of n values has i = 1, and (i-1)/n is "
     "never below 0.",
     (CHANCE, "i = i - 1\n    chance = (i / n) ** k - ((i - 1) / n) ** k")),
    ("divided by n - 1", "The shares are i/(n-1): the largest of n values is at n/n = 1.",
     (CHANCE, "chance = (i / max(n - 1, 1)) ** k - ((i - 1) / max(n - 1, 1)) ** k")),
    ("divided by n + 1", "The shares are i/(n+1), those of quantiles: here it is i/n.",
     (CHANCE, "chance = (i / (n + 1)) ** k - ((i - 1) / (n + 1)) ** k")),
    ("signs exchanged", "The difference is the wrong way round: ((i-1)/n)^k is taken off (i/n)^k.",
     (CHANCE, "chance = ((i - 1) / n) ** k - (i / n) ** k")),
    ("plus for minus", "The two powers are added: the chance of exactly v(i) is their difference.",
     ("** k - ((", "** k + ((")),
    ("mean instead of sum", "The products are averaged: the chances sum to 1 already, so add up.",
     (".sum()", ".mean()")),
    ("equal values counted once", "Equal values are merged: each try counts, also when two found the same.",
     ("n = len(values)\n    v = values.sort().values", "v = values.unique()\n    n = len(v)")),
    ("chances instead of their sum with the values", "The chances are added up without the values, which gives 1.",
     ("(v * chance)", "chance")),
    ("running best averaged", "The best so far is averaged over the order in which the values came: the order has no "
     "say.",
     (SUM, "return values.cummax(0).values.mean()")),
    ("not added up", "The products are not added up: asked for is one number.", (".sum()", "")),
)  # fmt: skip
