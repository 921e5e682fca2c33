"""What the machine and the libraries say about themselves: the part of a receipt that nobody has to type."""

from __future__ import annotations

import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

import seqrec_edu

MIB = 2**20


def versions() -> dict[str, str]:
    """Versions that can change a number."""
    found = {"python": platform.python_version(), "seqrec_edu": seqrec_edu.__version__, "torch": torch.__version__}
    for package in ("numpy",):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "unknown"
    return found


def device_name(device: torch.device) -> str:
    """What computed: "cpu (x86_64)", or the name that the accelerator gives itself."""
    if device.type == "cuda":
        return f"cuda ({torch.cuda.get_device_name(device)})"
    return f"{device.type} ({platform.machine()})"


def peak_memory(device: torch.device | str = "cpu") -> dict[str, int | None]:
    """Highest memory of this process so far in MiB: resident on the host, allocated on the device; None if unknown."""
    device = torch.device(device)
    on_device = round(torch.cuda.max_memory_allocated(device) / MIB) if device.type == "cuda" else None
    try:
        import resource  # not on Windows
    except ImportError:
        return {"host": None, "device": on_device}
    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux KiB
    return {"host": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MIB), "device": on_device}


def commit() -> str | None:
    """Commit of the source that is running, with "-dirty" after it if that was changed; None outside a checkout."""
    here = Path(seqrec_edu.__file__).resolve()
    git = ["git", "-C", str(here.parent)]
    try:
        # An installed copy may lie inside somebody else's repository: only a tracked file makes it ours.
        for arguments in (["ls-files", "--error-unmatch", here.name], ["describe", "--always", "--exclude=*"]):
            arguments += ["--dirty", "--abbrev=40"] if arguments[0] == "describe" else []
            out = subprocess.run([*git, *arguments], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return out.stdout.strip() or None
