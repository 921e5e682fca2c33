# ruff: noqa: RUF005 - tuples grow by +, because Triton knows no (*a, b)
"""The GPU version (Triton): the sum, the bias and SiLU in one pass that reads x once and writes y once.

Forward, a program makes a tile of EVENTS × TILE outputs. It reads its inputs once per tap, shifted: all but the first
read find them in the cache, and nothing waits for anything else.

Backward, a program walks STEPS events at a time through a segment of one history, the last k-1 inputs and gradients in
registers. With s the sum before the activation (computed again, not kept) and ds its gradient:

    ds[t] = dy[t] silu'(s[t])                dx[t] = Σ_j weight[k-1-j] ds[t+j]
    dweight[k-1-j] = Σ_t ds[t] x[t-j]        dbias = Σ_t ds[t]

dx needs k-1 gradients behind the segment, so the walk goes on for as many events. dweight and dbias leave as one share
per program, added afterwards in a fixed order: the same input gives the same bits.
"""

import torch
import triton
import triton.language as tl

from seqrec_edu.ops.gpu import in_rows

SEGMENT, STEPS = 64, 4  # events of one backward program; of these read at once


def causal_conv1d(x, weight, bias=None, *, activation=None, initial_state=None):
    """Same contract as the reference: ``y "b l e"`` and the window ``"b k-1 e"``."""
    x = in_rows(x)
    keep = weight.shape[1] - 1
    y = _Conv.apply(x, weight, bias, initial_state, activation == "silu")
    if x.shape[1] >= keep:
        return y, x[:, x.shape[1] - keep :]
    before = x.new_zeros(x.shape[0], keep, x.shape[2]) if initial_state is None else initial_state
    return y, torch.cat([before, x], dim=1)[:, x.shape[1] :]


class _Conv(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias, initial, silu):
        weight, bias, initial = (None if v is None else v.contiguous() for v in (weight, bias, initial))
        ctx.save_for_backward(x, weight, bias, initial)
        ctx.silu = silu
        (b, l, e), k = x.shape, weight.shape[1]
        y = torch.empty(b, l, e, dtype=x.dtype, device=x.device)
        events, tile = 16, min(64, triton.next_power_of_2(e))
        times, tiles = triton.cdiv(l, events), triton.cdiv(e, tile)
        with torch.cuda.device_of(x):
            forward[(b * times * tiles,)](
                x, weight, bias, initial, y, l, e, times, tiles, x.stride(1),
                K=k, EVENTS=events, TILE=tile, SILU=silu, DOUBLE=x.dtype == torch.float64, num_warps=2,
            )  # fmt: skip
        return y

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, dy):
        x, weight, bias, initial = ctx.saved_tensors
        (b, l, e), k = x.shape, weight.shape[1]
        dy = in_rows(dy)
        tile = min(64, triton.next_power_of_2(e))
        segments, tiles = triton.cdiv(l, SEGMENT), triton.cdiv(e, tile)
        precise = torch.float64 if x.dtype == torch.float64 else torch.float32
        dx, dinitial = (
            torch.empty(b, l, e, dtype=x.dtype, device=x.device),
            None if initial is None else torch.empty_like(initial),
        )
        dweight = x.new_empty(b * segments, k, e, dtype=precise)
        dbias = None if bias is None else x.new_empty(b * segments, e, dtype=precise)
        with torch.cuda.device_of(x):
            backward[(b * segments * tiles,)](
                x, weight, bias, initial, dy, dx, dweight, dbias, dinitial,
                l, e, segments, tiles, x.stride(1), dy.stride(1),
                K=k, TILE=tile, SEGMENT=SEGMENT, STEPS=STEPS, SILU=ctx.silu,
                DOUBLE=x.dtype == torch.float64, num_warps=1,
            )  # fmt: skip
        dweight = dweight.sum(0).T.to(weight.dtype)
        return dx, dweight, None if bias is None else dbias.sum(0).to(bias.dtype), dinitial, None


