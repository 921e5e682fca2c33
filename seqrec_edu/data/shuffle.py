"""A control for everything that claims to use time: the same events in the same order, at other times."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from seqrec_edu.data.check import BadInput
from seqrec_edu.data.histories import Histories


def shuffle_gaps(histories: Histories, seed: int) -> Histories:
    """Histories in which the gaps between the events of each user are permuted.

    Items, their order, and the first and the last time of each user stay as they are; which gap stands before which
    event is left to chance. A model that gains as much from these times as from the real ones has not learned from
    time. The order of a user's gaps depends on the seed and the data alone. Cost: O(events · log events).

    Raises:
        BadInput: when the seed is not a whole number of 0 or more.
    """
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise BadInput(f"shuffle_gaps takes a seed, a whole number of 0 or more, got {seed!r}")
    times, offsets = np.asarray(histories.times), histories.offsets
    lengths = np.diff(offsets)
    user = np.repeat(np.arange(histories.n_users), lengths)
    first = np.zeros(times.size, dtype=bool)
    first[offsets[:-1][lengths > 0]] = True
    gaps = np.diff(times, prepend=times[:1])
    drawn = np.random.default_rng(seed).random(times.size)
    drawn[first] = -1.0  # the first event of a user keeps its place, and has no gap
    shuffled = gaps[np.lexsort((drawn, user))]
    shuffled[first] = 0
    run = np.cumsum(shuffled)
    begin = np.repeat(offsets[:-1], lengths)
    report = replace(histories.report, findings=list(histories.report.findings))
    report.note("caution", f"the gaps between the events of each user are permuted (seed {seed}): a control, not data")
    return replace(histories, times=run - run[begin] + times[begin], report=report)
