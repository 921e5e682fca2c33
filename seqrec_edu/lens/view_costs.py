"""What each of the five views of a state space costs, in closed form."""

from __future__ import annotations

import math
from dataclasses import dataclass

SSD, SCAN = "ssd", "selective_scan"


@dataclass(frozen=True)
class Cost:
    """Multiply-adds of a whole history and numbers held at once, and the formulas they come from."""

    work: int
    held: int
    work_formula: str
    held_formula: str


def costs(
    operation: str, *, l: int, p: int, n: int, chunk: int, h: int = 1, tile: int = 1
) -> dict[str, Cost]:  # fmt: skip
    """View → `Cost`, for ``h`` heads of width p over l events, with a state of n (numbers per channel).

    Products of vectors are counted, not the few scalars beside them, nor exponentials: a Mamba takes one per event and
    number of the state, an SSD layer one per event. Held is what a view makes besides its inputs and its output, or,
    for the sum, the past that it must not forget.

    operation: "ssd", or "selective_scan", whose h channels have p = 1.
    chunk: events a chunk.
    tile: events that the kernel takes together; 1 is a loop with the state in registers.
    Errors: ``ValueError`` on another operation or sizes below 1. Mamba-2, arXiv 2405.21060, section 6.
    """
    if operation not in (SSD, SCAN):
        raise ValueError(f'operation must be "{SSD}" or "{SCAN}", got {operation!r}')
    sizes = {"l": l, "p": p, "n": n, "chunk": chunk, "h": h, "tile": tile}
    if wrong := [f"{name} {size}" for name, size in sizes.items() if size < 1]:
        raise ValueError(f"sizes must be at least 1, got {', '.join(wrong)}")
    pairs = l * (l + 1) // 2
    loop = Cost(3 * h * l * n * p, h * n * p, "3·h·l·n·p", "h·n·p")
    if operation == SSD:
        return {
            "recurrence": loop,
            "sum": Cost(h * pairs * (n + p), h * l * (n + p + 1), "h·l(l+1)/2·(n+p)", "h·l·(n+p+1)"),
            "matrix": Cost(h * l**2 * (n + p), h * l**2, "h·l²·(n+p)", "h·l²"),
            "chunks": _blocks(h, l, p, n, min(chunk, l), "Q"),
            "kernel": loop if tile == 1 else _blocks(h, l, p, n, min(tile, l), "T"),
        }
    q = min(chunk, l)
    stored = 1 + math.isqrt(2 * q)  # the vectorised version keeps a state every √(Q/2) events
    return {
        "recurrence": loop,
        "sum": Cost(3 * h * pairs * n, h * l * (2 * n + 1), "3·h·l(l+1)/2·n", "h·l·(2n+1)"),
        "matrix": Cost(3 * h * l**2 * n, h * l**2 * n, "3·h·l²·n", "h·l²·n"),
        "chunks": Cost(loop.work, h * n * stored, "3·h·l·n·p", "h·n·(1+√(2Q))"),
        "kernel": loop,
    }


def _blocks(h: int, l: int, p: int, n: int, q: int, letter: str) -> Cost:
    """c = l/Q chunks, the last filled up: the matrix inside each, a state from one to the next."""
    c = math.ceil(l / q)
    return Cost(
        h * c * (q**2 * (n + p) + 2 * q * n * p), h * c * (q**2 + n * p),
        f"h·c·({letter}²(n+p) + 2{letter}·n·p)", f"h·c·({letter}²+n·p)",
    )  # fmt: skip
