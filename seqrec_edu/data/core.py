"""The k-core: drop users and items with fewer than k events, again and again, until nothing changes."""

from __future__ import annotations

import numpy as np


def k_core(users: np.ndarray, items: np.ndarray, k: int) -> tuple[np.ndarray, int]:
    """Which events belong to the k-core: the largest set in which each user and each item has at least k events.

    Dropping an item can push a user below k and the other way round, so one pass is not enough. Repeated events of
    one user with one item count each.

    Args:
        users, items: non-negative codes "events".
        k: least number of events; 0 and 1 keep everything.
    Returns:
        mask "events" (True = stays) and the number of rounds that removed something.
    """
    keep = np.ones(users.size, dtype=bool)
    if k <= 1:
        return keep, 0
    index = np.arange(users.size)
    rounds = 0
    while index.size:
        few_users = np.bincount(users[index]) < k
        few_items = np.bincount(items[index]) < k
        drop = few_users[users[index]] | few_items[items[index]]
        if not drop.any():
            break
        keep[index[drop]] = False
        index = index[~drop]
        rounds += 1
    return keep, rounds


def largest_core(users: np.ndarray, items: np.ndarray, below: int) -> int:
    """The largest k < `below` whose k-core is not empty (0 if there are no events): for error messages."""
    if not users.size:
        return 0
    # Cores are nested, so what has a core is a stretch from 1 on: halve it.
    has, has_not = 0, min(below, np.bincount(users).max() + 1, np.bincount(items).max() + 1)
    while has_not - has > 1:
        k = (has + has_not) // 2
        has, has_not = (k, has_not) if k_core(users, items, k)[0].any() else (has, k)
    return int(has)
