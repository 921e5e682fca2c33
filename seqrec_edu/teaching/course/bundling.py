"""One zip for a room without network: wheels, notebooks, an install script; the same bytes from the same files."""

import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from seqrec_edu.data.files import replacing

TIME = (1980, 1, 1, 0, 0, 0)  # of every file in the zip: a bundle does not depend on the day it is made
LEFT_OUT = {".ipynb_checkpoints", "__pycache__", ".pytest_cache"}
READ_BY_NOTEBOOKS = ("benchmarks/results", "docs")  # from the folder above theirs
INSTALL = '''\
"""Set up the course without a network: `python install.py`. Then `python install.py --lab` opens it."""

import os
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
PYTHON = HERE / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def run(*command):
    subprocess.run([str(part) for part in command], check=True, cwd=HERE)


if not (HERE / "wheels").is_dir():
    sys.exit("This bundle was made without wheels: pip needs a network, or the folder wheels/ of a bundle that has it.")
if sys.version_info < (3, 11):
    sys.exit("The course needs Python 3.11 or newer.")
if not PYTHON.exists():
    venv.create(HERE / ".venv", with_pip=True)
run(PYTHON, "-m", "pip", "install", "-q", "--no-index", "--find-links", "wheels", "-r", "requirements.txt")
print("ready: python install.py --lab")
if "--lab" in sys.argv[1:]:
    run(PYTHON, "-m", "jupyterlab", "notebooks")
'''
README = """\
# The course, without a network

`python install.py` makes `.venv` here from `wheels/`; `python install.py --lab` also opens the notebooks.
Wheels fit the system and the Python they were made with: {made_with}.
No dataset is in here: `shoppers`, which the course uses, is generated on the spot. The others come under licences of
their own, which leave passing them on to their providers; `seqrec-edu data fetch` gets them where there is a network.
"""


def bundle(
    project: str | Path, out: str | Path, *, wheels: bool = True, pip: tuple[str, ...] = (),
    say: Callable[[str], None] = lambda line: None,
) -> Path:  # fmt: skip
    """Write the zip ``out`` from a checkout of the project.

    It holds the notebooks (sources of assignments left out, since those have the solutions), the receipts and pages
    that they read and name, the package as a wheel, every wheel of ``requirements.lock``, and ``install.py``.
    ``wheels=False`` leaves the wheels out; ``pip`` are more arguments for `pip wheel`. Raises ValueError where
    ``project`` is no checkout, RuntimeError where pip cannot get the wheels, with what it said; then nothing is
    written.
    """
    project, out = Path(project), Path(out)
    lock = project / "requirements.lock"
    if not lock.is_file() or not (project / "notebooks").is_dir():
        raise ValueError(f"{project} is no checkout of the course: requirements.lock and notebooks/ are missing there")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if wheels:
            say("collecting wheels")
            _wheels(project, lock, folder, pip)
        made_with = f"{sys.platform}, Python {sys.version_info[0]}.{sys.version_info[1]}"
        files = {
            "README.md": README.format(made_with=made_with).encode(),
            "install.py": INSTALL.encode(),
            "requirements.txt": lock.read_bytes() + b"seqrec-edu\n",
            **{each: (project / each).read_bytes() for each in ("LICENSE",) if (project / each).is_file()},
            **dict(_notebooks(project / "notebooks")),
            **{
                f"{place}/{name}": path.read_bytes()
                for place in READ_BY_NOTEBOOKS
                for name, path in _files(project / place)
            },
            **{f"wheels/{path.name}": path.read_bytes() for path in sorted(folder.glob("*.whl"))},
        }
        with replacing(out) as temporary:
            _zip(files, temporary)
    return out


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Name and path of every file in a folder but what tools left there."""
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_file() and not LEFT_OUT & set(parts) and not any(part.startswith(".") for part in parts):
            yield "/".join(parts), path


def _zip(files: dict[str, bytes], path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, TIME)
            entry.external_attr = 0o644 << 16
            entry.create_system = 3
            # Wheels are zips already.
            entry.compress_type = zipfile.ZIP_STORED if name.endswith(".whl") else zipfile.ZIP_DEFLATED
            archive.writestr(entry, files[name])


def _notebooks(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Notebooks and what lies beside them; of an assignment its release, made here, never its source."""
    import nbformat

    from seqrec_edu.teaching.course import versions
    from seqrec_edu.teaching.course.source import read

    for name, path in _files(folder):
        content = path.read_bytes()
        if path.suffix == ".ipynb" and (assignment := read(path)).questions:
            text = nbformat.writes(versions.release(assignment), version=nbformat.NO_CONVERT)
            content = f"{text}\n".encode()
        yield f"notebooks/{name}", content


def _wheels(project: Path, lock: Path, folder: Path, pip: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "-q", "-w", str(folder), *pip]
    for what in (["-r", str(lock)], ["--no-deps", "--no-build-isolation", str(project)]):
        done = subprocess.run([*command, *what], capture_output=True, text=True)
        if done.returncode:
            said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
            raise RuntimeError(f"pip could not collect the wheels (it needs a network, once; or --no-wheels): {said}")
