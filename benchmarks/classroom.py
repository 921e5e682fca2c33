"""A hostile class of 200 graded, killed half-way, and gone on with: does everybody get what they must, and how fast?

    python benchmarks/classroom.py                     200 submissions of one assignment with two exercises
    python benchmarks/classroom.py --students 70       fewer: each attack and accident once is 62

Result: benchmarks/results/classroom.json. The submissions and what they must get are made by
tests/teaching/grading/hostile.py; the answers that are wrong by accident are the exercises' own catalogues of mistakes.
"""

import argparse
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "teaching" / "grading"))

import hostile  # noqa: E402

from seqrec_edu.teaching import exercise  # noqa: E402
from seqrec_edu.teaching.grading import Assignment, Limits, Question, grade, publish  # noqa: E402

NAMES = ("ssd", "selective_scan")
LIMITS = Limits(question_seconds=2.0, patience=15.0, memory_mib=1024, processes=32, total_seconds=240)
HEAD = "import torch\nfrom einops import einsum\n\n"
RESULT = HERE / "results" / "classroom.json"


def deck():
    """The two exercises, with their solutions as right answers."""
    return hostile.Deck(NAMES, NAMES, tuple(HEAD + exercise(name).source for name in NAMES))


def assignment():
    """The same for every run: one question per exercise."""
    points = deck().points
    return Assignment("classroom", tuple(Question(n, n, p, n) for n, p in zip(NAMES, points, strict=True)))


def honest(made):
    """Endless ordinary submissions: right ones, and ones with a known mistake in the first question."""
    found = [(mistake.name, mistake.source) for mistake in exercise(NAMES[0]).mistakes]
    for number in itertools.count():
        if number % 2:
            yield hostile.Expected(
                "right again", {".ipynb": hostile.notebook(*made.right)}, sum(made.points), {"graded"}, ({"right"},) * 2
            )
            continue
        _, source = found[number // 2 % len(found)]
        own = re.search(r"def (\w+)\(", source)[1]
        first = HEAD + source + (f"\n{NAMES[0]} = {own}\n" if own != NAMES[0] else "")
        kinds = {"mistake", "wrong", "error"}
        yield hostile.Expected(
            "mistake",
            {".ipynb": hostile.notebook(first, made.right[1])},
            made.points[1],
            {"graded"},
            (kinds, {"right"}),
        )


def run(students, workers):
    """Make the class, grade it with one kill in the middle, compare; returns the facts."""
    made = deck()
    with tempfile.TemporaryDirectory() as place:
        folder, out, mark = Path(place) / "submitted", Path(place) / "out", Path(place) / "mark"
        folder.mkdir()
        places = [str(folder), str(out), str(HERE.parent / "seqrec_edu")]
        members = itertools.chain(hostile.attacks(made, places, mark), hostile.accidents(made), honest(made))
        expected = hostile.write(folder, itertools.islice(members, students))
        began = time.perf_counter()
        early = _killed_midway(folder, out, workers, students // 2)
        graded = grade(folder, assignment(), out, limits=LIMITS, workers=workers)
        seconds = time.perf_counter() - began
        differences = hostile.differences(graded.reports, expected)
        kept = sum(report.read_bytes() == early.get(report.name) for report in (out / "reports").iterdir())
        publish(graded, folder, assignment(), out)
        load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
        return {
            "submissions": len(graded.reports), "seconds": round(seconds, 1),
            "seconds per submission": round(seconds / len(graded.reports), 2), "workers": workers,
            "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
            "other programs running (load)": load, "done when killed": len(early), "kept after the kill": kept,
            "not as expected": differences, "escaped": mark.exists(), "protections": graded.held,
            "states": dict(sorted(Counter(report["state"] for report in graded.reports).items())),
            "verdicts": dict(sorted(Counter(q["kind"] for r in graded.reports for q in r["questions"]).items())),
            "limits": LIMITS.__dict__,
        }  # fmt: skip


def _killed_midway(folder, out, workers, enough):
    """Start the same grading in a process and kill it when half is done; returns the reports there are then."""
    given = f"{str(folder)!r}, c.assignment(), {str(out)!r}, limits=c.LIMITS, workers={workers}"
    call = f"import classroom as c; c.grade({given})"
    process = subprocess.Popen([sys.executable, "-c", call], cwd=HERE, env=os.environ | {"PYTHONPATH": str(HERE)})
    while process.poll() is None and len(list((out / "reports").glob("*.json"))) < enough:
        time.sleep(0.1)
    process.kill()
    process.wait()
    return {report.name: report.read_bytes() for report in (out / "reports").glob("*.json")}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--students", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    facts = run(options.students, options.workers)
    options.out.write_text(json.dumps(facts, indent=1) + "\n")
    print(json.dumps(facts, indent=1))
