"""What would make the result right? One change of it: turned round, moved by one event, multiplied by a constant."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from seqrec_edu.teaching.attempt import Attempt, Finding
from seqrec_edu.teaching.compare import named, same
from seqrec_edu.teaching.inputs import Case

Change = Callable[[Tensor], Tensor]

VALUES: tuple[tuple[str, str, Change], ...] = (
    ("sign of the result", "The result has the wrong sign throughout.", torch.neg),
    ("result is 0", "The result is 0 throughout.", torch.zeros_like),
    ("result is 1", "The result is 1 throughout.", torch.ones_like),
    ("reciprocal of the result", "The result is 1 divided by what is asked for.", torch.reciprocal),
    ("exponential of the result", "An exponential too many: the result is exp of what is asked for.", torch.exp),
    ("logarithm of the result", "The result is the logarithm of what is asked for: an exponential is "
                                "missing.", torch.log),
    ("square of the result", "The result is the square of what is asked for: a root is missing.", torch.square),
    ("root of the result", "The result is the root of what is asked for.", torch.sqrt),
    ("size of the result only", "The signs of the result are lost.", torch.abs),
    ("negative part cut off", "What is below 0 in the result is cut off.", lambda v: v.clamp(min=0)),
    ("one minus the result", "The result is 1 minus what is asked for.", lambda v: 1 - v),
)  # fmt: skip
ALONG: tuple[tuple[str, str, Callable[[Tensor, int], Tensor]], ...] = (
    ("backwards along {x}", "The result stands backwards along {x}.", lambda v, i: v.flip(i)),
    ("one {x} late", "Along {x} the result comes one place late: place 1 holds what belongs to place 0, and "
                     "place 0 holds 0.",
     lambda v, i: _moved(v, i, 1)),
    ("one {x} early", "Along {x} the result comes one place early: place 0 holds what belongs to place 1, and "
                      "the last holds 0.",
     lambda v, i: _moved(v, i, -1)),
    ("moved round along {x}", "Along {x} the result is moved by one place, and the last has come round to the front.",
     lambda v, i: v.roll(1, i)),
    ("moved round along {x}", "Along {x} the result is moved by one place, and the first has come round to the end.",
     lambda v, i: v.roll(-1, i)),
    ("summed up along {x}", "The result is summed up along {x} once too often.", lambda v, i: v.cumsum(i)),
    ("difference along {x}", "The result is the difference from the place before along {x}: a running sum is missing.",
     lambda v, i: torch.diff(v, dim=i, prepend=torch.zeros_like(v.narrow(i, 0, 1)))),
    ("added up over {x}", "The result is added up over {x}.", lambda v, i: v.sum(i, keepdim=True).expand_as(v)),
    ("averaged over {x}", "The result is averaged over {x}.", lambda v, i: v.mean(i, keepdim=True).expand_as(v)),
    ("normalised over {x}", "The result is normalised over {x}, and should not be.",
     lambda v, i: v / v.sum(i, keepdim=True)),
    ("one {x} for all", "The first place of {x} stands in all of them.", lambda v, i: v.narrow(i, 0, 1).expand_as(v)),
    ("one {x} for all", "The last place of {x} stands in all of them.",
     lambda v, i: v.narrow(i, v.shape[i] - 1, 1).expand_as(v)),
    ("first {x} is 0", "The first place of {x} is 0.",
     lambda v, i: torch.cat([torch.zeros_like(v.narrow(i, 0, 1)), v.narrow(i, 1, v.shape[i] - 1)], i)),
    ("last {x} is 0", "The last place of {x} is 0.",
     lambda v, i: torch.cat([v.narrow(i, 0, v.shape[i] - 1), torch.zeros_like(v.narrow(i, 0, 1))], i)),
)  # fmt: skip


def one_changed(attempt: Attempt) -> Finding | None:
    """The learner's results are the right ones, changed in one way."""
    case = attempt.cases[attempt.failing[0]]
    for title, sentence, change in _changes(attempt):
        if attempt.everywhere(lambda at, change=change: change(attempt.wanted[at])):
            return Finding("mistake", title, sentence, "experiment", case)
    return _constant(attempt) or _only_one(attempt)


def _changes(attempt: Attempt) -> Iterator[tuple[str, str, Callable]]:
    for title, sentence, change in VALUES:
        yield (
            title,
            sentence,
            lambda want, change=change: tuple(change(_numbers(each)) for each in want),
        )
    if len(attempt.task.results) > 1:
        count = len(attempt.task.results)
        if count == 2:
            yield "results exchanged", "The two results come in the wrong order.", lambda want: want[::-1]
        return
    letters = attempt.task.results[0].split()
    for axis, letter in enumerate(named(letters)):
        for title, sentence, change in ALONG:
            yield (
                title.format(x=letter),
                sentence.format(x=letter),
                lambda want, c=change, i=axis: (c(_numbers(want[0]), i),),
            )
    if letters.count("l") == 2:
        one, other = (i for i, letter in enumerate(letters) if letter == "l")
        sentence = "The matrix is transposed: rows t and columns s are exchanged."
        yield "transposed", sentence, lambda want: (want[0].transpose(one, other),)


def _numbers(value: Tensor) -> Tensor:
    """A result that can be averaged and divided, also where it counts."""
    return value if value.is_complex() else value.double()


