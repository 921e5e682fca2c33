"""The mask L of an SSD: what is left at event t of what event s wrote."""

import torch

from seqrec_edu.teaching.definition import Exercise
from seqrec_edu.teaching.inputs import between

exercise = Exercise(
    "decay_mask",
    title="The 1-semiseparable mask",
    goal="Turn decays per event into the matrix of what is left between any two events, without overflow.",
    notebook="04_duality",
    minutes=15,
    difficulty="medium",
    points=3,
    arguments={"log_a": between("b l h", -1.5, -0.05)},
    result="b h l l",
    gradients=("log_a",),
    own=("ops._ssd", "ops._selective_scan", "lens.views", "lens.matrix"),
    hints=(
        "L[t, s] is a product of decays over the events s+1 … t. A product is the exponential of a sum of logarithms.",
        "The sum over s+1 … t is a running total up to t less the running total up to s. On the diagonal it is 0.",
        "Above the diagonal, s > t, the difference is positive. Put it to -inf before the exponential, not after.",
        "masked_fill(future, -torch.inf) with future = ones(l, l).triu(1), then exp; h comes before the two axes l.",
    ),
)


@exercise.solution
def decay_mask(log_a):
    """L[t, s] = exp(log_a[s+1] + … + log_a[t]) for s < t, 1 for s = t, 0 for s > t. Long histories must not overflow.

    log_a "b l h" (negative: the logarithm of what an event lets the state keep)  ->  L "b h l l", row t, column s
    """
    total = log_a.transpose(1, 2).cumsum(2)
    between = total[:, :, :, None] - total[:, :, None, :]
    future = torch.ones(log_a.shape[1], log_a.shape[1], dtype=torch.bool).triu(1)
    return torch.exp(between.masked_fill(future, -torch.inf))


@exercise.alternative
def row_by_row(log_a):
    a = log_a.exp().transpose(1, 2)
    length = a.shape[2]
    row, rows = torch.zeros_like(a), []
    for t in range(length):
        here = torch.zeros(length, dtype=a.dtype)
        here[t] = 1
        row = row * a[:, :, t, None] + here
        rows.append(row)
    return torch.stack(rows, 2)


@exercise.alternative
def entry_by_entry(log_a):
    b, length, h = log_a.shape
    zero = log_a.new_zeros(b, h)
    entries = [log_a[:, s + 1 : t + 1].sum(1).exp() if s <= t else zero for t in range(length) for s in range(length)]
    return torch.stack(entries, -1).view(b, h, length, length)


@exercise.alternative
def harmless_above(log_a):
    total = torch.cumsum(log_a, 1).permute(0, 2, 1)
    past = torch.ones(log_a.shape[1], log_a.shape[1]).tril().bool()
    between = (total.unsqueeze(3) - total.unsqueeze(2)).where(past, 0.0)
    return between.exp() * past


@exercise.special("a decay that overflows above the diagonal")
def strong(draw):
    return {"log_a": -50 - 20 * torch.rand(1, 20, 1, generator=draw, dtype=torch.float64)}


exercise.slips(
    ("mask transposed", "The mask is transposed: row t should read column s ≤ t, and here it reads s ≥ t.",
     ("total[:, :, :, None] - total[:, :, None, :]", "total[:, :, None, :] - total[:, :, :, "
                                                     "None]"), (".triu(1)", ".tril(-1)")),
    ("decay shifted by one event", "The sum runs over s … t-1 instead of s+1 … t: the decays are those of the "
                                   "event before.",
     ("total = log_a.transpose(1, 2).cumsum(2)", "total = log_a.transpose(1, 2).cumsum(2).roll(1, 2)\n    "
                                                 "total[:, :, 0] = 0")),
    ("own decay counted", "The sum begins at s instead of s+1: an event fades by its own decay, so the diagonal "
                          "is not 1.",
     ("total[:, :, None, :]\n", "total[:, :, None, :] + log_a.transpose(1, 2)[:, :, None, :]\n")),
    ("diagonal left out", "The diagonal is 0: an event should have all of its own weight, L[t, t] = 1.",
     (".triu(1)", ".triu(0)")),
    ("future read", "Above the diagonal stands the decay, not 0: event t reads events that come later.",
     ("return torch.exp(between.masked_fill(future, -torch.inf))", "return torch.exp(-between.abs())")),
    ("no mask", "The upper triangle is not masked: where s > t the difference is positive and the exponential grows.",
     (".masked_fill(future, -torch.inf)", "")),
    ("mask after the exponential, by a product", "The upper triangle is multiplied by 0 after the exponential: "
                                                 "where that overflowed, ∞ · 0 is NaN.",
     ("torch.exp(between.masked_fill(future, -torch.inf))", "torch.exp(between) * ~future")),
    ("masked with 0 before the exponential", "The upper triangle is set to 0 before the exponential: exp(0) is "
                                             "1, so every later event is read in full.",
     ("-torch.inf", "0.0")),
    ("exponential missing", "These are the logarithms: the exponential is missing.",
     ("return torch.exp(between.masked_fill(future, -torch.inf))", "return between.masked_fill(future, 0.0)")),
    ("running sum missing", "Only the two events' own decays are compared: the running sum along l is missing.",
     (".cumsum(2)", "")),
    ("sum along the heads", "The running sum goes along h instead of l: the decays of different heads are added up.",
     (".cumsum(2)", ".cumsum(1)")),
    ("sign turned round", "The weight grows with the distance: log_a is negative already and needs no minus.",
     ("torch.exp(between.masked_fill(future, -torch.inf))", "torch.exp((-between).masked_fill(future, -torch.inf))")),
    ("logarithm taken again", "log_a is a logarithm already: its exponential is taken as if it were the decay's.",
     ("total = log_a.", "total = -log_a.exp().")),
    ("product to the first event", "The decay is counted from the first event, not from s: total up to t alone.",
     (" - total[:, :, None, :]", " - 0 * total[:, :, None, :]")),
    ("past masked instead of the future",
     "The mask lies on the wrong side: s < t is set to 0 and s > t is kept, where the exponential grows.",
     (".triu(1)", ".tril(-1)")),
)  # fmt: skip
