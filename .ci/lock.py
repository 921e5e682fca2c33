"""Write requirements.lock: the newest set inside the ranges of pyproject.toml, tried here, valid on three systems.

Run by ``make lock``. pip resolves pyproject.toml, and the result is installed into a fresh environment as a trial. What
each package asks for on Linux, macOS and Windows is then read from its metadata: a package that only some of them need
gets a marker, and one that only *another* system needs (colorama on Windows) is looked up for that system and added.
"""

import json
import os
import platform
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
EXTRAS = ("fast", "lab", "dev")
# Pinned before anything is resolved: a bare newest torch may have no small build for CPUs yet, and triton is the one
# that this torch asks for where it is the build for GPUs.
PINNED = ("torch==2.13.0", "triton==3.7.1; sys_platform == 'linux'")
# Debian 12 has 3.11.2 and some packages ask for 3.11.5: resolve for the first 3.11, so that every 3.11 will do.
OLDEST = "3.11.0"
SYSTEMS = {
    "linux": {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix", "platform_machine": "x86_64"},
    "darwin": {"sys_platform": "darwin", "platform_system": "Darwin", "os_name": "posix", "platform_machine": "arm64"},
    "win32": {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt", "platform_machine": "AMD64"},
}
WHEELS_FOR = {"linux": "manylinux_2_28_x86_64", "darwin": "macosx_14_0_arm64", "win32": "win_amd64"}
HEADER = """\
# Every package of the tested set, exactly. Made by `make lock` with Python {python} on {system}; not edited by hand.
# Used by `make lab` and `make test`; for Python 3.11 on Linux, macOS (Apple silicon) and Windows, hence the markers.
# From pyproject.toml: the dependencies, the extras {extras}, and the build backend. Not here: `gpu`, `class`.
# torch brings its own pinned CUDA packages where the index serves its CUDA build; README.md says how to get the small
# CPU build instead.
"""


def wanted() -> list[str]:
    """The requirements of pyproject.toml that the lock covers."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"]
    return [
        *project["project"]["dependencies"],
        *(line for extra in EXTRAS for line in extras[extra]),
        *project["build-system"]["requires"],
    ]


def resolve(requirements: list[str], flags: list[str]) -> list[dict]:
    """What pip would install for ``requirements`` on the oldest Python 3.11: the metadata of each package."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "-q", "--dry-run", "--ignore-installed", "--target", folder]
        command += ["--only-binary=:all:", "--python-version", OLDEST, "--report", str(report), *flags, *requirements]
        subprocess.run(command, check=True)
        return [package["metadata"] for package in json.loads(report.read_text(encoding="utf-8"))["install"]]


def try_out(pins: list[str], flags: list[str]) -> None:
    """Install ``pins`` into a fresh environment and let pip check that they fit together."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        scripts = sysconfig.get_path("scripts", "venv", {"base": folder, "platbase": folder})
        python = Path(scripts) / ("python.exe" if os.name == "nt" else "python")
        subprocess.run([str(python), "-m", "pip", "install", "-q", *flags, *pins], check=True)
        subprocess.run([str(python), "-m", "pip", "check"], check=True)


def look_up(requirement: Requirement, system: str, flags: list[str]) -> tuple[str, list[str]]:
    """The newest version of ``requirement`` with a wheel for another ``system``, and what that version asks for."""
    elsewhere = ["--no-deps", "--platform", WHEELS_FOR[system]]
    (metadata,) = resolve([f"{requirement.name}{requirement.specifier}"], [*flags, *elsewhere])
    return metadata["version"], metadata.get("requires_dist", [])


def needed_on(system: str, versions: dict[str, str], asks: dict[str, list[str]], flags: list[str]) -> set[str]:
    """Follow the requirements from pyproject.toml on ``system``; packages not seen yet are looked up and added."""
    environment = {**SYSTEMS[system], "python_version": "3.11", "python_full_version": "3.11.0", "extra": ""}
    seen: set[tuple[str, str]] = set()
    waiting = [(Requirement(line), "") for line in wanted()]
    while waiting:
        requirement, extra = waiting.pop()
        if requirement.marker and not requirement.marker.evaluate({**environment, "extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        if name not in versions:
            versions[name], asks[name] = look_up(requirement, system, flags)
        for inner in ("", *requirement.extras):
            if (name, inner) not in seen:
                seen.add((name, inner))
                waiting += [(Requirement(line), inner) for line in asks[name]]
    return {name for name, _ in seen}


def marker(systems: set[str]) -> str:
    """The environment marker for a package that only ``systems`` need; empty when all do."""
    absent = set(SYSTEMS) - systems
    if not absent:
        return ""
    if len(systems) == 1:
        return f" ; sys_platform == '{next(iter(systems))}'"
    return f" ; sys_platform != '{next(iter(absent))}'"


def main(flags: list[str]) -> None:
    """Resolve, try, and replace requirements.lock in one step."""
    found = {canonicalize_name(package["name"]): package for package in resolve([*PINNED, *wanted()], flags)}
    versions = {name: Version(package["version"]).public for name, package in found.items()}
    asks = {name: package.get("requires_dist", []) for name, package in found.items()}
    try_out([f"{name}=={version}" for name, version in versions.items()], flags)
    needed = {system: needed_on(system, versions, asks, flags) for system in SYSTEMS}
    lines = [
        f"{name}=={versions[name]}{marker({system for system in SYSTEMS if name in needed[system]})}"
        for name in sorted(set().union(*needed.values()))
    ]
    header = HEADER.format(
        python=platform.python_version(), system=platform.system(), extras=", ".join(f"`{name}`" for name in EXTRAS)
    )
    unfinished = LOCK.with_suffix(".lock.part")
    unfinished.write_text(header + "\n".join(lines) + "\n", encoding="utf-8")
    os.replace(unfinished, LOCK)
    print(f"{LOCK.name}: {len(lines)} packages")


if __name__ == "__main__":
    main(sys.argv[1:])
