"""What an epoch costs: every variant of `seqrec-edu reproduce` in turns, from a sample of its steps.

Receipts are made over days beside other work; their seconds do not compare. Here all variants take a few steps each,
round after round, in one process with one thread, and processor time is counted. An epoch is then

    seconds per event of the sampled steps × events of all windows of an epoch,   the median over rounds,

without validation. Each round draws other batches. Times the epochs that a variant needed (`reproduce.curves`) this is
its time to a quality; `docs/reproduction.md` has that table.

    python benchmarks/epochs.py --data ml-100k                      all variants, about ten minutes
    python benchmarks/epochs.py --data ml-1m --only mamba4rec,mamba4rec-prefix
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from seqrec_edu import ops
from seqrec_edu.bench import surroundings
from seqrec_edu.data.files import write_whole
from seqrec_edu.models import build
from seqrec_edu.reproduce.curves import BY, EPOCHS_FILE
from seqrec_edu.reproduce.runner import planned
from seqrec_edu.reproduce.variants import VARIANTS
from seqrec_edu.training import Callback, FitSettings, fit
from seqrec_edu.training.objectives import Samples
from seqrec_edu.training.run import Plan

RESULTS = Path(__file__).parent / "results"
WARM_UP, ROUNDS = 2, 3
SECONDS = 6.0  # of sampled steps, per variant and round
LEAST_STEPS = 8
# Beside the variants: the same training with the scan as the readable loop that the course derives.
LOOP = {f"{base}{BY}the loop": (base, "selective_scan") for base in ("mamba4rec-prefix", "mamba4rec-papers-training")}
# And with prefixes that begin alike in one pass, objective "shared-prefix".
SHARED = {f"{base}{BY}shared passes": base for base in ("sasrec-prefix", "mamba4rec-prefix", "tim4rec-prefix")}


class _Enough(Exception):
    pass


class Stopwatch(Callback):
    """Processor seconds and events of the steps after the first few; ends the training when it has seen enough."""

    def __init__(self) -> None:
        self.steps = self.events = 0
        self.seconds = 0.0

    def on_step_end(self, log: dict[str, Any]) -> None:
        """Begin to count after the warm-up, stop after `SECONDS`."""
        self.steps += 1
        if self.steps <= WARM_UP:
            self.began, self.before = time.process_time(), log["events"]
            return
        self.seconds, self.events = time.process_time() - self.began, log["events"] - self.before
        if self.seconds > SECONDS and self.steps >= WARM_UP + LEAST_STEPS:
            raise _Enough


def seconds_of_epoch(plan: Plan, seed: int) -> float:
    """From the first steps of one, forward, backward and optimiser; the batches follow from the seed."""
    settings = FitSettings(**plan.with_seed(seed).record.training)
    config = {key: value for key, value in plan.record.model.items() if key != "name"}
    model, watch = build(plan.record.model["name"], seed=seed, **config), Stopwatch()
    with suppress(_Enough):
        fit(model, plan.split, settings, callbacks=[watch], device="cpu")
    return watch.seconds / watch.events * epoch_events(plan)


def epoch_events(plan: Plan) -> int:
    """Events that the windows of one epoch hold; of prefixes each counts with all its events."""
    start, stop = Samples(plan.split, FitSettings(**plan.record.training)).epoch(0)
    return int((stop - start).sum())


def by_shared_passes(plan: Plan, seed: int) -> float:
    """As `seconds_of_epoch`, prefixes that begin alike in one pass."""
    training = plan.record.training | {"objective": "shared-prefix"}
    return seconds_of_epoch(replace(plan, record=replace(plan.record, training=training)), seed)


def by_the_loop(plan: Plan, seed: int, operation: str) -> float:
    """As `seconds_of_epoch`, with one operation as its reference."""
    with ops.use("reference", operation):
        return seconds_of_epoch(plan, seed)


def clocks(data: str, names: list[str], recbole: bool) -> dict[str, Callable[[int], float]]:
    """What is measured: name → seed → seconds of an epoch."""
    plans = planned(names, data, None, {}, None)
    found: dict[str, Callable[[int], float]] = {name: partial(seconds_of_epoch, plans[name]) for name in names}
    for name, (base, operation) in LOOP.items():
        if base in plans:
            found[name] = partial(by_the_loop, plans[base], operation=operation)
    found |= {name: partial(by_shared_passes, plans[base]) for name, base in SHARED.items() if base in plans}
    if recbole:
        import recbole_peer

        for name in sorted({"sasrec-prefix", "sasrec-papers-training"} & plans.keys()):
            found[name + BY + recbole_peer.NAME] = partial(recbole_peer.seconds_of_epoch, plans[name])
    return found


def measured(data: str, timers: dict[str, Callable[[int], float]]) -> dict[str, Any]:
    """Seconds of an epoch by variant: the median, the least and the most over the rounds."""
    names, before = list(timers), surroundings.load()
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(ROUNDS):
        for name in names[turn:] + names[:turn]:  # no variant always follows the same one
            seconds[name].append(round(timers[name](seed=turn), 3))
            print(f"round {turn + 1} of {ROUNDS}, {name}: {seconds[name][-1]:.1f} s an epoch", flush=True)
    variants = {
        name: {"seconds": statistics.median(each), "low": min(each), "high": max(each)}
        for name, each in seconds.items()
    }
    facts = {**surroundings.facts(), "load before": before, "load after": surroundings.load()}
    return {"data": data, "threads": 1, "rounds": ROUNDS, "facts": facts, "variants": variants}


def main() -> None:
    """Measure, and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="ml-100k")
    parser.add_argument("--only", help="some variants, separated by commas")
    parser.add_argument("--recbole", action="store_true", help="also RecBole's SASRec, see recbole_peer.py")
    parser.add_argument("--out", type=Path, help="default: results/DATA/epochs.json")
    given = parser.parse_args()
    torch.set_num_threads(1)
    names = given.only.split(",") if given.only else [name for name, each in VARIANTS.items() if not each.counts]
    found = measured(given.data, clocks(given.data, names, given.recbole))
    out = given.out or RESULTS / given.data / EPOCHS_FILE
    write_whole(out, (json.dumps(found, indent=1, ensure_ascii=False) + "\n").encode("utf-8"))
    print(f"wrote {out}")


if __name__ == "__main__":
    main()
