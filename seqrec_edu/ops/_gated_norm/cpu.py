"""Gate and norm for laptops: one pass over y and z, and one back (formulas in the README), compiled by numba.

PyTorch's own functions write and read every number several times; here a row stays in the cache from its gate to its
scaling. Backward the gate and the norm are computed again instead of kept, so nothing is stored but y and z themselves.

z is usually a slice of a projection. Copying it would cost as much as the whole forward pass, so the loops get the
memory that its rows lie in and cut each row out of it: such a piece is known to be contiguous, which a row of a strided
matrix is not, and only loops over contiguous memory become vector instructions.
"""

import functools

import numpy as np
import torch

from seqrec_edu.ops._gated_norm.rows import as_rows
from seqrec_edu.ops.compiled import arrays, compile_loop, inner_loop, numba, sigmoid, threads_of_torch


def gated_norm(y, z, weight, *, eps):
    """Same contract as the reference."""
    return _GatedNorm.apply(y, z, weight, eps)


class _GatedNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, y, z, weight, eps):
        ctx.save_for_backward(y, z, weight)
        ctx.eps = eps
        out = torch.empty(y.shape)
        with threads_of_torch():
            _compiled()[0](*_inputs(y, z, weight, eps), *arrays(out))
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, dout):
        y, z, weight = ctx.saved_tensors
        dy = torch.empty(y.shape)
        dz = dy if z is None else torch.empty(y.shape)
        dweight = torch.zeros(len(y), len(weight))  # one per history, summed below: no two threads write one place
        with threads_of_torch():
            _compiled()[1](*_inputs(y, z, weight, ctx.eps), *arrays(dout.contiguous(), dy, dz, dweight))
        return dy, None if z is None else dz, dweight.sum(0), None


def _inputs(y, z, weight, eps):
    """What both loops read. Without a gate, z is a name that nobody reads."""
    gated = z is not None
    return *_memory(y), *_memory(z if gated else y), gated, *arrays(weight.contiguous()), float(eps)


def _memory(tensor):
    """All numbers from the first of ``tensor`` to its last, and how many lie from one row to the next."""
    rows = as_rows(tensor)
    step = rows.stride(0)
    return *arrays(rows.as_strided(((len(rows) - 1) * step + rows.shape[1],), (1,))), step


def _forward_loop(y, y_step, z, z_step, gated, weight, eps, out):
    batch, length, width = out.shape
    for b in numba.prange(batch):
        g = np.empty(width, np.float32)
        for t in range(length):
            at = b * length + t
            value, gate = y[at * y_step : at * y_step + width], z[at * z_step : at * z_step + width]
            for c in range(width):
                g[c] = value[c]
            if gated:
                for c in range(width):
                    g[c] *= gate[c] * sigmoid(gate[c])
            squares = np.float32(0)
            for c in range(width):
                squares += g[c] * g[c]
            scale = _scale(squares, width, eps)
            for c in range(width):
                out[b, t, c] = g[c] * scale * weight[c]


def _backward_loop(y, y_step, z, z_step, gated, weight, eps, dout, dy, dz, dweight):
    batch, length, width = dout.shape
    for b in numba.prange(batch):
        g, half = np.empty(width, np.float32), np.empty(width, np.float32)
        for t in range(length):
            at = b * length + t
            value, gate = y[at * y_step : at * y_step + width], z[at * z_step : at * z_step + width]
            for c in range(width):
                g[c] = value[c]
            if gated:
                for c in range(width):
                    half[c] = sigmoid(gate[c])
                    g[c] *= gate[c] * half[c]
            squares, along = np.float32(0), np.float32(0)
            for c in range(width):
                squares += g[c] * g[c]
                along += dout[b, t, c] * weight[c] * g[c]
            scale = _scale(squares, width, eps)
            along *= scale / np.float32(width)
            for c in range(width):
                g[c] *= scale  # from here on g is the row at unit size
                dweight[b, c] += dout[b, t, c] * g[c]
                dy[b, t, c] = scale * (dout[b, t, c] * weight[c] - along * g[c])
            if gated:
                for c in range(width):
                    dg = dy[b, t, c]
                    dy[b, t, c] = dg * gate[c] * half[c]
                    dz[b, t, c] = dg * value[c] * half[c] * (np.float32(1) + gate[c] * (np.float32(1) - half[c]))


@inner_loop
def _scale(squares, width, eps):
    """1 / √(mean square + eps). In float64, because the compiler's float32 root makes NaN of squares that overflow."""
    return np.float32(1 / np.sqrt(np.float64(squares) / width + eps))


@functools.cache
def _compiled():
    return compile_loop(_forward_loop), compile_loop(_backward_loop)
