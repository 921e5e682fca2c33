"""The recurrence for laptops: a plain loop over time, compiled by numba, with its backward pass derived by hand.

With u = dt·x and a = exp(log_a), one head is ``H[t] = a[t] H[t-1] + u[t] B[t]ᵀ``, ``y[t] = H[t] C[t] + D x[t]``. At
small state sizes this does half the arithmetic of the chunked form and writes nothing but y, so on a CPU it wins.

Backward, with G[t] the gradient of the loss to H[t]:

    G[t] = dy[t] C[t]ᵀ + a[t+1] G[t+1]       du[t] = G[t] B[t]       dB[t] = G[t]ᵀ u[t]       dC[t] = H[t]ᵀ dy[t]
    dx[t] = dt[t] du[t] + D dy[t]            ddt[t] = x[t]·du[t]     dD = Σ_t x[t]·dy[t]

The gradient of log_a[t] is q[t] = ⟨G[t], a[t] H[t-1]⟩. It needs no stored states: ⟨G[t], H[t]⟩ counted from both
sides gives

    q[t] = q[t+1] + C[t]·dC[t] - u[t]·du[t],     q after the last event = ⟨gradient of the last state, last state⟩

so two passes suffice: one forward that recomputes H for dC, one backward that carries G. q is summed in float64, and
because every rounding error stays in all q before it, q is counted anew every 16 events, from ⟨G, H⟩ itself: over 200
events that gives the gradient of A two digits more.
The forward pass keeps a state as [n, p], so that y is a sum of rows, eight numbers an instruction; where dC is wanted
it is kept as [p, n], for the same reason. Heads of a group are written and asked by the same B and C, so forward narrow
ones stand side by side, [n, lanes]: rows of 16 numbers alone are shorter than what the compiler takes for a loop.
"""

import functools

import numpy as np
import torch

from seqrec_edu.ops._ssd.reference import log_decay
from seqrec_edu.ops.compiled import arrays, compile_loop, inner_loop, numba, threads_of_torch

STRETCH = 16  # events over which q is carried
LANES = 64  # channels of all heads that stand side by side, unless one head has more


def ssd(x, dt, A, B, C, D=None, decay_scale=None, initial_state=None):
    """Same contract as the reference, the skip included: ``y "b l h p"`` and the last state ``"b h p n"``."""
    batch, _, heads, width = x.shape
    if initial_state is None:
        initial_state = x.new_zeros(batch, heads, width, B.shape[3])
    if D is None:
        D = x.new_zeros(heads)
    return _SSD.apply(x, dt, torch.exp(log_decay(dt, A, decay_scale)), B, C, D, initial_state)


