"""The exact posterior of a schedule over a hidden pool: sums over all pools and schedules, without listing them.

Let f_s(x) be the likelihood of the events of slot s if its item is x. Summed over a pool (a, b, c) of independent items
and over which member each slot takes, the likelihood of a history is a sum over the ways to deal the slots out to the
members, and within one way the members are independent:

    Σ_{S₁ ⊎ S₂ ⊎ S₃ = all slots}  F(S₁) F(S₂) F(S₃),          F(S) = Σ_x Π_{s ∈ S} f_s(x)

The item of slot s is x with weight Σ_{S ∋ s} Π_{r ∈ S} f_r(x) · (F ∗ F)(rest): subset convolutions over 2^period sets,
3^period products each. Items that a history has not shown are all alike and take one column together.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np


def habits(items: np.ndarray, n_items: int, period: int, pool: int, noise: float) -> Iterator[np.ndarray]:
    """Yield p(item of the next slot = y | events so far), "u v", before event 0, 1, …, and last after all.

    Args:
        items: int64 "u l", 0 past the end of a history.
        n_items, period, pool, noise: the dials of `Periodic`.
    """
    users, length = items.shape
    ratio = np.log1p((1.0 - noise) * n_items / noise)  # log p(x shown | slot asks for x) − log p(x shown | it does not)
    column, met = _columns(items)
    rows = np.arange(users)
    counts = np.zeros((users, period, length + 1))
    item_of = np.zeros((users, length + 1), dtype=np.int64)
    for k in range(length + 1):
        width = 1 + met[:, k].max(initial=0)
        copies = (np.arange(width) <= met[:, k, None]).astype(np.float64)
        copies[:, 0] = n_items - met[:, k]
        slots = (k + 1 + np.arange(period)) % period  # the next slot last
        weights = _last_slot_weights(ratio * counts[:, slots, :width], copies, pool)
        weights /= (weights * copies).sum(axis=1, keepdims=True)
        believed = np.repeat(weights[:, :1], n_items + 1, axis=1)
        believed[rows[:, None], item_of[:, 1:width]] = weights[:, 1:]  # columns without an item yet point at padding
        believed[:, 0] = 0.0
        yield believed
        if k < length:
            counts[rows, k % period, column[:, k]] += 1.0
            item_of[rows, column[:, k]] = items[:, k]


def _columns(items: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Items numbered by first appearance, from 1, "u l"; and how many had come before event k, "u l + 1"."""
    users, length = items.shape
    if length == 0:
        return items, np.zeros((users, 1), dtype=np.int64)
    first = (items[:, :, None] == items[:, None, :]).argmax(axis=2)
    met = np.cumsum(first == np.arange(length), axis=1)
    return np.take_along_axis(met, first, axis=1), np.concatenate([np.zeros((users, 1), dtype=np.int64), met], axis=1)


def _last_slot_weights(log_f: np.ndarray, copies: np.ndarray, pool: int) -> np.ndarray:
    """Weight "u c" of each column being the item of the last slot, up to a factor for each user.

    Args:
        log_f: log f_s(x), "u period c", up to a constant for each slot.
        copies: how many items each column stands for, "u c"; column 0 is that of items not met.
    """
    users, period, width = log_f.shape
    # Each slot in units of its best item, and never below a floor that keeps a product over all slots above 1e-280.
    # Only a slot with more than about a dozen events reaches the floor, for items that are out of the question.
    log_f = np.where(copies[:, None] > 0, log_f, 0.0)
    f = np.maximum(np.exp(log_f - log_f.max(axis=2, keepdims=True)), 10.0 ** (-280.0 / period))
    together = np.empty((users, 2**period, width))  # Π_{s ∈ S} f_s(x); bit s of the index says whether s ∈ S
    together[:, 0] = 1.0
    for s in range(period):
        np.multiply(together[:, : 2**s], f[:, s, None], out=together[:, 2**s : 2 ** (s + 1)])
    # Sets with the last slot are the upper half; what each of them leaves to others is the lower half, reversed.
    half = 2 ** (period - 1)
    member = np.matmul(together[:, :half], copies[:, :, None])[:, :, 0].T  # F, "sets u"
    others = np.zeros_like(member)  # what the other members make of a set: without any, nothing but the empty set
    others[0] = 1.0
    for number in range(pool - 1):
        others = _convolved(member, others, period - 1) if number else member
    return np.matmul(others[::-1].T[:, None], together[:, half:])[:, 0]


def _convolved(a: np.ndarray, b: np.ndarray, period: int) -> np.ndarray:
    """Subset convolution (a ∗ b)(T) = Σ_{A ⊆ T} a(A) b(T ∖ A), "sets u"."""
    part, rest, begins = _parts(period)
    return np.add.reduceat(a[part] * b[rest], begins, axis=0)


@lru_cache(maxsize=16)
def _parts(period: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every (A, T ∖ A) with A ⊆ T, set after set T, and where each T begins."""
    pairs = [(part, whole ^ part) for whole in range(2**period) for part in range(whole + 1) if part & ~whole == 0]
    sizes = [2 ** whole.bit_count() for whole in range(2**period)]
    part, rest = np.array(pairs).T
    return part, rest, np.concatenate([[0], np.cumsum(sizes)[:-1]])
