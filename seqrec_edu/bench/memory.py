"""How far the resident memory of this process grows at most while something runs."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from seqrec_edu.training.machine import MIB

SELF = Path("/proc/self")
METHODS = {
    "VmHWM": "peak of resident memory, its mark reset just before (Linux)",
    "ru_maxrss": "growth of the largest resident memory so far, a lower bound: this system cannot reset its mark",
    "none": "this system does not tell",
}


def growth(*runs: Callable[[], object]) -> tuple[list[float | None], str]:
    """MiB above the memory at rest that each of ``runs`` takes at its peak, and which of METHODS found it.

    Rest is before the first of them: what it leaves behind is counted with the next. Call it in a fresh process.
    """
    gc.collect()
    _give_back()
    method = "VmHWM" if _reset() else ("ru_maxrss" if _largest() is not None else "none")
    rest = _status("VmRSS") if method == "VmHWM" else _largest()
    found: list[float | None] = []
    for run in runs:
        if method == "VmHWM":
            _reset()
        result = run()
        peak = {"VmHWM": lambda: _status("VmHWM"), "ru_maxrss": _largest, "none": lambda: None}[method]()
        found.append(None if peak is None else max(0.0, (peak - rest) / MIB))
        del result
    return found, method


def available() -> float | None:
    """Bytes that can be taken without swapping, where the system says so."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    kib = next((line.split()[1] for line in lines if line.startswith("MemAvailable:")), None)
    return None if kib is None else 1024.0 * int(kib)


def _give_back() -> None:
    """Have the allocator return what is free to the system, or the next to ask for it would seem to need nothing."""
    with suppress(OSError, AttributeError):  # glibc alone knows how
        ctypes.CDLL(None).malloc_trim(0)


def _reset() -> bool:
    """Set the mark of the largest resident memory to what is resident now."""
    try:
        (SELF / "clear_refs").write_text("5")
        return _status("VmHWM") is not None
    except OSError:
        return False


def _status(name: str) -> int | None:
    try:
        lines = (SELF / "status").read_text().splitlines()
    except OSError:
        return None
    kib = next((line.split()[1] for line in lines if line.startswith(name + ":")), None)
    return None if kib is None else 1024 * int(kib)


def _largest() -> int | None:
    try:
        import resource  # not on Windows
    except ImportError:
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
