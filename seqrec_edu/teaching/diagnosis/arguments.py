"""Whose result would it be? The solution's, had one argument been another.

If the learner's results equal those of the right solution with B and C exchanged, then B and C are exchanged.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from seqrec_edu.teaching.attempt import Attempt, Finding
from seqrec_edu.teaching.inputs import Argument

Change = Callable[[Tensor], Tensor]

VALUES: tuple[tuple[str, str, Change], ...] = (
    ("{a} left out", "{a} is left out: the result is what comes out with 1 in its place.", torch.ones_like),
    ("{a} taken as 0", "{a} has no effect: the result is what comes out with 0 in its place.", torch.zeros_like),
    ("sign of {a}", "The sign of {a} is turned round.", torch.neg),
    ("exp of {a}", "{a} went through an exponential once more than it should.", torch.exp),
    ("softplus of {a}", "{a} went through softplus once more than it should.", F.softplus),
    ("size of {a} only", "The sign of {a} is lost.", torch.abs),
    ("{a} squared", "{a} comes in twice: it is multiplied with itself.", torch.square),
    ("root of {a}", "A square root of {a} is taken.", lambda v: v.clamp(min=0).sqrt()),
    ("divided by {a}", "It divides by {a} instead of multiplying, or the other way.", torch.reciprocal),
    ("{a} doubled", "{a} counts twice.", lambda v: 2 * v),
    ("{a} halved", "{a} counts half.", lambda v: v / 2),
    ("{a} plus 1", "1 too much is added to {a}.", lambda v: v + 1),
    ("{a} minus 1", "1 too much is taken from {a}.", lambda v: v - 1),
)
ALONG: tuple[tuple[str, str, Callable[[Tensor, int], Tensor]], ...] = (
    ("{a} of the event before", "At every event it uses {a} of the event before, and nothing at the first.",
     lambda v, i: _shifted(v, i, 1, 0)),
    ("{a} of the event before", "At every event it uses {a} of the event "
                                "before.", lambda v, i: _shifted(v, i, 1, None)),
    ("{a} of the event before", "At every event it uses {a} of the event before; the first takes that of the last.",
     lambda v, i: v.roll(1, i)),
    ("{a} of the next event", "At every event it uses {a} of the next event, and nothing at the last.",
     lambda v, i: _shifted(v, i, -1, 0)),
    ("{a} of the next event", "At every event it uses {a} of the next event.", lambda v, i: _shifted(v, i, -1, None)),
    ("{a} of the next event", "At every event it uses {a} of the next event; the last takes that of the first.",
     lambda v, i: v.roll(-1, i)),
    ("first event without {a}", "The first event has no part in {a}.", lambda v, i: _without(v, i, 0)),
    ("last event without {a}", "The last event has no part in {a}.", lambda v, i: _without(v, i, -1)),
    ("{a} summed up along l", "{a} is summed up along l once more than it should.", lambda v, i: v.cumsum(i)),
)  # fmt: skip
ANY_AXIS: tuple[tuple[str, str, Callable[[Tensor, int], Tensor]], ...] = (
    ("{a} backwards along {x}", "{a} is read backwards along {x}.", lambda v, i: v.flip(i)),
    ("one {x} for all in {a}", "It uses {a} of the first place of axis {x} for all of "
                               "them.", lambda v, i: _only(v, i, 0)),
    ("one {x} for all in {a}", "It uses {a} of the last place of axis {x} for all of "
                               "them.", lambda v, i: _only(v, i, -1)),
    ("one {x} for all in {a}", "It uses {a} of the second place of axis {x} for all of "
                               "them.", lambda v, i: _only(v, i, min(1, v.shape[i] - 1))),
    ("{a} averaged over {x}", "{a} is averaged over {x}.", lambda v, i: v.mean(i, keepdim=True).expand_as(v)),
    ("{a} added up over {x}", "{a} is added up over {x}.", lambda v, i: v.sum(i, keepdim=True).expand_as(v)),
    ("{a} of the neighbour in {x}", "It uses {a} of the neighbouring place along {x}.", lambda v, i: v.roll(1, i)),
    ("{a} of the neighbour in {x}", "It uses {a} of the neighbouring place along {x}.", lambda v, i: v.roll(-1, i)),
)  # fmt: skip
MASKS: tuple[tuple[str, str, Change], ...] = (
    ("pads counted", "The pads are treated as events: {a} has no effect.", torch.ones_like),
    ("{a} inverted", "{a} is the wrong way round: True stands at real events.", torch.logical_not),
    ("{a} one event short", "The last real event of every history is taken for a "
                            "pad.", lambda v: v & v.roll(-1, 1) & _before_end(v)),
    ("{a} one event long", "The first pad of every history is taken for an "
                           "event.", lambda v: v | _shifted(v, 1, 1, False)),
    ("{a} of another row", "The rows of {a} are exchanged.", lambda v: v.flip(0)),
    ("{a} taken for none", "Everything is treated as a pad.", torch.zeros_like),
    ("{a} of one row for all", "It uses {a} of one row of the batch for all.", lambda v: v[:1].expand_as(v)),
    ("{a} of one row for all", "It uses {a} of one row of the batch for all.", lambda v: v[-1:].expand_as(v)),
)  # fmt: skip
WHOLE: tuple[tuple[str, str, Change], ...] = (
    ("{a} one too many", "It counts one more than {a}.", lambda v: v + 1),
    ("{a} one too few", "It counts one less than {a}.", lambda v: v - 1),
    ("{a} of one row for all", "It uses {a} of the first row for all.", lambda v: v[:1].expand_as(v).clone()),
    ("{a} of another row", "It uses {a} of the neighbouring row.", lambda v: v.roll(1, 0)),
)  # fmt: skip


def one_changed(attempt: Attempt) -> Finding | None:
    """An argument that is left out, turned round, shifted, shared between heads and the like."""
    for name, argument in attempt.task.arguments.items():
        for title, sentence, change in changes(argument):

            def solved(at: int, name=name, change=change):
                case = attempt.cases[at]
                try:
                    return attempt.solve(case, case.fresh() | {name: change(case.fresh()[name])})
                except (RuntimeError, IndexError):
                    return None

            if attempt.everywhere(solved):
                case = attempt.cases[attempt.failing[0]]
                return Finding("mistake", title.format(a=name), sentence.format(a=name), "experiment", case)
    return None


def changes(argument: Argument) -> Iterator[tuple[str, str, Change]]:
    """What may have happened to an argument of this kind and these axes."""
    if argument.kind == "mask":
        yield from MASKS
    elif argument.kind in ("lengths", "whole"):
        yield from WHOLE
        if argument.kind == "lengths":
            yield (
                "pads counted",
                "The pads are treated as events: {a} has no effect.",
                lambda v: torch.full_like(v, v.max()),
            )
    else:
        yield from VALUES
        for axis, letter in enumerate(argument.letters):
            for title, sentence, change in (*(ALONG if letter == "l" else ()), *ANY_AXIS):
                yield title.replace("{x}", letter), sentence.replace("{x}", letter), lambda v, c=change, i=axis: c(v, i)


def two_exchanged(attempt: Attempt) -> Finding | None:
    """Two arguments with the same axes exchanged, or one of them used for both."""
    pairs = [
        (a, b)
        for (a, one), (b, other) in itertools.combinations(attempt.task.arguments.items(), 2)
        if one.axes == other.axes and one.kind == other.kind
    ]
    for a, b in pairs:
        for title, sentence, change in (
            (f"{a} and {b} exchanged", f"{a} and {b} are exchanged.", lambda v, a=a, b=b: {a: v[b], b: v[a]}),
            (f"{a} used for {b}", f"{a} stands where {b} belongs.", lambda v, a=a, b=b: {b: v[a]}),
            (f"{b} used for {a}", f"{b} stands where {a} belongs.", lambda v, a=a, b=b: {a: v[b]}),
        ):

            def solved(at: int, change=change):
                values = attempt.cases[at].fresh()
                return attempt.solve(attempt.cases[at], values | change(values))

            if attempt.everywhere(solved):
                return Finding("mistake", title, sentence, "experiment", attempt.cases[attempt.failing[0]])
    return None


def _shifted(value: Tensor, axis: int, by: int, fill: float | None) -> Tensor:
    """Moved along an axis; what comes in is ``fill``, or the end repeated."""
    moved, size = value.roll(by, axis), value.shape[axis]
    at = 0 if by > 0 else size - 1
    end = value.select(axis, at) if fill is None else torch.full_like(value.select(axis, at), fill)
    return torch.cat([end.unsqueeze(axis), moved.narrow(axis, 1, size - 1)] if by > 0
                     else [moved.narrow(axis, 0, size - 1), end.unsqueeze(axis)], axis)  # fmt: skip


def _without(value: Tensor, axis: int, at: int) -> Tensor:
    found = value.clone()
    found.select(axis, at).zero_()
    return found


def _only(value: Tensor, axis: int, at: int) -> Tensor:
    return value.select(axis, at).unsqueeze(axis).expand_as(value).clone()


def _before_end(value: Tensor) -> Tensor:
    found = torch.ones_like(value)
    found[:, -1] = False
    return found
