"""The recurrence for laptops: a plain loop over time, compiled by numba, with its backward pass derived by hand.

With u = dt·x and a = exp(log_a), one head is ``H[t] = a[t] H[t-1] + u[t] B[t]ᵀ``, ``y[t] = H[t] C[t]``. At small state
sizes this does half the arithmetic of the chunked form and writes nothing but y, so on a CPU it wins.

Backward, with G[t] the gradient of the loss to H[t]:

    G[t] = dy[t] C[t]ᵀ + a[t+1] G[t+1]       du[t] = G[t] B[t]       dB[t] = G[t]ᵀ u[t]       dC[t] = H[t]ᵀ dy[t]

The gradient of log_a[t] is q[t] = ⟨G[t], a[t] H[t-1]⟩. It needs no stored states: ⟨G[t], H[t]⟩ counted from both
sides gives

    q[t] = q[t+1] + dy[t]·y[t] - u[t]·du[t],     q after the last event = ⟨gradient of the last state, last state⟩

so two passes suffice: one forward that recomputes H for dC, one backward that carries G. q is summed in float64.
"""

import functools

import numpy as np
import torch

from seqrec_edu.ops._ssd.reference import log_decay
from seqrec_edu.ops.compiled import arrays, compile_loop, numba, threads_of_torch


def ssd(x, dt, A, B, C, decay_scale=None, initial_state=None):
    """Same contract as the reference: ``y "b l h p"`` and the last state ``"b h p n"``."""
    batch, _, heads, width = x.shape
    if initial_state is None:
        initial_state = x.new_zeros(batch, heads, width, B.shape[3])
    return _SSD.apply(x * dt[..., None], torch.exp(log_decay(dt, A, decay_scale)), B, C, initial_state)


class _SSD(torch.autograd.Function):
    """In terms of u and the decay a; its gradient to a is q / a, which autograd turns into that of log_a."""

    @staticmethod
    def forward(ctx, u, a, B, C, initial_state):
        # The loops keep a state as [n, p], so that the lanes of a register are the channels of a head.
        inputs = [tensor.contiguous() for tensor in (u, a, B, C, initial_state.transpose(2, 3))]
        y, last = torch.empty_like(inputs[0]), torch.empty_like(inputs[4])
        forward, _ = _compiled(u.shape[3])
        with threads_of_torch():
            forward(*arrays(*inputs, y, last))
        ctx.save_for_backward(*inputs, y, last)
        return y, last.transpose(2, 3)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, dy, dlast):
        *inputs, y, last = ctx.saved_tensors
        u, a, B, C, initial_state = inputs
        du, da, dstate = torch.empty_like(u), torch.empty_like(a), torch.empty_like(initial_state)
        dB, dC = torch.zeros_like(B), torch.zeros_like(C)
        dlast = dlast.transpose(2, 3).contiguous()
        _, backward = _compiled(u.shape[3])
        with threads_of_torch():
            backward(*arrays(*inputs, y, last, dy.contiguous(), dlast, du, da, dB, dC, dstate))
        return du, da, dB, dC, dstate.transpose(2, 3)


@functools.cache
def _compiled(width):
    """Forward and backward loops for heads of ``width`` channels: a fixed width lets the compiler use whole
    registers."""

    def forward(u, a, B, C, initial_state, y, last):
        batch, length, heads = u.shape[:3]
        share, n = heads // B.shape[2], B.shape[3]
        for b in numba.prange(batch):
            H = np.empty((n, width), np.float32)
            read = np.empty(width, np.float32)
            for h in range(heads):
                g = h // share
                H[:] = initial_state[b, h]
                for t in range(length):
                    kept = a[b, t, h]
                    for p in range(width):
                        read[p] = 0
                    for i in range(n):
                        write, ask = B[b, t, g, i], C[b, t, g, i]
                        for p in range(width):
                            H[i, p] = kept * H[i, p] + write * u[b, t, h, p]
                            read[p] += ask * H[i, p]
                    for p in range(width):
                        y[b, t, h, p] = read[p]
                last[b, h] = H

    def backward(u, a, B, C, initial_state, y, last, dy, dlast, du, da, dB, dC, dstate):
        batch, length, heads = u.shape[:3]
        share, n = heads // B.shape[2], B.shape[3]
        for b in numba.prange(batch):
            H = np.empty((n, width), np.float32)
            read = np.empty(width, np.float32)
            for h in range(heads):
                g = h // share
                H[:] = initial_state[b, h]
                for t in range(length):
                    kept = a[b, t, h]
                    for i in range(n):
                        write, total = B[b, t, g, i], np.float32(0)
                        for p in range(width):
                            H[i, p] = kept * H[i, p] + write * u[b, t, h, p]
                            total += H[i, p] * dy[b, t, h, p]
                        dC[b, t, g, i] += total
                q = np.float64(0)
                for i in range(n):
                    for p in range(width):
                        H[i, p] = dlast[b, h, i, p]  # from here on H holds G
                        q += np.float64(H[i, p]) * np.float64(last[b, h, i, p])
                for back in range(length):
                    t = length - 1 - back
                    for p in range(width):
                        read[p] = 0
                    for i in range(n):
                        write, ask, total = B[b, t, g, i], C[b, t, g, i], np.float32(0)
                        for p in range(width):
                            H[i, p] += ask * dy[b, t, h, p]
                            read[p] += write * H[i, p]
                            total += u[b, t, h, p] * H[i, p]
                        dB[b, t, g, i] += total
                    kept, change = a[b, t, h], np.float64(0)
                    for p in range(width):
                        du[b, t, h, p] = read[p]
                        change += np.float64(dy[b, t, h, p]) * y[b, t, h, p] - np.float64(u[b, t, h, p]) * read[p]
                    q += change
                    da[b, t, h] = q / max(a[b, t, h], np.float32(1e-30))
                    for i in range(n):
                        for p in range(width):
                            H[i, p] *= kept
                dstate[b, h] = H

    return compile_loop(forward), compile_loop(backward)
