"""What the operations should reach on a CPU, and whether they did: each aim is a ratio of two variants of one run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

OURS = "ours"  # stands for the version that the operation runs by itself


@dataclass(frozen=True)
class Aim:
    """``slow`` should take at least ``target`` times the time (or memory) of ``fast``.

    ``sizes`` picks the case, ``what`` is "forward", "both" or "memory" (of both passes). ``most`` turns it round: at
    most ``target`` times.
    """

    name: str
    operation: str
    sizes: dict[str, int]
    fast: str
    slow: str
    what: str
    target: float
    allocator: str = "default"
    most: bool = False


def _scan() -> list[Aim]:
    at = {"b": 256, "l": 200}
    aims = [Aim("C1", "selective_scan", at, OURS, "reference", *goal) for goal in (("forward", 14), ("both", 12))]
    for rival in ("blelloch", "mamba.py", "associative-scan"):
        for what, default, tuned in (("forward", 80, 40), ("both", 80, 30)):
            aims.append(Aim("C2", "selective_scan", at, OURS, rival, what, default))
            aims.append(Aim("C2", "selective_scan", at, OURS, rival, what, tuned, "tuned"))
    aims.append(Aim("C3", "selective_scan", at, OURS, "reference", "memory", 20))
    short = {"b": 256, "l": 50}
    for version in ("vectorised", "cpu"):  # plain PyTorch; a loop that needs a wheel, but no compiler either
        for rival in ("materialised-loop", "mamba-minimal"):
            aims.append(Aim("C6", "selective_scan", short, version, rival, "both", 30))
        aims.append(Aim("C6", "selective_scan", short, version, "materialised-loop", "memory", 8))
    return aims


def _ssd() -> list[Aim]:
    at = {"b": 256, "l": 200, "h": 4}
    aims = []
    for rival, forward, both in (("minimal", 15, 5), ("mamba2-minimal", 15, 5), ("sdpa", 6, 3)):
        aims += [Aim("C4", "ssd", at, OURS, rival, "forward", forward), Aim("C4", "ssd", at, OURS, rival, "both", both)]
    return [*aims, Aim("C5", "ssd", at, OURS, OURS + "+time", "both", 1.10, most=True)]


def _loss() -> list[Aim]:
    aims = []
    plan = (
        (2_048, 3_417, 1.3, 2.5, 20),
        (2_048, 50_001, 2, 4, 20),
        (12_800, 50_001, 4, 4, 20),
        (512, 1_000_001, 2, 4, 10),
    )
    for t, v, single, half, memory in plan:
        at = {"t": t, "v": v}
        aims.append(Aim("C8", "linear_cross_entropy", at, OURS, "naive", "both", single))
        aims.append(Aim("C8", "linear_cross_entropy", at, "bf16", "naive", "both", half))
        aims.append(Aim("C8", "linear_cross_entropy", at, OURS, "naive", "memory", memory))
        if (t, v) in ((2_048, 50_001), (512, 1_000_001)):
            aims.append(Aim("C8", "linear_cross_entropy", at, OURS, "torch", "both", 3))
    return aims


AIMS = (
    *_scan(),
    *_ssd(),
    *(Aim("C7", "causal_conv1d", {"b": 256, "l": l}, OURS, "conv1d", "both", 7) for l in (50, 200)),
    *_loss(),
    *(
        Aim("C9", "target_rank", {"u": u, "v": v}, OURS, "positives", "forward", target)
        for u, v, target in ((6_040, 3_417, 2), (4_096, 50_001, 2.8), (256, 1_000_001, 3.5))
    ),
)  # fmt: skip


def judge(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Every aim of the operation whose case was run: what came out, and "met", "missed" or why it was not measured.

    Nothing is judged after a quick run.
    """
    if document["quick"]:
        return []
    found = []
    for aim in AIMS:
        for case in document["cases"]:
            if aim.operation == document["operation"] and aim.sizes.items() <= case["sizes"].items():
                found.append(_judge(aim, case))
    return found


def _judge(aim: Aim, case: dict[str, Any]) -> dict[str, Any]:
    variants = {variant["key"]: variant for variant in case["variants"]}
    fast, slow = (variants.get(key.replace(OURS, case["chosen"])) for key in (aim.fast, aim.slow))
    entry = {
        "aim": aim.name, "case": case["name"], "what": aim.what, "allocator": aim.allocator, "target": aim.target,
        "most": aim.most, "fast": fast and fast["label"], "slow": slow and slow["label"],
    }  # fmt: skip
    for key, variant in ((aim.fast, fast), (aim.slow, slow)):
        if variant is None or variant["status"] != "timed":
            reason = "there is no such version" if variant is None else variant["reason"]
            return entry | {"reached": None, "verdict": f"not measured: {key}: {reason}"}
    values = [_value(variant, aim) for variant in (fast, slow)]
    if None in values:
        return entry | {"reached": None, "verdict": f"not measured: no {aim.what} with the {aim.allocator} allocator"}
    reached = values[1] / max(values[0], 1e-12)
    met = reached <= aim.target if aim.most else reached >= aim.target
    return entry | {"reached": reached, "verdict": "met" if met else "missed"}


def _value(variant: dict[str, Any], aim: Aim) -> float | None:
    if aim.what == "memory":
        mib = variant.get("memory", {}).get("mib", {}).get("both")
        return None if mib is None else max(mib, 0.1)  # below that it is the noise of the allocator
    return variant["seconds"].get(aim.allocator, {}).get(aim.what, {}).get("median")
