"""Drawing what people look at: one source per event, then an item from that source.

Written apart from `belief`, which adds up the same mixture in closed form: that both agree is a test, not an
assumption.
"""

from __future__ import annotations

import numpy as np

from seqrec_edu.data.synthetic import splitmix
from seqrec_edu.data.synthetic.clock import opens_visit
from seqrec_edu.data.synthetic.dials import Dials
from seqrec_edu.data.synthetic.memory import Memory

CHAIN, RESUME, AGAIN, NOISE, TASTE = range(5)
_DRAWS = 3  # counters used per event: source, place, item


def draw_kinds(shop: Dials, seed: int, users: np.ndarray) -> np.ndarray:
    """The hidden kind of each user, "u"."""
    return splitmix.categorical(splitmix.uniform(splitmix.key(seed, "shoppers", "kind", users), 0), shop.kind_prior)


def draw_items(shop: Dials, seed: int, users: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Items "u l" for the given users at the given times "u l"."""
    keys = splitmix.key(seed, "shoppers", "items", users)
    kinds, opened = draw_kinds(shop, seed, users), opens_visit(times)
    memory, items = Memory(users.size, shop.genre_of), np.zeros(times.shape, dtype=np.int64)
    for k in range(times.shape[1]):
        u = [splitmix.uniform(keys, _DRAWS * k + draw) for draw in range(_DRAWS)]
        before = opened[:, k - 1] if k else np.ones(users.size, dtype=bool)
        items[:, k] = _next(shop, memory, kinds, before, u)
        memory.see(items[:, k], times[:, k])
    return items


def _next(shop: Dials, memory: Memory, kinds: np.ndarray, opened: np.ndarray, u: list[np.ndarray]) -> np.ndarray:
    source = np.searchsorted(np.cumsum([shop.chain, shop.resume, shop.again, shop.noise]), u[0], side="right")
    source[(memory.item == 0) & (source != NOISE)] = TASTE
    chosen = np.zeros(source.size, dtype=np.int64)

    rows = np.flatnonzero(source == CHAIN)
    chosen[rows] = _chain(shop, memory.item[rows], opened[rows], u[1][rows], u[2][rows])

    rows = np.flatnonzero(source == RESUME)
    rows, genre = _pick(rows, memory.resume(shop.decay, rows), u[1], source)
    chosen[rows] = _next_step(shop, memory.last_of_genre[rows, genre], u[2][rows])

    rows = np.flatnonzero(source == AGAIN)
    rows, item = _pick(rows, memory.again(shop.decay, rows), u[1], source)
    chosen[rows] = item

    rows = np.flatnonzero(source == NOISE)
    chosen[rows] = 1 + np.floor(u[1][rows] * (shop.genre_of.size - 1)).astype(np.int64)

    rows = np.flatnonzero(source == TASTE)
    chosen[rows] = splitmix.categorical(u[1][rows], shop.taste_of_kind[kinds[rows]])
    return chosen


def _pick(rows: np.ndarray, weights: np.ndarray, u: np.ndarray, source: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pick by weight; rows without any weight are handed over to taste."""
    possible = (weights > 0).any(axis=1)
    source[rows[~possible]] = TASTE
    rows, weights = rows[possible], weights[possible]
    return rows, splitmix.categorical(u[rows], weights)


def _chain(shop: Dials, item: np.ndarray, opened: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    compare = u < np.where(opened, shop.compare_when_opened, shop.compare_later)
    other = shop.alternatives[item, splitmix.categorical(v, shop.compare_weights[item])]
    return np.where(compare, other, _next_step(shop, item, v))


def _next_step(shop: Dials, item: np.ndarray, u: np.ndarray) -> np.ndarray:
    return shop.next_step[item, splitmix.categorical(u, shop.line_weights[item])]
