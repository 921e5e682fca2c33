"""A process that measures: ``python -m seqrec_edu.bench.worker REQUEST``, where REQUEST is JSON and names the file that
the answer is written to.

All variants of an operation are timed in one process, in turns. Memory is measured one variant to a process.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch

from seqrec_edu.bench import agreement, memory, rates, surroundings, timing
from seqrec_edu.bench.case import Case, Variant
from seqrec_edu.bench.cases import cases_of
from seqrec_edu.bench.settings import Settings

LEAST, QUICK_LEAST = timing.LEAST, 0.001  # seconds per measurement
TIMED, WRONG, MISSING, FAILED = "timed", "wrong", "unavailable", "failed"


def main(request: dict[str, Any]) -> None:
    torch.set_num_threads(1)
    settings = Settings.from_json(request["settings"])
    cases = cases_of(request["operation"], settings)
    if request["what"] == "time":
        answer = times(cases, settings)
    else:
        case = cases[request["case"]]
        answer = peaks(case, case.variant(request["variant"]))
    Path(request["answer"]).write_text(json.dumps(answer), encoding="utf-8")


def times(cases: list[Case], settings: Settings) -> dict[str, Any]:
    """Rates of the machine, and every variant of every case: checked, then timed."""
    before = surroundings.load()
    measured = rates.measure(settings.quick)
    found = [time_case(case, settings, measured) for case in cases]
    return {
        "rates": vars(measured),
        "facts": surroundings.facts(),
        "load": {"before": before, "after": surroundings.load()},
        "cases": found,
    }


def time_case(case: Case, settings: Settings, measured: rates.Rates) -> dict[str, Any]:
    """Only what agrees with the reference is timed."""
    truths: dict[str, dict] = {}  # outcomes in float64, computed once for all variants
    found = {variant.key: admit(case, variant, measured, truths) for variant in case.variants}
    inputs = case.make(case.sizes)
    at_full_size(case, inputs, found)
    tasks = {}
    for variant in case.variants:
        if found[variant.key]["status"] == TIMED:
            tasks |= {(variant.key, name): run for name, run in passes(case, variant, inputs).items()}
    least = QUICK_LEAST if settings.quick else LEAST
    for (key, name), seconds in timing.interleave(tasks, settings.rounds, least=least).items():
        found[key].setdefault("rounds", {})[name] = seconds
    for variant in case.variants:
        for name, work in case.work.get(variant.truth, {}).items():
            seconds, limit = rates.floor(work, measured, variant.bf16)
            found[variant.key].setdefault("floor", {})[name] = {"seconds": seconds, "limit": limit}
    return {"name": case.name, "sizes": case.sizes, "chosen": case.chosen, "variants": list(found.values())}


def admit(case: Case, variant: Variant, measured: rates.Rates, truths: dict[str, dict]) -> dict[str, Any]:
    """Whether a variant can run here, has room, and agrees with its truth in float64 on a few histories."""
    entry = {"key": variant.key, "label": variant.label, "truth": variant.truth, "bf16": variant.bf16}
    reason = variant.missing or (measured.bf16_problem if variant.bf16 else None) or no_room(variant.needs)
    if reason:
        return entry | {"status": MISSING, "reason": reason}
    try:
        verdict = agreement.check(case, variant, truths)
    except Exception as error:  # a rival may fail in any way: the others are still measured
        return entry | {"status": FAILED, "reason": f"{type(error).__name__}: {error}"}
    return entry | judged(verdict, variant.tolerance)


def judged(verdict: agreement.Verdict, tolerance: float, where: str = "") -> dict[str, Any]:
    entry = {"error": verdict.error, "worst": verdict.where}
    if verdict.agrees:
        return entry | {"status": TIMED}
    reason = f"{verdict.where} is off by {verdict.error:.1e}{where}, allowed {tolerance:.0e}"
    return entry | {"status": WRONG, "reason": f"not timed: {reason}"}


def at_full_size(case: Case, inputs, found: dict[str, dict]) -> None:
    """The first pass at full size: outcomes are compared with that of the first variant of the same truth."""
    first: dict[str, dict] = {}
    for variant in case.variants:
        entry = found[variant.key]
        if entry["status"] != TIMED:
            continue
        try:
            outcome = agreement.outcome(variant.run, inputs, case.learn)
        except Exception as error:
            entry |= {"status": FAILED, "reason": f"{type(error).__name__}: {error}"}
            continue
        expected = first.setdefault(variant.truth, outcome)
        allowed = variant.tolerance * (1 if variant.bf16 else agreement.FULL_SIZE)
        verdict = agreement.compare(outcome, expected, allowed, case.error)
        if not verdict.agrees:
            entry |= judged(verdict, allowed, " at full size")


def no_room(needs: float) -> str | None:
    """Whether a variant would push the machine into swapping, or be killed."""
    free = memory.available()
    if free is None or needs < 2**28 or 1.2 * needs <= free:
        return None
    return f"it takes about {needs / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free"


def passes(case: Case, variant: Variant, inputs) -> dict[str, Any]:
    """The forward pass alone, and with the gradients of everything that learns."""

    def forward():
        with torch.no_grad():
            return variant.run(**inputs)

    if not case.learn:
        return {"forward": forward}
    leaves = agreement.leaves_of(inputs, case.learn)
    learning = [leaves[name] for name in case.learn]
    upstream = agreement.weights(forward())

    def both():
        return torch.autograd.grad(variant.run(**leaves), learning, upstream, allow_unused=True)

    return {"forward": forward, "both": both}


def peaks(case: Case, variant: Variant) -> dict[str, Any]:
    """Peak memory of one variant. What it loads or compiles is loaded first, by a case of fewer histories."""
    agreement.outcome(variant.run, case.make({**case.sizes, **case.fewer}), case.learn)
    runs = passes(case, variant, case.make(case.sizes))
    found, method = memory.growth(*runs.values())
    return {"mib": dict(zip(runs, found, strict=True)), "method": method}


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
