"""The backward pass on a GPU: the same programs, chunks in reverse order, carrying G, the gradient to the state.

Per chunk, with H the state before it (left by the forward pass), G the gradient to the state after it,
K[s, t] = exp(cum[t] - cum[s]) for s ≤ t, and w[s] = exp(cum[end] - cum[s]):

    du[s] = Σ_t K C[t]·B[s] dy[t] + w[s] G B[s]                            dx = dt du + D dy
    dB[s] = dt[s] (Σ_t K x[s]·dy[t] C[t] + w[s] Gᵀ x[s])
    dC[t] = Σ_s K x[s]·dy[t] dt[s] B[s] + exp(cum[t]) Hᵀ dy[t]
    G ← exp(cum[end]) G + Σ_t exp(cum[t]) dy[t] C[t]ᵀ

The log-decay of event r stands in every pair s < r ≤ t, so its gradient sums, from r to the end of the chunk, what is
read at t less what was written at s, and adds what crosses the end of the chunk.

Each phase reads its tiles again (from the cache): holding them over all phases would spill registers. Every program has
a place of its own for its part of each sum over heads, tiles or histories, so the result never depends on their order.
"""

import triton
import triton.language as tl

from seqrec_edu.ops._ssd.kernel_forward import decay, inside, read_decay, times


