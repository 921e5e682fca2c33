"""One pass over u and v, and one back.

    du = dy ⊙ gate(v)          dv = dy ⊙ u ⊙ gate'(v)

    gate      sigmoid: σ          silu: v σ                gelu: v Φ
    gate'     sigmoid: σ (1-σ)    silu: σ (1 + v (1-σ))    gelu: Φ + v φ

u and v are usually the two halves of one projection. Rows are found by their stride, so the halves need no copy.
"""

import torch
import triton
import triton.language as tl

from seqrec_edu.ops._gated_norm.rows import as_rows


def glu(u, v, *, activation):
    """Same contract as the reference."""
    return _GLU.apply(u, v, activation)


class _GLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx, u, v, activation):
        ctx.save_for_backward(u, v)
        ctx.activation = activation
        y = torch.empty(u.shape, dtype=u.dtype, device=u.device)
        _launch(_forward, u, v, (y,), activation)
        return y

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, dy):
        u, v = ctx.saved_tensors
        du, dv = (torch.empty(u.shape, dtype=u.dtype, device=u.device) for _ in range(2))
        _launch(_backward, u, v, (dy.contiguous(), du, dv), ctx.activation)
        return du, dv, None


def _launch(kernel, u, v, dense, activation):
    """Run over tiles of about 1,024 numbers. ``dense`` are the contiguous tensors; u and v come with their strides."""
    u, v = as_rows(u), as_rows(v)
    rows, width = u.shape
    columns = min(triton.next_power_of_2(width), 1024)
    tile = 1024 // columns
    grid = (triton.cdiv(rows, tile), triton.cdiv(width, columns))
    kernel[grid](u, v, *dense, u.stride(0), v.stride(0), rows, width, activation, tile, columns)


@triton.jit
def _forward(
    u, v, y, u_row, v_row, rows, width,
    GATE: tl.constexpr, R: tl.constexpr, D: tl.constexpr,
):  # fmt: skip
    WIDE: tl.constexpr = tl.float64 if u.dtype.element_ty == tl.float64 else tl.float32
    r = tl.program_id(0).to(tl.int64) * R + tl.arange(0, R)[:, None]
    c = tl.program_id(1) * D + tl.arange(0, D)[None, :]
    inside = (r < rows) & (c < width)
    passed = tl.load(u + r * u_row + c, mask=inside, other=0).to(WIDE)
    gate, _ = _gate_and_slope(tl.load(v + r * v_row + c, mask=inside, other=0).to(WIDE), GATE)
    tl.store(y + r * width + c, passed * gate, mask=inside)


@triton.jit
def _backward(
    u, v, dy, du, dv, u_row, v_row, rows, width,
    GATE: tl.constexpr, R: tl.constexpr, D: tl.constexpr,
):  # fmt: skip
    WIDE: tl.constexpr = tl.float64 if u.dtype.element_ty == tl.float64 else tl.float32
    r = tl.program_id(0).to(tl.int64) * R + tl.arange(0, R)[:, None]
    c = tl.program_id(1) * D + tl.arange(0, D)[None, :]
    inside = (r < rows) & (c < width)
    passed = tl.load(u + r * u_row + c, mask=inside, other=0).to(WIDE)
    gate, slope = _gate_and_slope(tl.load(v + r * v_row + c, mask=inside, other=0).to(WIDE), GATE)
    change = tl.load(dy + r * width + c, mask=inside, other=0).to(WIDE)
    tl.store(du + r * width + c, change * gate, mask=inside)
    tl.store(dv + r * width + c, change * passed * slope, mask=inside)


@triton.jit
def _gate_and_slope(v, GATE: tl.constexpr):
    if GATE == "gelu":
        below = 0.5 * (1 + tl.erf(v * 0.7071067811865476))
        gate = v * below
        slope = below + v * 0.3989422804014327 * tl.exp(-0.5 * v * v)
    else:
        share = 1 / (1 + tl.exp(-v))
        if GATE == "silu":
            gate = v * share
            slope = share * (1 + v * (1 - share))
        else:
            gate = share
            slope = share * (1 - share)
    return gate, slope
