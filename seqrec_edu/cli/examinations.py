"""What the doctor looks at. Standard library only; anything compiled is tried in a separate interpreter."""

import json
import os
import platform
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "requirements.lock"
PATIENCE = 120  # seconds: the first import of torch from a cold disk can take most of a minute
REINSTALL = "run `make test` or `make lab` in the project folder, or `pip install -e .`"
COMPILED = ("numpy", "polars")
NOTEBOOK = ("jupyterlab", "ipykernel", "ipywidgets", "anywidget", "plotly")

# Run by a fresh interpreter; argv[1] is code that sets ``found``. SystemExit and the like count as failures too.
_WRAPPER = """
import json, sys
names = {}
try:
    exec(sys.argv[1], names)
    found = names["found"]
except BaseException as error:
    found = {"error": f"{type(error).__name__}: {error}"}
print("\\n" + json.dumps(found))
"""
_TORCH = """
import torch
found = {"version": torch.__version__, "threads": torch.get_num_threads(), "cuda_build": torch.version.cuda}
found["mps"] = bool(getattr(torch.backends, "mps", None) and torch.backends.mps.is_available())
if torch.cuda.is_available():
    properties = torch.cuda.get_device_properties(0)
    found["cuda"] = f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB, "
    found["cuda"] += f"compute capability {properties.major}.{properties.minor}"
"""
_OPERATIONS = """
import torch
from seqrec_edu import ops
found = ops.backends.explain_all(torch.empty(1, device="cuda" if torch.cuda.is_available() else "cpu"))
"""
_DATA = """
from seqrec_edu.data.sources.folder import data_folder
found = str(data_folder())
"""


@dataclass(frozen=True)
class Finding:
    """One line of the report. ``status``: ok, note (optional or worth knowing), unknown (not checkable), broken."""

    what: str
    status: str
    value: str
    next_step: str = ""


def probe(code: str):
    """What ``code`` leaves in ``found``, run in a fresh interpreter; ``{"error": cause}`` when it fails or dies."""
    command = [sys.executable, "-c", _WRAPPER, code]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        return {"error": f"no answer within {PATIENCE} seconds"}
    if done.returncode:
        killed = -done.returncode in {item.value for item in signal.Signals}
        ended = signal.Signals(-done.returncode).name if killed else f"exit status {done.returncode}"
        return {"error": f"the interpreter ended with {ended}"}
    return json.loads(done.stdout.splitlines()[-1])


def error_of(found) -> str | None:
    """The cause, where ``probe`` failed."""
    return found.get("error") if isinstance(found, dict) else None


