"""Points for a mixer: what it reads, what it reaches of the best possible, what it costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from seqrec_edu.teaching.mixer import recommender
from seqrec_edu.teaching.mixer.audit import (
    CAUSAL,
    FORM,
    MIXES,
    PADDING,
    Fault,
    Histories,
    audit,
    jittered,
    reads_ahead_in,
    same,
)
from seqrec_edu.teaching.mixer.cost import LONG, SHORT, Cost, Uncounted, cost
from seqrec_edu.teaching.mixer.people import TASKS, People, Task, people
from seqrec_edu.teaching.mixer.recommender import WIDTH, NotFinite, Numbers
from seqrec_edu.teaching.mixer.verdict import Part, Scored
from seqrec_edu.training.metrics import LEVEL, RESAMPLES, percentiles, resampled_means

POINTS = {CAUSAL: 2.0, PADDING: 1.0, "a world": 6.0, "operations": 2.5, "growth": 2.5}
PASSED = 0.6  # of all points
CHEAP, DEAR = 1.0, 4.0  # operations beside attention's: full points, none
LINEAR, SQUARE = 1.25, 1.8  # power of the length: full points, none; a logarithm is forgiven
SECONDS = 40.0  # of the processor, for training in one world


class Stopped(RuntimeError):
    """A process of the mixer was ended; ``kind`` says why, as in a verdict."""

    def __init__(self, kind: str, sentence: str):
        super().__init__(sentence)
        self.kind = kind


@dataclass(frozen=True)
class Trained:
    """The numbers around a mixer and its own after training in one world."""

    task: Task
    people: People
    own: Numbers
    mixers: Numbers


def score(name: str, mix: Callable, seed: int, hints: tuple[str, ...] = ()) -> Scored:
    """Audit, train, rank, audit again, count. ``mix`` answers as `Held` does. Raises what the mixer raises."""
    begun = mix("build", WIDTH, seed % 2**31)
    faults = audit(mix, jittered(begun, seed), seed)
    fatal = next((fault for fault in faults if fault.part in (FORM, MIXES)), None)
    if fatal:
        return Scored(name, "mistake", fatal.name, fatal.sentence, _nothing(fatal.sentence), hints)
    reached: list[Part] = []
    spent, why = None, "Not counted: nothing is reached."
    if not any(fault.part == CAUSAL for fault in faults):
        try:
            trained, remembered = _train(mix, begun, seed)
        except NotFinite as error:
            sentence = f"Training broke off: {error}."
            return Scored(name, "mistake", "not finite", sentence, _nothing(sentence), hints)
        faults += [remembered] if remembered else []
        reached = [] if remembered else _asked(mix.again(), trained, faults, seed)
        if reached:
            spent, why = _spent(mix.again(), begun, seed)
    return _scored(name, faults, reached, spent, why, hints)


def _asked(mix: Callable, trained: list[Trained], faults: list[Fault], seed: int) -> list[Part]:
    """The parts of the worlds; none when a trained mixer reads ahead, which ``faults`` then says.

    The mixer is a fresh one: whatever the first has kept of its training besides parameters is gone.
    """
    try:
        mix("build", WIDTH, seed % 2**31)
        for each in trained:
            if fault := reads_ahead_in(mix, each.mixers, _inputs(each.own, each.people), seed):
                faults.append(fault)
                return []
        return [_reached(mix, each) for each in trained]
    except Exception:
        if failure := _ended(mix):
            raise Stopped(*failure) from None
        raise
    finally:
        _ended(mix)


def _train(mix: Callable, begun: Numbers, seed: int) -> tuple[list[Trained], Fault | None]:
    """Train in every world; afterwards the untrained numbers must still give what they gave before."""
    made, fault = [], None
    for task in TASKS:
        found = people(task, seed)
        own = recommender.embeddings(found.n_items, seed)
        asked = _inputs(own, found)

        def probe(asked=asked):
            with torch.no_grad():
                return mix("mix", begun, *asked, False)

        before = probe()
        made.append(Trained(task, found, *recommender.train(mix, begun, found, seed, SECONDS)))
        if fault is None and not same(before, probe()).all():
            fault = Fault(
                CAUSAL, "remembers earlier calls",
                "With the parameters it began with it gives other outputs after training: it keeps something besides "
                "its parameters, in a buffer or a variable.",
            )  # fmt: skip
    return made, fault


def _inputs(own: Numbers, found: People) -> Histories:
    """What the mixer gets of those who are asked."""
    mask = found.read_items != 0
    return Histories(recommender.norm(own["items"][found.read_items] * mask[..., None]), found.read_times, mask)


def _reached(mix: Callable, trained: Trained) -> Part:
    """Points of one world: from the share of its ceiling at which they begin to that at which they are complete."""
    task, found, most = trained.task, trained.people, POINTS["a world"]
    expected = found.expected(recommender.scores(mix, trained.own, trained.mixers, found).double())
    both = torch.stack([expected, found.ceiling], dim=1)
    value, best = both.mean(0).tolist()
    means = resampled_means(both.numpy(), None, RESAMPLES, 0)
    low, high = percentiles(means[:, :1] / means[:, 1:], LEVEL)
    reached = f"{task.metric} {value:.3f} is {value / best:.0%} [{low[0]:.0%}, {high[0]:.0%}] of the ceiling {best:.3f}"
    part = most * _between(value / best, task.begin, task.full)
    return Part(task.name, part, most, f"{reached}; points from {task.begin:.0%}, all of them from {task.full:.0%}.")


def _spent(mix: Callable, begun: Numbers, seed: int) -> tuple[Cost | None, str]:
    """Cost and no sentence, or none and the reason. A mixer that cannot read long histories loses no other part."""
    try:
        mix("build", WIDTH, seed % 2**31)
        return cost(mix, begun), ""
    except Uncounted as error:
        return None, str(error)
    except Exception as error:
        failure = _ended(mix)
        why = failure[1] if failure else f"{type(error).__name__}: {error}"
        return None, f"It cannot read a history of {SHORT} or {LONG:,} events: {why}"
    finally:
        _ended(mix)


def _ended(mix: Callable) -> tuple[str, str] | None:
    mix.close()
    return mix.failure


def _scored(
    name: str, faults: list[Fault], reached: list[Part], spent: Cost | None, why: str, hints: tuple[str, ...]
) -> Scored:
    parts = [_safe(faults, CAUSAL, "No output changes with a later event, or with another history.")]
    parts.append(_safe(faults, PADDING, "Outputs at events do not change with the pads, or their number."))
    parts += reached or [Part(task.name, 0.0, POINTS["a world"], "Not trained: see causality.") for task in TASKS]
    quality = sum(part.points for part in reached) / (POINTS["a world"] * len(TASKS))
    parts += _cheap(spent, why, quality)
    total = sum(part.points for part in parts) / sum(part.out_of for part in parts)
    if faults:
        return Scored(name, "mistake", faults[0].name, faults[0].sentence, tuple(parts), hints)
    if total < PASSED:
        weakest = min(reached, key=lambda part: part.points)
        sentence = f"{weakest.name}: {weakest.sentence}"
        return Scored(name, "wrong", "reaches too little", sentence, tuple(parts), hints)
    return Scored(name, "right", parts=tuple(parts))


def _safe(faults: list[Fault], part: str, sentence: str) -> Part:
    fault = next((each for each in faults if each.part == part), None)
    return Part(part, 0.0 if fault else POINTS[part], POINTS[part], fault.sentence if fault else sentence)


def _cheap(spent: Cost | None, why: str, quality: float) -> list[Part]:
    """Cheap counts as far as something is reached: what does nothing costs nothing."""
    most = POINTS["operations"], POINTS["growth"]
    if spent is None:
        return [Part(name, 0.0, each, why) for name, each in zip(("operations", "growth"), most, strict=True)]
    scale = f" Times the {quality:.0%} of the points above." if quality < 1 else ""
    few = quality * _between(spent.share, DEAR, CHEAP)
    slow = quality * _between(spent.growth, SQUARE, LINEAR)
    much = f"{spent.share:.2f} of attention's operations at {LONG:,} events ({spent.operations:,}).{scale}"
    shape = "linear" if spent.growth < LINEAR else "square" if spent.growth > SQUARE else "more than linear"
    grows = f"They grow as the length to the power {spent.growth:.2f}, {shape}, from {SHORT} to {LONG:,} events.{scale}"
    return [Part("operations", most[0] * few, most[0], much), Part("growth", most[1] * slow, most[1], grows)]


def _between(value: float, none: float, full: float) -> float:
    return min(1.0, max(0.0, (value - none) / (full - none)))


def _nothing(sentence: str) -> tuple[Part, ...]:
    """No points for any part."""
    names = [(name, POINTS["a world"] if name not in POINTS else POINTS[name]) for name in (
        CAUSAL, PADDING, *(task.name for task in TASKS), "operations", "growth",
    )]  # fmt: skip
    return tuple(Part(name, 0.0, most, sentence if name == CAUSAL else "") for name, most in names)
