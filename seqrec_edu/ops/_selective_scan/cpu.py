"""The recurrence for laptops: a plain loop over time, compiled by numba, with its backward pass derived by hand.

At recommender sizes batch × channels keeps every core busy, so nothing is gained by scanning in parallel over time;
what costs is memory. One channel's state (n numbers) stays in registers; the backward pass recomputes the states of
one channel at a time into a buffer of l × n numbers, so nothing of size l × e × n is ever stored.

Skip and gate, ``out = y silu(z)`` with ``y = C·h + D x``, are taken along while x and the sum are at hand. Backward,
with dy = dout silu(z) and g[t] the gradient of the loss to h[t]:

    g[t] = C[t] dy[t] + exp(dt[t+1] A) g[t+1]                 the state is read now, and carried on
    dC[t] = Σ_e dy[t] h[t]           dB[t] = Σ_e dt[t] x[t] g[t]          dx[t] = dt[t] Σ_n B[t] g[t]
    ddt[t] = Σ_n g[t] (A exp(dt[t] A) h[t-1] + x[t] B[t])     dA = Σ_t g[t] dt[t] exp(dt[t] A) h[t-1]
    dz[t] = dout[t] y[t] silu'(z[t])                          and D dy[t] more for dx[t]
"""

import functools

import numpy as np
import torch

from seqrec_edu.ops.compiled import arrays, compile_loop, exp_of_negative, inner_loop, numba, sigmoid, threads_of_torch


def selective_scan(x, dt, A, B, C, D=None, z=None, initial_state=None):
    """Same contract as the reference, skip and gate included: ``y "b l e"`` and the last state ``"b e n"``."""
    if initial_state is None:
        initial_state = x.new_zeros(x.shape[0], x.shape[2], A.shape[1])
    if D is None:
        D = x.new_zeros(x.shape[2])
    return _Scan.apply(x, dt, A, B, C, D, z, initial_state)


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, dt, A, B, C, D, z, initial_state):
        ctx.gated = z is not None
        z = z if ctx.gated else x.new_empty(0, 0, 0)
        inputs = [tensor.contiguous() for tensor in (x, dt, A, B, C, D, z, initial_state)]
        y, last = torch.empty_like(inputs[0]), torch.empty_like(inputs[7])
        out = torch.empty_like(inputs[6])
        forward, _ = _compiled(A.shape[1])
        with threads_of_torch():
            forward(*arrays(*inputs), ctx.gated, *arrays(y, last, out))
        ctx.save_for_backward(*inputs, y if ctx.gated else out)
        return out if ctx.gated else y, last

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, dout, dlast):
        *inputs, y = ctx.saved_tensors
        x, dt, A, B, C, D, z, initial_state = inputs
        dx, ddt, dz, dstate = (torch.empty_like(tensor) for tensor in (x, dt, z, initial_state))
        dB, dC = torch.zeros_like(B), torch.zeros_like(C)
        # One per history, summed below: no two threads write the same place.
        dA, dD = x.new_zeros(x.shape[0], *A.shape), x.new_zeros(x.shape[0], *D.shape)
        _, backward = _compiled(A.shape[1])
        with threads_of_torch():
            results = arrays(y, dout.contiguous(), dlast.contiguous(), dx, ddt, dA, dB, dC, dD, dz, dstate)
            backward(*arrays(*inputs), ctx.gated, *results)
        return dx, ddt, dA.sum(0), dB, dC, dD.sum(0), dz if ctx.gated else None, dstate


@functools.cache
def _compiled(n):
    """Forward and backward loops for states of ``n`` numbers: a fixed n lets the compiler keep them in registers."""

    def forward(x, dt, A, B, C, D, z, initial_state, gated, y, last, out):
        batch, length, channels = x.shape
        for b in numba.prange(batch):
            h = np.empty(n, np.float32)
            for e in range(channels):
                for i in range(n):
                    h[i] = initial_state[b, e, i]
                for t in range(length):
                    step, total = dt[b, t, e], np.float32(0)
                    written = step * x[b, t, e]
                    for i in range(n):
                        h[i] = exp_of_negative(step * A[e, i]) * h[i] + written * B[b, t, i]
                        total += h[i] * C[b, t, i]
                    y[b, t, e] = total + D[e] * x[b, t, e]
                for i in range(n):
                    last[b, e, i] = h[i]
            if gated:
                for t in range(length):
                    for e in range(channels):
                        out[b, t, e] = y[b, t, e] * z[b, t, e] * sigmoid(z[b, t, e])

    def backward(x, dt, A, B, C, D, z, initial_state, gated, y, dout, dlast, dx, ddt, dA, dB, dC, dD, dz, dstate):
        batch, length, channels = x.shape
        for b in numba.prange(batch):
            h = np.empty((length + 1, n), np.float32)  # h[t] is the state before event t
            kept = np.empty((length, n), np.float32)
            g = np.empty(n, np.float32)
            dy = np.empty((length, channels), np.float32)
            _through_skip_and_gate(b, x, D, z, gated, y, dout, dy, dx, dD, dz)
            for e in range(channels):
                for i in range(n):
                    h[0, i] = initial_state[b, e, i]
                    g[i] = dlast[b, e, i]
                for t in range(length):
                    step = dt[b, t, e]
                    written = step * x[b, t, e]
                    for i in range(n):
                        kept[t, i] = exp_of_negative(step * A[e, i])
                        h[t + 1, i] = kept[t, i] * h[t, i] + written * B[b, t, i]
                for back in range(length):
                    t = length - 1 - back
                    step, value, upstream = dt[b, t, e], x[b, t, e], dy[t, e]
                    through_B, through_A = np.float32(0), np.float32(0)
                    for i in range(n):
                        dC[b, t, i] += upstream * h[t + 1, i]
                        g[i] += upstream * C[b, t, i]
                        dB[b, t, i] += step * value * g[i]
                        through_B += g[i] * B[b, t, i]
                        g[i] *= kept[t, i]  # from here on g belongs to h[t-1]
                        carried = g[i] * h[t, i]
                        through_A += carried * A[e, i]
                        dA[b, e, i] += carried * step
                    dx[b, t, e] += step * through_B
                    ddt[b, t, e] = value * through_B + through_A
                for i in range(n):
                    dstate[b, e, i] = g[i]

    return compile_loop(forward), compile_loop(backward)


@inner_loop
def _through_skip_and_gate(b, x, D, z, gated, y, dout, dy, dx, dD, dz):
    """Event by event, all channels at once: what the scan itself is asked for, dy, and the rest."""
    for t in range(dy.shape[0]):
        for e in range(dy.shape[1]):
            dy[t, e] = dout[b, t, e]
        if gated:
            for e in range(dy.shape[1]):
                half = sigmoid(z[b, t, e])
                slope = half * (np.float32(1) + z[b, t, e] * (np.float32(1) - half))
                dz[b, t, e] = dy[t, e] * y[b, t, e] * slope
                dy[t, e] *= z[b, t, e] * half
        for e in range(dy.shape[1]):
            dx[b, t, e] = D[e] * dy[t, e]
            dD[b, e] += x[b, t, e] * dy[t, e]
