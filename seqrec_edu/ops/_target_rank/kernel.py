"""Score, compare and count in one launch: a program holds some users and streams the items past them.

Ties are decided to the last bit, so the target's own score must come out of the same arithmetic as the scores it is
compared with. It is the entry of a matrix product of the same shape as those of the stream, whose columns are the
users' targets, where row and column are the same user. A sum over d written out would add in another order, and a
target would no longer be level with an item that has the very same row. (On a GPU every entry of a product is summed
in one order. Triton's interpreter leaves products to a library for CPUs, where that depends on the column: there, only
scores that are exact are sure to tie.)

Who has what left out is one bit per user and item, so that a tile of scores needs one word per user.
"""

import torch
import triton
import triton.language as tl

from seqrec_edu.ops._linear_cross_entropy.tiles import dot, exact, grid, options, tile
from seqrec_edu.ops._target_rank.reference import place

MOST_BITS = 1 << 29  # of the excluded, held at a time: 64 MB


def target_rank(hidden, items, target, exclude=None):
    """Same contract as the reference, for rows of up to 256 numbers. Half precision is summed in fp32."""
    hidden, items, target = hidden.detach().contiguous(), items.detach().contiguous(), target.contiguous()
    if exclude is None or exclude.numel() == 0:
        return _ranks(hidden, items, target, None)
    step = max(1, MOST_BITS // len(items))
    tiles = [slice(start, start + step) for start in range(0, len(hidden), step)]
    return torch.cat([_ranks(hidden[u], items, target[u], _bits(exclude[u], len(items))) for u in tiles])


def _ranks(hidden, items, target, bits):
    constants = options(hidden)
    users, catalogue = len(hidden), len(items)
    tiles, spans, span = grid(users, catalogue, constants)
    own = hidden.new_empty(users, dtype=exact(hidden))
    halves = target.new_empty(spans, users, dtype=torch.int32)
    _count[(tiles, spans)](
        hidden, items, target, target if bits is None else bits, own, halves, users, catalogue, span,
        0 if bits is None else bits.shape[1], SEEN=bits is not None, **constants,
    )  # fmt: skip
    return place(own, halves.sum(0))


def _bits(exclude, catalogue):
    """One bit per user and item, 64 to a word: set where the item is left out."""
    exclude = exclude.sort(1).values
    bit = torch.ones_like(exclude) << (exclude & 63)
    bit[:, 1:] *= exclude[:, 1:] != exclude[:, :-1]  # each item once, so that a sum of bits sets them
    return exclude.new_zeros(len(exclude), (catalogue + 63) // 64).scatter_add_(1, exclude >> 6, bit)


@triton.jit
def _count(
    hidden, items, target, bits, own, halves, U, V, span, words,
    D: tl.constexpr, WIDTH: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr, WIDEN: tl.constexpr,
    SEEN: tl.constexpr,
):  # fmt: skip
    EXACT: tl.constexpr = own.dtype.element_ty
    KIND: tl.constexpr = EXACT if WIDEN else items.dtype.element_ty
    u = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    h = tile(hidden, u, U, D, WIDTH, KIND)
    mine = _own_scores(h, items, target, U, V, D, WIDTH, ROWS, COLUMNS, KIND, EXACT)
    right = tl.load(target + u, mask=u < U, other=0).to(tl.int32)
    bits += u.to(tl.int64) * words
    count = tl.zeros([ROWS, COLUMNS], tl.int32)
    first = tl.program_id(1) * span
    for start in range(first, tl.minimum(first + span, V), COLUMNS):
        v = start + tl.arange(0, COLUMNS)
        scores = dot(h, tl.trans(tile(items, v, V, D, WIDTH, KIND)), EXACT)
        ranked = ((v > 0) & (v < V))[None, :] & (v[None, :] != right[:, None])
        if SEEN:
            word = tl.load(bits + (start >> 6), mask=u < U, other=0)
            ranked = ranked & (((word[:, None] >> (v & 63)[None, :]) & 1) == 0)
        scores = tl.where(ranked, scores, float("nan"))  # neither above nor level with anything
        count += (scores > mine[:, None]).to(tl.int32) + (scores >= mine[:, None]).to(tl.int32)
    tl.store(halves + tl.program_id(1) * U + u, tl.sum(count, 1), mask=u < U)
    tl.store(own + u, mine, mask=(u < U) & (tl.program_id(1) == 0))


@triton.jit
def _own_scores(
    h, items, target, U, V, D: tl.constexpr, WIDTH: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
    KIND: tl.constexpr, EXACT: tl.constexpr,
):  # fmt: skip
    """Score of each user's own target, by products of the shape that the stream uses."""
    mine = tl.zeros([ROWS], EXACT)
    for part in range(ROWS // COLUMNS):
        c = part * COLUMNS + tl.arange(0, COLUMNS)
        u = tl.program_id(0) * ROWS + c
        right = tl.load(target + u, mask=u < U, other=0)
        scores = dot(h, tl.trans(tile(items, right, V, D, WIDTH, KIND)), EXACT)
        mine += tl.sum(tl.where(tl.arange(0, ROWS)[:, None] == c[None, :], scores, 0), 1)
    return mine
