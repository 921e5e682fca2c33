"""The loss and both gradients from tiles of scores that live and die on chip, exact: no score is left out as too small.

Three kernels score, each holding one tile of rows and streaming the rows of the other matrix past it:

* ``_logsumexp`` holds tokens. The largest score so far is the peak that exponentials are counted from; what was summed
  shrinks when a larger one comes.
* ``_hidden_gradient`` holds tokens and ``_items_gradient`` holds items, each with its gradient in registers. Two of
  them score once more than one kernel for both, but that one would have to add into a gradient that all programs
  share, by atomics or locks, and in another order every time.

Where one matrix has too few rows to occupy a GPU, the other is cut into spans. Each span leaves a partial result, and
adding those up is a step of its own: no atomics, so the same bits in every run.
"""

import torch
import triton
import triton.language as tl

from seqrec_edu.ops._linear_cross_entropy.tiles import dot, exact, grid, options, tile

NOTHING = -(2**31)  # a row that no target names
LOWEST = tl.constexpr(-3.4028234663852886e38)  # of float32
# A GPU raises 2, not e, to a power. With scores in units of log 2 the factor and the difference are one instruction.
LOG2_E = tl.constexpr(1.4426950408889634)
LOG_2 = tl.constexpr(0.6931471805599453)


def linear_cross_entropy(hidden, items, target, reduction, ignore_index):
    """Same contract as the reference, for rows of up to 256 numbers; a target outside the catalogue makes NaN."""
    ignore_index = NOTHING if ignore_index is None else ignore_index
    loss = _Loss.apply(hidden, items, target, ignore_index)
    if reduction != "none":
        loss = loss.sum()
    if reduction == "mean":
        loss = loss / (target != ignore_index).sum()
    return loss.to(hidden.dtype)


class _Loss(torch.autograd.Function):
    """One loss per token, in fp32 or better."""

    @staticmethod
    def forward(ctx, hidden, items, target, padding):
        hidden, items, target = hidden.contiguous(), items.contiguous(), target.contiguous()
        constants = options(hidden)
        t, v = len(hidden), len(items)
        tiles, spans, span = grid(t, v, constants)
        partial = hidden.new_empty(spans, t, dtype=exact(hidden))
        _logsumexp[(tiles, spans)](hidden, items, partial, t, v, span, padding, **constants)
        loss, total = partial.new_empty(t), partial.new_empty(tiles * constants["ROWS"])
        right = torch.empty_like(total, dtype=torch.int32)
        _losses[(tiles,)](hidden, items, target, partial, loss, total, right, t, v, spans, padding, **constants)
        ctx.save_for_backward(hidden, items, total, right)
        ctx.padding = padding
        return loss

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, upstream):
        hidden, items, *tokens = ctx.saved_tensors
        wanted = ctx.needs_input_grad
        return (
            _gradient(_hidden_gradient, hidden, items, tokens, upstream, ctx.padding) if wanted[0] else None,
            _gradient(_items_gradient, items, hidden, tokens, upstream, ctx.padding) if wanted[1] else None,
            None,
            None,
        )


def _gradient(kernel, held, streamed, tokens, upstream, padding):
    constants = options(held)
    tiles, spans, span = grid(len(held), len(streamed), constants)
    parts = held.new_empty(spans, *held.shape, dtype=held.dtype if spans == 1 else exact(held))
    kernel[(tiles, spans)](
        held, streamed, *tokens, upstream, parts, len(held), len(streamed), span,
        upstream.stride(0),  # 0 for a sum: one number for all tokens
        padding, **constants,
    )  # fmt: skip
    return parts[0] if spans == 1 else parts.sum(0).to(held.dtype)


@triton.jit
def _logsumexp(
    hidden, items, partial, T, V, span, padding,
    D: tl.constexpr, WIDTH: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr, WIDEN: tl.constexpr,
):  # fmt: skip
    """Logsumexp to base 2 over one span of the items."""
    EXACT: tl.constexpr = partial.dtype.element_ty
    KIND: tl.constexpr = EXACT if WIDEN else items.dtype.element_ty
    t = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    h = tile(hidden, t, T, D, WIDTH, KIND)
    peak, total = tl.full([ROWS], LOWEST, EXACT), tl.zeros([ROWS], EXACT)
    first = tl.program_id(1) * span
    for start in range(first, tl.minimum(first + span, V), COLUMNS):
        v = start + tl.arange(0, COLUMNS)
        scores = dot(h, tl.trans(tile(items, v, V, D, WIDTH, KIND)), EXACT)
        scores = tl.where(((v < V) & (v != padding))[None, :], scores, float("-inf"))
        higher = tl.maximum(peak, tl.max(scores, 1) * LOG2_E)
        total = total * tl.exp2(peak - higher) + tl.sum(tl.exp2(scores * LOG2_E - higher[:, None]), 1)
        peak = higher
    tl.store(partial + tl.program_id(1) * T + t, peak + tl.log2(total), mask=t < T)


