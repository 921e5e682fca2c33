"""Are the tests of the operations sharp? Change the operations a little, one change at a time, and see if any test
notices.

    python tests/mutation/mutate.py --op ssd          run; go on where an earlier run stopped
    python tests/mutation/mutate.py --op ssd --list   only say what would be changed
    python tests/mutation/mutate.py --report          only show what is known (--write PATH keeps the counts)

See README.md beside this file. Not collected by pytest: a full run takes an hour.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import hashlib
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import tomllib
from collections import Counter
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"  # before torch is imported
os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # importing them would take half of the time of a mutant

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))
from counts import KILLED, SURVIVED, TIMED_OUT, table, tally, total  # noqa: E402
from mutants import Mutant, mutants  # noqa: E402

FILES = ("reference.py", "vectorised.py")
# Which tests know an operation, sharpest and quickest first. Others: those whose names hold the operation's.
TESTS = {
    "causal_conv1d": ("conv", "oracles properties state agreement errors"),
    "selective_scan": ("scan", "scan_vectorised oracles properties state agreement errors"),
    "ssd": ("ssd or head or time_factor or padding_changes", "oracles properties state agreement errors"),
    "attention": ("attention or relative_time", "relative_time agreement errors oracles"),
    "glu": ("glu or gated_norm", "gated_norm"),  # the file holds both
    "linear_cross_entropy": ("loss or cross_entropy", "linear_cross_entropy agreement errors oracles"),
    "low_rank_attention": ("low_rank_attention", "low_rank_attention"),
    "spectral_filter": ("spectral_filter", "spectral_filter"),
    "target_rank": ("rank and not low_rank", "target_rank agreement errors oracles"),
}
PATIENCE = 40  # seconds on the wall for every second of processor time
MEMORY = 16 << 30  # bytes of address space: a mutant may ask for anything


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--op", action="append", help="an operation, for instance ssd; more than once for several")
    parser.add_argument("--out", type=Path, default=Path(tempfile.gettempdir()) / "seqrec-edu-mutation")
    parser.add_argument("--limit", type=int, default=30, help="seconds of processor time for the tests of one mutant")
    parser.add_argument("--most", type=int, help="try no more mutants than this, and stop")
    parser.add_argument("--list", action="store_true", help="list the mutants and stop")
    parser.add_argument("--report", action="store_true", help="show the results there are and stop")
    parser.add_argument("--write", type=Path, metavar="PATH", help="keep the counts of the report as JSON")
    options = parser.parse_args()
    operations = options.op or sorted(p.name[1:] for p in (ROOT / "seqrec_edu/ops").glob("_[a-z]*") if p.is_dir())
    for operation in operations:
        if not (ROOT / f"seqrec_edu/ops/_{operation}").is_dir():
            parser.error(f"there is no operation {operation}")
    if options.list:
        for operation in operations:
            for file in sources(operation):
                print(*(f"{mutant.line:4} {mutant.name}" for mutant in made(operation, file)), sep="\n")
        return
    options.out.mkdir(parents=True, exist_ok=True)
    results = Results(options.out / "results.json")
    if not options.report:
        run(operations, results, options)
    report(operations, results, options.write)


class Results:
    """What is known of every mutant, kept in a file after each, so that a run can stop anywhere and go on."""

    def __init__(self, path: Path):
        self.path = path
        self.known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    def last(self, mutant: Mutant) -> str | None:
        """The last verdict on exactly this change of exactly this file."""
        found = self.known.get(mutant.name)
        return found["verdict"] if found and found["source"] == digest(mutant.source) else None

    def settled(self, mutant: Mutant, tests: str) -> bool:
        """Whether trying again is idle: it was noticed once, or it survived the very tests of today."""
        last = self.last(mutant)
        return last is not None and (last != SURVIVED or self.known[mutant.name]["tests"] == tests)

    def sharpest(self, operation: str) -> list[str]:
        """The tests that noticed mutants of ``operation``, those that noticed most first."""
        found = Counter(each["by"] for name, each in self.known.items() if name.startswith(f"{operation}/"))
        return [test for test, _ in found.most_common()]

    def add(self, mutant: Mutant, tests: str, verdict: str, by: str, seconds: float) -> None:
        self.known[mutant.name] = {
            "verdict": verdict, "by": by, "seconds": round(seconds, 2), "line": mutant.line,
            "source": digest(mutant.source), "tests": tests,
        }  # fmt: skip
        part = self.path.with_suffix(".part")
        part.write_text(json.dumps(self.known, indent=1, ensure_ascii=False), encoding="utf-8")
        part.replace(self.path)


def sources(operation: str, root: Path = ROOT) -> list[str]:
    return [file for file in FILES if (root / f"seqrec_edu/ops/_{operation}" / file).exists()]


def made(operation: str, file: str, root: Path = ROOT) -> list[Mutant]:
    return mutants(root / f"seqrec_edu/ops/_{operation}" / file, f"{operation}/{file}")


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def selection(operation: str) -> list[str]:
    """Arguments for pytest."""
    words, files = TESTS.get(operation, (operation, "agreement properties errors"))
    names = [f"tests/ops/test_{name}.py" for name in (*files.split(), operation)]
    there = [name for name in names if (ROOT / name).exists()]
    return [*there, "-k", f"({words}) and not kernel"]


def run(operations: list[str], results: Results, options: argparse.Namespace) -> None:
    """Try what is not known yet, one mutant after another, in a copy of the package."""
    os.nice(10)
    import_what_tests_need()
    copy = options.out / "copy"
    for folder in ("seqrec_edu", "tests"):
        shutil.copytree(ROOT / folder, copy / folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.pyc"))
    shutil.copy2(ROOT / "pyproject.toml", copy)
    left = options.most if options.most is not None else sys.maxsize
    for operation in operations:
        tests = selection(operation)
        stamp = digest("".join([*tests, *((copy / t).read_text(encoding="utf-8") for t in tests if t.endswith(".py"))]))
        todo = [(file, m) for file in sources(operation, copy) for m in made(operation, file, copy)]
        todo = [(file, m) for file, m in todo if not results.settled(m, stamp)][:left]
        left -= len(todo)
        if not todo:
            continue
        verdict, by, seconds = trial(copy, tests, 20 * options.limit)
        if verdict != SURVIVED:
            sys.exit(f"{operation}: the tests fail on the unchanged package ({by}); mend that first")
        print(f"{operation}: {len(todo)} mutants to try; all its tests take {seconds:.0f} s", flush=True)
        for file, mutant in todo:
            target = copy / f"seqrec_edu/ops/_{operation}" / file
            original = target.read_text(encoding="utf-8")
            target.write_text(mutant.source, encoding="utf-8")
            try:
                verdict, by, seconds = trial(copy, tests, options.limit, results.sharpest(operation))
            finally:
                target.write_text(original, encoding="utf-8")
            results.add(mutant, stamp, verdict, by, seconds)
            print(f"{verdict:<9} {seconds:5.1f} s  {mutant.name}  [{by}]", flush=True)


def import_what_tests_need() -> None:
    """Once, before any fork: importing torch takes longer than most mutants live. Nothing is computed here, because
    threads do not survive a fork."""
    import einops  # noqa: F401
    import hypothesis
    import jaxtyping  # noqa: F401
    import numba  # noqa: F401
    import pytest  # noqa: F401
    import torch

    torch.set_num_threads(1)
    # The same examples for every mutant, and none of the time that making them smaller would take.
    phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
    hypothesis.settings.register_profile("mutation", derandomize=True, database=None, phases=phases)
    hypothesis.settings.load_profile("mutation")
    with contextlib.suppress(Exception):  # hypothesis looks at every module's path: seconds where the disk is slow
        hypothesis.internal.conjecture.providers._get_local_constants()
    assert "seqrec_edu" not in sys.modules  # each child imports its own, changed one
    gc.freeze()  # what is imported stays: the children need not look through it


def trial(copy: Path, tests: list[str], limit: int, first: list[str] = ()) -> tuple[str, str, float]:
    """Run the tests against the copy in a child: verdict, the test that noticed, and the seconds it computed.

    Those in ``first`` run first: the next mutant is mostly noticed by a test that noticed others.

    The limit is one of processor time: on a busy machine the clock on the wall says nothing about a mutant. One that
    waits for ever is ended by the clock all the same.
    """
    began, spent = time.monotonic(), _spent()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _child(copy, tests, writing, limit, first)
    os.close(writing)
    code = None
    while code is None:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            code = os.waitstatus_to_exitcode(status)
        elif time.monotonic() - began > PATIENCE * limit:
            os.killpg(child, signal.SIGKILL)
        else:
            time.sleep(0.02)
    with os.fdopen(reading, encoding="utf-8") as pipe:
        by = pipe.read().strip()
    if code == 5 or "other tree" in by:
        sys.exit(f"nothing was tested: {by or 'no test was selected'}")
    verdict = SURVIVED if code == 0 else TIMED_OUT if code in (-signal.SIGXCPU, -signal.SIGKILL) else KILLED
    return verdict, by or f"exit code {code}", _spent() - spent


def _spent() -> float:
    """Processor time of all children so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _child(copy: Path, tests: list[str], writing: int, limit: int, first: list[str]) -> None:
    """Never returns."""
    os.setpgid(0, 0)
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    os.chdir(copy)
    sys.path.insert(0, str(copy))
    sys.dont_write_bytecode = True  # a mutant of the same size in the same second would be taken for the last one
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    code = 70
    try:
        import pytest

        notes = Notes(first)
        # Nobody reads what a test says: no assertion is taken apart, no leftover is searched for.
        lean = ["--assert=plain", "-p", "no:cacheprovider", "-p", "no:unraisableexception"]
        arguments = ["-x", "-q", *lean, "--rootdir", str(copy), *tests]
        code = int(pytest.main(arguments, plugins=[notes]))
        import seqrec_edu

        where = Path(seqrec_edu.__file__).resolve()
        notes.text = notes.text if where.is_relative_to(copy.resolve()) else f"other tree: {where}"
        os.write(writing, notes.text.encode()[:4000])
    except BaseException as error:  # SystemExit too: whatever a mutant does, the child ends here
        os.write(writing, f"{type(error).__name__}: {error}".encode()[:4000])
    finally:
        os._exit(code)


