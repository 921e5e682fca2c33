"""What the kernels of linear_cross_entropy and target_rank share.

Each program holds some rows of one matrix and streams the rows of the other past them.
"""

import torch
import triton
import triton.language as tl

from seqrec_edu.ops import gpu

PROGRAMS = 528  # wanted at least: four for each of the 132 multiprocessors of an H100 or H200


def options(rows):
    """What is fixed when a kernel is compiled; a matrix product on chip has sides of 16 at least.

    The tiles are the largest of those tried that compile for a Hopper GPU without spilling registers. Half precision
    uses its tensor cores; fp32 is multiplied in full, one product per thread and instruction.
    """
    half = rows.dtype in (torch.bfloat16, torch.float16)
    width = max(16, triton.next_power_of_2(rows.shape[1]))
    held, streamed = (128, 64) if half else (64, 32) if rows.dtype == torch.float32 else (32, 16)
    if width > 128:
        held, streamed = held // 2, streamed if half else 16
    return {
        "D": rows.shape[1],
        "WIDTH": width,
        "ROWS": held,
        "COLUMNS": streamed,
        "WIDEN": half and gpu.interpreting(),  # the interpreter multiplies half precision wrongly
        "num_warps": 8,
    }


def grid(held, streamed, options):
    """How many tiles of rows to hold; how many spans to cut the streamed rows into, and the rows of each.

    A span is whole tiles. There is more than one only where the held rows alone would not occupy a GPU.
    """
    tiles = triton.cdiv(held, options["ROWS"])
    steps = triton.cdiv(streamed, options["COLUMNS"])
    each = triton.cdiv(steps, min(steps, triton.cdiv(PROGRAMS, tiles)))
    return tiles, triton.cdiv(steps, each), each * options["COLUMNS"]


def exact(tensor):
    """The type that sums are kept in."""
    return torch.promote_types(tensor.dtype, torch.float32)


@triton.jit
def tile(matrix, rows, stop, D: tl.constexpr, WIDTH: tl.constexpr, KIND: tl.constexpr):
    """Some rows, filled up with zeros."""
    k = tl.arange(0, WIDTH)[None, :]
    inside = (rows < stop)[:, None] & (k < D)
    return tl.load(matrix + rows.to(tl.int64)[:, None] * D + k, mask=inside, other=0).to(KIND)


@triton.jit
def dot(a, b, EXACT: tl.constexpr):
    return tl.dot(a, b, input_precision="ieee", out_dtype=EXACT)
