"""The sum for laptops: one pass over the history that convolves and applies SiLU, compiled by numba.

Backward, with s the sum before the activation and ds = dy · silu'(s) (s is computed again, not kept):

    dx[t-j] += weight[k-1-j] ds[t]        dweight[k-1-j] = Σ_t ds[t] x[t-j]        dbias = Σ_t ds[t]
"""

import functools

import numpy as np
import torch

from seqrec_edu.ops.compiled import arrays, compile_loop, numba, sigmoid, threads_of_torch


def causal_conv1d(x, weight, bias=None, *, activation=None, initial_state=None):
    """Same contract as the reference: ``y "b l e"`` and the window ``"b k-1 e"``."""
    before = x.new_zeros(x.shape[0], weight.shape[1] - 1, x.shape[2]) if initial_state is None else initial_state
    padded = torch.cat([before, x], dim=1)
    bias = weight.new_zeros(len(weight)) if bias is None else bias
    return _Conv.apply(padded, weight, bias, activation == "silu"), padded[:, x.shape[1] :]


class _Conv(torch.autograd.Function):
    @staticmethod
    def forward(ctx, padded, weight, bias, silu):
        taps = weight.T  # channels last, like the history
        inputs = [tensor.contiguous() for tensor in (padded, taps, bias)]
        ctx.save_for_backward(*inputs)
        ctx.silu = silu
        batch, length, channels = padded.shape
        y = padded.new_empty(batch, length - len(taps) + 1, channels)
        with threads_of_torch():
            _compiled()[0](*arrays(*inputs), silu, *arrays(y))
        return y

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, dy):
        padded, taps, bias = ctx.saved_tensors
        dpadded = torch.zeros_like(padded)
        dtaps, dbias = taps.new_zeros(len(padded), *taps.shape), bias.new_zeros(len(padded), *bias.shape)
        with threads_of_torch():
            _compiled()[1](*arrays(padded, taps, bias), ctx.silu, *arrays(dy.contiguous(), dpadded, dtaps, dbias))
        return dpadded, dtaps.sum(0).T.contiguous(), dbias.sum(0), None


def _forward_loop(x, taps, bias, silu, y):
    batch, length, channels = y.shape
    for b in numba.prange(batch):
        for t in range(length):
            for e in range(channels):
                y[b, t, e] = bias[e]
            for j in range(len(taps)):
                for e in range(channels):
                    y[b, t, e] += taps[j, e] * x[b, t + j, e]
            if silu:
                for e in range(channels):
                    y[b, t, e] *= sigmoid(y[b, t, e])


def _backward_loop(x, taps, bias, silu, dy, dx, dtaps, dbias):
    batch, length, channels = dy.shape
    for b in numba.prange(batch):
        ds = np.empty(channels, np.float32)
        for t in range(length):
            if silu:
                for e in range(channels):
                    ds[e] = bias[e]
                for j in range(len(taps)):
                    for e in range(channels):
                        ds[e] += taps[j, e] * x[b, t + j, e]
                for e in range(channels):
                    gate = sigmoid(ds[e])
                    ds[e] = dy[b, t, e] * gate * (np.float32(1) + ds[e] * (np.float32(1) - gate))
            else:
                for e in range(channels):
                    ds[e] = dy[b, t, e]
            for j in range(len(taps)):
                for e in range(channels):
                    dx[b, t + j, e] += taps[j, e] * ds[e]
                    dtaps[b, j, e] += ds[e] * x[b, t + j, e]
            for e in range(channels):
                dbias[b, e] += ds[e]


@functools.cache
def _compiled():
    return compile_loop(_forward_loop), compile_loop(_backward_loop)
