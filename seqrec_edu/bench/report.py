"""A document of results as tables, as Markdown, and as lines of a figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

HEADER = (
    "variant", "forward ms", "× ours", "f+b ms", "× ours", "tuned ms", "× ours", "peak MiB", "× ours", "of floor",
    "error",
)  # fmt: skip
AIM_HEADER = ("aim", "case", "what", "ratio", "reached", "aim is", "verdict")
WHAT = {"forward": "forward", "both": "forward + backward", "memory": "peak memory"}
QUICK = "quick: not to be quoted"
Document = dict[str, Any]


def rows(case: Document) -> list[list[str]]:
    """One row per variant that was timed, under HEADER."""
    ours = next((each for each in case["variants"] if each["key"] == case["chosen"]), {})
    return [_row(each, ours, each["key"] == case["chosen"]) for each in case["variants"] if each["status"] == "timed"]


def left_out(case: Document) -> list[tuple[str, str, str]]:
    """Variants that were not timed: label, status, reason."""
    return [(each["label"], each["status"], each["reason"]) for each in case["variants"] if each["status"] != "timed"]


def _row(variant: Document, ours: Document, chosen: bool) -> list[str]:
    main = "both" if "both" in variant["seconds"]["default"] else "forward"
    cells = [variant["label"] + (" ◀" if chosen else "")]
    for allocator, what in (("default", "forward"), ("default", "both"), ("tuned", main)):
        taken = variant["seconds"].get(allocator, {}).get(what)
        times = variant.get("times_ours", {}).get(allocator, {}).get(what)
        cells += [digits(taken and taken["median"] * 1e3), digits(times and times["median"])]
    peak, base = (_peak(each, main) for each in (variant, ours))
    cells += [digits(peak), digits(None if peak is None or base is None else max(peak, 0.1) / max(base, 0.1))]
    return [*cells, _share(variant, main), f"{variant['error']:.0e}"]


def _peak(variant: Document, what: str) -> float | None:
    return variant.get("memory", {}).get("mib", {}).get(what)


def _share(variant: Document, what: str) -> str:
    floor = variant["floor"]["default"].get(what)
    return "-" if floor is None else f"{floor['seconds'] / variant['seconds']['default'][what]['median']:.0%}"


def digits(value: float | None) -> str:
    """Three significant digits, never an exponent."""
    if value is None:
        return "-"
    decimals = max(0, 2 - len(str(int(abs(value))))) + (1 if abs(value) < 100 else 0)
    return f"{value:,.{decimals if abs(value) >= 1 else 3}f}"


def aim_rows(document: Document) -> list[list[str]]:
    """One row per aim that was judged, under AIM_HEADER."""
    found = []
    for aim in document["aims"]:
        ratio = f"{aim['slow'] or '?'} / {aim['fast'] or '?'}"
        what = WHAT[aim["what"]] + (", tuned" if aim["allocator"] == "tuned" else "")
        bound = f"{'≤' if aim['most'] else '≥'} {digits(aim['target'])}"
        found.append([aim["aim"], aim["case"], what, ratio, digits(aim["reached"]), bound, aim["verdict"]])
    return found


def rates_line(document: Document, allocator: str = "default") -> str:
    """What the machine could do during the run."""
    rates = {name: value / 1e9 for name, value in document["rates"][allocator].items()}
    return (
        f"copy {rates['copy']:.1f} GB/s, products {rates['gemm']:.0f} GFLOP/s in float32 and "
        f"{rates['gemm_bf16']:.0f} in bf16, exp {rates['exponentials']:.1f} G/s"
    )


def surroundings_lines(document: Document) -> list[str]:
    """Machine, versions, load: what a number depends on."""
    facts, settings = document["facts"], document["settings"]
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    loads = "; ".join(
        f"{name} {_load(load['before'])} → {_load(load['after'])}" for name, load in document["load"].items()
    )
    tuned = document["allocators"].get("tuned")
    with_these = " ".join(f"{name}={value}" for name, value in tuned.items()) if tuned else None
    return [
        f"{facts['processor']}, {facts['cores']} cores, {facts['instructions']}, {facts['system']}, {facts['libc']}",
        f"threads: {facts['threads']}, process time, rounds: {settings['rounds']}; {document['created']}, "
        f"commit {facts['commit'] or 'unknown'}",
        versions,
        f"rates, default allocator: {rates_line(document)}",
        f"load before → after: {loads}",
        f"tuned allocator: {with_these or document['no_tuned_allocator']}",
    ]


def _load(values: Sequence[float] | None) -> str:
    return "unknown" if values is None else f"{values[0]:.1f}"


def markdown(document: Document) -> str:
    """The whole document for a person to read."""
    parts = [f"# ops.{document['operation']}", ""]
    if document["quick"]:
        parts += [f"**{QUICK}**", ""]
    parts += [f"* {line}" for line in surroundings_lines(document)] + [""]
    for case in document["cases"]:
        parts += [f"## {case['name']}", "", *_grid(HEADER, rows(case), right=range(1, len(HEADER))), ""]
        parts += [f"* {label}: {status}: {reason}" for label, status, reason in left_out(case)]
        parts += [""] if left_out(case) else []
    if document["aims"]:
        parts += ["## Aims", "", *_grid(AIM_HEADER, aim_rows(document), right=(4, 5)), ""]
    parts += ["How this was measured and how to read it: `benchmarks/README.md`.", ""]
    return "\n".join(parts)


def _grid(header: Sequence[str], body: Sequence[Sequence[str]], right: Sequence[int]) -> list[str]:
    rule = ["---:" if place in right else "---" for place in range(len(header))]
    return ["| " + " | ".join(cell.replace("|", "/") for cell in line) + " |" for line in (header, rule, *body)]


def curves(document: Document, what: str = "both") -> dict[str, Any]:
    """What a figure shows: times of every variant and the floor, over the length or, where there is none, over cases.

    Batches of different lengths are compared by their time per event.
    """
    cases = [case for case in document["cases"] if _first(case, what) is not None]
    by_length = bool(cases) and all("l" in case["sizes"] for case in cases)
    if by_length:
        cases = sorted(cases, key=lambda case: case["sizes"]["l"])
    x = [case["sizes"]["l"] if by_length else case["name"] for case in cases]
    millions = [case["sizes"]["b"] * case["sizes"]["l"] / 1e6 if by_length else 1.0 for case in cases]
    times: dict[str, list[float | None]] = {}
    for place, case in enumerate(cases):
        for variant in case["variants"]:
            taken = variant.get("seconds", {}).get("default", {}).get(what)
            if taken:
                line = times.setdefault(variant["label"], [None] * len(cases))
                line[place] = taken["median"] / millions[place]
    floor = [_first(case, what) / scale for case, scale in zip(cases, millions, strict=True)]
    ours = {v["label"] for case in cases for v in case["variants"] if v["key"] == case["chosen"]}
    unit = "µs per event" if by_length else "seconds"
    return {"x": x, "times": times, "floor": floor, "ours": sorted(ours), "unit": unit}


def _first(case: Document, what: str) -> float | None:
    """The floor of the case: that of the first variant that has one."""
    found = (v["floor"]["default"].get(what) for v in case["variants"] if v["status"] == "timed")
    return next((floor["seconds"] for floor in found if floor is not None), None)
