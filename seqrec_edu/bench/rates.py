"""What this machine can do, one thread of it, measured: the yardstick that every result is held against."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from seqrec_edu.bench.case import Work
from seqrec_edu.ops.compiled import exp_of_negative, numba


@dataclass(frozen=True)
class Rates:
    """Per second: bytes copied (read and written), operations of matrix products, exponentials in cache."""

    copy: float
    gemm: float
    gemm_bf16: float
    exponentials: float

    @property
    def bf16_problem(self) -> str | None:
        """Why bf16 is no gain on this CPU, or None."""
        if self.gemm_bf16 > self.gemm:
            return None
        return (
            f"bf16 products reach {self.gemm_bf16 / 1e9:.0f} GFLOP/s here, float32 {self.gemm / 1e9:.0f}: "
            "this CPU has no AMX or AVX512-bf16"
        )


def measure(quick: bool = False) -> Rates:
    """Measure all of them; a few tenths of a second."""
    size, width = (1 << 20, 128) if quick else (1 << 25, 1024)
    source, target = torch.zeros(size), torch.ones(size)
    a, b, c = torch.ones(width, width), torch.ones(width, width), torch.empty(width, width)
    half = torch.ones(min(width, 256), min(width, 256), dtype=torch.bfloat16)
    return Rates(
        copy=8 * size / _least(lambda: target.copy_(source)),
        gemm=2 * width**3 / _least(lambda: torch.mm(a, b, out=c)),
        gemm_bf16=2 * len(half) ** 3 / _least(lambda: half @ half),
        exponentials=_exponentials(quick),
    )


def _least(run: Callable[[], object], times: int = 5) -> float:
    """Seconds of the fastest of some runs: a rate is what the machine can do when nothing disturbs it."""
    run()
    found = []
    for _ in range(times):
        start = time.process_time()
        run()
        found.append(time.process_time() - start)
    return max(min(found), 1e-9)


def _exponentials(quick: bool) -> float:
    """The faster of torch's exp and of the polynomial that the compiled loops use."""
    x, y = -torch.rand(8192), torch.empty(8192)
    times = 20 if quick else 1000

    def in_torch():
        for _ in range(times):
            torch.exp(x, out=y)

    ways = [in_torch]
    if numba is not None and not quick:
        loop = numba.njit(fastmath=True, cache=True)(_polynomial)
        ways.append(lambda: loop(x.numpy(), y.numpy(), times))
    return max(times * len(x) / _least(run) for run in ways)


def _polynomial(x, y, times):
    for _ in range(times):
        for i in range(len(x)):
            y[i] = exp_of_negative(x[i] + np.float32(1e-9) * y[i])


def floor(work: Work, rates: Rates, bf16: bool = False) -> tuple[float, str]:
    """Seconds below which this machine should not get, and what sets them: "bytes" or "arithmetic".

    Moving and computing can overlap; operations and exponentials are done by the same units, so they add up. Registers
    can be kept busier than a matrix product keeps them, so a tight loop may come out a little above 100 %.
    """
    moving = work.bytes / rates.copy
    computing = work.operations / (rates.gemm_bf16 if bf16 else rates.gemm) + work.exponentials / rates.exponentials
    return (moving, "bytes") if moving >= computing else (computing, "arithmetic")
