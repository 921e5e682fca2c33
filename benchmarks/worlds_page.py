"""Write docs/worlds.md out of benchmarks/results/worlds: what was planted, who should win, and who did.

python benchmarks/worlds_page.py
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seqrec_edu.data.files import write_whole
from seqrec_edu.data.synthetic import WORLDS, world
from seqrec_edu.training.ceiling import METRICS

APART = 0.1  # standard deviation above which a mean hides what happened
ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "worlds"
PAGE = ROOT / "docs" / "worlds.md"

HEAD = """# Planted worlds: who should win, and who did

Real logs cannot show a clean effect of one mechanism; a planted world has only one, and the exact distribution of
everybody's next item with it. So there is a *ceiling*, the best score that anybody can reach who reads only what came
before, and there are *blind* predictors, exact but for one thing that they do not see. This page is written by
`benchmarks/worlds_page.py` out of `benchmarks/results/worlds/`, and a test holds it against them.

**How to read it.** Some people of a world are learned from, 2,000 others are asked. Scores are expectations under the
truth, means over three trainings (other people, other first weights) ± their standard deviation; where that is above
0.1 all three stand beside it, for then some trainings learned it and some did not. What was expected stood in
`benchmarks/worlds.toml` before the first run. *beats* is found where the 95 % interval of the paired difference, over
people and trainings, lies above zero; *does not beat* is found everywhere else. A world gets at most two settings, the
earlier one stays listed. That a block does not beat the predictor that is as blind as itself is not counted: only a
leak could break it.
"""


def read(folder: Path = RESULTS) -> dict[str, dict[str, Any]]:
    """What was found in each world, in the order of the package."""
    paths = {name: folder / f"{name}.json" for name in WORLDS}
    return {name: json.loads(path.read_text(encoding="utf-8")) for name, path in paths.items() if path.exists()}


def page(found: dict[str, dict[str, Any]]) -> str:
    """The whole text."""
    lines = [HEAD, *_summary(found)]
    for name, each in found.items():
        lines += _world(name, each)
    return "\n".join(lines) + "\n"


def _summary(found: dict[str, dict[str, Any]]) -> Iterator[str]:
    runs = sum(len(part["runs"]) for each in found.values() for part in (each, *each["earlier"]))
    leaking = [line for each in found.values() for part in (each, *each["earlier"]) for line in part["leaking"]]
    above = f"above it: {', '.join(leaking)}" if leaking else "none lies above it"
    told = [_came_out(each) for each in found.values()]
    none = ", ".join(name for name, met in zip(found, told, strict=True) if not any(met))
    yield f"{sum(map(sum, told))} of {sum(map(len, told))} expectations came out" + (f", none in {none}." * bool(none))
    yield f"Of {runs} trained blocks, held against the ceiling of their world at a level of 99.9 %, {above}.\n"
    yield "| world | what decides | expected, and found | people | ceiling HR@1 / HR@10 / NDCG@10 |"
    yield "| --- | --- | --- | --- | --- |"
    for (name, each), met in zip(found.items(), told, strict=True):
        ceiling = " / ".join(f"{each['predictors']['bayes'][metric]:.3f}" for metric in METRICS)
        yield (
            f"| [{name}](#{name}) | {world(name).decides} | {sum(met)} of {len(met)} | {each['users']:,} | {ceiling} |"
        )


def _came_out(found: dict[str, Any]) -> list[bool]:
    """Whether each expectation that could fail was met."""
    return [bool(each["met"]) for each in found["expectations"] if not _certain(found, each["line"])]


def _certain(found: dict[str, Any], line: str) -> bool:
    """Whether only a leak could break it: a predictor is exact but for what it does not see."""
    _, not_beaten, other = line.partition(" does not beat ")
    return bool(not_beaten) and other in found["predictors"]


def _world(name: str, found: dict[str, Any]) -> Iterator[str]:
    made = world(name)
    yield f"\n## {name}\n"
    yield f"{made.lesson} **Who should win:** {made.winner}.\n"
    yield from _setting(found)
    yield from _scores(found)
    yield from _expectations(found)
    for earlier in found["earlier"]:
        yield "\n**Earlier setting.**\n"
        yield from _setting(earlier)
        yield from _expectations(earlier)


def _setting(found: dict[str, Any]) -> Iterator[str]:
    dials = "".join(f", {name}={value:g}" for name, value in found["dials"].items())
    yield (
        f"Learned from {found['users']:,} people{dials}, {found['epochs']} epochs, width {found['d_model']}; "
        f"setting: {found['setting']}.\n"
    )


def _scores(found: dict[str, Any]) -> Iterator[str]:
    yield f"| who | {' | '.join(METRICS)} |"
    yield f"| --- |{' --- |' * len(METRICS)}"
    rows = [(f"*{name}*", [[each[metric]] for metric in METRICS]) for name, each in found["predictors"].items()]
    for label in dict.fromkeys(run["model"] for run in found["runs"]):
        runs = [run["expected"] for run in found["runs"] if run["model"] == label]
        rows.append((label, [[run[metric] for run in runs] for metric in METRICS]))
    best = METRICS.index(found["metric"])
    for who, values in sorted(rows, key=lambda row: -statistics.mean(row[1][best])):
        yield f"| {who} | {' | '.join(map(_mean, values))} |"
    yield ""


def _mean(values: list[float]) -> str:
    if len(values) == 1:
        return f"{values[0]:.3f}"
    spread = statistics.stdev(values)
    each = f" ({', '.join(f'{value:.2f}' for value in values)})" if spread > APART else ""
    return f"{statistics.mean(values):.3f} ± {spread:.3f}{each}"


def _expectations(found: dict[str, Any]) -> Iterator[str]:
    yield f"| expected | difference of {found['metric']} | found |"
    yield "| --- | --- | --- |"
    for each in found["expectations"]:
        word = {None: "not run", True: "as expected", False: f"**not so**: {each['found']}"}[each["met"]]
        word += " (only a leak could break it)" if _certain(found, each["line"]) else ""
        apart = "{value:+.3f} [{low:+.3f}, {high:+.3f}]".format(**each["difference"]) if "difference" in each else ""
        yield f"| {each['line']} | {apart} | {word} |"


def main() -> None:
    """Write the page."""
    write_whole(PAGE, page(read()).encode("utf-8"))
    print(f"wrote {PAGE}")


if __name__ == "__main__":
    main()
