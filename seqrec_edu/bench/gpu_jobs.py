"""What T1 measures: every operation with a kernel, at which sizes, and against whom."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from seqrec_edu import ops
from seqrec_edu.bench import agreement, gpu_peers, rivals
from seqrec_edu.bench.case import RIVALS

SIZES = ((2_048, 200), (2_048, 50), (256, 50), (256, 200), (64, 2_048))  # histories, events
LOSSES = ((51_200, 50_001), (2_048, 50_001), (51_200, 1_000_001), (2_048, 1_000_001), (51_200, 3_417), (2_048, 3_417))
WIDTHS = {
    "selective_scan": {"e": 128, "n": 16},
    "ssd": {"h": 4, "p": 32, "n": 32},
    "causal_conv1d": {"e": 128, "k": 4},
    "low_rank_attention": {"h": 8, "p": 8, "r": 20},
    "spectral_filter": {"d": 64},
    "gated_norm": {"e": 128},
    "glu": {"d": 128},
}
TYPES = ("float32", "bfloat16")
TINY = {"b": 2, "l": 9, "e": 16, "n": 4, "h": 2, "p": 4, "k": 4, "d": 16, "r": 3, "t": 20, "v": 50, "u": 10, "s": 3}
TF32, BF16, PLACES = 5e-3, 3e-2, 0.02  # errors allowed: where others take TF32, in bf16, and share of changed places

# Aim, operation, sizes, pass, mode, the slower way, the faster way, how many times at least.
AIMS = (
    ("G1", "selective_scan", {"b": 2048, "l": 200}, "forward", "launched", "mamba-ssm", "kernel", 3),
    ("G1", "selective_scan", {"b": 2048, "l": 50}, "forward", "launched", "mamba-ssm", "kernel", 6),
    ("G2", "selective_scan", {"b": 2048, "l": 200}, "both", "launched", "mamba-ssm", "kernel", 3),
    ("G3", "ssd", {"b": 2048}, "forward", "launched", "mamba-ssm, chunk 32", "kernel", 3),
    ("G3", "ssd", {"b": 2048}, "both", "launched", "mamba-ssm, chunk 32", "kernel", 4),
    ("G3", "ssd", {"b": 256, "l": 50}, "both", "launched", "mamba-ssm, chunk 32", "kernel", 5),
    ("G3", "ssd", {"b": 256, "l": 50}, "both", "graph", "mamba-ssm, chunk 32", "kernel", 2.5),
    ("G4", "ssd", {"b": 2048, "l": 200}, "both", "launched", "sdpa", "kernel", 2),
    ("G4", "ssd", {"b": 2048, "l": 50}, "both", "launched", "sdpa", "kernel", 1),
    ("G5", "linear_cross_entropy", {"t": 51_200, "v": 50_001}, "both", "launched", "cce-exact", "kernel", 1.5),
    ("G5", "linear_cross_entropy", {"t": 51_200, "v": 50_001}, "both", "launched", "liger", "kernel", 5),
    ("G5", "linear_cross_entropy", {"t": 51_200, "v": 1_000_001}, "both", "launched", "cce-exact", "kernel", 1.5),
    ("G5", "linear_cross_entropy", {"t": 51_200, "v": 1_000_001}, "both", "launched", "liger", "kernel", 5),
    ("G8", "selective_scan", {"b": 64, "l": 2048}, "both", "launched", "mamba-ssm", "kernel", 1),
    ("G8", "ssd", {"b": 64, "l": 2048}, "both", "launched", "mamba-ssm, chunk 256", "kernel", 1.5),
)


@dataclass(frozen=True)
class Job:
    """One operation at one size in one type."""

    operation: str
    sizes: dict[str, int]
    dtype: str

    @property
    def name(self) -> str:
        return f"{self.operation} {' '.join(f'{axis}={size}' for axis, size in self.sizes.items())} {self.dtype}"

    @property
    def module(self):
        return importlib.import_module(f"seqrec_edu.bench.cases.{self.operation}")

    @property
    def call(self) -> Callable:
        """The operation with its options, ``backend=`` open."""
        return {"selective_scan": gated_scan, "ssd": getattr(self.module, "plain", None)}.get(
            self.operation, getattr(self.module, "run", None)
        )


@dataclass(frozen=True)
class Way:
    """One way to compute a job. ``turned`` are inputs that it wants with time last, like its output."""

    run: Callable | None
    truth: str = "same"
    tolerance: float = RIVALS
    turned: tuple[str, ...] = ()
    missing: str | None = None


def plan(only: tuple[str, ...] = ()) -> list[Job]:
    """All jobs, the most important first: scan, SSD and loss, at the sizes where others are strongest and weakest."""
    jobs = []
    for b, l in SIZES:
        jobs += [Job(name, {"b": b, "l": l, **WIDTHS[name]}, dtype) for dtype in TYPES for name in list(WIDTHS)[:2]]
        if (b, l) == SIZES[1]:
            jobs += [Job("linear_cross_entropy", {"t": t, "v": v, "d": 64}, "bfloat16") for t, v in LOSSES[:3]]
    jobs += [Job("target_rank", {"u": 4_096, "v": v, "s": 50, "d": 64}, "float32") for v in (50_001, 1_000_001)]
    jobs += [Job("linear_cross_entropy", {"t": t, "v": v, "d": 64}, "float32") for t, v in LOSSES]
    jobs += [Job("linear_cross_entropy", {"t": t, "v": v, "d": 64}, "bfloat16") for t, v in LOSSES[3:]]
    for b, l in SIZES:
        jobs += [Job(name, {"b": b, "l": l, **WIDTHS[name]}, dtype) for name in list(WIDTHS)[2:] for dtype in TYPES]
    return [job for job in jobs if not only or job.operation in only]


def gated_scan(x, dt, A, B, C, D, z, backend):
    return ops.selective_scan(x, dt, A, B, C, D, z, backend=backend)


def ways(job: Job) -> dict[str, Way]:
    """The kernel, plain PyTorch, and rivals; those that do not import are there with the reason."""
    own = {name: Way(partial(job.call, backend=name)) for name in ("kernel", "vectorised")}
    others = {
        "selective_scan": _scans,
        "ssd": _ssds,
        "causal_conv1d": _convolutions,
        "linear_cross_entropy": _losses,
        "target_rank": _ranks,
    }.get(job.operation, lambda job: {})
    return own | others(job)


def _scans(job):
    return {"mamba-ssm": _theirs(gpu_peers.scan, turned=("x", "dt", "B", "C", "z"))}


def _ssds(job):
    found = {"kernel+time": Way(partial(job.module.with_time, backend="kernel"), truth="time")}
    for chunk in (32, 64, 256):
        found[f"mamba-ssm, chunk {chunk}"] = _theirs(partial(gpu_peers.ssd, chunk), tolerance=TF32)
    return found | {"sdpa": Way(lambda q, k, x, **_: rivals.fused_attention(q, k, x, True), truth="attention")}


def _convolutions(job):
    return {
        "conv1d": Way(rivals.transposed_convolution),
        "causal-conv1d": _theirs(lambda: gpu_peers.convolution(partial(job.module.run, backend="mamba_ssm"))),
    }


def _losses(job):
    chunked, missing = job.module.chunked()
    others = {"cce-exact": _theirs(gpu_peers.exact_cce), "liger": _theirs(gpu_peers.liger)}
    return {"naive": Way(job.module.naive), "torch": Way(chunked, missing=missing), **others}


def _ranks(job):
    return {"top-k": Way(lambda **inputs: rivals.by_top_k(**inputs, within=job.module.WITHIN))}


def _theirs(build: Callable[[], Callable], **options) -> Way:
    """A way that somebody else's package computes it, or the reason why it cannot be had."""
    try:
        return Way(build(), **options)
    except Exception as error:  # foreign builds fail with anything from ImportError to OSError
        return Way(None, missing=f"{type(error).__name__}: {error}")


