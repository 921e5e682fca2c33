"""A matrix product from torch, a compiled loop that counts: each tile of scores is read once, while it is in cache.

What does not rank (the padding row, the excluded, the target itself) is overwritten with NaN, which is neither above
nor level with anything, so the loop that counts has no branch.

Where a tile cannot hold whole rows, the target's own score is needed before the tile that holds it comes by, and to
the last bit, or a tie is missed. A product with the targets' rows alone foretells it. The tiles then show what it is;
should a matrix product ever round it differently there, the tiles are counted once more with the score they showed.
"""

import functools

import numpy as np
import torch

from seqrec_edu.ops._target_rank.reference import place
from seqrec_edu.ops.compiled import arrays, numba, threads_of_torch

TILE_BYTES = 2 << 20
FEWEST_USERS = 64  # of which a tile should hold whole rows, or else it holds many users and part of the catalogue
MOST_USERS = 256


def target_rank(hidden, items, target, exclude=None):
    """Same contract as the reference."""
    room = TILE_BYTES // 4
    whole = FEWEST_USERS * len(items) <= room
    users = min(len(hidden), room // len(items) if whole else MOST_USERS)
    wide = len(items) if whole else min(len(items), max(1, room // users))
    hidden, items, target = hidden.detach(), items.detach(), target.contiguous()
    exclude = target.new_empty(len(target), 0) if exclude is None else exclude.contiguous()
    buffer = hidden.new_empty(users * wide)
    tiles = [slice(start, start + users) for start in range(0, len(hidden), users)]
    counted = [_counts(hidden[tile], items, target[tile], exclude[tile], wide, buffer) for tile in tiles]
    return place(*map(torch.cat, zip(*counted, strict=True)))


def _counts(hidden, items, target, exclude, wide, buffer):
    """The targets' own scores and the half places taken, for one tile of users."""
    own = None if wide == len(items) else _foretold(hidden, items, target)
    for _ in range(2):
        found, halves = _count_all(own, hidden, items, target, exclude, wide, buffer)
        if own is None or torch.isclose(found, own, rtol=0, atol=0, equal_nan=True).all():
            break
        own = found
    return found, halves


def _foretold(hidden, items, target):
    return (hidden @ items[target].T).diagonal().contiguous()


def _count_all(own, hidden, items, target, exclude, wide, buffer):
    """Stream the catalogue past one tile of users; without ``own`` its only tile has whole rows, which show it."""
    found, halves = torch.empty_like(hidden[:, 0]), torch.zeros_like(target)
    for first in range(0, len(items), wide):
        columns = items[first : first + wide]
        scores = buffer[: len(hidden) * len(columns)].view(len(hidden), len(columns))
        torch.mm(hidden, columns.T, out=scores)
        mine = scores.gather(1, target[:, None])[:, 0] if own is None else own
        with threads_of_torch():
            _compiled()(*arrays(scores), first, *arrays(target, exclude, mine, found, halves))
    return found, halves


@functools.cache
def _compiled():
    # No fastmath: with it the compiler may take it that nothing is NaN.
    return numba.njit(parallel=True, cache=True, error_model="numpy")(_count)


def _count(scores, first, target, exclude, own, found, halves):
    wide = scores.shape[1]
    for u in numba.prange(len(target)):
        if first == 0:
            scores[u, 0] = np.nan
        column = target[u] - first
        if 0 <= column < wide:
            found[u] = scores[u, column]
            scores[u, column] = np.nan
        for s in range(exclude.shape[1]):
            column = exclude[u, s] - first
            if 0 <= column < wide:
                scores[u, column] = np.nan
        mine, count = own[u], np.uint32(0)  # a counter as wide as a score, or the loop is not vectorised
        for v in range(wide):
            count = np.uint32(count + np.uint32(scores[u, v] > mine) + np.uint32(scores[u, v] >= mine))
        halves[u] += count
