"""What can be counted in histories before any model sees them: lengths, gaps, ties, repeats."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import numpy as np


@dataclass(frozen=True)
class Statistics:
    """Counts of a dataset. Gaps are seconds between neighbouring events of one user.

    Attributes:
        users, items, events: counts (padding not counted).
        density: events / (users · items); above 1 is possible where events repeat.
        length_min, length_median, length_mean, length_max: events per user.
        gap_median, gap_90, gap_99, gap_max: seconds; 0 where there are no gaps.
        zero_gaps: share of gaps that are 0: ties, whose order is the order of the source.
        repeats: share of events whose item the same user had before.
        single_time_users: users whose events (or single event) all have one timestamp.
        first_time, last_time: Unix seconds.
    """

    users: int
    items: int
    events: int
    density: float
    length_min: int
    length_median: float
    length_mean: float
    length_max: int
    gap_median: float
    gap_90: float
    gap_99: float
    gap_max: int
    zero_gaps: float
    repeats: float
    single_time_users: int
    first_time: int
    last_time: int

    def as_dict(self) -> dict:
        return asdict(self)

    def __str__(self) -> str:
        return (
            f"{self.events:,} events, {self.users:,} users, {self.items:,} items, density {self.density:.4%}\n"
            f"events per user: {self.length_min:,} to {self.length_max:,}, "
            f"median {self.length_median:,.1f}, mean {self.length_mean:,.1f}\n"
            f"gaps (s): median {self.gap_median:,.0f}, 90 % {self.gap_90:,.0f}, 99 % {self.gap_99:,.0f}; "
            f"zero: {self.zero_gaps:.2%}\n"
            f"repeated items: {self.repeats:.2%}; users with one single timestamp: {self.single_time_users:,}\n"
            f"from {as_date(self.first_time)} to {as_date(self.last_time)} (UTC)"
        )


def as_date(seconds: int) -> str:
    """A Unix second as a readable UTC date and time."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%d %H:%M:%S")


def gaps(times: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Seconds between neighbouring events of one user, int64 "events − users with events"."""
    if times.size < 2:
        return np.empty(0, dtype=np.int64)
    within = np.ones(times.size - 1, dtype=bool)
    starts = offsets[1:-1]
    within[starts[(starts > 0) & (starts < times.size)] - 1] = False
    return np.diff(times)[within]


def statistics(items: np.ndarray, times: np.ndarray, offsets: np.ndarray, n_items: int) -> Statistics:
    """Count everything in `Statistics` from the three flat arrays."""
    lengths = np.diff(offsets)
    gap = gaps(times, offsets)
    user = np.repeat(np.arange(lengths.size), lengths)
    pairs = np.unique(user * np.int64(n_items + 1) + items).size
    quantiles = np.quantile(gap, [0.5, 0.9, 0.99]) if gap.size else np.zeros(3)
    some = lengths > 0
    first, last = times[offsets[:-1][some]], times[offsets[1:][some] - 1]
    return Statistics(
        users=lengths.size,
        items=n_items,
        events=items.size,
        density=items.size / max(1, lengths.size * n_items),
        length_min=int(lengths.min()),
        length_median=float(np.median(lengths)),
        length_mean=float(lengths.mean()),
        length_max=int(lengths.max()),
        gap_median=float(quantiles[0]),
        gap_90=float(quantiles[1]),
        gap_99=float(quantiles[2]),
        gap_max=int(gap.max(initial=0)),
        zero_gaps=float((gap == 0).mean()) if gap.size else 0.0,
        repeats=(items.size - pairs) / max(1, items.size),
        single_time_users=int((first == last).sum()),
        first_time=int(times.min()) if times.size else 0,
        last_time=int(times.max()) if times.size else 0,
    )