def inputs_of(job: Job, device: str, sizes: dict[str, int] | None = None):
    """The inputs of the CPU benchmark in the job's type, the scan's with a gate; and which of them learn."""
    drawn = job.module.make(sizes or job.sizes)
    if job.operation == "selective_scan":
        drawn["z"] = torch.randn(drawn["x"].shape, generator=torch.Generator().manual_seed(9))
    dtype = getattr(torch, job.dtype)
    moved = {k: v.to(device, dtype) if v.is_floating_point() else v.to(device) for k, v in drawn.items()}
    numbers = tuple(k for k, v in moved.items() if v.is_floating_point() or v.is_complex())
    return moved, () if job.operation == "target_rank" else numbers


def turned(tensors, names):
    """Tensors of these names, and their gradients, with their last two axes exchanged."""
    return {
        k: v.transpose(1, 2).contiguous() if v is not None and k.removeprefix("gradient of ") in names else v
        for k, v in tensors.items()
    }


def outcome(way: Way, inputs, learn) -> dict[str, torch.Tensor | None]:
    """Output and gradients, in our layout whatever the way wants."""
    found = agreement.outcome(way.run, turned(inputs, way.turned), learn)
    return turned(found, (*way.turned, "output")) if way.turned else found


def truth(job: Job, name: str) -> Callable:
    """What a way has to equal."""
    return {
        "same": partial(job.call, backend="reference"),
        "time": partial(getattr(job.module, "with_time", job.call), backend="reference"),
        "attention": lambda q, k, x, **_: ops.attention(q, k, x, causal=True, backend="reference"),
    }[name]


