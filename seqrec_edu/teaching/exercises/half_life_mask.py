"""A past that fades with real time: half of an event's weight is left after a given number of days."""

import math

import torch

from seqrec_edu.teaching.definition import Exercise
from seqrec_edu.teaching.inputs import Argument, between


def gaps(draw, sizes):
    """Seconds since the event before, 0 at the first: some are 0, some a second, some days."""
    scale = 10 ** (6 * torch.rand(sizes["l"], generator=draw, dtype=torch.float64))
    found = (scale * torch.rand(sizes["l"], generator=draw, dtype=torch.float64)).round()
    found[-1] = 50_000 + 1000 * sizes["l"]
    found[0] = 0
    return found


exercise = Exercise(
    "half_life_mask",
    title="Half-lives",
    goal="Let the past fade with the clock instead of with the number of events.",
    notebook="07_time_aware_masks",
    minutes=10,
    difficulty="easy",
    points=3,
    arguments={"seconds": Argument("l", gaps), "half": between("", 0.5, 5)},
    result="l l",
    gradients=("seconds", "half"),
    own=("lens.time_scales", "lens.views", "ops._ssd"),
    hints=(
        "How much time lies between event s and event t? The gaps of events s+1 … t add up: a difference of running "
        "totals.",
        "After one half-life a half is left, after two a quarter: 2^(-days / half). A day has 86,400 seconds.",
        "A decay e^(-rate · seconds) is at 1/2 after half days if rate = ln 2 / (86,400 · half).",
        "Above the diagonal 2^(-days / half) grows without bound: put the exponent to -inf there, before the power.",
    ),
)


@exercise.solution
def half_life_mask(seconds, half):
    """L[t, s] = 2^(-d / half) for s ≤ t, where d are the days from event s to event t; 0 for s > t.

    seconds "l" (the gap before every event; 0 at the first), half a number of days  ->  L "l l", row t, column s,
    in the dtype of seconds
    """
    total = seconds.cumsum(0) / 86_400
    days = total[:, None] - total[None, :]
    future = torch.ones_like(days, dtype=torch.bool).triu(1)
    left = (-days / half).masked_fill(future, -torch.inf)
    return torch.exp2(left)


@exercise.alternative
def by_a_rate(seconds, half):
    rate = math.log(2) / (24 * 60 * 60 * half)
    clock = torch.cumsum(seconds, 0)
    apart = (clock.unsqueeze(1) - clock).clamp(min=0)
    return torch.exp(-rate * apart).tril()


@exercise.alternative
def row_by_row(seconds, half):
    keep = 0.5 ** (seconds / 86_400 / half)
    row, rows = torch.zeros_like(seconds), []
    for t in range(len(seconds)):
        row = row * keep[t] + (torch.arange(len(seconds)) == t)
        rows.append(row)
    return torch.stack(rows)


@exercise.alternative
def entry_by_entry(seconds, half):
    length = len(seconds)
    entries = []
    for t in range(length):
        for s in range(length):
            apart = seconds[s + 1 : t + 1].sum()
            entries.append(0.5 ** (apart / (half * 86_400)) if s <= t else 0 * apart)
    return torch.stack(entries).view(length, length)


@exercise.special("a half-life of minutes and gaps of months")
def forgetful(draw):
    gap = 5e6 + 5e6 * torch.rand(8, generator=draw, dtype=torch.float64)
    gap[0] = 0
    return {"seconds": gap, "half": torch.tensor(0.003, dtype=torch.float64)}


@exercise.special("two events in the same second")
def at_once(draw):
    return {"seconds": torch.tensor([0.0, 0.0, 86_400.0]).double(), "half": torch.tensor(1.0).double()}