@triton.jit(do_not_specialize=("length", "times"))
def forward(
    x, weight, bias, initial, y, length, channels, times, tiles, x_row,
    K: tl.constexpr, EVENTS: tl.constexpr, TILE: tl.constexpr, SILU: tl.constexpr, DOUBLE: tl.constexpr,
):  # fmt: skip
    """Grid (histories · tiles of events · tiles of channels). bias and initial may be None."""
    program = tl.program_id(0)
    history = (program // (times * tiles)).to(tl.int64)
    t = (program // tiles % times * EVENTS + tl.arange(0, EVENTS))[:, None]
    e = program % tiles * TILE + tl.arange(0, TILE)
    s = tl.zeros((EVENTS, TILE), tl.float64 if DOUBLE else tl.float32)
    window = ()  # all read before the first is used, so that they are waited for together
    for j in tl.static_range(K):
        window = window + (event(x, initial, history, t - (K - 1) + j, e[None, :], length, channels, x_row, K, s),)
    for j in tl.static_range(K):
        s += read(weight, e * K + j, e < channels, s)[None, :] * window[j]
    if bias is not None:
        s += read(bias, e, e < channels, s)[None, :]
    if SILU:
        s *= tl.sigmoid(s)
    inside = (t < length) & (e < channels)[None, :]
    tl.store(y + (history * length + t) * channels + e[None, :], s.to(y.dtype.element_ty), mask=inside)


@triton.jit(do_not_specialize=("length", "segments"))
def backward(
    x, weight, bias, initial, dy, dx, dweight, dbias, dinitial, length, channels, segments, tiles, x_row, dy_row,
    K: tl.constexpr, TILE: tl.constexpr, SEGMENT: tl.constexpr, STEPS: tl.constexpr,
    SILU: tl.constexpr, DOUBLE: tl.constexpr,
):  # fmt: skip
    """Grid (histories · segments · tiles of channels). dweight "k e" and dbias "e" of every history and segment."""
    program, e = tl.program_id(0) // tiles, tl.program_id(0) % tiles * TILE + tl.arange(0, TILE)
    history, start, has_e = (program // segments).to(tl.int64), program % segments * SEGMENT, e < channels
    stop = tl.minimum(start + SEGMENT, length)
    zero = tl.zeros((TILE,), tl.float64 if DOUBLE else tl.float32)
    shift, dshift = zero, zero
    if bias is not None:
        shift = read(bias, e, has_e, shift)
    taps, dtaps, window, gradients = (), (), (), ()  # the last two: x and ds of the k-1 events before the one at hand
    for j in tl.static_range(K):
        taps, dtaps = taps + (read(weight, e * K + j, has_e, shift),), dtaps + (zero,)
    for j in tl.static_range(K - 1):
        window = window + (event(x, initial, history, start - (K - 1) + j, e, length, channels, x_row, K, shift),)
        gradients = gradients + (zero,)
    for first in range(start, stop + K - 1, STEPS):
        coming = ()
        for i in tl.static_range(STEPS):
            window = window + (event(x, initial, history, first + i, e, length, channels, x_row, K, shift),)
            coming = coming + (event(dy, None, history, first + i, e, length, channels, dy_row, K, shift),)
        for i in tl.static_range(STEPS):
            ds = coming[i]
            if SILU:
                s = shift
                for j in tl.static_range(K):
                    s += taps[j] * window[i + j]
                ds *= tl.sigmoid(s) * (1 + s * (1 - tl.sigmoid(s)))
            gradients = gradients + (ds,)
            own = tl.where(first + i < stop, ds, 0)
            dshift += own
            sums, dx_u, u = (), zero, first + i - (K - 1)
            for j in tl.static_range(K):
                sums = sums + (dtaps[j] + own * window[i + j],)
                dx_u += taps[K - 1 - j] * gradients[i + j]
            dtaps = sums
            to = dx + (history * length + u) * channels + e
            tl.store(to, dx_u.to(dx.dtype.element_ty), mask=has_e & (u >= start) & (u < stop))
            if initial is not None:
                to = dinitial + (history * (K - 1) + u + K - 1) * channels + e
                tl.store(to, dx_u.to(dx.dtype.element_ty), mask=has_e & (u < 0) & (start == 0))
        window, gradients = window[STEPS:], gradients[STEPS:]
    for j in tl.static_range(K):
        tl.store(dweight + (program.to(tl.int64) * K + j) * channels + e, dtaps[j], mask=has_e)
    if bias is not None:
        tl.store(dbias + program.to(tl.int64) * channels + e, dshift, mask=has_e)


@triton.jit
def event(x, initial, history, t, e, length, channels, row, K: tl.constexpr, like):
    """x at time t, which before the history is what the window carried over says, or nothing, and behind it nothing."""
    inside = (e < channels) & (t >= 0) & (t < length)
    x_t = read(x + (history * length + t) * row, e, inside, like)
    if initial is not None:
        carried = (e < channels) & (t < 0)
        x_t += read(initial + (history * (K - 1) + t + K - 1) * channels, e, carried, like)
    return x_t


@triton.jit
def read(pointer, at, inside, like):
    """As precise as ``like``; 0 outside."""
    return tl.load(pointer + at, mask=inside, other=0).to(like.dtype)
