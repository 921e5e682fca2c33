"""What predictors fall back on that may not see everything: averages over a reference sample of the shop."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from seqrec_edu.data.synthetic import splitmix
from seqrec_edu.data.synthetic.clock import visit_times
from seqrec_edu.data.synthetic.dials import Dials
from seqrec_edu.data.synthetic.world import World

_SEED, _USERS = 2**63 + 1, 1_000  # a seed far from those that people choose
_USERS_AT_ONCE = 250


@lru_cache(maxsize=8)
def mean_rows(shop: World) -> np.ndarray:
    """Mean of the Bayes rows "v v" by last item; row 0 is the mean over all events that have a history."""
    sample = shop.sample(_SEED, _USERS)
    size = len(shop.item_ids)
    totals, counts = np.zeros((size, size)), np.zeros(size)
    for first in range(0, _USERS, _USERS_AT_ONCE):
        events = np.arange(sample.offsets[first], sample.offsets[first + _USERS_AT_ONCE])
        targets = np.setdiff1d(events, sample.offsets)  # a user's first event has no history
        last = sample.items[targets - 1]
        np.add.at(totals, last, shop.bayes_rows(sample, targets))
        np.add.at(counts, last, 1.0)
    overall = totals.sum(axis=0) / counts.sum()
    # One look at the overall mean beside the real ones: an item that the sample never met has a row as well.
    table = (totals + overall) / (counts + 1.0)[:, None]
    table[0] = overall
    return table


@lru_cache(maxsize=64)
def mean_decay(shop: Dials, length: int) -> np.ndarray:
    """Mean weight "length + 1" of an event so many positions back: its worth to somebody without a clock."""
    times = visit_times(splitmix.key(_SEED, "shoppers", "times", np.arange(_USERS)), length + 1, shop.new_visit)
    return shop.decay(times - times[:, :1]).mean(axis=0)
