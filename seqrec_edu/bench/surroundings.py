"""What a result depends on besides the code: processor, libraries, threads, allocator, and what else was running."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

# Whatever may start threads starts one: with several on a busy machine they wait for each other, and that time counts.
ONE_THREAD = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
)
# glibc gives large blocks back to the system and takes them anew, page by page. Kept instead, they cost this once.
TUNED = {
    "MALLOC_MMAP_THRESHOLD_": str(1 << 33),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 34),
    "MALLOC_TOP_PAD_": str(1 << 28),
    "THP_MEM_ALLOC_ENABLE": "1",  # torch then asks for huge pages
}
ALLOCATORS = ("default", "tuned")


def environment(allocator: str) -> dict[str, str]:
    """The variables of a process that measures: one thread, and this allocator whatever is set outside."""
    drop = {*TUNED, "GLIBC_TUNABLES", "TRITON_INTERPRET"}
    kept = {name: value for name, value in os.environ.items() if name not in drop}
    return kept | dict.fromkeys(ONE_THREAD, "1") | (TUNED if allocator == "tuned" else {})


def untunable() -> str | None:
    """Why there is no tuned allocator here, or None."""
    if sys.platform != "linux" or platform.libc_ver()[0] != "glibc":
        return "the allocator is tuned by variables that only glibc reads"
    return None


def load() -> list[float] | None:
    """Processes that wanted to run, averaged over 1, 5 and 15 minutes."""
    try:
        return [round(value, 2) for value in os.getloadavg()]
    except OSError:
        return None


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, None) or platform.processor() or platform.machine()


def facts() -> dict[str, object]:
    """Everything of this process that can change a number; takes torch."""
    import torch

    from seqrec_edu.training.machine import commit, versions

    found = versions()
    for package in ("numba", "einops"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "system": f"{platform.system()} {platform.release()}",
        "processor": processor(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "cores": allowed,
        "threads": torch.get_num_threads(),
        "libc": " ".join(platform.libc_ver()).strip() or "not glibc",
        "allocator": {name: os.environ[name] for name in (*TUNED, "LD_PRELOAD") if name in os.environ},
        "versions": found,
        "commit": commit(),
    }
