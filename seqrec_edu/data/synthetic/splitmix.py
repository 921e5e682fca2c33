"""Random numbers that are the same bits on every machine: SplitMix64, addressed by counter.

A draw is a pure function of a *key* and a *counter*. No state moves, so users can be made in any order and in any
number, and the first hundred stay the same when a thousand are asked for.

Library samplers do not promise a stable stream, and ``exp``, ``log`` and ``cos`` of a C library differ in their last
bit from one platform to the next. Here everything rests on operations that IEEE 754 rounds correctly (+, −, ×, ÷,
square root), on exact ones (floor, frexp, ldexp, integer arithmetic modulo 2^64) and on ``cumsum``, whose order of
addition is fixed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio, odd: the step between two SplitMix64 states
_LN2 = 0.6931471805599453
_LN2_HIGH = 2977044471 / 2**32  # ln 2 = HIGH + LOW; HIGH has 32 bits, so that k · HIGH is exact for any exponent k
_LN2_LOW = 1.9082149292705877e-10


def mix(state: ArrayLike) -> np.ndarray:
    """Scramble 64 bits: the output function of SplitMix64 (Steele, Lea and Flood 2014), a bijection on uint64."""
    with np.errstate(over="ignore"):
        z = np.asarray(state, dtype=np.uint64)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def key(seed: int, *words: int | str | np.ndarray) -> np.ndarray:
    """Name an independent stream of draws: ``key(seed, "lengths", user)``.

    Args:
        seed: integer in [0, 2^64).
        words: any path of names and numbers; an integer array gives one key for each element.

    Returns:
        uint64, shape of the broadcast words (a 0-d array when all are scalars).

    Raises:
        ValueError: the seed is not an integer in [0, 2^64), or a word is negative.
    """
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= int(seed) < 2**64:
        raise ValueError(f"seed must be an integer from 0 to 2^64 - 1, got {seed!r}.")
    keys = np.asarray(int(seed), dtype=np.uint64)
    for word in words:
        for part in word.encode() if isinstance(word, str) else (word,):
            keys = _child(keys, part)
    return keys


def _child(keys: np.ndarray, word: ArrayLike) -> np.ndarray:
    """Derive keys; the word is scrambled first, so that no child can land on the parent's own line of draws."""
    numbers = np.asarray(word)
    if numbers.dtype.kind not in "iu" or (numbers.size and numbers.min() < 0):
        raise ValueError(f"a word of a key must be text or non-negative integers, got {word!r}.")
    with np.errstate(over="ignore"):
        return mix(keys ^ mix(GOLDEN * (numbers.astype(np.uint64) + np.uint64(1))))


def bits(keys: ArrayLike, counter: ArrayLike) -> np.ndarray:
    """Draw 64 random bits: output number ``counter`` (from 0) of SplitMix64 started at each key; uint64, broadcast."""
    with np.errstate(over="ignore"):
        step = np.asarray(counter).astype(np.uint64) + np.uint64(1)
        return mix(np.asarray(keys, dtype=np.uint64) + GOLDEN * step)


