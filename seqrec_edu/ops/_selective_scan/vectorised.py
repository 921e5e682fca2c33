"""The recurrence event by event, all histories at once, in memory that is used again; backward derived by hand.

Left to autograd, that loop keeps every state for the backward pass, several times over: most of its time goes into
fetching fresh memory. A scan in parallel over time, log2(l) passes over all l states, is far worse on a CPU: histories
and channels keep it busy without that. Here one state is overwritten event by event. The backward pass needs the states
again, last one first: every √(l/2) events one was kept, and from it those of its stretch are computed once more, so
that about 3√l states are in memory instead of l.

With g[t] the gradient of the loss to h[t] and a[t] = exp(dt[t] A), which is 2^(dt[t] A / ln 2), twice as fast in torch:

    g[t] = C[t] dy[t] + a[t+1] g[t+1]         dC[t] = Σ_e dy[t] h[t]           dB[t] = Σ_e dt[t] x[t] g[t]
    dx[t] = dt[t] Σ_n B[t] g[t]               dA = Σ_t dt[t] q[t]              with q[t] = g[t] a[t] h[t-1]
    ddt[t] = x[t] Σ_n B[t] g[t] + Σ_n A q[t]

A state is "b n e" here, channels last: there are more channels than numbers in a state, and the last axis is the one
that becomes vector instructions. A sum of products is a product into memory that is there already, and a sum of it:
written as matrix times vector it takes PyTorch up to six times as long.
"""

import math

import torch


def selective_scan(x, dt, A, B, C, initial_state=None):
    """Same contract as the reference: ``y "b l e"`` and the last state ``"b e n"``; differentiable once."""
    if initial_state is None:
        initial_state = x.new_zeros(x.shape[0], x.shape[2], A.shape[1])
    wide = torch.promote_types(x.dtype, torch.float32)  # half precision is rounded once, at the end
    y, last = _Scan.apply(
        *(tensor.to(wide) for tensor in (x, dt, A.T.contiguous(), B, C, initial_state.transpose(1, 2)))
    )
    return y.to(x.dtype), last.transpose(1, 2).to(x.dtype)


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, dt, A, B, C, initial_state):
        state = initial_state.clone(memory_format=torch.contiguous_format)
        y, scratch, rate = torch.empty_like(x), torch.empty_like(state), _per_doubling(A)
        stretch, starts = _stretch(x), []
        for t, (x_t, dt_t, B_t, C_t, y_t) in enumerate(_events(x, dt, B, C, y)):
            if t % stretch == 0:
                starts.append(state.clone())
            _advance(state, x_t, dt_t, rate, B_t, kept=scratch, after=state)
            _sum_of_products(state, C_t[:, :, None], 1, scratch, out=y_t)
        ctx.save_for_backward(x, dt, A, B, C, *starts)
        return y, state

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, dy, dlast):
        x, dt, A, B, C, *starts = ctx.saved_tensors
        g, stretch, rate = dlast.clone(memory_format=torch.contiguous_format), _stretch(x), _per_doubling(A)
        h, kept = ([torch.empty_like(g) for _ in range(stretch)] for _ in range(2))
        dx, ddt, dB, dC = (torch.empty_like(tensor) for tensor in (x, dt, B, C))
        dA, scratch, asked = torch.zeros_like(g), torch.empty_like(g), torch.empty_like(g[:, 0])
        events = _events(x, dt, B, C, dy, dx, ddt, dB, dC)
        for first, start in reversed(list(zip(range(0, len(events), stretch), starts, strict=True))):
            part, before = events[first : first + stretch], [start, *h]  # before[i] is the state before event i of it
            for i, (x_t, dt_t, B_t, *_) in enumerate(part):
                _advance(before[i], x_t, dt_t, rate, B_t, kept=kept[i], after=before[i + 1])
            for i, (x_t, dt_t, B_t, C_t, dy_t, dx_t, ddt_t, dB_t, dC_t) in reversed(list(enumerate(part))):
                _sum_of_products(before[i + 1], dy_t[:, None], 2, scratch, out=dC_t)
                g.addcmul_(C_t[:, :, None], dy_t[:, None])
                _sum_of_products(g, (dt_t * x_t)[:, None], 2, scratch, out=dB_t)
                _sum_of_products(g, B_t[:, :, None], 1, scratch, out=asked)
                g.mul_(kept[i])  # from here on g belongs to the state before
                q = torch.mul(g, before[i], out=kept[i])
                dA.addcmul_(q, dt_t[:, None])
                _sum_of_products(q, A, 1, scratch, out=ddt_t)
                ddt_t.addcmul_(x_t, asked)
                torch.mul(dt_t, asked, out=dx_t)
        return dx, ddt, dA.sum(0), dB, dC, g


def _stretch(x):
    """Events from one state that is kept to the next: l / s of those and 2 s in use are fewest at s = √(l/2)."""
    return max(1, math.isqrt(x.shape[1] // 2))


def _per_doubling(A):
    """A for powers of two instead of e: ``exp(dt A) = 2^(dt A / ln 2)``."""
    return A / math.log(2)


def _events(*tensors):
    """What the tensors hold of each event, as views: writing to one writes to its tensor."""
    return list(zip(*(tensor.unbind(1) for tensor in tensors), strict=True))


def _advance(before, x_t, dt_t, rate, B_t, kept, after):
    """One event: ``kept = exp(dt A)``, ``after = kept · before + dt x B``."""
    torch.mul(dt_t[:, None], rate, out=kept).exp2_()
    torch.mul(kept, before, out=after).addcmul_((dt_t * x_t)[:, None], B_t[:, :, None])


def _sum_of_products(one, other, axis, scratch, out):
    torch.sum(torch.mul(one, other, out=scratch), axis, out=out)
