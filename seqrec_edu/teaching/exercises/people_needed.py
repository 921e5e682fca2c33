"""How many people it takes to see a small difference between two recommenders."""

import torch

from seqrec_edu.teaching.definition import Exercise
from seqrec_edu.teaching.inputs import between

exercise = Exercise(
    "people_needed",
    title="How many people?",
    goal="Find the number of people whose 95 % interval just leaves zero out, and see what pairing saves.",
    notebook="01_honest_numbers",
    minutes=10,
    difficulty="medium",
    points=3,
    arguments={
        "p": between("", 0.1, 0.45),
        "delta": between("", 0.005, 0.05),
        "correlation": between("", 0.2, 0.9),
    },
    result="",
    own=("training.metrics",),
    hints=(
        "The hit of one person is a coin: its variance is p (1 - p), the same for both recommenders.",
        "Variance of a difference: Var(a) + Var(b) - 2 Cov(a, b), where Cov(a, b) is correlation · p (1 - p).",
        "The interval of the mean difference reaches 1.96 · √(variance / u) to each side.",
        "Set 1.96 · √(variance / u) = delta and square both sides: u = 1.96² · variance / delta².",
    ),
)


@exercise.solution
def people_needed(p, delta, correlation):
    """u with 1.96 · √(Var(a - b) / u) = delta, where a and b are hits with chance p each and a given correlation.

    p, delta, correlation: tensors without axes  ->  u, a tensor without axes, not rounded
    """
    coin = p * (1 - p)
    covariance = correlation * coin
    variance = coin + coin - 2 * covariance
    return variance * (1.96 / delta) ** 2


@exercise.alternative
def saved_by_pairing(p, delta, correlation):
    unpaired = 2 * (p - p**2) * 1.96**2 / delta**2
    return unpaired * (1 - correlation)


@exercise.alternative
def by_the_table_of_both(p, delta, correlation):
    both = p * p + correlation * p * (1 - p)
    one_of_the_two = (p - both) + (p - both)
    width = delta / 1.96
    return one_of_the_two / width.square()


@exercise.alternative
def by_matrix(p, delta, correlation):
    one = torch.ones_like(correlation)
    table = torch.stack([one, correlation, correlation, one]).view(2, 2) * p * (1 - p)
    minus = torch.tensor([1, -1], dtype=p.dtype)
    return (minus @ table @ minus) / (delta / 1.96) ** 2


def number(value):
    return torch.tensor(value, dtype=torch.float64)


@exercise.special("hits that are independent, correlation 0")
def independent(draw):
    return {"p": number(0.3), "delta": number(0.01), "correlation": number(0.0)}


@exercise.special("two recommenders with nearly the same hits, correlation 0.99")
def nearly_the_same(draw):
    return {"p": number(0.3), "delta": number(0.01), "correlation": number(0.99)}


@exercise.special("a hit that is rare")
def rare(draw):
    return {"p": number(0.01), "delta": number(0.002), "correlation": number(0.3)}


@exercise.special("a hit that is nearly certain")
def sure(draw):
    return {"p": number(0.95), "delta": number(0.03), "correlation": number(0.7)}


@exercise.special("hits that exclude each other, correlation below 0")
def opposed(draw):
    return {"p": number(0.4), "delta": number(0.02), "correlation": number(-0.5)}


def per_variance(delta):
    """People that it takes for each unit of variance."""
    return (1.96 / delta) ** 2


exercise.part("variance of one coin")(lambda p, delta, correlation: p * (1 - p) * per_variance(delta))
exercise.part("covariance")(lambda p, delta, correlation: correlation * p * (1 - p) * per_variance(delta))
exercise.part("p without 1 - p")(lambda p, delta, correlation: p * per_variance(delta))
exercise.part("correlation · p without 1 - p")(lambda p, delta, correlation: correlation * p * per_variance(delta))

