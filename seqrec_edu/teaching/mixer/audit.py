"""What a mixer reads, found by changing its input and looking where the output changes: no line of it is trusted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from seqrec_edu.teaching.mixer.recommender import WIDTH, Numbers

EVENTS, PADS = 9, 3
SAME = 1e-4  # of the largest output: single precision, sums in another order
JITTER = 0.1  # added to every parameter: a weight that begins at zero would hide what it reads
FORM, CAUSAL, PADDING, MIXES = "form", "causality", "padding", "mixing"


@dataclass(frozen=True)
class Fault:
    """What an experiment found: the part of the score that it costs, a short name, and a sentence."""

    part: str
    name: str
    sentence: str


@dataclass(frozen=True)
class Histories:
    """Inputs of a mixer: x "b l d", times "b l" in seconds, mask "b l"."""

    x: Tensor
    times: Tensor
    mask: Tensor

    def __iter__(self):
        return iter((self.x, self.times, self.mask))


def jittered(parameters: Numbers, seed: int) -> Numbers:
    """The parameters with a little noise on each."""
    draw = torch.Generator().manual_seed(seed % 2**63)
    return {name: value + JITTER * torch.randn(value.shape, generator=draw) for name, value in parameters.items()}


def histories(seed: int, lengths: list[int], pads: int = 0) -> Histories:
    """Made-up histories of these lengths with gaps of minutes and of days; noise at the pads as well."""
    draw = torch.Generator().manual_seed(seed % 2**63)
    l = max(lengths) + pads
    gaps = torch.where(torch.rand(len(lengths), l, generator=draw) < 0.5, 200, 100_000)
    gaps = (gaps * (0.5 + torch.rand(len(lengths), l, generator=draw))).long()
    mask = torch.arange(l) < torch.tensor(lengths)[:, None]
    return Histories(torch.randn(len(lengths), l, WIDTH, generator=draw), 1_600_000_000 + gaps.cumsum(1), mask)


def audit(mix: Callable, parameters: Numbers, seed: int) -> list[Fault]:
    """Faults of a mixer with these parameters; where one spoils further experiments, that alone.

    Raises what the mixer raises.
    """

    def run(given: Histories) -> Tensor:
        with torch.no_grad():
            return mix("mix", parameters, *given, False)

    given = histories(seed, [EVENTS] * 4)
    if fault := _form(run, given):
        return [fault]
    if fault := _reads_others(run, given):  # the next experiments put several of them into one batch
        return [fault]
    ahead, before = _reads(run, seed)
    faults = [_reads_ahead(ahead)] if ahead else [] if before else [DOES_NOT_MIX]
    return faults + ([fault] if (fault := _reads_pads(run, seed)) else [])


def _form(run: Callable, given: Histories) -> Fault | None:
    before = [value.clone() for value in given]
    y = run(given)
    if not all(torch.equal(old, new) for old, new in zip(before, given, strict=True)):
        sentence = "It overwrites one of its arguments: work on a copy, x = x + … instead of x += …."
        return Fault(FORM, "argument changed in place", sentence)
    if not isinstance(y, Tensor):
        return Fault(FORM, "no tensor", f'forward returned {type(y).__name__}, expected a tensor "b l d".')
    if y.shape != given.x.shape or y.dtype != given.x.dtype:
        got, wanted = (f"{tuple(v.shape)} of {v.dtype}" for v in (y, given.x))
        return Fault(FORM, "shape", f'forward returned {got} for x "b l d" {wanted}; it must be of the same kind.')
    if not torch.isfinite(y).all():
        return Fault(FORM, "not finite", "An output is infinite or no number, and every input is finite.")
    if not same(y, run(given)).all():
        sentence = "The same input gives another output at the next call, with training switched off."
        return Fault(FORM, "random", sentence)
    return None


def same(y: Tensor, other: Tensor) -> Tensor:
    """Where two outputs "… d" are alike, over "d"."""
    return (y - other).abs().amax(-1) <= SAME * y.abs().max().clamp(min=1e-6)


def _reads(run: Callable, seed: int) -> tuple[dict, set]:
    """Event t reads the item or the time of event s: pairs (t, s) with s > t, each with what is read; and with s < t.

    Row s of the batch has event s changed, so one call shows everything.
    """
    one = histories(seed + 1, [EVENTS])
    x, times, mask = (value.expand(EVENTS, *value.shape[1:]).clone() for value in one)
    plain, at = run(Histories(x, times, mask)), torch.arange(EVENTS)
    other_x, later = x.clone(), times + 500_000 * (at[None, :] >= at[:, None])
    other_x[at, at] += 3 * torch.randn(EVENTS, WIDTH, generator=torch.Generator().manual_seed(seed % 2**63))
    ahead, before = {}, set()
    for what, changed in (("item", Histories(other_x, times, mask)), ("time", Histories(x, later, mask))):
        for s, t in (~same(plain, run(changed))).nonzero().tolist():
            if s > t:
                ahead.setdefault((t, s), what)
            elif s < t or what == "time":
                before.add((t, s))
    return ahead, before


def _reads_ahead(ahead: dict) -> Fault:
    t, s = min(ahead, key=lambda pair: (pair[1] - pair[0], pair))
    furthest = max(s - t for t, s in ahead)
    reach = "no further than one event ahead" if furthest == 1 else f"up to {furthest} events ahead"
    return Fault(
        CAUSAL, "future read",
        f"The output at event {t} changes with the {ahead[t, s]} of event {s}: it reads what comes later, {reach} "
        f"(of {EVENTS} events, counted from 0). Asked for the next item it would have seen it.",
    )  # fmt: skip


DOES_NOT_MIX = Fault(
    MIXES, "does not mix",
    "No output depends on an earlier event or on the time that has passed: nothing is mixed, so nothing is scored.",
)  # fmt: skip


def _reads_others(run: Callable, given: Histories) -> Fault | None:
    """Do the first and the last history of a batch feel those between them?"""
    x = given.x.clone()
    x[1:-1] = x[1:-1].flip(1) * 2 + 1
    if same(run(given)[[0, -1]], run(Histories(x, given.times, given.mask))[[0, -1]]).all():
        return None
    return Fault(CAUSAL, "histories mixed", "The output of one history changes with the others of the batch b.")


def _reads_pads(run: Callable, seed: int) -> Fault | None:
    """Do outputs at events feel what stands at the pads, or how many there are? Empty histories must stay finite."""
    lengths = [EVENTS, 4, 1, 0]
    given = histories(seed + 2, lengths, PADS)
    inside = given.mask[..., None]
    other = Histories(torch.where(inside, given.x, 7.0), torch.where(given.mask, given.times, 0), given.mask)
    y = run(given)
    if not torch.isfinite(y).all():
        return Fault(PADDING, "pads not finite", "With pads, or in an empty history, an output is no finite number.")
    if not same(y, run(other))[given.mask].all():
        return Fault(PADDING, "pads read", "An output at a real event changes with what stands at the pads.")
    shorter = Histories(*(value[:, :EVENTS] for value in given))
    if not same(y[:, :EVENTS], run(shorter))[shorter.mask].all():
        return Fault(PADDING, "pads counted", f"An output at a real event changes when {PADS} pads are appended.")
    return None


def reads_ahead_in(mix: Callable, parameters: Numbers, given: Histories, seed: int) -> Fault | None:
    """The same question put among real histories, with trained parameters: everything from some event on is changed.

    A mixer that behaves only on made-up input, or reads ahead only once it is trained, is found here.
    """
    draw = torch.Generator().manual_seed(seed % 2**63)
    b, l = given.mask.shape
    cut = 1 + (torch.rand(b, generator=draw) * given.mask.sum(1)).long()
    later = torch.arange(l) >= cut[:, None]
    x = torch.where(later[..., None], given.x[torch.randperm(b, generator=draw)], given.x)
    changed = Histories(x, given.times + 300_000 * later, given.mask)
    with torch.no_grad():
        plain, other = (mix("mix", parameters, *each, False) for each in (given, changed))
    wrong = (~same(plain, other) & ~later & given.mask).nonzero().tolist()
    if not wrong:
        return None
    row, t = wrong[0]
    return Fault(
        CAUSAL, "future read",
        f"After training, the output at event {t} of a history changes when only events {int(cut[row])} and later do.",
    )  # fmt: skip