def _constant(attempt: Attempt) -> Finding | None:
    """Off by a constant factor, by one that follows the size of an axis, or by a constant sum."""
    case = attempt.cases[attempt.failing[0]]
    ratios = [_ratio(attempt, at) for at in range(len(attempt.got))]
    known = [(ratio, attempt.cases[at]) for at, ratio in enumerate(ratios) if ratio is not None]
    if known and len(known) >= len([at for at in range(len(ratios)) if bool((attempt.wanted[at][0] != 0).any())]):
        first = known[0][0]
        if all(abs(ratio - first) <= 1e-4 * abs(first) for ratio, _ in known):
            sentence = f"The result is {first:.4g} times what is asked for, everywhere."
            return Finding("mistake", "a constant factor", sentence, "experiment", case)
        return _by_size(known, case)
    return _offset(attempt, case)


def _by_size(known: list[tuple[float, Case]], case: Case) -> Finding | None:
    for letter in case.sizes:
        for power, words in ((1, "{x} times"), (-1, "1/{x} of"), (0.5, "√{x} times"), (-0.5, "1/√{x} of")):
            if all(abs(ratio - at.sizes.get(letter, math.nan) ** power) <= 1e-4 * ratio for ratio, at in known):
                name = f"a factor of the size of {letter}"
                sentence = (
                    f"The result is {words.format(x=letter)} what is asked for, where {letter} is the size of "
                    "that axis: sum or mean, scaled or not?"
                )
                return Finding("mistake", name, sentence, "experiment", case)
    return None


def _ratio(attempt: Attempt, at: int) -> float | None:
    got, want = attempt.got[at][0], attempt.wanted[at][0]
    if got.is_complex() or want.is_complex() or len(attempt.task.results) > 1:
        return None
    total = float((want.double() ** 2).sum())
    if total == 0:
        return None
    ratio = float((got.double() * want.double()).sum()) / total
    return ratio if ratio and math.isfinite(ratio) and attempt.same(at, (ratio * want.double(),)) else None


def _offset(attempt: Attempt, case: Case) -> Finding | None:
    if (
        any(got is None or got[0].is_complex() or not got[0].numel() for got in attempt.got)
        or len(attempt.task.results) > 1
    ):
        return None
    offset = (attempt.got[attempt.failing[0]][0].double() - attempt.wanted[attempt.failing[0]][0].double()).flatten()[0]
    if bool(offset.isfinite()) and attempt.everywhere(lambda at: (attempt.wanted[at][0].double() + offset,)):
        sentence = f"The result is {float(offset):+.4g} off, everywhere."
        return Finding("mistake", "a constant added", sentence, "experiment", case)
    return None


def _only_one(attempt: Attempt) -> Finding | None:
    """Of several results, one is right."""
    if len(attempt.task.results) < 2:
        return None
    right = [
        all(_one_right(attempt, at, index) for at in range(len(attempt.got)))
        for index in range(len(attempt.task.results))
    ]
    if sum(right) != len(right) - 1:
        return None
    wrong = right.index(False)
    axes = attempt.task.results[wrong]
    sentence = f'Of the {len(right)} results only number {wrong + 1}, "{axes}", is wrong.'
    return Finding("mistake", f"result {wrong + 1} only", sentence, "place", attempt.cases[attempt.failing[0]])


def _one_right(attempt: Attempt, at: int, index: int) -> bool:
    """Whether one of several results is right in a case."""
    one, other = attempt.got[at][index : index + 1], attempt.wanted[at][index : index + 1]
    return same(one, other, attempt.cases[at].single, attempt.task.tolerance)


def with_an_argument(attempt: Attempt) -> Finding | None:
    """The result times, divided by, plus or minus one of the arguments, or simply that argument."""
    if len(attempt.task.results) > 1:
        return None
    axes = attempt.task.results[0].split()
    for name, argument in attempt.task.arguments.items():
        if argument.kind != "number" or not set(argument.letters) <= set(axes) or len(set(axes)) < len(axes):
            continue
        for title, sentence, join in (
            (f"only {name}", f"The result is nothing but {name}.", lambda y, a: a + 0 * y),
            (f"{name} multiplied once too often", f"The result is multiplied by {name} once too often.",
             lambda y, a: y * a),
            (f"{name} not multiplied", f"The result should be multiplied by {name} once more.", lambda y, a: y / a),
            (f"{name} added", f"{name} is added to the result, and should not be.", lambda y, a: y + a),
            (f"{name} not added", f"{name} is missing from the result, as a sum.", lambda y, a: y - a),
        ):  # fmt: skip

            def joined(at: int, name=name, join=join, letters=argument.letters):
                value = attempt.cases[at].values[name].double()
                return (join(attempt.wanted[at][0], _spread(value, letters, axes)),)

            if attempt.everywhere(joined):
                return Finding("mistake", title, sentence, "experiment", attempt.cases[attempt.failing[0]])
    return None


def _spread(value: Tensor, letters: tuple[str, ...], axes: list[str]) -> Tensor:
    """An argument with axes of size 1 where the result has others."""
    order = sorted(range(len(letters)), key=lambda i: axes.index(letters[i]))
    sizes = dict(zip(letters, value.shape, strict=True))
    return value.permute(order).reshape([sizes.get(letter, 1) for letter in axes])


def _moved(value: Tensor, axis: int, by: int) -> Tensor:
    size, empty = value.shape[axis], torch.zeros_like(value.narrow(axis, 0, 1))
    kept = value.narrow(axis, 0 if by > 0 else 1, size - 1)
    return torch.cat([empty, kept] if by > 0 else [kept, empty], axis)