exercise.slips(
    ("pairing forgotten", "The correlation has no part in it: 2 Cov(a, b) comes off the variance of the difference.",
     ("coin + coin - 2 * covariance", "coin + coin")),
    ("variance of one recommender", "The variance is that of one recommender: a difference has the variance of both.",
     ("coin + coin - 2 * covariance", "coin - covariance")),
    ("variance of one, covariance of both", "Var(a) is there and Var(b) is missing: a difference has both.",
     ("coin + coin - 2", "coin - 2")),
    ("covariance once", "The covariance comes off once: in the variance of a difference it stands twice.",
     ("2 * covariance", "covariance")),
    ("covariance added", "The covariance is added, as in the variance of a sum: in that of a difference it comes off.",
     ("coin + coin - 2", "coin + coin + 2")),
    ("covariance without the coin", "The covariance is the correlation itself: it should be correlation · p (1 - p).",
     ("correlation * coin", "correlation")),
    ("variance p", "The variance of a coin is taken to be p: it is p (1 - p).", ("p * (1 - p)", "p")),
    ("standard deviation for variance", "The root of p (1 - p) is a standard deviation: the variance is p (1 - p).",
     ("p * (1 - p)", "(p * (1 - p)).sqrt()")),
    ("covariance with a standard deviation", "Cov(a, b) is correlation · σ(a) · σ(b), and one σ is missing.",
     ("correlation * coin", "correlation * coin.sqrt()")),
    ("second coin at p + delta", "The second variance is that of p + delta: take p (1 - p) for both.",
     ("    variance", "    q = p + delta\n    other = q * (1 - q)\n    variance"),
     ("coin + coin - 2 * covariance", "coin + other - 2 * correlation * (coin * other).sqrt()")),
    ("power added", "1.96 + 0.84 asks for a power of 80 % as well: here the interval just has to reach zero.",
     ("1.96", "(1.96 + 0.84)")),
    ("odds for variance", "p / (1 - p) are the odds of a hit: the variance is p (1 - p).",
     ("p * (1 - p)", "p / (1 - p)")),
    ("correlation divided by the coin", "Cov(a, b) is correlation · p (1 - p): the correlation is the quotient.",
     ("correlation * coin", "correlation / coin")),
    ("divided by 1 - correlation", "It divides by 1 - correlation: the more alike the hits, the fewer people it takes.",
     ("coin + coin - 2 * covariance", "2 * coin / (1 - correlation)")),
    ("variance squared", "p (1 - p) is squared: it is a variance already.", ("p * (1 - p)", "(p * (1 - p)) ** 2")),
    ("not squared", "1.96 · √(variance / u) = delta has to be squared on both sides: here 1.96 / delta is not.",
     (") ** 2", ")")),
    ("1.96 not squared", "1.96 is not squared: the equation is squared on both sides.",
     ("(1.96 / delta) ** 2", "1.96 / delta**2")),
    ("delta not squared", "delta is not squared: half the difference needs four times as many people.",
     ("(1.96 / delta) ** 2", "1.96**2 / delta")),
    ("1.96 left out", "One standard deviation to each side holds 68 %: for 95 % it takes 1.96.",
     ("1.96 / delta", "1 / delta")),
    ("2 for 1.96", "It takes 2 standard deviations: the interval of 95 % has 1.96.", ("1.96", "2")),
    ("one side only", "1.645 leaves 5 % out on one side: an interval of 95 % with two ends takes 1.96.",
     ("1.96", "1.645")),
    ("99 percent", "2.576 belongs to 99 %: an interval of 95 % takes 1.96.", ("1.96", "2.576")),
    ("whole width", "The whole width of the interval is set to delta: zero is left out when half of it is.",
     ("1.96 / delta", "2 * 1.96 / delta")),
    ("1.96 / delta upside down", "delta / 1.96 stands for 1.96 / delta: a smaller difference needs more people.",
     ("1.96 / delta", "delta / 1.96")),
    ("doubled for squared", "1.96 / delta is doubled: it should be squared.",
     ("(1.96 / delta) ** 2", "1.96 / delta * 2")),
    ("delta doubled for squared", "delta is doubled: it should be squared.",
     ("(1.96 / delta) ** 2", "1.96**2 / (2 * delta)")),
    ("upside down", "delta and the variance have changed places: this is 1 / u.",
     ("variance * (1.96 / delta) ** 2", "(delta / 1.96) ** 2 / variance")),
    ("root of the number", "This is √u: square both sides of 1.96 · √(variance / u) = delta.",
     ("variance * (1.96 / delta) ** 2", "variance.clamp(min=0).sqrt() * 1.96 / delta")),
    ("rounded up", "The number is rounded up: asked for is u as the equation gives it.",
     ("return variance * (1.96 / delta) ** 2", "return (variance * (1.96 / delta) ** 2).ceil()")),
    ("correlation squared", "The correlation is squared: Cov(a, b) is correlation · p (1 - p).",
     ("correlation * coin", "correlation**2 * coin")),
)  # fmt: skip