def allowed(job: Job, way: Way) -> tuple[float, Callable | None]:
    """The error allowed, and how it is counted."""
    if job.operation == "target_rank":
        return PLACES, agreement.disagreeing
    return (max(BF16, way.tolerance) if job.dtype == "bfloat16" else way.tolerance), None


def check(job: Job, way: Way, device: str, sizes: dict[str, int]) -> agreement.Verdict:
    """One way against the reference in float64, at sizes that the reference can afford."""
    inputs, learn = inputs_of(job, device, sizes)
    expected = agreement.outcome(truth(job, way.truth), agreement.widen(inputs), learn)
    return agreement.compare(outcome(way, inputs, learn), expected, *allowed(job, way))


def checked_sizes(job: Job, tiny: bool) -> list[dict[str, int]]:
    """The widths of the job with few histories: one event, an odd number of them, as many as there are up to 200."""
    if tiny:
        return [{axis: TINY[axis] for axis in job.sizes}]
    if "l" in job.sizes:
        return [{**job.sizes, "b": 2, "l": l} for l in (1, 67, min(200, job.sizes["l"]))]
    most = {"t": 256, "u": 256, "v": 50_001}
    return [{axis: min(size, most.get(axis, size)) for axis, size in job.sizes.items()}]


def judge(cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every aim at every case it speaks of: the ratio and whether it is met."""
    found = []
    for name, operation, sizes, what, mode, slow, fast, target in AIMS:
        for case in cases:
            if case["operation"] == operation and sizes.items() <= case["sizes"].items():
                ways = {way["key"]: way.get("ms", {}).get(what, {}).get(mode) for way in case["ways"]}
                pair = ways.get(slow), ways.get(fast)
                ratio = pair[0]["median"] / pair[1]["median"] if all(pair) else None
                verdict = "not measured" if ratio is None else "met" if ratio >= target else "missed"
                found.append({"aim": name, "case": case["name"], "what": f"{what}, {mode}, {slow} / {fast}",
                              "target": target, "ratio": ratio, "verdict": verdict})  # fmt: skip
    return found
