"""The forward pass on a GPU: one program walks one head of one history, chunk by chunk, its state in registers.

Positions of a chunk are t (reading) and s (written); ``cum`` is the log-decay summed from the start of the chunk.

    y[t] = Σ_{s ≤ t} exp(cum[t] - cum[s]) C[t]·B[s] u[s]  +  exp(cum[t]) C[t]·H  +  D x[t],        u = dt x
    H ← exp(cum[end]) H + Σ_s exp(cum[end] - cum[s]) B[s] u[s]ᵀ

The state is kept as [n, p]. Nothing is written but y, the last state and, for the backward pass, the states at the
starts of chunks. Channels do not meet, so wide heads are shared out over programs of P channels each.
"""

import triton
import triton.language as tl


@triton.jit
def forward(
    x, dt, A, B, C, D, tau, initial, y, last, starts,
    x_batch, x_time, x_head, B_batch, B_time, B_group, C_batch, C_time, C_group, length,
    heads: tl.constexpr, share: tl.constexpr, width: tl.constexpr, states: tl.constexpr,
    Q: tl.constexpr, P: tl.constexpr, N: tl.constexpr, NARROW: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Grid (batch·heads, tiles of P channels). D, tau, initial and starts may be None."""
    ACC: tl.constexpr = tl.float64 if x.dtype.element_ty == tl.float64 else tl.float32  # sums
    DOT: tl.constexpr = x.dtype.element_ty if NARROW else ACC  # factors of matrix products
    FLOOR: tl.constexpr = -746.0 if x.dtype.element_ty == tl.float64 else -104.0  # exp rounds what is below to zero
    program = tl.program_id(0).to(tl.int64)
    batch, head = program // heads, program % heads
    q, n = tl.arange(0, Q), tl.arange(0, N)
    p = tl.program_id(1) * P + tl.arange(0, P)
    x += batch * x_batch + head * x_head
    B += batch * B_batch + head // share * B_group
    C += batch * C_batch + head // share * C_group
    first = batch * length * heads + head  # this head at the first event; the next event is ``heads`` further
    in_state, inner = p[None, :] * states + n[:, None], inside(n, states, p, width)
    H = tl.zeros((N, P), ACC)
    if initial is not None:
        H = tl.load(initial + program * width * states + in_state, mask=inner, other=0).to(ACC)
    chunks = tl.cdiv(length, Q)
    for chunk in tl.range(chunks, num_stages=1):
        t = chunk * Q + q
        step, log_a = read_decay(dt, A + head, tau, first + t * heads, t < length, ACC, FLOOR)
        cum, end = tl.cumsum(log_a, 0), tl.sum(log_a, 0)
        wide = inside(t, length, p, width)
        x_c = tl.load(x + t[:, None] * x_time + p[None, :], mask=wide, other=0).to(ACC)
        B_c = tl.load(B + t[None, :] * B_time + n[:, None], mask=inside(n, states, t, length), other=0)  # [n, s]
        C_c = tl.load(C + t[:, None] * C_time + n[None, :], mask=inside(t, length, n, states), other=0)
        scores = times(C_c, B_c, ACC, DOT, PRECISION)
        scores *= decay(cum[:, None] - cum[None, :], q[:, None] >= q[None, :])
        y_c = tl.exp(cum)[:, None] * times(C_c, H, ACC, DOT, PRECISION)
        y_c += times(scores, x_c * step[:, None], ACC, DOT, PRECISION)
        if D is not None:
            y_c += tl.load(D + head).to(ACC) * x_c
        tl.store(y + (first + t * heads)[:, None] * width + p[None, :], y_c, mask=wide)
        left = x_c * (step * tl.exp(end - cum))[:, None]
        H = tl.exp(end) * H + times(B_c, left, ACC, DOT, PRECISION)
        if starts is not None:
            row = program * (chunks - 1) + chunk
            tl.store(starts + row * width * states + in_state, H, mask=inner & (chunk + 1 < chunks))
    tl.store(last + program * width * states + in_state, H, mask=inner)


@triton.jit
def inside(rows, height, columns, width):
    """Which entries of a tile exist."""
    return (rows < height)[:, None] & (columns < width)[None, :]


@triton.jit
def read_decay(dt, A, tau, events, real, ACC: tl.constexpr, FLOOR: tl.constexpr):
    """Steps and log-decays of a chunk; an event behind the end neither writes nor forgets.

    A log-decay below FLOOR is raised to it. Its exponential is zero either way, but sums of raised ones keep their last
    digits, and a difference of two sums is never ∞ - ∞.
    """
    step = tl.load(dt + events, mask=real, other=0).to(ACC)
    log_a = step * tl.load(A).to(ACC)
    if tau is not None:
        log_a *= tl.load(tau + events, mask=real, other=0).to(ACC)
    return step, tl.maximum(log_a, FLOOR)


@triton.jit
def decay(log_a, seen):
    """exp(log_a) where ``seen``, else 0; masked first, because elsewhere the exponential may overflow."""
    return tl.exp(tl.where(seen, log_a, float("-inf")))


@triton.jit
def times(a, b, ACC: tl.constexpr, DOT: tl.constexpr, PRECISION: tl.constexpr):
    """The matrix product a b, operands rounded to DOT, summed in ACC."""
    return tl.dot(a.to(DOT), b.to(DOT), input_precision=PRECISION, out_dtype=ACC)
