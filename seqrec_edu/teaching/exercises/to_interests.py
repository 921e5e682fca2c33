"""From weights that are shares over the positions to weights that are shares over the interests."""

import torch

from seqrec_edu.teaching.definition import Exercise
from seqrec_edu.teaching.inputs import Argument, positive


def shares_of_positions(draw, sizes):
    """Every interest shares itself out over the events: columns sum to 1."""
    return torch.randn(sizes["l"], sizes["r"], generator=draw, dtype=torch.float64).softmax(0)


exercise = Exercise(
    "to_interests",
    title="From one axis to the other",
    goal="Recover the softmax over interests from the softmax over positions and its column sums.",
    notebook="06_low_rank_attention",
    minutes=10,
    difficulty="easy",
    points=2,
    arguments={"W": Argument("l r", shares_of_positions), "c": positive("r")},
    result="l r",
    gradients=("W", "c"),
    own=("ops._low_rank_attention", "layers.low_rank_attention"),
    sizes={"r": 3},
    hints=(
        "A softmax is an exponential divided by a sum. Which sum was it here, and how do you undo the division?",
        "W = exp(S) / c, column by column, so W · c is exp(S): c has the axis r and spreads over l.",
        "Then every event shares itself out over the interests: divide each row by its sum over r, keepdim=True.",
    ),
)


@exercise.solution
def to_interests(W, c):
    """W[t, r] = exp(S[t, r]) / c[r] with c[r] = Σₜ exp(S[t, r]). Find exp(S[t, r]) / Σᵣ exp(S[t, r]), without S.

    W "l r" (columns sum to 1), c "r" (positive)  ->  "l r" (rows sum to 1)
    """
    raised = W * c
    total = raised.sum(dim=1, keepdim=True)
    return raised / total


@exercise.alternative
def by_logarithms(W, c):
    return (torch.log(W) + torch.log(c)[None, :]).softmax(1)


@exercise.alternative
def event_by_event(W, c):
    rows = []
    for row in W:
        raised = row * c
        rows.append(raised / raised.sum())
    return torch.stack(rows)


@exercise.alternative
def by_matrices(W, c):
    return torch.diag(1 / (W @ c)) @ W @ torch.diag(c)


@exercise.special("one interest that is a million times as loud as the others")
def loud(draw):
    c = 0.5 + torch.rand(3, generator=draw, dtype=torch.float64)
    c[1] = 1e6
    return {"W": shares_of_positions(draw, {"l": 4, "r": 3}), "c": c}


exercise.slips(
    ("c left out", "Rows sum to 1, but the interests' sizes are lost: W was divided by c column by column, so "
                   "multiply by c first.",
     ("W * c", "W")),
    ("divided by c", "W is divided by c once more. It was divided by it already: multiply, to undo it.",
     ("W * c", "W / c")),
    ("columns instead of rows", "The sum runs over l, which gives W back: columns sum to 1. It belongs over r, "
                                "axis 1, so that rows do.",
     ("sum(dim=1", "sum(dim=0")),
    ("not divided", "This is exp(S): rows do not sum to 1. Divide each by its sum over r.",
     ("raised / total", "raised")),
    ("one sum for all", "Everything is divided by one sum over l and r: each event has a sum of its own.",
     ("raised.sum(dim=1, keepdim=True)", "raised.sum()")),
    ("softmax of what is exponential already", "W · c is exp(S) already; softmax takes the exponential once more. "
                                               "Divide by the row's sum.",
     ("raised / total", "raised.softmax(1)")),
    ("softmax of the shares", "This is the softmax of W itself: W holds shares, not scores, and c is not used.",
     ("raised / total", "W.softmax(1)")),
    ("sums without c", "Each row is divided by the sum of W over r, before c came in: rows do not sum to 1. Divide "
                       "by the sum of W · c.",
     ("raised.sum(dim=1", "W.sum(dim=1")),
    ("logarithm in the place of a factor", "W is multiplied by log c. It is log W that c enters as log c, and there "
                                           "it is added.",
     ("W * c", "W * torch.log(c)")),
    ("c added", "c is added to W: it was divided by c, so it must be multiplied.", ("W * c", "W + c")),
    ("logarithms not undone", "These are the scores S, up to rounding: log W + log c. The softmax over r is missing.",
     ("raised / total", "torch.log(raised)")),
    ("the same for all events", "Every event gets the shares of c: W, which differs between events, is not used.",
     ("W * c", "c.expand_as(W)")),
    ("divided by the largest", "Each row is divided by its largest entry instead of by its sum.",
     ("raised.sum(dim=1, keepdim=True)", "raised.amax(1, keepdim=True)")),
    ("divided by the mean", "Each row is divided by its mean, so rows sum to r instead of 1.",
     ("raised.sum(dim=1", "raised.mean(dim=1")),
)  # fmt: skip
