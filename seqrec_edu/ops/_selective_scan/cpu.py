"""The recurrence for laptops: a plain loop over time, compiled by numba, with its backward pass derived by hand.

At recommender sizes batch × channels keeps every core busy, so nothing is gained by scanning in parallel over time;
what costs is memory. One channel's state (n numbers) stays in registers; the backward pass recomputes the states of
one channel at a time into a buffer of l × n numbers, so nothing of size l × e × n is ever stored.

Backward, with g[t] the gradient of the loss to h[t]:

    g[t] = C[t] dy[t] + exp(dt[t+1] A) g[t+1]                 the state is read now, and carried on
    dC[t] = Σ_e dy[t] h[t]           dB[t] = Σ_e dt[t] x[t] g[t]          dx[t] = dt[t] Σ_n B[t] g[t]
    ddt[t] = Σ_n g[t] (A exp(dt[t] A) h[t-1] + x[t] B[t])     dA = Σ_t g[t] dt[t] exp(dt[t] A) h[t-1]
"""

import functools

import numpy as np
import torch

from seqrec_edu.ops.compiled import arrays, compile_loop, exp_of_negative, numba, threads_of_torch


def selective_scan(x, dt, A, B, C, initial_state=None):
    """Same contract as the reference: ``y "b l e"`` and the last state ``"b e n"``."""
    if initial_state is None:
        initial_state = x.new_zeros(x.shape[0], x.shape[2], A.shape[1])
    return _Scan.apply(x, dt, A, B, C, initial_state)


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, dt, A, B, C, initial_state):
        inputs = [tensor.contiguous() for tensor in (x, dt, A, B, C, initial_state)]
        ctx.save_for_backward(*inputs)
        y, last = torch.empty_like(inputs[0]), torch.empty_like(inputs[5])
        forward, _ = _compiled(A.shape[1])
        with threads_of_torch():
            forward(*arrays(*inputs, y, last))
        return y, last

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, dy, dlast):
        inputs = ctx.saved_tensors
        x, dt, A, B, C, initial_state = inputs
        dx, ddt, dstate = torch.empty_like(x), torch.empty_like(dt), torch.empty_like(initial_state)
        dB, dC = torch.zeros_like(B), torch.zeros_like(C)
        dA = torch.zeros(x.shape[0], *A.shape)  # one per history, summed below: no two threads write the same place
        _, backward = _compiled(A.shape[1])
        with threads_of_torch():
            backward(*arrays(*inputs, dy.contiguous(), dlast.contiguous(), dx, ddt, dA, dB, dC, dstate))
        return dx, ddt, dA.sum(0), dB, dC, dstate


@functools.cache
def _compiled(n):
    """Forward and backward loops for states of ``n`` numbers: a fixed n lets the compiler keep them in registers."""

    def forward(x, dt, A, B, C, initial_state, y, last):
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
                    y[b, t, e] = total
                for i in range(n):
                    last[b, e, i] = h[i]

    def backward(x, dt, A, B, C, initial_state, dy, dlast, dx, ddt, dA, dB, dC, dstate):
        batch, length, channels = x.shape
        for b in numba.prange(batch):
            h = np.empty((length + 1, n), np.float32)  # h[t] is the state before event t
            kept = np.empty((length, n), np.float32)
            g = np.empty(n, np.float32)
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
                    step, value, upstream = dt[b, t, e], x[b, t, e], dy[b, t, e]
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
                    dx[b, t, e] = step * through_B
                    ddt[b, t, e] = value * through_B + through_A
                for i in range(n):
                    dstate[b, e, i] = g[i]

    return compile_loop(forward), compile_loop(backward)