@triton.jit
def _losses(
    hidden, items, target, partial, loss, total, right, T, V, spans, padding,
    D: tl.constexpr, WIDTH: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr, WIDEN: tl.constexpr,
):  # fmt: skip
    """Join the spans, take off the target's own score.

    For the backward pass, the total of a token that is ignored, or that only fills up the last tile, is infinite: all
    its shares come out as zero.
    """
    EXACT: tl.constexpr = partial.dtype.element_ty
    t = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    peak, rest = tl.full([ROWS], LOWEST, EXACT), tl.zeros([ROWS], EXACT)
    for span in range(spans):
        part = tl.load(partial + span * T + t, mask=t < T, other=0)
        higher = tl.maximum(peak, part)
        rest = rest * tl.exp2(peak - higher) + tl.exp2(part - higher)
        peak = higher
    place = tl.load(target + t, mask=t < T, other=-1)
    known = (place >= 0) & (place < V)
    counts = (t < T) & (place != padding)
    # Reading targets before the launch would stall the GPU, so one outside the catalogue cannot raise; NaN is loud.
    whole = tl.where(known, peak + tl.log2(rest), float("nan"))
    h = tile(hidden, t, T, D, WIDTH, EXACT)
    own = tl.sum(h * tile(items, tl.where(known, place, 0), V, D, WIDTH, EXACT), 1)
    tl.store(loss + t, tl.where(counts, whole * LOG_2 - own, 0), mask=t < T)
    tl.store(total + t, tl.where(counts, whole, float("inf")))
    tl.store(right + t, place.to(tl.int32))


@triton.jit
def _hidden_gradient(
    hidden, items, total, right, upstream, gradient, T, V, span, upstream_stride, padding,
    D: tl.constexpr, WIDTH: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr, WIDEN: tl.constexpr,
):  # fmt: skip
    """``upstream·(Σ_v softmax·items - items[target])``; one span of the sum."""
    EXACT: tl.constexpr = total.dtype.element_ty
    KIND: tl.constexpr = EXACT if WIDEN else items.dtype.element_ty
    t = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    h = tile(hidden, t, T, D, WIDTH, KIND)
    whole, place, weight = _token(total, right, upstream, t, T, upstream_stride)
    mixed = tl.zeros([ROWS, WIDTH], EXACT)
    first = tl.program_id(1) * span
    for start in range(first, tl.minimum(first + span, V), COLUMNS):
        v = start + tl.arange(0, COLUMNS)
        e = tile(items, v, V, D, WIDTH, KIND)
        share = tl.exp2(dot(h, tl.trans(e), EXACT) * LOG2_E - whole[:, None])
        share = tl.where(((v < V) & (v != padding))[None, :], share, 0)
        mixed += dot(share.to(e.dtype), e, EXACT)
    if tl.program_id(1) == 0:
        own = tile(items, tl.maximum(place, 0), V, D, WIDTH, EXACT)
        mixed -= tl.where((place != padding)[:, None], own, 0)
    _store(gradient, mixed * weight[:, None], t, T, D, WIDTH)


@triton.jit
def _items_gradient(
    items, hidden, total, right, upstream, gradient, V, T, span, upstream_stride, padding,
    D: tl.constexpr, WIDTH: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr, WIDEN: tl.constexpr,
):  # fmt: skip
    """``Σ_t upstream·(softmax - onehot)·hidden``; one span of the sum."""
    EXACT: tl.constexpr = total.dtype.element_ty
    KIND: tl.constexpr = EXACT if WIDEN else items.dtype.element_ty
    v = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    e = tile(items, v, V, D, WIDTH, KIND)
    mixed = tl.zeros([ROWS, WIDTH], EXACT)
    first = tl.program_id(1) * span
    for start in range(first, tl.minimum(first + span, T), COLUMNS):
        t = start + tl.arange(0, COLUMNS)
        h = tile(hidden, t, T, D, WIDTH, KIND)
        whole, place, weight = _token(total, right, upstream, t, T, upstream_stride)
        share = tl.exp2(dot(e, tl.trans(h), EXACT) * LOG2_E - whole[None, :])
        share = share * weight[None, :] - tl.where(v[:, None] == place[None, :], weight[None, :], 0)
        mixed += dot(share.to(h.dtype), h, EXACT)
    # The padding row is not an item; its scores are in no total, so exp2 may have made anything of them.
    _store(gradient, tl.where((v != padding)[:, None], mixed, 0), v, V, D, WIDTH)


@triton.jit
def _token(total, right, upstream, t, T, upstream_stride):
    """Logsumexp, target, upstream gradient. Past the end the total is infinite, so any finite number may weigh it."""
    weight = tl.load(upstream + tl.minimum(t, T - 1) * upstream_stride)
    return tl.load(total + t), tl.load(right + t), weight


@triton.jit
def _store(gradient, mixed, rows, stop, D: tl.constexpr, WIDTH: tl.constexpr):
    k = tl.arange(0, WIDTH)[None, :]
    at = (tl.program_id(1).to(tl.int64) * stop + rows)[:, None] * D + k
    tl.store(gradient + at, mixed.to(gradient.dtype.element_ty), mask=(rows < stop)[:, None] & (k < D))
