"""When people come and how fast they look: visits on separate days, minutes between the events of a visit."""

from __future__ import annotations

import numpy as np

from seqrec_edu.data.synthetic import splitmix

DAY = 86_400
VISIT_GAP = 4 * 3_600  # s; a gap this long or longer means a new visit. Gaps within a visit never come near it.
FIRST_DAY = 1_672_617_600  # Monday 2 January 2023, 00:00 UTC
FIRST_DAYS = 540  # people make their first visit within so many days
_MEDIAN_DAYS, _SPREAD_OF_DAYS = 4.0, 0.8  # log-normal, from visit to visit
_MEDIAN_SECONDS, _SPREAD_OF_SECONDS = 150.0, 0.9  # log-normal, from event to event of a visit
_FEWEST_SECONDS, _MOST_SECONDS = 5, 1_800
# Visits per hour of the day, in parts: nobody before six, a bump at lunch, most people in the evening.
_HOURS = np.array([0, 0, 0, 0, 0, 0, 1, 3, 5, 6, 6, 7, 10, 8, 6, 6, 7, 9, 12, 14, 14, 11, 7, 3], dtype=np.float64)
_DRAWS = 5  # counters used per event


def visit_times(keys: np.ndarray, length: int, new_visit: float) -> np.ndarray:
    """Draw Unix seconds "u l", increasing along l; each event opens a new visit with chance `new_visit`.

    Args:
        keys: one stream per user, "u".
        length: events per user, at least 1.
        new_visit: probability in [0, 1].
    """
    opens, day, second, hour, within_hour = (
        splitmix.uniform(keys[:, None], _DRAWS * np.arange(length) + draw) for draw in range(_DRAWS)
    )
    # One normal per event is enough: it becomes either days or seconds.
    z = splitmix.normal(day, second)
    days = np.maximum(np.floor(_MEDIAN_DAYS * splitmix.exp(_SPREAD_OF_DAYS * z) + 0.5), 1.0).astype(np.int64)
    seconds = np.floor(_MEDIAN_SECONDS * splitmix.exp(_SPREAD_OF_SECONDS * z))
    seconds = np.clip(seconds, _FEWEST_SECONDS, _MOST_SECONDS).astype(np.int64)
    of_day = splitmix.categorical(hour, _HOURS) * 3_600 + np.floor(within_hour * 3_600).astype(np.int64)

    times = np.empty((keys.size, length), dtype=np.int64)
    times[:, 0] = FIRST_DAY + np.floor(day[:, 0] * FIRST_DAYS).astype(np.int64) * DAY + of_day[:, 0]
    for k in range(1, length):
        before = times[:, k - 1]
        later_day = np.maximum((before // DAY + days[:, k]) * DAY + of_day[:, k], before + VISIT_GAP)
        times[:, k] = np.where(opens[:, k] < new_visit, later_day, before + seconds[:, k])
    return times


def opens_visit(times: np.ndarray) -> np.ndarray:
    """Whether each event "u l" opens a visit: the first does, and every one after a gap of `VISIT_GAP` or more."""
    opened = np.ones(times.shape, dtype=bool)
    opened[:, 1:] = np.diff(times, axis=1) >= VISIT_GAP
    return opened
