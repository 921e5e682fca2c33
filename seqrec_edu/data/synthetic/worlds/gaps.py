"""Gaps of two speeds, short and long, each log-normal: how they are drawn, and how likely a gap was a long one."""

from __future__ import annotations

import math

import numpy as np

from seqrec_edu.data.synthetic import splitmix
from seqrec_edu.data.synthetic.clock import DAY, FIRST_DAY, FIRST_DAYS

_DRAWS = 3  # counters used per event: which speed, and two uniforms for one normal
_erfc = np.frompyfunc(math.erfc, 1, 1)


def two_speeds(
    keys: np.ndarray, length: int, short: float, long: float, share_long: float, spread: float
) -> tuple[np.ndarray, np.ndarray]:
    """Draw whether the gap before each event is long, and the gaps in whole seconds, both "u l".

    seconds = max(1, ⌊median · exp(spread · z)⌋), z standard normal, the median that of the speed drawn. The bits are
    the same everywhere: exp, log and cos are those of `splitmix`. A first event has no gap before it, but a speed all
    the same, which shows in nothing but what the world makes of it.
    """
    which, u, v = (splitmix.uniform(keys[:, None], _DRAWS * np.arange(length) + draw) for draw in range(_DRAWS))
    is_long = which < share_long
    seconds = np.where(is_long, float(long), float(short)) * splitmix.exp(spread * splitmix.normal(u, v))
    return is_long, np.maximum(seconds, 1.0).astype(np.int64)


def times_from(keys: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """Unix seconds "u l" with these gaps before the events; the gap before a first event is not used."""
    start = np.floor(splitmix.uniform(keys, 0) * (FIRST_DAYS * DAY)).astype(np.int64)
    times = seconds.copy()
    times[:, 0] = FIRST_DAY + start
    return np.cumsum(times, axis=1)


def chance_long(times: np.ndarray, short: float, long: float, share_long: float, spread: float) -> np.ndarray:
    """p(long | gap) of the gap before each event, "u l", by Bayes' rule; `share_long` at the first event."""
    believed = np.full(times.shape, float(share_long))
    seconds = np.maximum(np.diff(times, axis=1), 1)  # a tie counts as one second, the shortest gap there is
    odds = log_chance(seconds, short, spread) - log_chance(seconds, long, spread)
    believed[:, 1:] = share_long / (share_long + (1.0 - share_long) * np.exp(np.minimum(odds, 700.0)))
    return believed


def log_chance(seconds: np.ndarray, median: float, spread: float) -> np.ndarray:
    """log P(seconds) of a log-normal gap cut to whole seconds: log (Φ(b) − Φ(a)), [a, b) the normals of that second."""
    a = np.where(seconds > 1, (np.log(seconds) - math.log(median)) / spread, -np.inf)  # under 1 s counts as 1 s
    b = (np.log(seconds + 1) - math.log(median)) / spread
    # Φ is taken in the tail that the second lies in: near 1 the difference would lose its digits.
    low, high = np.where(a > 0, a, -b), np.where(a > 0, b, -a)
    chance = 0.5 * (_erfc(low / math.sqrt(2)) - _erfc(high / math.sqrt(2))).astype(np.float64)
    # So far out that it underflows, the density at the middle of the second stands for it: a ratio of two such
    # chances is beyond 1e200 either way.
    z = (np.log(seconds + 0.5) - math.log(median)) / spread
    density = -0.5 * z * z - np.log((seconds + 0.5) * (spread * math.sqrt(2 * math.pi)))
    return np.where(chance > 1e-250, np.log(np.maximum(chance, 1e-300)), density)
