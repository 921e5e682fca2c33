"""pyproject.toml, the lock and the two conda files say the same, and no file is tied to one machine."""

import re
import subprocess
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]
CONDA_NAMES = {"pytorch": "torch"}
CONDA_ONLY = {"python", "pip", "make", "git", "cuda-version"}
SYSTEMS = {
    "linux": {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix", "platform_machine": "x86_64"},
    "darwin": {"sys_platform": "darwin", "platform_system": "Darwin", "os_name": "posix", "platform_machine": "arm64"},
    "win32": {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt", "platform_machine": "AMD64"},
}
TEXT = {".py", ".md", ".toml", ".yml", ".yaml", ".cfg", ".cff", ".lock", ".ipynb", ".json", ".txt", ""}
NOT_OURS = {".git", ".venv", "__pycache__", ".ipynb_checkpoints", ".pytest_cache", ".hypothesis", ".ruff_cache", "runs"}


def ranges(*groups: list[str]) -> dict[str, SpecifierSet]:
    """Requirement lines as canonical name → range."""
    found = (Requirement(line) for group in groups for line in group)
    return {canonicalize_name(requirement.name): requirement.specifier for requirement in found}


CORE = PROJECT["project"]["dependencies"]
BUILD = PROJECT["build-system"]["requires"]
TESTED = ranges(CORE, EXTRAS["fast"], EXTRAS["lab"], EXTRAS["dev"], BUILD)


def pins() -> dict[str, tuple[Version, Marker | None]]:
    """The lock: canonical name → exact version and marker. Fails on anything that is not an exact pin."""
    found = {}
    for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        match = re.fullmatch(r"([A-Za-z0-9._-]+)==([^\s;]+)(?: ; (.+))?", line)
        assert match, f"requirements.lock: not an exact pin: {line!r}"
        found[match[1]] = (Version(match[2]), Marker(match[3]) if match[3] else None)
    return found


def conda(name: str) -> dict[str, SpecifierSet]:
    """A conda file as canonical name → range, without the packages that only conda has."""
    lines = yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))["dependencies"]
    (by_pip,) = (line["pip"] for line in lines if isinstance(line, dict))
    found = {}
    for package, *rest in (line.split() for line in lines if isinstance(line, str)):
        if package not in CONDA_ONLY:
            found[canonicalize_name(CONDA_NAMES.get(package, package))] = SpecifierSet(rest[0] if rest else "")
    return found | ranges(by_pip)


def lowest(specifier: SpecifierSet) -> Version:
    (bound,) = (Version(part.version) for part in specifier if part.operator == ">=")
    return bound


def test_every_range_has_a_lower_limit_and_a_reason():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for line in [*CORE, *BUILD, *(line for extra in EXTRAS.values() for line in extra)]:
        assert lowest(Requirement(line).specifier)
        assert re.search(re.escape(f'"{line}"') + r"[\],]*\s+# \w", text), f"no reason beside {line}"


def test_lock_holds_what_pyproject_asks_for():
    locked = pins()
    for name, specifier in TESTED.items():
        assert name in locked, f"{name} is not in requirements.lock: run `make lock`"
        assert specifier.contains(locked[name][0], prereleases=True), f"{name} {locked[name][0]} is outside {specifier}"


def test_lock_pins_torch_without_a_build():
    assert pins()["torch"][0] == Version("2.13.0")
    assert not any(version.local for version, _ in pins().values())


@pytest.mark.parametrize("system", SYSTEMS)
def test_lock_is_complete_on(system):
    """Whatever a locked package asks for on this system is locked too, with a marker that holds there."""
    environment = {**SYSTEMS[system], "python_version": "3.11", "python_full_version": "3.11.0"}
    here = {name for name, (_, marker) in pins().items() if marker is None or marker.evaluate(environment)}
    for name in here:
        for line in asks(name):
            wanted = Requirement(line)
            if wanted.marker is None or wanted.marker.evaluate({**environment, "extra": ""}):
                assert canonicalize_name(wanted.name) in here, f"{name} needs {line} on {system}: run `make lock`"


def asks(name: str) -> list[str]:
    """What an installed package asks for; nothing for one that only another system has."""
    try:
        return metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return []


@pytest.mark.parametrize("name", ["environment.yml", "environment-gpu.yml"])
def test_conda_file_agrees_with_pyproject(name):
    groups = [CORE, EXTRAS["fast"], EXTRAS["lab"], EXTRAS["dev"], BUILD]
    expected = ranges(*groups, *([EXTRAS["gpu"]] if "gpu" in name else []))
    found = conda(name)
    assert found.keys() == expected.keys()
    for package, specifier in expected.items():
        assert lowest(found[package]) == lowest(specifier), f"{name}: {package} {found[package]}, not {specifier}"


def test_conda_files_are_for_the_right_machines():
    cpu, gpu = (
        yaml.safe_load((ROOT / name).read_text(encoding="utf-8")) for name in ("environment.yml", "environment-gpu.yml")
    )
    assert cpu["channels"] == gpu["channels"] == ["conda-forge", "nodefaults"]
    assert "pytorch >=2.6 cpu*" in cpu["dependencies"]
    assert not {"mamba-ssm", "triton", "cuda-version"} & {str(line).split()[0] for line in cpu["dependencies"]}
    # Prebuilt mamba-ssm reaches torch 2.10; a newer torch would mean compiling.
    assert not SpecifierSet(str(conda("environment-gpu.yml")["torch"])).contains("2.11")


def test_only_named_indexes_in_prose():
    """No file that a tool reads names a package index; which index serves is the reader's own configuration."""
    for name in (
        "Makefile",
        "requirements.lock",
        "pyproject.toml",
        "environment.yml",
        "environment-gpu.yml",
        ".ci/run",
    ):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert not re.search(r"--(extra-)?index-url|--find-links|https?://", text), name


def test_citation_names_this_version_and_licence():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    version = re.search(r'__version__ = "(.+)"', (ROOT / "seqrec_edu" / "__init__.py").read_text(encoding="utf-8"))[1]
    assert citation["version"] == version
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert citation["license"] == PROJECT["project"]["license"]


def files() -> list[Path]:
    """The project's text files: what git knows or would take, else all but the folders that are never committed."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
        listed = [ROOT / name for name in done.stdout.split("\0") if name] if done.returncode == 0 else []
    except OSError:
        listed = []
    listed = listed or [path for path in ROOT.rglob("*") if not NOT_OURS & set(path.relative_to(ROOT).parts)]
    return [path for path in listed if path.is_file() and path.suffix in TEXT]


def test_no_absolute_paths():
    homes = rf"/(?:home|Users)/[a-z]\w+/|[A-Z]:\\+Users\\+\w|(?<![\w.:~/-]){re.escape(str(ROOT))}(?![\w.-])"
    for path in files():
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            assert not re.search(homes, line), f"{path.relative_to(ROOT)}:{number}: names a folder of one machine"


def test_no_relative_link_of_a_page_is_broken():
    for page in (path for path in files() if path.suffix == ".md"):
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
            found = re.match(r"https?://|mailto:", target) or (page.parent / target).exists()
            assert found, f"{page.relative_to(ROOT)} links to {target}"
