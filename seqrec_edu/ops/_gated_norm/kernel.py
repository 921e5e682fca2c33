"""Gate and norm in one pass over y and z, and their gradients in one pass back (formulas in the README).

A row is read once and stays in registers between its mean square and its scaling. The backward pass computes the norm
again instead of keeping it. ``dweight`` is a sum over all events: each program sums its own rows in registers and
writes one partial row, and PyTorch adds those up, so that the result does not depend on which program ended first.
z is usually a slice of a projection. Rows are found by their stride, so the slice needs no copy.
"""

import torch
import triton
import triton.language as tl

from seqrec_edu.ops._gated_norm.rows import as_rows

PROGRAMS = 512  # of the backward pass at most: enough to fill a GPU, few enough that adding up the partials is cheap


def gated_norm(y, z, weight, *, eps):
    """Same contract as the reference."""
    return _GatedNorm.apply(y, z, weight, eps)


class _GatedNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, y, z, weight, eps):
        ctx.save_for_backward(y, z, weight)
        ctx.eps = eps
        out = torch.empty(y.shape, dtype=y.dtype, device=y.device)
        inputs, strides, sizes, options = _arguments(y, z, weight, eps)
        _forward[(triton.cdiv(sizes[0], options["R"]),)](*inputs, out, *strides, *sizes, **options)
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, dout):
        y, z, weight = ctx.saved_tensors
        dy = torch.empty(y.shape, dtype=y.dtype, device=y.device)
        dz = dy if z is None else torch.empty_like(dy)
        inputs, strides, sizes, options = _arguments(y, z, weight, ctx.eps)
        programs = min(triton.cdiv(sizes[0], options["R"]), PROGRAMS)
        partial = torch.empty(programs, sizes[1], dtype=torch.promote_types(y.dtype, torch.float32), device=y.device)
        _backward[(programs,)](*inputs, dout.contiguous(), dy, dz, partial, *strides, *sizes, **options)
        return dy, None if z is None else dz, partial.sum(0).to(weight.dtype), None


def _arguments(y, z, weight, eps):
    """Tensors, strides of a row, sizes and options of both kernels. Without a gate, z is a name that nobody reads."""
    gated = z is not None
    y = as_rows(y)
    z = as_rows(z) if gated else y
    columns = triton.next_power_of_2(y.shape[1])
    options = {"GATED": gated, "EPS": eps, "R": max(1, 1024 // columns), "E": columns}
    return (y, z, weight.contiguous()), (y.stride(0), z.stride(0)), y.shape, options


@triton.jit
def _forward(
    y, z, weight, out, y_row, z_row, rows, width,
    GATED: tl.constexpr, EPS: tl.constexpr, R: tl.constexpr, E: tl.constexpr,
):  # fmt: skip
    WIDE: tl.constexpr = tl.float64 if y.dtype.element_ty == tl.float64 else tl.float32
    c = tl.arange(0, E)[None, :]
    w = tl.load(weight + c, mask=c < width, other=0).to(WIDE)
    r = tl.program_id(0).to(tl.int64) * R + tl.arange(0, R)[:, None]
    inside = (r < rows) & (c < width)
    g = tl.load(y + r * y_row + c, mask=inside, other=0).to(WIDE)
    if GATED:
        gate = tl.load(z + r * z_row + c, mask=inside, other=0).to(WIDE)
        g = g * (gate / (1 + tl.exp(-gate)))
    scale = 1 / tl.sqrt(tl.sum(g * g, 1) / width + EPS)
    tl.store(out + r * width + c, g * scale[:, None] * w, mask=inside)


@triton.jit
def _backward(
    y, z, weight, dout, dy, dz, partial, y_row, z_row, rows, width,
    GATED: tl.constexpr, EPS: tl.constexpr, R: tl.constexpr, E: tl.constexpr,
):  # fmt: skip
    WIDE: tl.constexpr = tl.float64 if y.dtype.element_ty == tl.float64 else tl.float32
    c = tl.arange(0, E)[None, :]
    w = tl.load(weight + c, mask=c < width, other=0).to(WIDE)
    dw = tl.zeros((1, E), WIDE)
    for start in range(tl.program_id(0) * R, rows, tl.num_programs(0) * R):
        r = (start + tl.arange(0, R)).to(tl.int64)[:, None]
        inside = (r < rows) & (c < width)
        value = tl.load(y + r * y_row + c, mask=inside, other=0).to(WIDE)
        g = value
        if GATED:
            gate = tl.load(z + r * z_row + c, mask=inside, other=0).to(WIDE)
            share = 1 / (1 + tl.exp(-gate))
            g = value * (gate * share)
        scale = (1 / tl.sqrt(tl.sum(g * g, 1) / width + EPS))[:, None]
        normed = g * scale
        change = tl.load(dout + r * width + c, mask=inside, other=0).to(WIDE)
        dw += tl.sum(change * normed, 0)[None, :]
        change *= w
        dg = scale * (change - normed * (tl.sum(change * normed, 1) / width)[:, None])
        if GATED:
            tl.store(dy + r * width + c, dg * (gate * share), mask=inside)
            tl.store(dz + r * width + c, dg * value * (share * (1 + gate * (1 - share))), mask=inside)
        else:
            tl.store(dy + r * width + c, dg, mask=inside)
    tl.store(partial + tl.program_id(0).to(tl.int64) * width + c, dw, mask=c < width)
