# ruff: noqa: RUF005 - tuples grow by +, because Triton knows no (*a, b)
"""The backward pass on a GPU: the same programs walk the history from its end, a few events at a time.

The equations stand in cpu.py. A step back needs the states around it, and they are computed again: from the last state
that the forward pass stored (one every EVERY events) up to the STEPS events at hand, whose states stay in registers.
With 8 and 4 that is one and a half walks, and of the l × e × n states only an eighth is ever written.

dB and dC are sums over channels. A program writes its share, and the shares are added afterwards in a fixed order:
the same input gives the same bits, which adding them in memory as programs finish (atomics) does not.
"""

import triton
import triton.language as tl

from seqrec_edu.ops._selective_scan.kernel_forward import LOG2_E, SIZES, inside, multiple, place, read


@triton.jit(do_not_specialize=SIZES)
def backward(
    x, dt, A, B, C, D, z, starts, dy, dlast, dx, ddt, dA, dB, dC, dD, dz, dinitial,
    length, channels, tiles, x_row, dt_row, B_row, C_row, z_row, dy_row, cell,
    states: tl.constexpr, N: tl.constexpr, TILE: tl.constexpr, STEPS: tl.constexpr, EVERY: tl.constexpr,
    WHOLE: tl.constexpr, ALIGNED: tl.constexpr,
):  # fmt: skip
    """Grid (histories · tiles). Of every program: dA, dinitial "n e", dD "e", dB, dC "l n"; dx, ddt, dz "b l e".

    D, z, dlast, dinitial may be None, dD with D and dz with z. STEPS divides EVERY. The rest as in forward.
    """
    history, e, n, has_e, has_n = place(tl.program_id(0), tiles, channels, states, N, TILE, WHOLE)
    program, event, chunks = tl.program_id(0).to(tl.int64), history * length, tl.cdiv(length, EVERY)
    B_row, C_row = multiple(B_row, ALIGNED), multiple(C_row, ALIGNED)
    of_state, real = n[:, None] * channels + e[None, :], has_n[:, None] & has_e[None, :]
    decay = tl.load(A + of_state, mask=real, other=0).to(starts.dtype.element_ty) * LOG2_E
    g = tl.zeros((N, TILE), decay.dtype)  # gradient to the state between the events done and those to come
    if dlast is not None:
        g = tl.load(dlast + history * states * channels + of_state, mask=real, other=0).to(g.dtype)
    dA_sum, dD_sum, skip = tl.zeros((N, TILE), g.dtype), tl.zeros((TILE,), g.dtype), tl.zeros((TILE,), g.dtype)
    if D is not None:
        skip = tl.load(D + e, mask=has_e, other=0).to(g.dtype)
    dB += program * length * states
    dC += program * length * states
    blocks = tl.cdiv(length, STEPS)
    for back in range(blocks):
        first = (blocks - 1 - back) * STEPS
        chunk = first // EVERY
        h = tl.load(cells(starts, program * chunks + chunk, cell, n, TILE))
        for t in range(chunk * EVERY, first):
            x_t, dt_t = read(x, event, t, x_row, e, has_e, h), read(dt, event, t, dt_row, e, has_e, h)
            B_t = read(B, event, t, B_row, n, has_n, h)
            h = tl.exp2(dt_t[None, :] * decay) * h + (dt_t * x_t)[None, :] * B_t[:, None]
        done = ()
        for i in tl.static_range(STEPS):
            t, here = inside(first + i, length, has_e, STEPS)
            x_t, dt_t = read(x, event, t, x_row, e, has_e, h), read(dt, event, t, dt_row, e, has_e, h)
            B_t, C_t = read(B, event, t, B_row, n, has_n, h), read(C, event, t, C_row, n, has_n, h)
            dt_t, dy_t = tl.where(here, dt_t, 0), tl.where(here, read(dy, event, t, dy_row, e, has_e, h), 0)
            before, kept = h, tl.exp2(dt_t[None, :] * decay)
            h = kept * h + (dt_t * x_t)[None, :] * B_t[:, None]
            if z is not None:
                z_t = read(z, event, t, z_row, e, has_e, h)
                dz_t, dy_t = through_gate(dy_t, z_t, tl.sum(h * C_t[:, None], 0) + skip * x_t)
                tl.store(dz + (event + t) * channels + e, dz_t.to(dz.dtype.element_ty), mask=here)
            store_sum(dC + t * states, h * dy_t[None, :], first + i < length, states, N, TILE)
            done = done + ((t, here, x_t, dt_t, dy_t, before, kept),)
        for j in tl.static_range(STEPS):
            t, here, x_t, dt_t, dy_t, before, kept = done[STEPS - 1 - j]
            g += read(C, event, t, C_row, n, has_n, h)[:, None] * dy_t[None, :]
            store_sum(dB + t * states, g * (dt_t * x_t)[None, :], first + STEPS - 1 - j < length, states, N, TILE)
            written = tl.sum(g * read(B, event, t, B_row, n, has_n, h)[:, None], 0)
            g *= kept
            forgotten = g * before
            dA_sum += forgotten * dt_t[None, :]
            dD_sum += dy_t * x_t
            dx_t = dt_t * written + skip * dy_t
            ddt_t = x_t * written + tl.sum(forgotten * decay, 0) / LOG2_E
            tl.store(dx + (event + t) * channels + e, dx_t.to(dx.dtype.element_ty), mask=here)
            tl.store(ddt + (event + t) * channels + e, ddt_t.to(ddt.dtype.element_ty), mask=here)
    tl.store(cells(dA, program, cell, n, TILE), dA_sum)
    if D is not None:
        tl.store(dD + program * TILE + tl.arange(0, TILE), dD_sum)
    if dinitial is not None:
        tl.store(cells(dinitial, program, cell, n, TILE), g)


