"""Histories turned round, the pads left where they are."""

import torch

from seqrec_edu.teaching.definition import Exercise
from seqrec_edu.teaching.inputs import lengths, normal

exercise = Exercise(
    "flip",
    title="Flip under padding",
    goal="Turn every history round by its own length, so that a backward scan meets events and not pads.",
    notebook="09_both_directions_and_gates",
    minutes=5,
    difficulty="easy",
    points=2,
    arguments={"x": normal("b l d"), "lengths": lengths("b", least=0)},
    result="b l d",
    gradients=("x",),
    own=("ops._flip_history", "layers.bidirectional"),
    hints=(
        "Which place of x does place t of the result come from? The answer differs for events and for pads.",
        "Events: place lengths - 1 - t. Pads: place t, they stay.",
        "torch.where(t < n, n - 1 - t, t) with t of shape l and n of shape b 1 is a table b l of places.",
        "x[torch.arange(len(x))[:, None], table] picks row by row.",
    ),
)


@exercise.solution
def flip(x, lengths):
    """Every history newest event first; the pads after its lengths[b] events stay where they are.

    x "b l d", lengths "b" (whole numbers from 0 to l)  ->  y "b l d"
    """
    t = torch.arange(x.shape[1])
    n = lengths[:, None]
    source = torch.where(t < n, n - 1 - t, t)
    row = torch.arange(x.shape[0])[:, None]
    return x[row, source]


@exercise.alternative
def row_by_row(x, lengths):
    return torch.stack([torch.cat([row[:n].flip(0), row[n:]]) for row, n in zip(x, lengths.tolist())])  # noqa: B905


@exercise.alternative
def by_gather(x, lengths):
    t = torch.arange(x.shape[1]).expand(x.shape[:2])
    place = lengths[:, None] - 1 - t
    place = torch.where(place >= 0, place, t)
    return x.gather(1, place[..., None].expand_as(x))


@exercise.alternative
def by_permutation_matrix(x, lengths):
    t = torch.arange(x.shape[1])
    event = t < lengths[:, None]
    mirrored = (t[:, None] + t == lengths[:, None, None] - 1) & event[:, :, None]
    stays = (t[:, None] == t) & ~event[:, :, None]
    return (mirrored | stays).to(x.dtype) @ x


exercise.slips(
    ("pads moved to the front", "The whole row is turned round: the pads stand in front now, and the events at "
                                "the end.",
     ("n = lengths[:, None]", "n = torch.full_like(lengths, x.shape[1])[:, None]")),
    ("one event late", "The places are counted from lengths - t: the first result is the first pad, not the "
                       "newest event.",
     ("n - 1 - t, t)", "(n - t).clamp(max=x.shape[1] - 1), t)")),
    ("pads turned round", "The pads are turned round among themselves; they should stay where they are.",
     ("n - 1 - t, t)", "n - 1 - t, x.shape[1] - 1 - t + n)")),
    ("pads filled with events", "At the pads stands the first event; what was there should stay.",
     ("n - 1 - t, t)", "n - 1 - t, torch.zeros_like(t))")),
    ("pads set to 0", "The pads are set to 0; what was there should stay.",
     ("return x[row, source]", "return x[row, source] * (t < n)[..., None]")),
    ("one length for all rows", "All rows are turned round by the length of the first: every row has its own.",
     ("lengths[:, None]", "lengths[:1, None]")),
    ("the longest length for all rows", "All rows are turned round by the longest length: every row has its own.",
     ("lengths[:, None]", "lengths.max().expand_as(lengths)[:, None]")),
    ("last event left out", "The newest event stays at its place: it should come to the front.",
     ("t < n, n - 1 - t, t", "t < n - 1, n - 2 - t, t")),
    ("pad taken along", "The first pad is turned round with the events.",
     ("torch.where(t < n, n - 1 - t, t)", "torch.where(t < (n + 1).clamp(max=x.shape[1]), (n + "
                                          "1).clamp(max=x.shape[1]) - 1 - t, t)")),
    ("not turned round", "Nothing is turned round: the result is x.", ("return x[row, source]", "return x.clone()")),
    ("turned round along d", "The channels are turned round, not the events: time is axis l.",
     ("return x[row, source]", "return x.flip(2)")),
    ("right-aligned", "The events are pushed to the end of the row in their old order: that is left padding, "
                      "not a flip.",
     ("torch.where(t < n, n - 1 - t, t)", "(t + n) % x.shape[1]")),
)  # fmt: skip