LEFT = "left = (-days / half).masked_fill(future, -torch.inf)"
BOTH = LEFT + "\n    return torch.exp2(left)"
exercise.slips(
    ("half-life as time constant", "After half days e^-1 = 37 % is left, not a half: the base is 2, or the rate ln 2 "
     "/ half.",
     ("torch.exp2(left)", "torch.exp(left)")),
    ("ln 2 twice", "ln 2 comes in twice: with 2 as the base, the exponent is -days / half.",
     ("(-days / half)", "(-math.log(2) * days / half)")),
    ("divided by ln 2", "It is divided by ln 2: e^(-rate · d) is a half at d = half if rate = ln 2 / half.",
     ("(-days / half)", "(-days / half / math.log(2) ** 2)")),
    ("seconds for days", "half is compared with seconds: a day has 86,400 of them.", (" / 86_400", "")),
    ("hours for days", "The gaps are counted in hours: half is in days, of 86,400 seconds.", ("86_400", "3600")),
    ("minutes for days", "The gaps are counted in minutes: half is in days, of 86,400 seconds.", ("86_400", "60")),
    ("days multiplied", "The seconds are multiplied by 86,400: days are seconds / 86,400.", ("/ 86_400", "* 86_400")),
    ("rate for half-life", "The exponent is days · half: a longer half-life should leave more, days / half.",
     ("-days / half", "-days * half")),
    ("half-life upside down", "The exponent is half / days: twice the days should double it.",
     (BOTH,
      "left = (-half / days).masked_fill(days == 0, 0)\n    return torch.exp2(left.masked_fill(future, -torch.inf))")),
    ("a quarter after half days", "After half days a quarter is left: the exponent counts twice.",
     ("-days / half", "-2 * days / half")),
    ("half of half", "The half-life counts twice: after half days 1/√2 is left.", ("-days / half", "-days / half / 2")),
    ("half as the base", "half itself is raised to a power: the base is 1/2, and half divides the days.",
     (BOTH, "return (half**-days).masked_fill(future, 0)")),
    ("running sum missing", "Only the two events' own gaps are compared: the gaps between them have to be added up.",
     (".cumsum(0)", "")),
    ("own gap counted", "The sum begins at s instead of s+1: an event fades by the gap before it, so L[t, t] is not 1.",
     ("- total[None, :]", "- total[None, :] + seconds / 86_400")),
    ("decay shifted by one event", "The gaps of events s … t-1 are added up: those between s and t are s+1 … t.",
     ("days = total", "total = torch.cat([total[:1] * 0, total[:-1]])\n    days = total")),
    ("gap before t left out", "The gap before t is left out: between s and t lie the gaps of events s+1 … t.",
     ("- total[None, :]", "- seconds[:, None] / 86_400 - total"),
     (LEFT, "days = days.clamp(min=0)\n    " + LEFT)),
    ("neighbours only", "Only the event before is read: further back something is left as well, 2^(-d / half).",
     ("return torch.exp2(left)", "return torch.exp2(left).triu(-1)")),
    ("only the last gap", "Row t fades by the gap before t alone: for s further back, the gaps s+1 … t add up.",
     ("days = total[:, None] - total[None, :]",
      "days = (seconds / 86_400)[:, None].expand(-1, len(total))\n    days = days * torch.ones_like(days).tril(-1)")),
    ("counted from the first event", "The days are counted from the first event, not from s.",
     (" - total[None, :]", " - 0 * total")),
    ("mask transposed", "The mask is transposed: row t should read column s ≤ t, and here it reads s ≥ t.",
     ("total[:, None] - total[None, :]", "total[None, :] - total[:, None]"),
     (".triu(1)", ".tril(-1)")),
    ("diagonal left out", "The diagonal is 0: an event should have all of its own weight, L[t, t] = 1.",
     (".triu(1)", ".triu(0)")),
    ("events of the same second left out", "Where no time lies between two events there is 0: nothing has faded, so 1 "
     "belongs there.",
     ("(1)", "(1) | ((days == 0) & ~torch.eye(len(days), dtype=torch.bool))")),
    ("future read", "Above the diagonal stands a decay, not 0: event t reads events that come later.",
     (BOTH, "return torch.exp2(-days.abs() / half)")),
    ("no mask", "The upper triangle is not masked: where s > t the power is above 1 and grows.",
     (".masked_fill(future, -torch.inf)", "")),
    ("mask after the power, by a product", "The upper triangle is multiplied by 0 after the power: where that "
     "overflowed, ∞ · 0 is NaN.",
     (BOTH, "return torch.exp2(-days / half) * ~future")),
    ("masked with 0 before the power", "The exponent is set to 0 above the diagonal: 2^0 is 1, so every later event "
     "is read in full.",
     ("-torch.inf", "0.0")),
    ("power missing", "These are the exponents: the power of 2 is missing.",
     (BOTH, "return (-days / half).masked_fill(future, 0.0)")),
    ("power missing, without the sign", "These are half-lives, how many lie between s and t: what is left is 2^-that.",
     (BOTH, "return (days / half).masked_fill(future, 0.0)")),
    ("sign turned round", "The weight grows with the time between: the exponent is negative.", ("(-days", "(days")),
    ("what is lost", "This is what is lost, 1 - L: asked for is what is left.",
     ("return torch.exp2(left)", "return (1 - torch.exp2(left)).masked_fill(future, 0.0)")),
    ("fading along a line", "The weight falls along a line: it should halve again with every half-life.",
     (BOTH, "return (1 - days / half / 2).clamp(min=0).masked_fill(future, 0.0)")),
    ("whole half-lives", "Only whole half-lives count: the weight should fall in between as well.",
     ("-days / half", "-(days / half).floor()")),
    ("whole days", "Only whole days count: the weight should fall in between as well.",
     ("(-days /", "(-days.floor() /")),
    ("events instead of days", "The past fades with the number of events: the clock is not used.",
     ("total = seconds.cumsum(0) / 86_400", "total = torch.arange(len(seconds)).to(seconds)")),
)  # fmt: skip
