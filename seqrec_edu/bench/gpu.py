"""Timing on a GPU: between events, in turns, with an empty cache; launched as usual or as one graph."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping
from typing import Any, TypeVar

import torch

from seqrec_edu.bench.rates import Rates

Key = TypeVar("Key", bound=Hashable)
FLUSH = 1 << 28  # bytes: several times the second-level cache of an H100 or H200
SPECIAL, FUSED = 16, 128  # per multiprocessor and clock: exponentials, float32 multiply-adds


def rates() -> Rates:
    """Copy and bf16 products measured; float32 and exponentials from the number of multiprocessors and their clock."""
    about = torch.cuda.get_device_properties(0)
    per_second = about.multi_processor_count * 1e3 * getattr(about, "clock_rate", 1_755_000)  # it counts kHz
    source = torch.randn(1 << 28, device="cuda")
    target = torch.empty_like(source)
    a = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
    tasks = {"copy": lambda: target.copy_(source), "product": lambda: a @ a}
    seconds = {key: min(taken) / 1e3 for key, taken in in_turns(tasks, 3, 5).items()}
    return Rates(
        copy=8 * source.numel() / seconds["copy"],
        gemm=2 * FUSED * per_second,
        gemm_bf16=2 * 8192**3 / seconds["product"],
        exponentials=SPECIAL * per_second,
    )


def in_turns(
    tasks: Mapping[Key, Callable[[], object]],
    rounds: int,
    per_round: int,
    *,
    deadline: float = float("inf"),
    patience: float = 1_500.0,
    clock: Callable[[], float] = time.monotonic,
    sample: Callable[[Callable[[], object]], float] | None = None,
) -> dict[Key, list[float]]:
    """Milliseconds of every run, ``per_round`` of each task in turn; after the ``deadline`` no further round begins.

    A task that has taken ``patience`` milliseconds takes no further turns; ten samples of a slow one will do.
    Everything has to have run before: what compiles or tunes itself does so at its first run.
    """
    sample = sample or between_events()
    found: dict[Key, list[float]] = {key: [] for key in tasks}
    for turn in range(rounds):
        if turn and clock() > deadline:
            break
        for key, run in tasks.items():
            if sum(found[key]) < patience:
                found[key] += [sample(run) for _ in range(per_round)]
    return found


def between_events() -> Callable[[Callable[[], object]], float]:
    """What takes one sample. The device is idle at the first event, so launches that come too slowly count.

    The cache is emptied before: the inputs of a real step were written long before they are read.
    """
    flush = torch.empty(FLUSH // 4, device="cuda")
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))

    def sample(run: Callable[[], object]) -> float:
        flush.zero_()
        torch.cuda.synchronize()
        start.record()
        run()
        end.record()
        torch.cuda.synchronize()
        return start.elapsed_time(end)

    return sample


def graphed(run: Callable[[], object]) -> Callable[[], object]:
    """The same launches recorded once and replayed as one. Raises what PyTorch raises where they cannot be recorded."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            run()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    return graph.replay


def peak(run: Callable[[], object]) -> float:
    """MiB that a run takes at its peak, above what is there already."""
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    result = run()
    torch.cuda.synchronize()
    found = (torch.cuda.max_memory_allocated() - before) / 2**20
    del result
    return found


def same_bits(run: Callable[[], Any]) -> bool:
    """Whether two runs give the same result to the last bit, gradients included."""
    first, second = run(), run()
    pairs = zip(first, second, strict=True) if isinstance(first, tuple) else [(first, second)]
    return all(a is None or torch.equal(a, b) for a, b in pairs)