class _SSD(torch.autograd.Function):
    """In terms of the decay a; its gradient is q / a, which autograd turns into that of log_a."""

    @staticmethod
    def forward(ctx, x, dt, a, B, C, D, initial_state):
        inputs = [tensor.contiguous() for tensor in (x, dt, a, B, C, D, initial_state.transpose(2, 3))]
        y, last = torch.empty_like(inputs[0]), torch.empty_like(inputs[6])
        forward = _compiled_forward(x.shape[3], _side_by_side(x.shape[2] // B.shape[2], x.shape[3]))
        with threads_of_torch():
            forward(*arrays(*inputs, y, last))
        ctx.save_for_backward(*inputs, last)
        return y, last.transpose(2, 3)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, dy, dlast):
        *inputs, last = ctx.saved_tensors
        x, dt, a, B, C, D, initial_state = inputs
        dx, ddt, da, dstate = (torch.empty_like(tensor) for tensor in (x, dt, a, initial_state))
        dB, dC = torch.zeros_like(B), torch.zeros_like(C)
        dD = D.new_zeros(len(x), len(D))  # one per history, summed below: no two threads write the same place
        dlast = dlast.transpose(2, 3).contiguous()
        backward = _compiled_backward(x.shape[3], B.shape[3])
        with threads_of_torch():
            backward(*arrays(*inputs, last, dy.contiguous(), dlast, dx, ddt, da, dB, dC, dD, dstate))
        return dx, ddt, da, dB, dC, dD.sum(0), dstate.transpose(2, 3)


def _side_by_side(share, width):
    """How many heads of a group are carried together: as many as divide it and find room."""
    return max(count for count in range(1, share + 1) if share % count == 0 and count * width <= max(LANES, width))


@functools.cache
def _compiled_forward(width, side):
    """The forward loop for ``side`` heads of ``width`` channels at a time: fixed sizes let the compiler use whole
    registers."""
    lanes = side * width

    def forward(x, dt, a, B, C, D, initial_state, y, last):
        batch, length, heads = x.shape[:3]
        share, n = heads // B.shape[2], B.shape[3]
        for b in numba.prange(batch):
            H = np.empty((n, lanes), np.float32)
            kept, u, read = np.empty(lanes, np.float32), np.empty(lanes, np.float32), np.empty(lanes, np.float32)
            for first in range(0, heads, side):
                g = first // share
                for h in range(side):
                    for i in range(n):
                        for p in range(width):
                            H[i, h * width + p] = initial_state[b, first + h, i, p]
                for t in range(length):
                    for h in range(side):
                        fades, step, skip = a[b, t, first + h], dt[b, t, first + h], D[first + h]
                        for p in range(width):
                            value = x[b, t, first + h, p]
                            kept[h * width + p] = fades
                            u[h * width + p] = step * value
                            read[h * width + p] = skip * value
                    for i in range(n):
                        write, ask = B[b, t, g, i], C[b, t, g, i]
                        for p in range(lanes):
                            H[i, p] = kept[p] * H[i, p] + write * u[p]
                            read[p] += ask * H[i, p]
                    for h in range(side):
                        for p in range(width):
                            y[b, t, first + h, p] = read[h * width + p]
                for h in range(side):
                    for i in range(n):
                        for p in range(width):
                            last[b, first + h, i, p] = H[i, h * width + p]

    return compile_loop(forward)


@functools.cache
def _compiled_backward(width, n):
    """The backward loop for heads of ``width`` channels and states of ``n``."""

    def backward(x, dt, a, B, C, D, initial_state, last, dy, dlast, dx, ddt, da, dB, dC, dD, dstate):
        batch, length, heads = x.shape[:3]
        share = heads // B.shape[2]
        for b in numba.prange(batch):
            G, H = np.empty((n, width), np.float32), np.empty((width, n), np.float32)
            u, read = np.empty(width, np.float32), np.empty(width, np.float32)
            asked = np.empty(length, np.float64)
            kept = np.empty(((length + STRETCH - 1) // STRETCH, width, n), np.float32)
            for h in range(heads):
                g = h // share
                _again(b, h, g, x, dt, a, B, C, initial_state, dy, dC, H, asked, kept)
                q = np.float64(0)
                for i in range(n):
                    for p in range(width):
                        G[i, p] = dlast[b, h, i, p]
                        q += np.float64(G[i, p]) * np.float64(last[b, h, i, p])
                for back in range(length):
                    t = length - 1 - back
                    fades, step, skip = a[b, t, h], dt[b, t, h], D[h]
                    for p in range(width):
                        u[p] = step * x[b, t, h, p]
                        read[p] = 0
                    for i in range(n):
                        write, ask, total = B[b, t, g, i], C[b, t, g, i], np.float32(0)
                        for p in range(width):
                            G[i, p] += ask * dy[b, t, h, p]
                            read[p] += write * G[i, p]
                            total += u[p] * G[i, p]
                            G[i, p] *= fades
                        dB[b, t, g, i] += total
                    skipped, through = np.float64(0), np.float64(0)
                    for p in range(width):
                        value, upstream = x[b, t, h, p], dy[b, t, h, p]
                        dx[b, t, h, p] = step * read[p] + skip * upstream
                        skipped += np.float64(upstream) * value
                        through += np.float64(value) * read[p]
                    q += asked[t] - step * through
                    ddt[b, t, h] = through
                    dD[b, h] += skipped
                    da[b, t, h] = q / max(fades, np.float32(1e-30))
                    if t % STRETCH == 0:
                        q = _inner_product(G, kept, t // STRETCH)
                dstate[b, h] = G

    return compile_loop(backward)


@inner_loop
def _again(b, h, g, x, dt, a, B, C, initial_state, dy, dC, H, asked, kept):
    """The states of one head once more, for its share of dC, and ``asked[t] = C[t]·dC[t]``; some states are kept."""
    width, n = H.shape
    share = np.empty(n, np.float32)
    for i in range(n):
        for p in range(width):
            H[p, i] = initial_state[b, h, i, p]
    for t in range(x.shape[1]):
        if t % STRETCH == 0:
            for p in range(width):
                for i in range(n):
                    kept[t // STRETCH, p, i] = H[p, i]
        fades, step, total = a[b, t, h], dt[b, t, h], np.float64(0)
        for i in range(n):
            share[i] = 0
        for p in range(width):
            u, weight = step * x[b, t, h, p], dy[b, t, h, p]
            for i in range(n):
                H[p, i] = fades * H[p, i] + u * B[b, t, g, i]
                share[i] += weight * H[p, i]
        for i in range(n):
            dC[b, t, g, i] += share[i]
            total += np.float64(share[i]) * C[b, t, g, i]
        asked[t] = total


@inner_loop
def _inner_product(G, kept, stretch):
    """⟨G, H⟩ of a state that was kept; G lies as [n, p], the other as [p, n]."""
    total = np.float64(0)
    for p in range(G.shape[1]):
        along = np.float32(0)
        for i in range(G.shape[0]):
            along += G[i, p] * kept[stretch, p, i]
        total += np.float64(along)
    return total