@triton.jit
def cells(pointer, at, cell, n, TILE: tl.constexpr):
    """Where the state of cell ``at`` lies: an address for each lane, and constants, which take no register to hold."""
    lanes: tl.constexpr = 32 // TILE if TILE < 32 else 1  # rows of the state that the lanes hold side by side
    first = (n % lanes)[:, None] * TILE + tl.arange(0, TILE)[None, :]
    return (pointer + at * cell + first) + (n // lanes)[:, None] * (lanes * TILE)


@triton.jit
def through_gate(dy, z, ungated):
    """Gradients of ``ungated · silu(z)`` to z and to what was gated."""
    open = tl.sigmoid(z)
    return dy * ungated * open * (1 + z * (1 - open)), dy * z * open


@triton.jit
def store_sum(to, values, has, states: tl.constexpr, N: tl.constexpr, TILE: tl.constexpr):
    """Sum ``values`` [n, channels] over channels and store the n sums, if ``has``.

    The lanes exchange halves: each keeps one half of its rows, gives the other to a partner and adds what it gets. In
    the end every lane holds other rows, summed over all lanes, for N + N/2 + … exchanges instead of N log2(TILE).
    """
    lane = tl.arange(0, TILE)
    for i in tl.static_range(1, 12):
        if (TILE >> i) > 0:
            values = exchange(values, lane, TILE >> i, N >> i, TILE)
    left: tl.constexpr = N // TILE if N > TILE else 1  # rows that the lanes were too few to share out
    same: tl.constexpr = TILE // N if N < TILE else 1  # lanes that hold the same sum
    n = (lane // same)[None, :] * left + tl.arange(0, left)[:, None]
    owner = (lane % same == 0)[None, :] & (n < states) & has
    tl.store(to + n, values.to(to.dtype.element_ty), mask=owner)


@triton.jit
def exchange(values, lane, reach: tl.constexpr, rows: tl.constexpr, TILE: tl.constexpr):
    """One step of it, between lanes that are ``reach`` apart, to ``rows`` rows; 0 where only one row was left."""
    kept, given = values, values
    if rows > 0:
        lower, upper = tl.split(tl.permute(tl.reshape(values, (2, rows, TILE)), (1, 2, 0)))
        mine = (lane & reach)[None, :] != 0
        kept, given = tl.where(mine, upper, lower), tl.where(mine, lower, upper)
    return kept + tl.gather(given, tl.broadcast_to((lane ^ reach)[None, :], given.shape), 1)
