"""Where a run stands, and what its log says of an epoch that ended."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

LOW, HIGH = " low", " high"  # behind a key of a record: the ends of its interval
# Of a record: what differs between machines, and on one machine from one time to the next.
OF_THE_MACHINE = ("seconds", "events_per_second", "events_per_cpu_second")


def clocks() -> tuple[float, float]:
    """Seconds on the wall, and seconds of processor time of this process over all its threads."""
    return time.monotonic(), time.process_time()


@dataclass
class Position:
    """Where a run stands; all of it is in the checkpoint, so that a resumed run writes the log of one never stopped."""

    epoch: int = 0
    step: int = 0
    loss: float = 0.0
    targets: int = 0
    seconds: float = 0.0
    best: float = -1.0
    best_epoch: int = 0
    stale: int = 0
    steps: int | None = 0  # of all epochs; None if an older version began the run, which did not count
    events: int | None = 0
    epoch_events: int = 0
    epoch_seconds: float = 0.0
    epoch_cpu_seconds: float = 0.0
    norms: list[float] = field(default_factory=list)
    log: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def saved(cls, found: Mapping[str, Any]) -> Position:
        """From a checkpoint, also of a version that counted less."""
        uncounted = {name: None for name in ("steps", "events") if name not in found}
        return cls(**uncounted, **{each.name: found[each.name] for each in fields(cls) if each.name in found})

    def count(self, events: int, norm: float, began: tuple[float, float], processes: int = 1) -> None:
        """Add one step: the events it read, its gradient norm before clipping, and the time since ``began``."""
        wall, cpu = clocks()
        self.step += 1
        self.steps = None if self.steps is None else self.steps + 1
        self.events = None if self.events is None else self.events + events
        self.seconds += wall - began[0]
        self.epoch_seconds += wall - began[0]
        self.epoch_cpu_seconds += (cpu - began[1]) * processes
        self.epoch_events += events
        self.norms.append(norm)

    @property
    def so_far(self) -> dict[str, float]:
        """What a run has spent: steps, events read, seconds of training and validation."""
        spent = {"steps": self.steps, "events": self.events, "seconds": round(self.seconds, 3)}
        return {name: value for name, value in spent.items() if value is not None}

    def end_epoch(self, clip: float) -> dict[str, Any]:
        """The record of the steps of an epoch, and zeros for the next one."""
        self.epoch += 1
        record = {"epoch": self.epoch, "loss": self.loss / self.targets}
        if self.norms:
            record |= {
                "gradient_norm": statistics.median(self.norms),
                "gradient_norm" + LOW: min(self.norms),
                "gradient_norm" + HIGH: max(self.norms),
                "clipped": sum(norm > clip for norm in self.norms) / len(self.norms),
            }
        for name, seconds in (("second", self.epoch_seconds), ("cpu_second", self.epoch_cpu_seconds)):
            if seconds > 0:
                record[f"events_per_{name}"] = round(self.epoch_events / seconds, 1)
        self.step, self.loss, self.targets = 0, 0.0, 0
        self.epoch_events, self.epoch_seconds, self.epoch_cpu_seconds, self.norms = 0, 0.0, 0.0, []
        return record
