"""How sharp are the instant checks? Change every solution a little, one change at a time, and see what they say.

    python benchmarks/checker.py                      all exercises; writes benchmarks/results/checker.json
    python benchmarks/checker.py --exercise ssd       one exercise, every mutant shown, nothing written

A mutant that computes the same as the solution cannot fail; each is excused with a reason in ``checker_excused.toml``.
The changes are those of ``tests/mutation``: operators, indices, axes, constants, off by one, dropped calls.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
import time
import tomllib
from collections import Counter
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[1]
for folder in (ROOT, ROOT / "tests" / "mutation"):
    sys.path.insert(0, str(folder))
from mutants import Mutant, mutants  # noqa: E402

from seqrec_edu.teaching import Verdict, check, exercise  # noqa: E402
from seqrec_edu.teaching.definition import Exercise, source_of  # noqa: E402
from seqrec_edu.teaching.exercises import names  # noqa: E402
from tests.teaching.support import learner  # noqa: E402

EXCUSED = Path(__file__).with_name("checker_excused.toml")
RESULT = Path(__file__).parent / "results" / "checker.json"
SPECIFIC = ("catalogue", "experiment", "place", "error", "stopped")
AIMS = {"share_failing": 0.98, "share_named": 0.80}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--exercise", action="append", help="a name; more than once for several")
    options = parser.parse_args()
    torch.set_num_threads(1)
    excused = {
        each["mutant"]: each["reason"] for each in tomllib.loads(EXCUSED.read_text(encoding="utf-8")).get("excused", [])
    }
    table, used = {}, set()
    for name in options.exercise or names():
        table[name], met = examined(exercise(name), excused, loud=bool(options.exercise))
        used |= met
        print(f"{name:<20} {line(table[name])}", flush=True)
    total = summed(table)
    print(f"{'all':<20} {line(total)}")
    if options.exercise:
        return 0
    idle = sorted(set(excused) - used)
    for each in idle:
        print(f"excused without need, no such surviving mutant: {each}")
    made = {"python": platform.python_version(), "torch": torch.__version__, "seed": 0}
    result = {"made_with": made, "aims": AIMS, "all": total, "exercises": table}
    RESULT.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return int(bool(idle) or any(total[share] < aim for share, aim in AIMS.items()))


def examined(task: Exercise, excused: dict[str, str], loud: bool) -> tuple[dict, set[str]]:
    """Counts over all mutants of the solution and of the alternatives, and the excuses that were needed."""
    counts, survivors, bare, met = Counter(), [], [], set()
    others = [(f"{task.name}/{function.__name__}", source_of(function)) for function in task.alternatives]
    for label, source in [(task.name, task.source), *others]:
        for mutant in made(source, label):
            verdict = check(learner(mutant.source), task.name, seconds=3.0)
            how = said(verdict)
            if verdict and mutant.name in excused:
                met.add(mutant.name)
                counts["excused"] += 1
                continue
            counts[how] += 1
            if how in ("right", "wrong"):
                (survivors if verdict else bare).append(mutant.name)
            if loud:
                print(f"{how:<10} {verdict.mistake:<40} {mutant.name}", flush=True)
    return shares(counts) | {"seconds": seconds_of(task), "survivors": survivors, "not_named": bare}, met


def seconds_of(task: Exercise) -> float:
    """Processor seconds of one check: of the right solution, which is tried on every input."""
    began = time.process_time()
    assert check(learner(task.source), task.name)
    return round(time.process_time() - began, 2)


def said(verdict: Verdict) -> str:
    """How a verdict came about: an error with its line is apart from what was found by comparing results."""
    if verdict.kind in ("right", "wrong", "error"):
        return verdict.kind
    return verdict.found_by or "stopped"


def made(source: str, label: str) -> list[Mutant]:
    """The mutants of a function's text."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "solution.py"
        path.write_text(source, encoding="utf-8")
        return mutants(path, label)


def shares(counts: Counter) -> dict:
    """Counts as they are, and the two shares that are asked for."""
    tried = sum(counts.values()) - counts["excused"]
    failing = tried - counts["right"]
    named = sum(counts[how] for how in SPECIFIC)
    return {
        "mutants": tried, "excused": counts["excused"], "failing": failing,
        **{how: counts[how] for how in (*SPECIFIC, "wrong")},
        "share_failing": round(failing / tried, 4), "share_named": round(named / max(failing, 1), 4),
        "share_named_without_errors": round((named - counts["error"]) / max(failing - counts["error"], 1), 4),
    }  # fmt: skip


def summed(table: dict[str, dict]) -> dict:
    counts = Counter()
    for each in table.values():
        counts.update({how: each[how] for how in (*SPECIFIC, "wrong", "excused")})
        counts["right"] += len(each["survivors"])
    return shares(counts)


def line(each: dict) -> str:
    how = ", ".join(f"{each[how]} {how}" for how in (*SPECIFIC, "wrong") if each[how])
    return (
        f"{each['mutants']:4} mutants, {each['excused']} more excused: {each['share_failing']:.1%} fail, "
        f"of these {each['share_named']:.1%} are named ({how})"
        + (f"; {each['seconds']} s" if "seconds" in each else "")
    )


if __name__ == "__main__":
    sys.exit(main())
