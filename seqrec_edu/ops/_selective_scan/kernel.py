"""The GPU version (Triton): what the two passes are launched with, and how autograd calls them."""

import torch
import triton
from einops import rearrange

from seqrec_edu.ops._selective_scan import kernel_backward, kernel_forward
from seqrec_edu.ops.gpu import in_rows

EVERY, STEPS = 8, 4  # events between stored states; events whose states the backward pass has in registers at once
FULL = 132 * 16  # programs that fill a large GPU: four for each of the four schedulers of its 132 processors


def selective_scan(x, dt, A, B, C, D=None, z=None, initial_state=None):
    """Same contract as the other versions: ``y "b l e"``, skipped and gated, and the last state ``"b e n"``."""
    inputs = (x, dt, A, B, C, D, z, initial_state)
    keep = torch.is_grad_enabled() and any(v is not None and v.requires_grad for v in inputs)
    return _Scan.apply(keep, *inputs)


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(ctx, keep, x, dt, A, B, C, D, z, initial):
        ctx.set_materialize_grads(False)
        x, dt, B, C, z = map(in_rows, (x, dt, B, C, z))
        A, initial, D = channels_last(A), channels_last(initial), None if D is None else D.contiguous()
        (b, l, e), n = x.shape, B.shape[2]
        precise = torch.float64 if x.dtype == torch.float64 else torch.float32
        cell, common = plan(e, B, C)
        tile, steps = forward_tile(x, dt, z, cell)
        tiles = triton.cdiv(e, tile)
        y, last = torch.empty(b, l, e, dtype=x.dtype, device=x.device), x.new_empty(b, n, e, dtype=precise)
        starts = None
        if keep:
            starts = x.new_empty(b, triton.cdiv(e, cell), triton.cdiv(l, EVERY), common["N"], cell, dtype=precise)
        with torch.cuda.device_of(x):
            kernel_forward.forward[(b * tiles,)](
                x, dt, A, B, C, D, z, initial, y, last, starts,
                l, e, tiles, *row_strides(x, dt, B, C, z), cell * common["N"],
                TILE=tile, STEPS=steps, CELL=cell, LANE=max(1, tile // 32), WHOLE=e % tile == 0, **common,
            )  # fmt: skip
        ctx.save_for_backward(x, dt, A, B, C, D, z, initial, starts)
        return y, last.transpose(1, 2).to(x.dtype)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, dy, dlast):
        x, dt, A, B, C, D, z, initial, starts = ctx.saved_tensors
        (b, l, e), n = x.shape, B.shape[2]
        tile, common = plan(e, B, C)
        tiles = triton.cdiv(e, tile)
        dy = torch.zeros_like(x) if dy is None else in_rows(dy)
        dx, ddt, dz = (
            None if v is None else torch.empty_like(x, memory_format=torch.contiguous_format) for v in (x, dt, z)
        )
        dA, dinitial, dB, dC, dD = (
            None if like is None else starts.new_empty(b, tiles, *shape)
            for like, shape in (
                (A, (common["N"], tile)),
                (initial, (common["N"], tile)),
                (B, (l, n)),
                (C, (l, n)),
                (D, (tile,)),
            )
        )
        with torch.cuda.device_of(x):
            kernel_backward.backward[(b * tiles,)](
                x, dt, A, B, C, D, z, starts, dy, channels_last(dlast), dx, ddt, dA, dB, dC, dD, dz, dinitial,
                l, e, tiles, *row_strides(x, dt, B, C, z, dy), tile * common["N"],
                TILE=tile, STEPS=STEPS, WHOLE=e % tile == 0, **common,
            )  # fmt: skip
        dA = rearrange(dA.sum(0), "tiles n e -> (tiles e) n")[:e, :n].to(A.dtype)
        dB, dC = dB.sum(1).to(B.dtype), dC.sum(1).to(C.dtype)
        dD = None if dD is None else dD.sum(0).flatten()[:e].to(D.dtype)
        if dinitial is not None:
            dinitial = rearrange(dinitial, "b tiles n e -> b (tiles e) n")[:, :e, :n].to(initial.dtype)
        return None, dx, ddt, dA, dB, dC, dD, dz, dinitial


def plan(channels, B, C):
    """Channels of a backward program and of a stored state, and what both kernels are compiled for.

    16 numbers of state for every lane of one warp: the backward pass holds eight such sets and some more in its 255
    registers. Large states take fewer channels, down to one.
    """
    states = B.shape[2]
    N = triton.next_power_of_2(states)
    aligned = 4 if B.stride(1) % 4 == C.stride(1) % 4 == 0 else 1
    return max(1, min(32, 512 // N)), {"states": states, "N": N, "EVERY": EVERY, "ALIGNED": aligned, "num_warps": 1}


def forward_tile(x, dt, z, cell):
    """Channels of a forward program and events it reads at once: two cells where programs abound, else one.

    Fewer programs leave each scheduler fewer others to turn to while one waits for memory, so these read further ahead.
    """
    batch, _, channels = x.shape
    even = all(v is None or v.stride(1) % 2 == 0 for v in (x, dt, z))
    if even and channels % (2 * cell) == 0 and batch * channels // (2 * cell) >= FULL:
        return 2 * cell, 1
    return cell, 4


def row_strides(*tensors):
    return (0 if tensor is None else tensor.stride(1) for tensor in tensors)


def channels_last(tensor):
    """``"… e n"`` stored as ``"… n e"``."""
    return None if tensor is None else tensor.transpose(-1, -2).contiguous()
