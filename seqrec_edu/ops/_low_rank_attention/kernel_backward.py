"""The backward pass on the GPU; the formulas stand in kernel.py."""

import triton
import triton.language as tl

from seqrec_edu.ops._low_rank_attention.kernel_forward import dot, kept_of, load_softmax, real_events, tile, weights_of


@triton.jit
def backward_kernel(
    q, k, v, pool_k, pool_v, keep, mask, interests, softmaxes, dy, dq, dk, dv, dpools, dkeep, scale, L, H, P, R,
    BLOCKS: tl.constexpr, BL: tl.constexpr, BP: tl.constexpr, BR: tl.constexpr,
    MASKED: tl.constexpr, KEPT: tl.constexpr, POSITIONS: tl.constexpr, KEEP_GRADIENT: tl.constexpr,
):  # fmt: skip
    program = tl.program_id(0).to(tl.int64)
    b, h = program // H, program % H
    first, stride = (b * L * H + h) * P, H * P
    interests += program * 2 * R * P
    softmaxes += program * 6 * R
    dpools += program * 2 * L * R
    mask += b * L
    keep += (b * L * H + h) * R
    KIND: tl.constexpr = q.dtype.element_ty
    EXACT: tl.constexpr = interests.dtype.element_ty  # of sums: float32 at least
    cell, within = tile(0, P, R, P, BR, BP)
    pooled_k, pooled_v = tl.load(interests + cell, within, 0), tl.load(interests + R * P + cell, within, 0)
    dpooled_k, dpooled_v = tl.zeros([BR, BP], EXACT), tl.zeros([BR, BP], EXACT)
    peak, inverse = tl.zeros([BR], EXACT), tl.zeros([BR], EXACT)
    if POSITIONS:
        peak, inverse = load_softmax(softmaxes + 4 * R, R, BR)
        for block in range(BLOCKS):
            at, inside = tile(block, stride, L, P, BL, BP)
            real = real_events(mask, block, L, BL, MASKED)
            scores = dot(tl.load(q + first + at, inside, 0), tl.trans(pooled_k), KIND, EXACT) * scale
            weights = weights_of(scores, real, peak, inverse, R, BR, POSITIONS)
            weights *= kept_of(keep, block, H, L, R, BL, BR, KEPT, EXACT)
            change = tl.load(dy + first + at, inside, 0)
            dpooled_v += dot(tl.trans(weights), change, KIND, EXACT)
    of_column = tl.sum(pooled_v * dpooled_v, 1)[None, :]

    for block in range(BLOCKS):
        at, inside = tile(block, stride, L, P, BL, BP)
        real = real_events(mask, block, L, BL, MASKED)
        asked, change = tl.load(q + first + at, inside, 0), tl.load(dy + first + at, inside, 0)
        scores = dot(asked, tl.trans(pooled_k), KIND, EXACT) * scale
        weights = weights_of(scores, real, peak, inverse, R, BR, POSITIONS)
        kept = kept_of(keep, block, H, L, R, BL, BR, KEPT, EXACT)
        dweights = dot(change, tl.trans(pooled_v), KIND, EXACT)
        if KEEP_GRADIENT:
            here, known = tile(block, H * R, L, R, BL, BR)
            tl.store(dkeep + (b * L * H + h) * R + here, (dweights * weights).to(KIND), known)
        dweights *= kept
        if POSITIONS:
            dscores = weights * (dweights - of_column) * scale
        else:
            dscores = weights * (dweights - tl.sum(dweights * weights, 1)[:, None]) * scale
            dpooled_v += dot(tl.trans(weights * kept), change, KIND, EXACT)
        dpooled_k += dot(tl.trans(dscores), asked, KIND, EXACT)
        tl.store(dq + first + at, dot(dscores, pooled_k, KIND, EXACT).to(KIND), inside)

    unpool(k + first, pool_k + b * L * R, mask, softmaxes, dk + first, dpools, pooled_k, dpooled_k,
           stride, L, P, R, BLOCKS, BL, BP, BR, MASKED, EXACT)  # fmt: skip
    unpool(v + first, pool_v + b * L * R, mask, softmaxes + 2 * R, dv + first, dpools + L * R, pooled_v, dpooled_v,
           stride, L, P, R, BLOCKS, BL, BP, BR, MASKED, EXACT)  # fmt: skip


@triton.jit
def unpool(
    values, logits, mask, softmax, dvalues, dlogits, pooled, dpooled, stride, L, P, R,
    BLOCKS: tl.constexpr, BL: tl.constexpr, BP: tl.constexpr, BR: tl.constexpr,
    MASKED: tl.constexpr, EXACT: tl.constexpr,
):  # fmt: skip
    """From the gradient of the interests to those of the values and of the logits that pooled them."""
    KIND: tl.constexpr = values.dtype.element_ty
    peak, inverse = load_softmax(softmax, R, BR)
    of_column = tl.sum(pooled * dpooled, 1)[None, :]
    for block in range(BLOCKS):
        at, inside = tile(block, stride, L, P, BL, BP)
        cell, within = tile(block, R, L, R, BL, BR)
        logit = tl.load(logits + cell, within, 0).to(EXACT)
        share = tl.exp(tl.minimum(logit - peak[None, :], 0)) * inverse[None, :]
        share = tl.where(real_events(mask, block, L, BL, MASKED), share, 0)
        value = tl.load(values + at, inside, 0)
        dlogit = share * (dot(value, tl.trans(dpooled), KIND, EXACT) - of_column)
        tl.store(dvalues + at, dot(share, dpooled, KIND, EXACT).to(KIND), inside)
        tl.store(dlogits + cell, dlogit, within)
