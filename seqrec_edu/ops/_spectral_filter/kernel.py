"""Both transforms as matrix products with one table of waves, in two passes over the histories.

With C the cosines and S the sines, "f l", and R + iI the weight times each wave's share, the filter is

    a = C x,   s = S x              p = R a + I s,   q = R s - I a              y = Cᵀ p + Sᵀ q

The first pass measures a tile of waves and weighs it while it is in registers, the second adds the waves up; p and q
together are as large as x. A causal filter is the same with the waves of a period of 2l, of which only the first l
events matter: the l zeros behind a history need no arithmetic.

Backward: M is transposed by I → -I (a filter read the other way round), so the same two passes give dx. With α = C dy
and σ = S dy, summed over the histories,

    dR = Σ α a + σ s                dI = Σ α s - σ a

Each program sums a range of histories in registers and writes one partial sum; PyTorch adds these up, so the result
does not depend on which program ended first.
"""

import functools

import torch
import triton
import triton.language as tl

from seqrec_edu.ops._spectral_filter.reference import waves

TILE = 32  # waves, events and channels that one matrix product takes at a time; tl.dot wants 16 at least
HISTORIES = 16  # summed by one program in the gradient of the weight
WARPS = 8  # of that program: its six sums are too many for the registers of four


def spectral_filter(x, weight, *, causal):
    """Same contract as the reference."""
    period = 2 * x.shape[1] if causal else x.shape[1]
    wide = torch.promote_types(x.dtype, torch.float32)
    if not weight.is_complex():
        weight = torch.fft.rfft(weight.to(wide), n=period, dim=0)
    share = _tables(period, x.shape[1], wide, x.device)[2]
    return _Filter.apply(x, weight.real * share, weight.imag * share, period)


@functools.lru_cache(maxsize=8)
def _tables(period, length, dtype, device):
    """Cosines, sines and shares of the waves, made once per length; training may use what scoring made."""
    with torch.inference_mode(False):
        return waves(period, length, torch.empty(0, dtype=dtype, device=device))


class _Filter(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, real, imag, period):
        x, real, imag = x.contiguous(), real.contiguous(), imag.contiguous()
        ctx.save_for_backward(x, real, imag)
        ctx.period = period
        return _filter(x, real, imag, period)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, dy):
        x, real, imag = ctx.saved_tensors
        dy = dy.contiguous()
        dx = _filter(dy, real, -imag, ctx.period) if ctx.needs_input_grad[0] else None
        if not (ctx.needs_input_grad[1] or ctx.needs_input_grad[2]):
            return dx, None, None, None
        return dx, *_weight_gradient(x, dy, real, ctx.period), None


def _filter(x, real, imag, period):
    batch, length, width = x.shape
    cos, sin, _ = _tables(period, length, real.dtype, x.device)
    p, q = (real.new_empty(batch, *real.shape) for _ in range(2))
    y = torch.empty_like(x)
    sizes, options = (length, len(cos), width), (TILE, _product(x))
    tiles = triton.cdiv(width, TILE)
    _to_waves[(batch, triton.cdiv(len(cos), TILE), tiles)](x, cos, sin, real, imag, p, q, *sizes, *options)
    _from_waves[(batch, triton.cdiv(length, TILE), tiles)](p, q, cos, sin, y, *sizes, *options)
    return y


def _weight_gradient(x, dy, real, period):
    batch, length, width = x.shape
    cos, sin, _ = _tables(period, length, real.dtype, x.device)
    parts = triton.cdiv(batch, HISTORIES)
    dreal, dimag = (real.new_empty(parts, *real.shape) for _ in range(2))
    grid = (triton.cdiv(len(cos), TILE), triton.cdiv(width, TILE), parts)
    sizes, options = (batch, length, len(cos), width), (HISTORIES, TILE, _product(x))
    _to_weight[grid](x, dy, cos, sin, dreal, dimag, *sizes, *options, num_warps=WARPS)
    return dreal.sum(0), dimag.sum(0)


def _product(x):
    """How tl.dot multiplies.

    Half precision has 11 bits at most and fits TF32. Float32 is split into three TF32 products, which keeps its
    accuracy on the matrix units; plain TF32 would lose half the digits. Float64 (in the interpreter) stays float64.
    """
    return {torch.float64: "ieee", torch.float32: "tf32x3"}.get(x.dtype, "tf32")


