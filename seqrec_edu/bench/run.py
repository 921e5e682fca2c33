"""All processes of a benchmark, and their answers as one document per operation."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from seqrec_edu.bench import aims, surroundings
from seqrec_edu.bench.settings import Settings
from seqrec_edu.bench.timing import summary

SCHEMA = 1
Say = Callable[[str], None]


def bench(operation: str, settings: Settings, say: Say = lambda line: None) -> dict[str, Any]:
    """Measure one operation: times with each allocator, memory, ratios, aims. Plain JSON types.

    Raises RuntimeError with what a process last said, if the one that times with the default allocator has failed.
    """
    missing = "quick: one allocator is enough to see that it runs" if settings.quick else surroundings.untunable()
    answers = {}
    for allocator in surroundings.ALLOCATORS if missing is None else ("default",):
        say(f"{operation}: times, {allocator} allocator")
        try:
            answers[allocator] = ask({"what": "time", "operation": operation}, settings, allocator)
        except RuntimeError as error:  # one that keeps what is freed needs more memory than there may be
            if allocator == "default":
                raise
            missing = str(error)
            say(f"{operation}: no times with the {allocator} allocator: {missing}")
    document = merge(operation, settings, answers)
    document["no_tuned_allocator"] = missing
    measure_memory(document, settings, say)
    add_ratios(document)
    document["aims"] = aims.judge(document)
    return document


def ask(request: dict[str, Any], settings: Settings, allocator: str = "default") -> dict[str, Any]:
    """The answer of a fresh process; its environment is set before it starts, which is the point of it."""
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        request = request | {"settings": settings.to_json(), "answer": str(answer)}
        command = [sys.executable, "-m", "seqrec_edu.bench.worker", json.dumps(request)]
        variables = surroundings.environment(allocator)
        done = subprocess.run(command, env=variables, capture_output=True, text=True, errors="replace")
        if done.returncode == 0 and answer.is_file():
            return json.loads(answer.read_text(encoding="utf-8"))
    last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
    hint = "; it was killed, probably for its memory" if done.returncode == -9 else ""
    raise RuntimeError(f"bench {request['operation']}: a process ended with status {done.returncode}{hint}: {last}")


def merge(operation: str, settings: Settings, answers: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Answers by allocator → one document: every variant with its seconds and floors by allocator."""
    base = answers["default"]
    cases = []
    for place, case in enumerate(base["cases"]):
        variants = []
        for nth, entry in enumerate(case["variants"]):
            of = {name: answer["cases"][place]["variants"][nth] for name, answer in answers.items()}
            bad = next((other for other in of.values() if other["status"] != "timed"), entry)
            variant = {name: value for name, value in bad.items() if name not in ("rounds", "floor")}
            if variant["status"] == "timed":
                rounds = {name: other["rounds"] for name, other in of.items()}
                variant["rounds"] = rounds
                variant["seconds"] = {
                    name: {kind: summary(taken) for kind, taken in kinds.items()} for name, kinds in rounds.items()
                }
                variant["floor"] = {name: other.get("floor", {}) for name, other in of.items()}
            variants.append(variant)
        cases.append({**case, "variants": variants})
    return {
        "schema": SCHEMA,
        "operation": operation,
        "quick": settings.quick,
        "settings": settings.to_json() | {"peers": settings.peers is not None},
        "created": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "facts": base["facts"],
        "allocators": {name: answer["facts"]["allocator"] for name, answer in answers.items()},
        "load": {name: answer["load"] for name, answer in answers.items()},
        "rates": {name: answer["rates"] for name, answer in answers.items()},
        "cases": cases,
    }


def measure_memory(document: dict[str, Any], settings: Settings, say: Say) -> None:
    """Peak memory of every variant that was timed, each in a process of its own; ``quick`` takes two of them."""
    for place, case in enumerate(document["cases"]):
        for variant in case["variants"]:
            wanted = not settings.quick or variant["key"] in ("reference", case["chosen"])
            if variant["status"] != "timed" or not wanted:
                continue
            say(f"{document['operation']}: memory, {case['name']}, {variant['label']}")
            request = {"what": "memory", "operation": document["operation"], "case": place, "variant": variant["key"]}
            try:
                variant["memory"] = ask(request, settings)
            except RuntimeError as error:  # a process that is killed for its memory has shown something too
                variant["memory"] = {"mib": {}, "method": "none", "reason": str(error)}


def add_ratios(document: dict[str, Any]) -> None:
    """Beside every variant how many times the time and the memory of the chosen version it takes."""
    for case in document["cases"]:
        ours = next((each for each in case["variants"] if each["key"] == case["chosen"]), None)
        for variant in case["variants"]:
            if variant["status"] == "timed" and ours is not None and ours["status"] == "timed":
                variant["times_ours"] = {
                    name: {kind: ratio(taken, ours["rounds"][name][kind]) for kind, taken in kinds.items()}
                    for name, kinds in variant["rounds"].items()
                }


def ratio(slow: list[float], fast: list[float]) -> dict[str, float]:
    """Median over median, and the extremes of the rounds: the two of a round met the same machine."""
    rounds = [a / b for a, b in zip(slow, fast, strict=False)]
    return {"median": summary(slow)["median"] / summary(fast)["median"], "low": min(rounds), "high": max(rounds)}