def uniform(keys: ArrayLike, counter: ArrayLike) -> np.ndarray:
    """Draw from [0, 1): the top 53 bits times 2^-53, so every value is exact."""
    return (bits(keys, counter) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def categorical(u: ArrayLike, weights: ArrayLike) -> np.ndarray:
    """Pick an index with probability proportional to its weight: the first i with u · Σ w < w₀ + … + wᵢ.

    Args:
        u: uniforms in [0, 1), shape "b".
        weights: non-negative, "n" (one table for all) or "b n" (one row each); an index of weight 0 is never picked.

    Returns:
        int64, shape "b".

    Raises:
        ValueError: a row of weights sums to 0, or a weight is negative or not finite.
    """
    u, weights = np.asarray(u, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    cumulative = np.cumsum(weights, axis=-1)
    total = cumulative[..., -1]
    if not (np.all(weights >= 0) and np.all(total > 0) and np.all(np.isfinite(total))):
        raise ValueError("categorical needs finite, non-negative weights with a positive sum in every row.")
    # u · total can round up to total itself: the last value below it keeps the pick inside the table.
    threshold = np.minimum(u * total, np.nextafter(total, 0.0))
    if weights.ndim == 1:
        return np.searchsorted(cumulative, threshold, side="right")
    return np.count_nonzero(cumulative <= threshold[..., None], axis=-1)


def log(x: ArrayLike) -> np.ndarray:
    """Natural logarithm of positive, finite x, within 2 units in the last place and the same bits everywhere.

    With x = m · 2^e, m in [√½, √2) and z = (m − 1) / (m + 1): log x = e · ln 2 + 2 (z + z³/3 + z⁵/5 + …).
    """
    mantissa, exponent = np.frexp(np.asarray(x, dtype=np.float64))
    small = mantissa < 0.7071067811865476
    mantissa = np.where(small, 2.0 * mantissa, mantissa)
    exponent = (exponent - small).astype(np.float64)
    z = (mantissa - 1.0) / (mantissa + 1.0)
    square = z * z
    series = np.zeros_like(z)
    for odd in range(23, 0, -2):
        series = series * square + 1.0 / odd
    return exponent * _LN2_HIGH + (2.0 * z * series + exponent * _LN2_LOW)


def exp(x: ArrayLike) -> np.ndarray:
    """Exponential of finite x, within 2 units in the last place and the same bits everywhere.

    With k the integer nearest to x / ln 2 and r = x − k ln 2: exp x = 2^k · (1 + r + r²/2! + … + r¹⁴/14!).
    """
    x = np.asarray(x, dtype=np.float64)
    k = np.floor(x / _LN2 + 0.5)
    r = (x - k * _LN2_HIGH) - k * _LN2_LOW
    series = np.ones_like(r)
    for n in range(14, 0, -1):
        series = 1.0 + series * r / n
    return np.ldexp(series, k.astype(np.int32))


def _cosine_of_turns(u: np.ndarray) -> np.ndarray:
    """cos(2πu) for u in [0, 1): turned back by whole quarters, then the Taylor series of cos or sin within ±π/4."""
    quarter = np.floor(4.0 * u + 0.5)
    angle = (u - 0.25 * quarter) * 6.283185307179586
    square = angle * angle
    cosine, sine = np.ones_like(u), np.ones_like(u)
    for n in range(16, 0, -2):
        cosine = 1.0 - cosine * square / (n * (n - 1))
        sine = 1.0 - sine * square / (n * (n + 1))
    sine = sine * angle
    return np.choose(quarter.astype(np.int64) % 4, [cosine, -sine, -cosine, sine])


def exponential(u: ArrayLike, mean: float = 1.0) -> np.ndarray:
    """Waiting times: −mean · log(1 − u)."""
    return -mean * log(1.0 - np.asarray(u, dtype=np.float64))


def normal(u: ArrayLike, v: ArrayLike) -> np.ndarray:
    """Standard normal from two uniforms (Box and Muller 1958): √(−2 log(1 − u)) · cos(2πv)."""
    u, v = np.broadcast_arrays(np.asarray(u, dtype=np.float64), np.asarray(v, dtype=np.float64))
    return np.sqrt(-2.0 * log(1.0 - u)) * _cosine_of_turns(v)


def log_normal(u: ArrayLike, v: ArrayLike, median: float, spread: float) -> np.ndarray:
    """Log-normal from two uniforms: median · exp(spread · z), z standard normal."""
    return median * exp(spread * normal(u, v))


def gamma(keys: ArrayLike, shape: float) -> np.ndarray:
    """Gamma(shape, scale 1), one per key, by the rejection of Marsaglia and Tsang (2000); round r uses counters 3r …
    3r + 2.

    A shape below 1 is drawn as Gamma(shape + 1) · U^(1/shape); U has a key of its own, so that rounds never reach it.
    """
    if not shape > 0:
        raise ValueError(f"gamma needs a shape above 0, got {shape!r}.")
    keys = np.asarray(keys, dtype=np.uint64)
    d = (shape if shape >= 1 else shape + 1.0) - 1.0 / 3.0
    c = 1.0 / (3.0 * np.sqrt(d))
    drawn, waiting, counter = np.zeros(keys.shape), np.ones(keys.shape, dtype=bool), 0
    while waiting.any():
        open_keys = keys[waiting]
        x = normal(uniform(open_keys, counter), uniform(open_keys, counter + 1))
        v = (1.0 + c * x) * (1.0 + c * x) * (1.0 + c * x)
        safe = np.where(v > 0, v, 1.0)
        accept = (v > 0) & (log(1.0 - uniform(open_keys, counter + 2)) < 0.5 * x * x + d * (1.0 - safe + log(safe)))
        drawn[waiting] = np.where(accept, d * safe, 0.0)
        waiting[waiting] = ~accept
        counter += 3
    if shape < 1:
        drawn = drawn * exp(log(1.0 - uniform(_child(keys, 0), 0)) / shape)
    return drawn


def dirichlet(keys: ArrayLike, concentration: float, n: int) -> np.ndarray:
    """Symmetric Dirichlet weights "… n", one row per key: n gammas, divided by their sum.

    Raises:
        ValueError: the concentration is not above 0, or so small that all draws of a row are 0.
    """
    keys = np.asarray(keys, dtype=np.uint64)
    draws = gamma(_child(keys[..., None], np.arange(1, n + 1)), concentration)
    total = np.cumsum(draws, axis=-1)[..., -1:]
    if not np.all(total > 0):
        raise ValueError(f"concentration {concentration!r} is so small that all {n} weights vanish; take a larger one.")
    return draws / total
