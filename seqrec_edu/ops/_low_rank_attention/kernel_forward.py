"""The forward pass on the GPU, and the pieces that the backward pass shares with it."""

import triton
import triton.language as tl

LOWEST = tl.constexpr(-3.4028234663852886e38)  # of float32


@triton.jit
def forward_kernel(
    q, k, v, pool_k, pool_v, keep, mask, y, interests, softmaxes, scale, L, H, P, R,
    BLOCKS: tl.constexpr, BL: tl.constexpr, BP: tl.constexpr, BR: tl.constexpr,
    MASKED: tl.constexpr, KEPT: tl.constexpr, POSITIONS: tl.constexpr,
):  # fmt: skip
    program = tl.program_id(0).to(tl.int64)
    b, h = program // H, program % H
    first, stride = (b * L * H + h) * P, H * P  # of this head's channels, and from one event to the next
    interests += program * 2 * R * P
    softmaxes += program * 6 * R
    mask += b * L
    keep += (b * L * H + h) * R
    KIND: tl.constexpr = q.dtype.element_ty
    EXACT: tl.constexpr = interests.dtype.element_ty  # of sums: float32 at least
    pooled_k = pool(k + first, pool_k + b * L * R, mask, interests, softmaxes,
                    stride, L, P, R, BLOCKS, BL, BP, BR, MASKED, EXACT)  # fmt: skip
    pooled_v = pool(v + first, pool_v + b * L * R, mask, interests + R * P, softmaxes + 2 * R,
                    stride, L, P, R, BLOCKS, BL, BP, BR, MASKED, EXACT)  # fmt: skip

    peak, total = tl.full([BR], LOWEST, EXACT), tl.zeros([BR], EXACT)
    if POSITIONS:
        for block in range(BLOCKS):
            at, inside = tile(block, stride, L, P, BL, BP)
            scores = dot(tl.load(q + first + at, inside, 0), tl.trans(pooled_k), KIND, EXACT) * scale
            peak, total, _, _ = gather(scores, real_events(mask, block, L, BL, MASKED), peak, total)
    inverse = inverse_of(total)
    if POSITIONS:
        store_softmax(softmaxes + 4 * R, peak, inverse, R, BR)

    for block in range(BLOCKS):
        at, inside = tile(block, stride, L, P, BL, BP)
        real = real_events(mask, block, L, BL, MASKED)
        scores = dot(tl.load(q + first + at, inside, 0), tl.trans(pooled_k), KIND, EXACT) * scale
        weights = weights_of(scores, real, peak, inverse, R, BR, POSITIONS)
        weights *= kept_of(keep, block, H, L, R, BL, BR, KEPT, EXACT)
        tl.store(y + first + at, dot(weights, pooled_v, KIND, EXACT).to(KIND), inside)


@triton.jit
def pool(
    values, logits, mask, interests, softmax, stride, L, P, R,
    BLOCKS: tl.constexpr, BL: tl.constexpr, BP: tl.constexpr, BR: tl.constexpr,
    MASKED: tl.constexpr, EXACT: tl.constexpr,
):  # fmt: skip
    """The interests [BR, BP], stored with their softmax. Nothing to pool gives zeros."""
    KIND: tl.constexpr = values.dtype.element_ty
    peak, total, gathered = tl.full([BR], LOWEST, EXACT), tl.zeros([BR], EXACT), tl.zeros([BR, BP], EXACT)
    for block in range(BLOCKS):
        at, inside = tile(block, stride, L, P, BL, BP)
        cell, within = tile(block, R, L, R, BL, BR)
        logit = tl.load(logits + cell, within, 0).to(EXACT)
        peak, total, parts, fade = gather(logit, real_events(mask, block, L, BL, MASKED), peak, total)
        value = tl.load(values + at, inside, 0)
        gathered = gathered * fade[:, None] + dot(tl.trans(parts), value, KIND, EXACT)
    inverse = inverse_of(total)
    gathered *= inverse[:, None]
    at, inside = tile(0, P, R, P, BR, BP)
    tl.store(interests + at, gathered, inside)
    store_softmax(softmax, peak, inverse, R, BR)
    return gathered


@triton.jit
def gather(logit, real, peak, total):
    """One block more of a softmax down the columns: the new peak and total, the parts of this block, and by how much
    what came before fades."""
    higher = tl.maximum(peak, tl.max(tl.where(real, logit, LOWEST), 0))
    parts = tl.where(real, tl.exp(tl.minimum(logit - higher[None, :], 0)), 0)
    fade = tl.exp(peak - higher)
    return higher, total * fade + tl.sum(parts, 0), parts, fade


@triton.jit
def inverse_of(total):
    """1 / total, or 0 where nothing was gathered: a total that is not 0 is at least 1, for the peak is in it."""
    return tl.where(total > 0, 1 / tl.maximum(total, 1), 0)


@triton.jit
def weights_of(scores, real, peak, inverse, R, BR: tl.constexpr, POSITIONS: tl.constexpr):
    """How much each query of a block takes of each interest: nothing if it is a pad, or if there is no such one."""
    exists = (tl.arange(0, BR) < R)[None, :]
    if POSITIONS:
        weights = tl.exp(tl.minimum(scores - peak[None, :], 0)) * inverse[None, :]
    else:
        scores = tl.where(exists, scores, LOWEST)
        weights = tl.exp(scores - tl.max(scores, 1)[:, None])
        weights /= tl.sum(weights, 1)[:, None]
    return tl.where(real & exists, weights, 0)


@triton.jit
def kept_of(keep, block, H, L, R, BL: tl.constexpr, BR: tl.constexpr, KEPT: tl.constexpr, EXACT: tl.constexpr):
    if KEPT:
        cell, within = tile(block, H * R, L, R, BL, BR)
        return tl.load(keep + cell, within, 0).to(EXACT)
    return tl.full([BL, BR], 1, EXACT)


@triton.jit
def tile(block, stride, ROWS, COLUMNS, BROWS: tl.constexpr, BCOLUMNS: tl.constexpr):
    """Where the cells of a block of rows stand, and which of them exist."""
    row = (block * BROWS + tl.arange(0, BROWS))[:, None]
    column = tl.arange(0, BCOLUMNS)[None, :]
    return row * stride + column, (row < ROWS) & (column < COLUMNS)


@triton.jit
def real_events(mask, block, L, BL: tl.constexpr, MASKED: tl.constexpr):
    """[BL, 1]: the events of a block that exist and are no pads."""
    event = block * BL + tl.arange(0, BL)
    real = event < L
    if MASKED:
        real = tl.load(mask + event, real, 0) != 0
    return real[:, None]


@triton.jit
def store_softmax(softmax, peak, inverse, R, BR: tl.constexpr):
    rank = tl.arange(0, BR)
    tl.store(softmax + rank, peak, rank < R)
    tl.store(softmax + R + rank, inverse, rank < R)


@triton.jit
def load_softmax(softmax, R, BR: tl.constexpr):
    rank = tl.arange(0, BR)
    return tl.load(softmax + rank, rank < R, 0), tl.load(softmax + R + rank, rank < R, 0)


@triton.jit
def dot(a, b, KIND: tl.constexpr, EXACT: tl.constexpr):
    """A product in the precision of its operands, added up in float32 at least. TF32 alone would drop 13 bits of a
    float32, so it is split in two and three products are taken; exact ones have no hardware and compile to far more
    code."""
    return tl.dot(a.to(KIND), b.to(KIND), input_precision="tf32x3", out_dtype=EXACT)