@triton.jit
def _to_waves(
    x, cos, sin, real, imag, p, q, length, waves, width, TILE: tl.constexpr, PRODUCT: tl.constexpr
):  # fmt: skip
    f = tl.program_id(1) * TILE + tl.arange(0, TILE)[:, None]
    c = tl.program_id(2) * TILE + tl.arange(0, TILE)[None, :]
    history = tl.program_id(0).to(tl.int64)
    a, s = _amplitudes(x + history * length * width, cos, sin, f, c, length, waves, width, TILE, PRODUCT)
    inside = (f < waves) & (c < width)
    R = tl.load(real + f * width + c, mask=inside, other=0)
    I = tl.load(imag + f * width + c, mask=inside, other=0)
    at = history * waves * width + f * width + c
    tl.store(p + at, R * a + I * s, mask=inside)
    tl.store(q + at, R * s - I * a, mask=inside)


@triton.jit
def _from_waves(p, q, cos, sin, y, length, waves, width, TILE: tl.constexpr, PRODUCT: tl.constexpr):
    t = tl.program_id(1) * TILE + tl.arange(0, TILE)[:, None]
    c = tl.program_id(2) * TILE + tl.arange(0, TILE)[None, :]
    history = tl.program_id(0).to(tl.int64)
    out = tl.zeros((TILE, TILE), cos.dtype.element_ty)
    for start in range(0, waves, TILE):
        wave = start + tl.arange(0, TILE)
        known = (wave[None, :] < waves) & (t < length)
        C = tl.load(cos + wave[None, :] * length + t, mask=known, other=0)
        S = tl.load(sin + wave[None, :] * length + t, mask=known, other=0)
        at = history * waves * width + wave[:, None] * width + c
        inside = (wave[:, None] < waves) & (c < width)
        out += _dot(C, tl.load(p + at, mask=inside, other=0), PRODUCT)
        out += _dot(S, tl.load(q + at, mask=inside, other=0), PRODUCT)
    tl.store(y + history * length * width + t * width + c, out, mask=(t < length) & (c < width))


@triton.jit
def _to_weight(
    x, dy, cos, sin, dreal, dimag, batch, length, waves, width,
    HISTORIES: tl.constexpr, TILE: tl.constexpr, PRODUCT: tl.constexpr,
):  # fmt: skip
    f = tl.program_id(0) * TILE + tl.arange(0, TILE)[:, None]
    c = tl.program_id(1) * TILE + tl.arange(0, TILE)[None, :]
    sum_real = tl.zeros((TILE, TILE), cos.dtype.element_ty)
    sum_imag = tl.zeros((TILE, TILE), cos.dtype.element_ty)
    first = tl.program_id(2) * HISTORIES
    for history in range(first, min(first + HISTORIES, batch)):
        at = tl.cast(history, tl.int64) * length * width
        a, s = _amplitudes(x + at, cos, sin, f, c, length, waves, width, TILE, PRODUCT)
        alpha, sigma = _amplitudes(dy + at, cos, sin, f, c, length, waves, width, TILE, PRODUCT)
        sum_real += alpha * a + sigma * s
        sum_imag += alpha * s - sigma * a
    part = tl.program_id(2).to(tl.int64) * waves * width + f * width + c
    inside = (f < waves) & (c < width)
    tl.store(dreal + part, sum_real, mask=inside)
    tl.store(dimag + part, sum_imag, mask=inside)


@triton.jit
def _amplitudes(x, cos, sin, f, c, length, waves, width, TILE: tl.constexpr, PRODUCT: tl.constexpr):
    """Cosine and sine parts of the waves f in the channels c of one history: a tile of C x and of S x."""
    a = tl.zeros((TILE, TILE), cos.dtype.element_ty)
    s = tl.zeros((TILE, TILE), cos.dtype.element_ty)
    for start in range(0, length, TILE):
        t = start + tl.arange(0, TILE)
        known = (f < waves) & (t[None, :] < length)
        events = tl.load(x + t[:, None] * width + c, mask=(t[:, None] < length) & (c < width), other=0)
        events = events.to(cos.dtype.element_ty)
        a += _dot(tl.load(cos + f * length + t[None, :], mask=known, other=0), events, PRODUCT)
        s += _dot(tl.load(sin + f * length + t[None, :], mask=known, other=0), events, PRODUCT)
    return a, s


@triton.jit
def _dot(left, right, PRODUCT: tl.constexpr):
    return tl.dot(left, right, input_precision=PRODUCT, out_dtype=left.dtype)
