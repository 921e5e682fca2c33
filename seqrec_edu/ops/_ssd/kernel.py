"""The GPU version (Triton): sizes of tiles, launches, and the two passes tied together for autograd.

The mathematics is in ``kernel_forward.py`` and ``kernel_backward.py``: one launch each, whatever the length. Sums over
the heads of a group and over histories are taken here, in a fixed order: no atomics.
"""

import torch
import triton

from seqrec_edu.ops import gpu
from seqrec_edu.ops._ssd.kernel_backward import backward
from seqrec_edu.ops._ssd.kernel_forward import forward

# Events and channels of a tile at most: with more the backward pass, compiled for an H100, spills registers.
EVENTS, CHANNELS = 32, 32


def ssd(x, dt, A, B, C, D=None, decay_scale=None, initial_state=None, *, chunk_size=64):
    """Same contract as the reference, with the skip D x: ``y "b l h p"`` and the last state ``"b h p n"``."""
    given = (x, dt, A, B, C, D, decay_scale, initial_state)
    learning = torch.is_grad_enabled() and any(tensor is not None and tensor.requires_grad for tensor in given)
    return _SSD.apply(*given, constants(x, B, chunk_size), learning)


def constants(x, B, chunk_size):
    """What both passes are compiled for: sizes, tiles, and the arithmetic of their matrix products."""
    length, heads, width = x.shape[1:]
    groups, states = B.shape[2:]
    return {
        "heads": heads, "share": heads // groups, "width": width, "states": states,
        "Q": min(EVENTS, _tile(min(length, chunk_size))), "P": min(CHANNELS, _tile(width)), "N": _tile(states),
        # Triton's interpreter gets products of bfloat16 wrong; those of float16 could overflow where a state is large.
        "NARROW": x.dtype == torch.bfloat16 and not gpu.interpreting(), "PRECISION": precision(x.dtype),
    }  # fmt: skip


def _tile(size):
    """tl.dot wants powers of two from 16 on; what a tile has too much is masked."""
    return max(16, triton.next_power_of_2(size))


def precision(dtype):
    """How Triton multiplies matrices: exactly, unless TF32 loses nothing or was allowed to torch's own products.

    Triton itself would take TF32, with three decimal digits, for all float32: then the versions would not agree.
    """
    if dtype == torch.float16:
        return "tf32"  # as many digits as float16
    cublas = torch.backends.cuda.matmul
    setting = getattr(cublas, "fp32_precision", None)  # since torch 2.9, which forbids asking in the old way as well
    allowed = setting == "tf32" if setting is not None else cublas.allow_tf32
    return "tf32" if allowed and dtype == torch.float32 else "ieee"


def warps(constant, backward=False):
    """Threads / 32 with which nothing spills up to 64 states: exact products hold their operands in registers."""
    if constant["NARROW"] or constant["PRECISION"] == "tf32":
        return 8 if constant["N"] > 64 else 4
    return 8 if backward or constant["N"] > 32 else 4


class _SSD(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, dt, A, B, C, D, tau, initial, constant, learning):
        ctx.set_materialize_grads(False)
        x, B, C = (_rows(tensor) for tensor in (x, B, C))
        dt, A, D, tau, initial = (_dense(tensor) for tensor in (dt, A, D, tau, initial))
        batch, length, heads, width = x.shape
        states, chunks = B.shape[3], triton.cdiv(length, constant["Q"])
        y, last, starts = x.new_empty(x.shape), x.new_empty(batch, heads, width, states), None
        if learning and chunks > 1:
            starts = x.new_empty(batch, heads, chunks - 1, width, states, dtype=_sums(x))
        with torch.cuda.device_of(x):
            forward[batch * heads, triton.cdiv(width, constant["P"])](
                x, dt, A, B, C, D, tau, initial, y, last, starts,
                *x.stride()[:3], *B.stride()[:3], *C.stride()[:3], length, **constant, num_warps=warps(constant),
            )  # fmt: skip
        ctx.save_for_backward(x, dt, A, B, C, D, tau, initial, starts)
        ctx.constant = constant
        return y, last

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, dy, dlast):
        x, dt, A, B, C, D, tau, initial, starts = ctx.saved_tensors
        dy, dlast = torch.zeros_like(x) if dy is None else _rows(dy), _dense(dlast)
        batch, length, heads, width = x.shape
        tiles = triton.cdiv(width, ctx.constant["P"])
        parts = lambda *sizes: x.new_empty(tiles, batch, *sizes, dtype=_sums(x))  # noqa: E731
        dx, dinitial = x.new_empty(x.shape), None if initial is None else torch.empty_like(initial)
        ddt, dtau = parts(length, heads), None if tau is None else parts(length, heads)
        dA, dD = parts(heads), None if D is None else parts(heads)
        dB, dC = (parts(length, heads, B.shape[3]) for _ in "BC")
        with torch.cuda.device_of(x):
            backward[batch * heads, tiles](
                x, dt, A, B, C, D, tau, initial, starts, dy, dlast, dx, ddt, dA, dB, dC, dD, dtau, dinitial,
                *x.stride()[:3], *B.stride()[:3], *C.stride()[:3], *dy.stride()[:3], batch, length,
                **ctx.constant, num_warps=warps(ctx.constant, backward=True),
            )  # fmt: skip
        dB, dC = (part.unflatten(3, (B.shape[2], -1)) for part in (dB, dC))
        sums = (ddt, 0), (dA, 0, 1), (dB, 0, 4), (dC, 0, 4), (dD, 0, 1), (dtau, 0)
        ddt, dA, dB, dC, dD, dtau = (_summed(part, axes, x.dtype) for part, *axes in sums)
        return dx, ddt, dA, dB, dC, dD, dtau, dinitial, None, None


def _rows(tensor):
    """The kernels take any strides, except that channels lie next to each other."""
    return tensor if tensor.stride(-1) == 1 else tensor.contiguous()


def _dense(tensor):
    return None if tensor is None else tensor.contiguous()


def _sums(x):
    """The type that sums are kept in."""
    return torch.float64 if x.dtype == torch.float64 else torch.float32


def _summed(parts, axes, dtype):
    if parts is None:
        return None
    alone = all(parts.shape[axis] == 1 for axis in axes)
    return (parts.squeeze(axes) if alone else parts.sum(axes)).to(dtype)