class Notes:
    """A pytest plugin that says which tests run first, and remembers what failed first."""

    def __init__(self, first: list[str]):
        self.text = ""
        self.place = {test: place for place, test in enumerate(first)}

    def pytest_collection_modifyitems(self, items) -> None:
        items.sort(key=lambda item: self.place.get(item.nodeid.removeprefix("tests/ops/"), len(self.place)))

    def pytest_runtest_logreport(self, report) -> None:
        if report.failed and not self.text:
            self.text = report.nodeid.removeprefix("tests/ops/")

    def pytest_collectreport(self, report) -> None:
        if report.failed and not self.text:
            self.text = f"importing {report.nodeid.removeprefix('tests/ops/')}"


def report(operations: list[str], results: Results, path: Path | None) -> None:
    """One row per file, then every survivor that nobody has excused; the same as JSON at ``path``, if one is given."""
    pardons = tomllib.loads((HERE / "excused.toml").read_text(encoding="utf-8"))["excused"]
    excused = {each["mutant"] for each in pardons}
    files, survivors, names = {}, [], set()
    for operation in operations:
        for file in sources(operation):
            every = made(operation, file)
            names |= {mutant.name for mutant in every}
            verdicts = {mutant: results.last(mutant) for mutant in every}
            files[f"{operation}/{file}"], alive = tally(verdicts, excused)
            survivors += alive
    table(files)
    for mutant in survivors:
        print(f"survived: line {mutant.line:3}  {mutant.name}")
    for name in sorted(excused - names):
        if name.partition("/")[0] in operations:
            print(f"excused.toml speaks of a mutant that there is not: {name}")
    if path:
        found = {"files": files, "all": total(files), "survivors": [mutant.name for mutant in survivors]}
        path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
