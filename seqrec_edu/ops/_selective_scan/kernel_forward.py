# ruff: noqa: RUF005 - tuples grow by +, because Triton knows no (*a, b)
"""The forward pass on a GPU: one program walks one history for TILE channels, their states in registers.

At recommender sizes histories × channels fill the machine, so nothing is gained by scanning over time in parallel, and
the skip ``D x`` and the gate ``silu(z)`` cost no further pass over memory when they are applied on the way out.

A state is kept as [n, channels] and spread over the processor's lanes channels first: a lane then owns whole channels,
the sum over n needs no other lane, and B and C are the same numbers for all of them.
"""

import triton
import triton.language as tl

LOG2_E = tl.constexpr(1.4426950408889634)  # the processor computes 2^x; exp(x) would multiply by this at every state
# Never specialised: what Triton found out about them would decide how a tile is spread over the lanes.
SIZES = ("length", "channels", "tiles", "x_row", "dt_row", "B_row", "C_row", "z_row", "dy_row", "cell")


@triton.jit(do_not_specialize=SIZES)
def forward(
    x, dt, A, B, C, D, z, initial, y, last, starts,
    length, channels, tiles, x_row, dt_row, B_row, C_row, z_row, cell,
    states: tl.constexpr, N: tl.constexpr, TILE: tl.constexpr, STEPS: tl.constexpr, EVERY: tl.constexpr,
    CELL: tl.constexpr, WHOLE: tl.constexpr, LANE: tl.constexpr, ALIGNED: tl.constexpr,
):  # fmt: skip
    """Grid (histories · tiles). A, initial and last are "n e"; D, z, initial and starts may be None.

    A row is the distance from one event to the next, in numbers; LANE divides those of x, dt, z and y, ALIGNED those of
    B and C. Inputs of STEPS events are read before any is used: the wait for memory is paid once for all. WHOLE: the
    channels fill the last tile. starts takes the states before every EVERYth event, in cells of CELL channels.
    """
    history, e, n, has_e, has_n = place(tl.program_id(0), tiles, channels, states, N, TILE, WHOLE)
    x_row, dt_row, z_row = multiple(x_row, LANE), multiple(dt_row, LANE), multiple(z_row, LANE)
    y_row, cell = multiple(channels, LANE), multiple(cell, LANE)
    B_row, C_row = multiple(B_row, ALIGNED), multiple(C_row, ALIGNED)
    of_state, real = n[:, None] * y_row + e[None, :], has_n[:, None] & has_e[None, :]
    decay = tl.load(A + of_state, mask=real, other=0).to(last.dtype.element_ty) * LOG2_E
    h = tl.zeros((N, TILE), last.dtype.element_ty)
    if initial is not None:
        h = tl.load(initial + history * states * y_row + of_state, mask=real, other=0).to(h.dtype)
    skip = tl.zeros((TILE,), h.dtype)
    if D is not None:
        skip = tl.load(D + e, mask=has_e, other=0).to(h.dtype)
    event, chunks = history * length, tl.cdiv(length, EVERY)
    for chunk in range(chunks):
        if starts is not None:
            stored = ((history * tl.cdiv(channels, CELL) + e // CELL) * chunks + chunk) * cell + e % CELL
            tl.store((starts + stored)[None, :] + n[:, None] * CELL, h)  # cells are whole, what lies outside is 0
        for first in range(chunk * EVERY, tl.minimum(length, chunk * EVERY + EVERY), STEPS):
            inputs = ()
            for i in tl.static_range(STEPS):
                t, here = inside(first + i, length, has_e, STEPS)
                x_t, dt_t = read(x, event, t, x_row, e, has_e, h), read(dt, event, t, dt_row, e, has_e, h)
                B_t, C_t = read(B, event, t, B_row, n, has_n, h), read(C, event, t, C_row, n, has_n, h)
                z_t = x_t
                if z is not None:
                    z_t = read(z, event, t, z_row, e, has_e, h)
                inputs = inputs + ((x_t, tl.where(here, dt_t, 0), B_t, C_t, z_t, here),)
            for i in tl.static_range(STEPS):
                x_t, dt_t, B_t, C_t, z_t, here = inputs[i]
                h = tl.exp2(dt_t[None, :] * decay) * h + (dt_t * x_t)[None, :] * B_t[:, None]
                y_t = tl.sum(h * C_t[:, None], 0) + skip * x_t
                if z is not None:
                    y_t *= z_t * tl.sigmoid(z_t)
                tl.store(y + event * y_row + (first + i) * y_row + e, y_t.to(y.dtype.element_ty), mask=here)
    tl.store(last + history * states * y_row + of_state, h, mask=real)


@triton.jit
def place(program, tiles, channels, states: tl.constexpr, N: tl.constexpr, TILE: tl.constexpr, WHOLE: tl.constexpr):
    """History, channels and states of a program, and which of the two exist.

    The tiles of one history are neighbours, so that the second to read B and C finds them in the cache.
    """
    history, tile = (program // tiles).to(tl.int64), program % tiles
    e, n = tile * TILE + tl.arange(0, TILE), tl.arange(0, N)
    has_e, has_n = tl.full((TILE,), True, tl.int1), tl.full((N,), True, tl.int1)
    if not WHOLE:
        has_e = e < channels
    if states < N:
        has_n = n < states
    return history, e, n, has_e, has_n


@triton.jit
def multiple(row, of: tl.constexpr):
    """The same number, in a form from which the compiler sees that ``of`` divides it, so that it reads wider words."""
    return row // of * of


@triton.jit
def inside(t, length, has_e, STEPS: tl.constexpr):
    """The event to read for t, and which channels of it count.

    Behind the end that is the last event and none: read without a mask, it is then given a step of 0, which keeps all.
    """
    if STEPS > 1:
        has_e = has_e & (t < length)
        t = tl.minimum(t, length - 1)
    return t, has_e


@triton.jit
def read(pointer, event, t, row, at, has, like):
    """Event t of the history that begins at ``event``, as precise as ``like``."""
    return tl.load(pointer + event * row + t * row + at, mask=has, other=0).to(like.dtype)
