"""Process time of several tasks in turns, so that whatever slows the machine down slows all of them down."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from statistics import median
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)
LEAST = 0.02  # seconds that one measurement takes at least: short tasks are repeated
PATIENCE = 15.0  # seconds after which a slow task takes no further turns


def interleave(
    tasks: Mapping[Key, Callable[[], object]],
    rounds: int,
    *,
    clock: Callable[[], float] = time.process_time,
    least: float = LEAST,
    patience: float = PATIENCE,
) -> dict[Key, list[float]]:
    """Seconds of one run of every task, once per round.

    The clock is that of the process: what other processes do does not count, and it runs once per busy thread, so one
    thread is meant. A first run of each is not counted; it says how often to repeat a short task. Every round begins
    with another task. A task that has taken ``patience`` seconds keeps what it has; it always has one.
    """
    found: dict[Key, list[float]] = {key: [] for key in tasks}
    spent, order = dict.fromkeys(tasks, 0.0), list(tasks)
    with _no_collection():
        first = {key: _seconds(run, 1, clock) for key, run in tasks.items()}
        repeats = {key: min(1000, max(1, math.ceil(least / max(seconds, 1e-9)))) for key, seconds in first.items()}
        for turn in range(rounds):
            gc.collect()
            begin = turn % max(1, len(order))
            for key in order[begin:] + order[:begin]:
                if found[key] and spent[key] >= patience:
                    continue
                seconds = _seconds(tasks[key], repeats[key], clock)
                spent[key] += seconds
                found[key].append(seconds / repeats[key])
    return found


@contextmanager
def _no_collection() -> Iterator[None]:
    """Python's collector may not start inside a measurement; what is there already is never looked at again."""
    collecting = gc.isenabled()
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.unfreeze()
        if collecting:
            gc.enable()


def _seconds(run: Callable[[], object], times: int, clock: Callable[[], float]) -> float:
    start = clock()
    for _ in range(times):
        run()
    return clock() - start


def summary(seconds: list[float]) -> dict[str, float | int]:
    """Median, extremes and how many."""
    return {"median": median(seconds), "low": min(seconds), "high": max(seconds), "rounds": len(seconds)}
