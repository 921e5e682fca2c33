"""T1: one call on a machine with an NVIDIA GPU and no internet, in under ten minutes.

    python benchmarks/gpu/t1.py --out t1.json [--packages DIR] [--minutes 8.5] [--only ssd,selective_scan]
    python benchmarks/gpu/t1.py --dry-run        # anywhere: every operation, tiny, in Triton's interpreter

1. Every Triton kernel against its reference in float64, values and gradients, at ordinary and awkward lengths.
2. What agrees is timed in float32 and bf16, launched as usual and as a CUDA graph, against plain PyTorch, mamba-ssm,
   attention and other losses: medians of 50, in turns, the second-level cache emptied before each.
3. A JSON file and a table: what was timed, what is wrong, what was left out and why.

--packages names a folder of wheels that the machine lacks (mamba-ssm, causal-conv1d, einops, jaxtyping, …); they are
unpacked to a temporary folder. Cases stand in the order of their importance: when the time is used up the rest is left
out, and the end says which.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[2]
ROUNDS, PER_ROUND = 5, 10
NEEDED = ("torch", "triton", "numpy", "einops", "jaxtyping")


def main():
    options = arguments()
    with tempfile.TemporaryDirectory() as unpacked:
        prepare(options, Path(unpacked))
        report = measure(options)
    if options.out:
        part = options.out.with_name(f".{options.out.name}.part")
        part.write_text(json.dumps(report, indent=1, allow_nan=False, default=str) + "\n", encoding="utf-8")
        os.replace(part, options.out)
    print(table(report))
    sys.exit(1 if any(way["status"] == "wrong" and way["key"].startswith("kernel") for way in every_way(report)) else 0)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="JSON file for the results")
    parser.add_argument("--packages", type=Path, help="folder of wheels, or of unpacked packages")
    parser.add_argument("--minutes", type=float, default=8.5, help="no case begins after this")
    parser.add_argument("--only", default="", help="operations, with commas between")
    parser.add_argument("--dry-run", action="store_true", help="check everything, tiny, in Triton's interpreter")
    return parser.parse_args()


def prepare(options, unpacked):
    """Make everything importable before torch and triton are, and say at once what is missing."""
    if options.dry_run:
        os.environ["TRITON_INTERPRET"] = "1"  # Triton reads it when it is imported
    elif os.environ.pop("TRITON_INTERPRET", None):
        print("TRITON_INTERPRET is set: ignored, kernels are to run on the GPU", file=sys.stderr)
    sys.path.insert(0, str(ROOT))
    if options.packages:
        if not options.packages.is_dir():
            sys.exit(f"error: --packages {options.packages} is no folder")
        for wheel in sorted(options.packages.glob("*.whl")):
            zipfile.ZipFile(wheel).extractall(unpacked)
        sys.path += [str(unpacked), str(options.packages)]  # after what is installed, so that its torch stays
    from importlib.util import find_spec

    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        sys.exit(f"error: not installed here: {', '.join(missing)}; put their wheels in a folder and pass --packages")
    import torch

    if not options.dry_run and not torch.cuda.is_available():
        sys.exit("error: torch sees no CUDA GPU; --dry-run walks through all cases without one")


def measure(options):
    """The whole report. A case that fails is a line in it, never the end of it."""
    import torch

    from seqrec_edu.bench import gpu, gpu_jobs

    start = time.monotonic()
    deadline = start + 60 * options.minutes
    wanted = tuple(name for name in options.only.split(",") if name)
    known, jobs = sorted({job.operation for job in gpu_jobs.plan()}), gpu_jobs.plan(wanted)
    if unknown := sorted(set(wanted) - set(known)):
        sys.exit(f"error: nothing is called {', '.join(unknown)}; there are {', '.join(known)}")
    torch.backends.cudnn.allow_tf32 = False  # float32 means float32; matrix products do by default
    report = {"about": about(torch, options), "dry_run": options.dry_run, "planned": [job.name for job in jobs]}
    report |= {"rates": None if options.dry_run else vars(gpu.rates()), "cases": [], "skipped": []}
    seen = set()
    for job in jobs:
        if options.dry_run and (job.operation in seen or job.dtype != "float32"):
            continue  # one tiny size of each: the interpreter gets products of bf16 wrong
        seen.add(job.operation)
        if time.monotonic() > deadline:
            report["skipped"].append(job.name)
            continue
        print(f"{time.monotonic() - start:5.0f} s  {job.name}", file=sys.stderr, flush=True)
        report["cases"].append(one(job, options.dry_run, deadline, report["rates"]))
    report["aims"] = [] if options.dry_run else gpu_jobs.judge(report["cases"])
    report["seconds"] = time.monotonic() - start
    return report


def about(torch, options):
    from importlib.metadata import PackageNotFoundError, version

    from seqrec_edu.training.machine import commit

    found = {"python": platform.python_version(), "torch": torch.__version__, "commit": commit()}
    for name in ("triton", "numpy", "mamba-ssm", "causal-conv1d", "cut-cross-entropy", "liger-kernel"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found | {"device": "none (dry run)" if options.dry_run else torch.cuda.get_device_name(0)}


def one(job, dry, deadline, rates):
    """One case: every way checked, what agrees timed."""
    import torch

    from seqrec_edu.bench import gpu_jobs

    device, found = ("cpu" if dry else "cuda"), []
    sizes = gpu_jobs.checked_sizes(job, True)[0] if dry else job.sizes
    case = {"name": job.name, "operation": job.operation, "sizes": job.sizes, "dtype": job.dtype, "ways": found}
    inputs, learn, tasks, first = None, (), {}, {}
    for key, way in gpu_jobs.ways(job).items():
        entry = {"key": key, "status": "timed"}
        found.append(entry)
        try:
            if way.missing:
                raise ModuleNotFoundError(way.missing)
            agree(job, way, entry, device, dry)
            if inputs is None:
                inputs, learn = gpu_jobs.inputs_of(job, device, sizes)
            if entry["status"] == "timed":
                at_full_size(job, way, entry, inputs, learn, first)
            if entry["status"] == "timed":
                tasks |= runs(way, key, inputs, learn, entry, dry)
        except Exception as error:  # a way that fails (or does not fit) is reported; the others go on
            absent = isinstance(error, ModuleNotFoundError) or type(error).__name__ == "BackendError"
            message = str(error) if way.missing else f"{type(error).__name__}: {error}"
            entry |= {"status": "unavailable" if absent else "failed", "reason": message[:300]}
            tasks = {name: run for name, run in tasks.items() if name[0] != key}
        if not dry:
            torch.cuda.empty_cache()
    take(tasks, found, dry, deadline)
    floors(job, case, rates)
    return case


def agree(job, way, entry, device, dry):
    """The verdict on a way, at several sizes; the first disagreement ends it."""
    from seqrec_edu.bench import gpu_jobs

    for sizes in gpu_jobs.checked_sizes(job, dry):
        verdict = gpu_jobs.check(job, way, device, sizes)
        entry["error"] = max(verdict.error, entry.get("error", 0.0))
        if not verdict.agrees:
            entry |= {"error": str(verdict.error), "status": "wrong"}
            entry["reason"] = f"{verdict.where} is off by {verdict.error:.1e} at {sizes}"
            return


def at_full_size(job, way, entry, inputs, learn, first):
    """At the size that is timed, against the first way of the same truth: both have rounding errors of their own."""
    from seqrec_edu.bench import agreement, gpu_jobs

    found = gpu_jobs.outcome(way, inputs, learn)
    tolerance, error = gpu_jobs.allowed(job, way)
    verdict = agreement.compare(found, first.setdefault(way.truth, found), 10 * tolerance, error)
    if not verdict.agrees:
        entry |= {"status": "wrong", "reason": f"{verdict.where} is off by {verdict.error:.1e} at full size"}


def runs(way, key, inputs, learn, entry, dry):
    """What is timed of a way: each pass, launched and as a graph; and its memory, and whether its bits repeat."""
    import torch

    from seqrec_edu.bench import agreement, gpu, gpu_jobs

    leaves = agreement.leaves_of(gpu_jobs.turned(inputs, way.turned), learn)

    def forward():
        with torch.no_grad():
            return way.run(**leaves)

    found = {(key, "forward", "launched"): forward}
    if learn:
        upstream = agreement.weights(forward())

        def both():
            return torch.autograd.grad(way.run(**leaves), [leaves[k] for k in learn], upstream, allow_unused=True)

        found[key, "both", "launched"] = both
    if dry:
        return found
    entry["peak_mib"] = {name[1]: gpu.peak(run) for name, run in found.items()}
    entry["same_bits"] = gpu.same_bits(list(found.values())[-1])
    for name, run in list(found.items()):
        try:
            found[(*name[:2], "graph")] = gpu.graphed(run)
        except Exception as error:
            entry.setdefault("no_graph", {})[name[1]] = f"{type(error).__name__}: {error}"[:200]
    return found


def take(tasks, found, dry, deadline):
    """Time everything in turns; in a dry run once, only to see that it runs."""
    from seqrec_edu.bench import gpu

    if dry:
        times = gpu.in_turns(tasks, 1, 1, sample=stopwatch)
    else:
        times = gpu.in_turns(tasks, ROUNDS, PER_ROUND, deadline=deadline)
    entries = {entry["key"]: entry for entry in found}
    for (key, what, mode), taken in times.items():
        summary = {"median": median(taken), "low": min(taken), "high": max(taken), "samples": len(taken)}
        entries[key].setdefault("ms", {}).setdefault(what, {})[mode] = summary


def stopwatch(run):
    start = time.perf_counter()
    run()
    return 1e3 * (time.perf_counter() - start)


def floors(job, case, rates):
    """The least milliseconds that this GPU needs, from its rates."""
    if rates is None or not hasattr(job.module, "work"):
        return
    from seqrec_edu.bench.rates import Rates, floor

    half = job.dtype == "bfloat16"
    for what, work in job.module.work(job.sizes).items():
        less = type(work)(work.bytes / (2 if half else 1), work.operations, work.exponentials)
        seconds, limit = floor(less, Rates(**rates), bf16=half)
        case.setdefault("floor_ms", {})[what] = {"ms": 1e3 * seconds, "limit": limit}


def every_way(report):
    return [way for case in report["cases"] for way in case["ways"]]


def table(report):
    """The report for a person."""
    lines = [", ".join(f"{name} {value}" for name, value in report["about"].items())]
    for case in report["cases"]:
        floor = {what: f"{found['ms']:.3f} ms ({found['limit']})" for what, found in case.get("floor_ms", {}).items()}
        lines += ["", case["name"] + (f"   floor {floor}" if floor else "") + (" (tiny)" if report["dry_run"] else "")]
        for way in case["ways"]:
            cells = [
                f"{what}, {mode} {taken['median']:.3f} ms"
                for what, modes in way.get("ms", {}).items()
                for mode, taken in modes.items()
            ]
            cells += [f"peak {mib:,.0f} MiB ({what})" for what, mib in way.get("peak_mib", {}).items()]
            cells += ["its bits differ from run to run"] if way.get("same_bits") is False else []
            lines.append(f"  {way['key']:<22}{'; '.join(cells) if way['status'] == 'timed' else way['status']}")
            lines += [f"  {'':<22}{way['reason']}"] if "reason" in way else []
    lines += [""] if report["aims"] else []
    for aim in report["aims"]:
        reached = "" if aim["ratio"] is None else f" {aim['ratio']:.2f}"
        lines.append(f"{aim['aim']} {aim['case']}: {aim['what']}:{reached}, aim {aim['target']}: {aim['verdict']}")
    lines += [f"left out for lack of time: {name}" for name in report["skipped"]]
    return "\n".join([*lines, f"{report['seconds']:.0f} s, {len(report['planned'])} cases planned"])


if __name__ == "__main__":
    main()
