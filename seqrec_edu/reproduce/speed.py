"""Time to a quality: epochs of the training curve, times what an epoch costs; and the same model by other training."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path

from seqrec_edu.reproduce.curves import BY, EPOCHS_FILE, read_epoch_seconds
from seqrec_edu.reproduce.markdown import link, table
from seqrec_edu.reproduce.papers import Claim
from seqrec_edu.reproduce.report import NO_SEED
from seqrec_edu.reproduce.results import Outcome, Outcomes
from seqrec_edu.reproduce.runner import duration
from seqrec_edu.reproduce.variants import VARIANTS
from seqrec_edu.reproduce.verdict import SELECT, judge

HEADER = ("variant", "objective", "an epoch", "best", "to 90 %", "to 100 %")
MEASURE = "sasrec"
SHARES = (0.9, 1.0)  # of the measure's best validation NDCG@10
# Beside a model that is trained at every position, the same one by what its name ends in.
PAIRED = {"-prefix": "one target per prefix", "-papers-training": "trained as the papers train"}


def speed(outcomes: Outcomes, folder: Path, page: Path) -> list[str]:
    """How long each variant trains until it is as good as SASRec ever was; `folder` holds the receipts of the data."""
    level, seconds = level_of(outcomes), read_epoch_seconds(folder)
    timed = [each for each in outcomes.values() if each.curves]
    if level is None or not seconds:
        return []
    source = link("measured", folder / EPOCHS_FILE, page)
    text = (
        f"How long each trains until its validation NDCG@10 reaches 90 and 100 % of SASRec's best ({level:.4f}, mean\n"
        "over seeds): epochs by its training curve, times the processor seconds of an epoch, which were measured for\n"
        f"all in turns, in one process with one thread ({source}).\n"
        "*best* is each one's own. Validation is not counted. A level first reached by chance counts: read\n"
        "differences of an epoch as none."
    )
    first = SHARES[0] * level
    order = sorted(timed, key=lambda each: (seconds_to(each, first) or float("inf"), each.variant))
    rows = [_row(each, level) for each in order]
    pairs = "\n".join(_pairs(outcomes, seconds, level))
    return ["### Time to quality", text, table(HEADER, rows), *filter(None, [pairs])]


def _pairs(outcomes: Outcomes, seconds: Mapping[str, float], level: float) -> Iterator[str]:
    """The same model by other training, and that by the hands of others."""
    for (suffix, how), name in product(PAIRED.items(), VARIANTS):
        slow = name + suffix
        if not {name, slow} <= seconds.keys():
            continue
        times = seconds[slow] / seconds[name]
        ways = _ways_to(outcomes, name, slow, level)
        quality = _quality(outcomes, name, slow)
        yield f"* {name}, {how}: an epoch costs {times:.3g} times one of every position{_told(ways)}. {quality}"
        for other in (other for other in seconds if other.startswith(slow + BY)):
            ratio = seconds[other] / seconds[slow]
            further = _told({share: way * ratio for share, way in ways.items()})
            learns = ", were it to learn as ours does" * bool(further)
            whom = other.removeprefix(slow)
            yield f"* {name}, {how},{whom}: an epoch costs {times * ratio:.3g} times{further}{learns}."


def _ways_to(outcomes: Outcomes, every: str, slow: str, level: float) -> dict[float, float]:
    """How many times as long the other takes to shares of a level; without those that not all runs of both reached."""
    if not {every, slow} <= outcomes.keys():
        return {}
    spent = {share: [seconds_to(outcomes[name], share * level) for name in (every, slow)] for share in SHARES}
    return {share: slow / every for share, (every, slow) in spent.items() if None not in (every, slow)}


def _told(ways: Mapping[float, float]) -> str:
    return "".join(f", the way to {share:.0%} {way:.3g} times" for share, way in ways.items()).replace("%", " %")


def _quality(outcomes: Outcomes, every: str, slow: str) -> str:
    """Whether both end up equally good, which a comparison of their times takes for granted."""
    judged = judge(Claim("", every, slow), outcomes)
    if not judged.differences:
        return "Which ends up better is not known."
    seeds = f"{judged.seeds} seed{'s' * (judged.seeds != 1)}"
    return f"Test NDCG@10 of every position minus that: {judged.differences[SELECT]}, {seeds}."


def level_of(outcomes: Mapping[str, Outcome]) -> float | None:
    """Best validation NDCG@10 of SASRec, the mean over its seeds: what others are asked to reach."""
    curves = outcomes[MEASURE].curves.values() if MEASURE in outcomes else ()
    return statistics.mean(curve.best for curve in curves) if curves else None


def seconds_to(outcome: Outcome, level: float) -> float | None:
    """Processor time of training until validation NDCG@10 first reached a level, mean over seeds; None unless all did.

    Without the validations themselves: how often one looks is not the model's.
    """
    epochs = [curve.epochs_to(level) for curve in outcome.curves.values()]
    if not epochs or None in epochs or outcome.epoch_seconds is None:
        return None
    return statistics.mean(epochs) * outcome.epoch_seconds


def _row(outcome: Outcome, level: float) -> list[str]:
    """One line of the table of times to a quality."""
    curves, seconds = list(outcome.curves.values()), outcome.epoch_seconds
    return [
        outcome.variant,
        outcome.first.protocol["objective"],
        NO_SEED if seconds is None else f"{seconds:.1f} s",
        f"{statistics.mean(curve.best for curve in curves):.4f}",
        *(_reached(outcome, share * level) for share in SHARES),
    ]


def _reached(outcome: Outcome, level: float) -> str:
    epochs = [curve.epochs_to(level) for curve in outcome.curves.values()]
    got = [each for each in epochs if each is not None]
    if len(got) < len(epochs):
        return f"in {len(got)} of {len(epochs)} runs" if got else "not reached"
    spent, shown = seconds_to(outcome, level), f"{statistics.mean(got):.3g} epoch{'s' * (got != [1])}"
    return shown if spent is None else f"{duration(spent)} ({shown})"