def version_of(package: str) -> str | None:
    """The installed version, None if the package is not there."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def at_home(path: Path) -> str:
    """``path`` with the home folder as ~, so that a pasted report does not carry a user name."""
    try:
        return str(Path("~") / path.relative_to(Path.home()))
    except (ValueError, RuntimeError):
        return str(path)


def python() -> list[Finding]:
    """The interpreter and the system."""
    value = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    if sys.version_info < (3, 11):  # noqa: UP036 - pip refuses an older one, a bare checkout does not
        return [Finding("Python", "broken", value, "install Python 3.11 or newer and set up again")]
    return [Finding("Python", "ok", value)]


def packages() -> list[Finding]:
    """Whether the packages that are always needed are there, new enough, and load."""
    from packaging.requirements import Requirement

    try:
        requirements = [Requirement(line) for line in metadata.requires("seqrec-edu") or []]
    except metadata.PackageNotFoundError:
        return [Finding("packages", "note", "seqrec-edu is used from its folder, it is not installed", REINSTALL)]
    problems = []
    for requirement in requirements:
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        version = version_of(requirement.name)
        if version is None or not requirement.specifier.contains(version, prereleases=True):
            problems.append(f"{requirement.name}{requirement.specifier}: {version or 'not installed'}")
    for name in COMPILED:
        cause = error_of(probe(f"import {name}; found = True"))
        if cause and version_of(name):
            problems.append(f"{name} does not load: {cause}")
    if problems:
        return [Finding("packages", "broken", "; ".join(problems), REINSTALL)]
    return [Finding("packages", "ok", "all that are needed are there")]


def lock() -> list[Finding]:
    """How the installed versions differ from the tested set."""
    from packaging.requirements import Requirement
    from packaging.version import Version

    if not LOCK.is_file():
        return [Finding("tested versions", "note", "no requirements.lock here: installed as a package, not a checkout")]
    lines = [line for line in LOCK.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    pins = [pin for pin in map(Requirement, lines) if pin.marker is None or pin.marker.evaluate()]
    other = []
    for pin in pins:
        here = version_of(pin.name)
        if here is None or not pin.specifier.contains(Version(here).public, prereleases=True):
            other.append(f"{pin.name} {here or 'missing'} (tested {str(pin.specifier).removeprefix('==')})")
    if not other:
        return [Finding("tested versions", "ok", f"all {len(pins)} packages are as in requirements.lock")]
    shown = ", ".join(other[:5]) + (f" and {len(other) - 5} more" if len(other) > 5 else "")
    value = f"{len(other)} of {len(pins)} packages differ from requirements.lock: {shown}"
    return [Finding("tested versions", "note", value, "`make test` brings .venv up to date")]


def torch() -> list[Finding]:
    """torch, the device it would use, and its threads."""
    found = probe(_TORCH)
    if cause := error_of(found):
        step = REINSTALL if version_of("torch") is None else f"`pip install --force-reinstall torch`, or {REINSTALL}"
        return [Finding("torch", "broken", f"cannot be imported: {cause}", step)]
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = f"{found['threads']} of {allowed} processors"
    too_many = found["threads"] > allowed
    return [
        Finding("torch", "ok", found["version"]),
        _device(found),
        Finding("threads", "note" if too_many else "ok", threads, "set OMP_NUM_THREADS lower" if too_many else ""),
    ]


def _device(found: dict) -> Finding:
    if "cuda" in found:
        return Finding("device", "ok", f"GPU: {found['cuda']}")
    if found["mps"]:
        return Finding("device", "ok", "CPU by default; an Apple GPU (mps) is there, without fast kernels of ours")
    if not found["cuda_build"]:
        step = "with an NVIDIA GPU: environment-gpu.yml" if shutil.which("nvidia-smi") else ""
        return Finding("device", "note" if step else "ok", "CPU: this torch is built without CUDA", step)
    step = "check the driver with `nvidia-smi`" if shutil.which("nvidia-smi") else ""
    return Finding("device", "note" if step else "ok", "CPU: torch is built with CUDA but sees no GPU", step)


def operations() -> list[Finding]:
    """Which version of each operation would run, and why not a faster one."""
    found = probe(_OPERATIONS)
    if cause := error_of(found):
        return [Finding("operations", "broken", f"cannot be loaded: {cause}", "mend torch first, if it is broken")]
    return [Finding(f"ops.{row['operation']}", "ok", f"{row['backend']} ({row['reason']})") for row in found]


def mamba_ssm() -> list[Finding]:
    """Whether mamba-ssm and causal-conv1d import; if not the exact cause and what to do."""
    found = []
    for package, module in (("mamba-ssm", "mamba_ssm"), ("causal-conv1d", "causal_conv1d")):
        version = version_of(package)
        cause = error_of(probe(f"import {module}; found = True"))
        if cause is None:
            found.append(Finding(package, "ok", f"{version or 'unknown version'}, imports"))
        else:
            value = f"optional; does not import: {cause}" if version else f"optional; not installed ({cause})"
            found.append(Finding(package, "note", value, advice(cause, version is not None)))
    return found


def advice(cause: str, installed: bool) -> str:
    """The next step for an import of mamba-ssm or causal-conv1d that ended with ``cause``."""
    again = "make the conda environment from environment-gpu.yml, which takes prebuilt packages that fit together"
    if not sys.platform.startswith("linux"):
        return "none: it exists for Linux with an NVIDIA GPU only; our own versions run here"
    if not installed:
        return f"none without an NVIDIA GPU; with one, {again}" if not shutil.which("nvidia-smi") else again
    if "undefined symbol" in cause or "cannot open shared object" in cause:
        return f"it was built for another torch or CUDA; {again}"
    if "_cuda'" in cause:
        return f"it was installed without its CUDA part (as pip does on a machine without a GPU); with a GPU, {again}"
    if "No module named" in cause:
        missing = cause.rsplit("No module named", 1)[1].strip(" '\"").split(".")[0]
        return f"it needs {missing}, which is not installed: `pip install {missing}`; or {again}"
    return again


def triton() -> list[Finding]:
    """Whether Triton imports: our own GPU kernels are written in it."""
    version, cause = version_of("triton"), error_of(probe("import triton; found = True"))
    if cause is None:
        return [Finding("triton", "ok", version or "imports")]
    if version:
        return [Finding("triton", "note", f"optional; {version} does not import: {cause}", "reinstall it with torch")]
    step = "none without an NVIDIA GPU; with one, it comes with torch's CUDA build on Linux"
    return [Finding("triton", "note", f"optional; not installed ({cause})", step)]


def compiler() -> list[Finding]:
    """A C++ compiler, which only torch.compile needs."""
    for name in filter(None, (os.environ.get("CXX"), "c++", "g++", "clang++", "cl")):
        if path := shutil.which(name):
            done = subprocess.run([path, "--version"], capture_output=True, text=True, errors="replace", timeout=20)
            first = (done.stdout or done.stderr).strip().splitlines() or [name]
            return [Finding("C++ compiler", "ok", first[0])]
    return [Finding("C++ compiler", "note", "none; only torch.compile needs one, no notebook does")]


def notebooks() -> list[Finding]:
    """The packages that the notebooks need."""
    there = {name: version_of(name) for name in NOTEBOOK}
    missing = [name for name, version in there.items() if version is None]
    if missing:
        return [Finding("notebooks", "note", f"not installed: {', '.join(missing)}", "pip install 'seqrec-edu[lab]'")]
    return [Finding("notebooks", "ok", ", ".join(f"{name} {version}" for name, version in there.items()))]


def data() -> list[Finding]:
    """The data folder, whether it can be written, and the space left; the mirror, where one is named."""
    found = probe(_DATA)
    if cause := error_of(found):
        return [Finding("data folder", "unknown", f"seqrec_edu.data does not load: {cause}", REINSTALL)]
    folder = Path(found)
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = f"{shutil.disk_usage(there).free / 2**30:.1f} GiB free"
    value = f"{at_home(folder)}{'' if folder.exists() else ' (not made yet)'}, {free}"
    if not there.is_dir() or not os.access(there, os.W_OK):
        return [
            Finding("data folder", "broken", f"{value}; cannot be written", "set SEQREC_EDU_DATA to a folder of yours")
        ]
    results = [Finding("data folder", "ok", value)]
    if mirror := os.environ.get("SEQREC_EDU_MIRROR"):
        exists = Path(mirror).expanduser().is_dir()
        status, step = ("ok", "") if exists else ("note", "correct or unset SEQREC_EDU_MIRROR")
        shown = at_home(Path(mirror)) + ("" if exists else " is not a folder")
        results.append(Finding("data mirror", status, shown, step))
    return results


CHECKS = (python, packages, lock, torch, operations, mamba_ssm, triton, compiler, notebooks, data)
