"""Filters to begin drawing from."""

import numpy as np

from seqrec_edu.lens.filters import Bands, filter_at_start

ALL, LOW, HIGH, KEEP, RANDOM = HAND = ("all pass", "low pass", "high pass", "keep one period", "random start")
DRAWN = "drawn"  # one of these after a hand has changed it


def by_hand(chosen: str, around: Bands, period: int) -> np.ndarray:
    """The factors "f" of one of them; ``period`` in events."""
    if chosen == RANDOM:
        return filter_at_start(around.places)
    passed = np.ones(around.places // 2 + 1)
    low, kept = around.low_pass(period), around.keep(period)
    return around.turned(passed, {ALL: np.ones(len(around)), LOW: low, HIGH: 1 - low, KEEP: kept}[chosen])