@triton.jit
def backward(
    x, dt, A, B, C, D, tau, initial, starts, dy, dlast, dx, ddt, dA, dB, dC, dD, dtau, dinitial,
    x_batch, x_time, x_head, B_batch, B_time, B_group, C_batch, C_time, C_group, dy_batch, dy_time, dy_head,
    batches, length,
    heads: tl.constexpr, share: tl.constexpr, width: tl.constexpr, states: tl.constexpr,
    Q: tl.constexpr, P: tl.constexpr, N: tl.constexpr, NARROW: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Grid as forward. Parts of sums: ddt, dtau "tiles b l h", dA, dD "tiles b h", dB, dC "tiles b l h n"."""
    ACC: tl.constexpr = tl.float64 if x.dtype.element_ty == tl.float64 else tl.float32  # sums
    DOT: tl.constexpr = x.dtype.element_ty if NARROW else ACC  # factors of matrix products
    FLOOR: tl.constexpr = -746.0 if x.dtype.element_ty == tl.float64 else -104.0  # exp rounds what is below to zero
    program = tl.program_id(0).to(tl.int64)
    batch, head, part = program // heads, program % heads, tl.program_id(1) * batches * heads
    q, n = tl.arange(0, Q), tl.arange(0, N)
    p = tl.program_id(1) * P + tl.arange(0, P)
    x += batch * x_batch + head * x_head
    dy += batch * dy_batch + head * dy_head
    B += batch * B_batch + head // share * B_group
    C += batch * C_batch + head // share * C_group
    first = batch * length * heads + head
    in_state, inner = p[None, :] * states + n[:, None], inside(n, states, p, width)
    sum_A, sum_D = tl.zeros((Q,), ACC), tl.zeros((P,), ACC)
    G = tl.zeros((N, P), ACC)
    if dlast is not None:
        G = tl.load(dlast + program * width * states + in_state, mask=inner, other=0).to(ACC)
    chunks = tl.cdiv(length, Q)
    for done in tl.range(chunks, num_stages=1):
        chunk = chunks - 1 - done
        t = chunk * Q + q
        events, wide, deep = first + t * heads, inside(t, length, p, width), inside(t, length, n, states)
        x_at, dy_at = x + t[:, None] * x_time + p[None, :], dy + t[:, None] * dy_time + p[None, :]
        B_at, C_at = B + t[:, None] * B_time + n[None, :], C + t[:, None] * C_time + n[None, :]
        out = (part * length + events)[:, None] * states + n[None, :]
        step, log_a = read_decay(dt, A + head, tau, events, t < length, ACC, FLOOR)
        cum, end = tl.cumsum(log_a, 0), tl.sum(log_a, 0)

        asked, met, written, read = pairs(x_at, dy_at, B_at, C_at, wide, deep, step, cum, q, ACC, DOT, PRECISION)
        after, skipped = gradients_of_written(
            x_at, dy_at, B_at, C_at, D, dx + events[:, None] * width + p[None, :], dB + out, wide, deep, head,
            asked, met, step, tl.exp(end - cum), G, ACC, DOT, PRECISION,
        )  # fmt: skip
        sum_D += skipped
        H = state_before(starts, initial, program, chunk, chunks, in_state, inner, width * states, ACC)
        before, G_next = gradients_of_read(
            dy_at, B_at, C_at, dC + out, wide, deep, met * step[:, None], tl.exp(cum), H, ACC, DOT, PRECISION
        )
        across = tl.sum(step * after, 0) + tl.exp(end) * tl.sum(tl.sum(G * H, 0), 0)
        dlog_a = tl.cumsum(read + before - step * (written + after), 0, reverse=True) + across
        dlog_a = tl.where(log_a > FLOOR, dlog_a, 0)
        sum_A += gradients_of_steps(
            dt + events, A + head, tau, ddt, dtau, events, part * length, t < length, dlog_a, written + after, ACC
        )
        G = tl.exp(end) * G + G_next
    if dinitial is not None:
        tl.store(dinitial + program * width * states + in_state, G, mask=inner)
    tl.store(dA + part + program, tl.sum(sum_A, 0))
    if D is not None:
        tl.store(dD + part + program, tl.sum(sum_D, 0))


@triton.jit
def state_before(starts, initial, program, chunk, chunks, in_state, inner, size: tl.constexpr, ACC: tl.constexpr):
    """The state before a chunk, [n, p]: the initial one, or the one that the forward pass left."""
    H = tl.zeros(in_state.shape, ACC)
    if starts is not None:
        at = (program * (chunks - 1) + chunk - 1) * size + in_state
        H = tl.load(starts + at, mask=inner & (chunk > 0), other=0)
    if initial is not None:
        H += tl.load(initial + program * size + in_state, mask=inner & (chunk == 0), other=0).to(ACC)
    return H


@triton.jit
def pairs(
    x_at, dy_at, B_at, C_at, wide, deep, step, cum, q, ACC: tl.constexpr, DOT: tl.constexpr, PRECISION: tl.constexpr
):
    """Pairs [s, t] of a chunk: how C[t] asks for B[s] and dy[t] meets x[s], each decayed, and both sums of products."""
    x_c, dy_c = tl.load(x_at, mask=wide, other=0), tl.load(dy_at, mask=wide, other=0)
    B_c, C_c = tl.load(B_at, mask=deep, other=0), tl.load(C_at, mask=deep, other=0)
    K = decay(cum[None, :] - cum[:, None], q[:, None] <= q[None, :])
    asked = times(B_c, tl.trans(C_c), ACC, DOT, PRECISION)
    met = times(x_c, tl.trans(dy_c), ACC, DOT, PRECISION) * K
    both = asked * met
    return asked * K, met, tl.sum(both, 1), tl.sum(both * step[:, None], 0)


@triton.jit
def gradients_of_written(
    x_at, dy_at, B_at, C_at, D, dx_at, dB_at, wide, deep, head, asked, met, step, w, G,
    ACC: tl.constexpr, DOT: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Stores dx and dB; returns x·(what the state after the chunk gives to u), and dy·x per channel."""
    x_c, dy_c = tl.load(x_at, mask=wide, other=0).to(ACC), tl.load(dy_at, mask=wide, other=0).to(ACC)
    du = w[:, None] * times(tl.load(B_at, mask=deep, other=0), G, ACC, DOT, PRECISION)
    after = tl.sum(x_c * du, 1)
    dx_c = step[:, None] * (du + times(asked, dy_c, ACC, DOT, PRECISION))
    if D is not None:
        dx_c += tl.load(D + head).to(ACC) * dy_c
    skipped = tl.sum(dy_c * x_c, 0)
    tl.store(dx_at, dx_c, mask=wide)
    x_c, C_c = tl.load(x_at, mask=wide, other=0), tl.load(C_at, mask=deep, other=0)
    dB_c = w[:, None] * times(x_c, tl.trans(G), ACC, DOT, PRECISION) + times(met, C_c, ACC, DOT, PRECISION)
    tl.store(dB_at, step[:, None] * dB_c, mask=deep)
    return after, skipped


@triton.jit
def gradients_of_read(
    dy_at, B_at, C_at, dC_at, wide, deep, met, kept, H, ACC: tl.constexpr, DOT: tl.constexpr, PRECISION: tl.constexpr
):
    """Stores dC; returns dy·(what is read of the state before the chunk), and what the chunk adds to G."""
    dy_c, C_c = tl.load(dy_at, mask=wide, other=0), tl.load(C_at, mask=deep, other=0)
    dC_c = kept[:, None] * times(dy_c, tl.trans(H), ACC, DOT, PRECISION)
    before = tl.sum(dC_c * C_c, 1)
    dC_c += times(tl.trans(met), tl.load(B_at, mask=deep, other=0), ACC, DOT, PRECISION)
    tl.store(dC_at, dC_c, mask=deep)
    dy_c, C_c = tl.load(dy_at, mask=wide, other=0).to(ACC), tl.load(C_at, mask=deep, other=0)
    return before, times(tl.trans(C_c), dy_c * kept[:, None], ACC, DOT, PRECISION)


@triton.jit
def gradients_of_steps(dt_at, A, tau, ddt, dtau, events, part, real, dlog_a, written, ACC: tl.constexpr):
    """Stores ddt and dtau, from the gradients to log_a = tau dt A and to u = dt x; returns the terms of dA."""
    step = tl.load(dt_at, mask=real, other=0).to(ACC)
    pace, slope = step, dlog_a * tl.load(A).to(ACC)
    if tau is not None:
        factor = tl.load(tau + events, mask=real, other=0).to(ACC)
        tl.store(dtau + part + events, slope * step, mask=real)
        pace, slope = pace * factor, slope * factor
    tl.store(ddt + part + events, written + slope, mask=real)
    return dlog_a * pace
