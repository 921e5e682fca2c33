"""T1 without a GPU: the plan, the order of samples, the verdicts, and a dry run of one kernel."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from seqrec_edu.bench import gpu, gpu_jobs, gpu_peers
from seqrec_edu.bench.settings import OPERATIONS

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "benchmarks" / "gpu" / "t1.py"
KERNELS = {name for name in OPERATIONS if (ROOT / "seqrec_edu" / "ops" / f"_{name}" / "kernel.py").exists()}


def t1(*arguments):
    command = [sys.executable, str(SCRIPT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def test_the_plan_has_every_kernel_at_all_sizes():
    jobs = gpu_jobs.plan()
    assert {job.operation for job in jobs} == KERNELS
    assert len({job.name for job in jobs}) == len(jobs)
    for name in ("selective_scan", "ssd"):
        found = {(job.sizes["b"], job.sizes["l"], job.dtype) for job in jobs if job.operation == name}
        assert found == {(b, l, dtype) for b, l in gpu_jobs.SIZES for dtype in gpu_jobs.TYPES}
    losses = {(job.sizes["t"], job.sizes["v"], job.dtype) for job in jobs if job.operation == "linear_cross_entropy"}
    assert losses == {(t, v, dtype) for t, v in gpu_jobs.LOSSES for dtype in gpu_jobs.TYPES}


def test_what_the_aims_speak_of_comes_first():
    names = [job.operation for job in gpu_jobs.plan()]
    assert names[0] == "selective_scan" and names.index("ssd") < names.index("linear_cross_entropy") < names.index(
        "glu"
    )


def test_aims_speak_of_jobs_and_ways_that_exist():
    for name, operation, sizes, what, mode, slow, fast, _ in gpu_jobs.AIMS:
        jobs = [job for job in gpu_jobs.plan((operation,)) if sizes.items() <= job.sizes.items()]
        assert jobs, name
        assert (
            {slow, fast} <= set(gpu_jobs.ways(jobs[0]))
            and what in ("forward", "both")
            and mode in ("launched", "graph")
        )


def test_peers_that_are_not_installed_say_so():
    ways = gpu_jobs.ways(gpu_jobs.plan(("linear_cross_entropy",))[0])
    assert "cut_cross_entropy" in (ways["cce-exact"].missing or "cut_cross_entropy is installed")


def test_a_bare_package_runs_no_init(tmp_path, monkeypatch):
    (tmp_path / "mamba_ssm" / "ops").mkdir(parents=True)
    (tmp_path / "mamba_ssm" / "__init__.py").write_text("raise RuntimeError('must not run')")
    (tmp_path / "mamba_ssm" / "ops" / "__init__.py").write_text("")
    (tmp_path / "mamba_ssm" / "ops" / "part.py").write_text("found = 7")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in [name for name in sys.modules if name.partition(".")[0] == "mamba_ssm"]:
        monkeypatch.delitem(sys.modules, name)
    try:
        gpu_peers.bare_mamba_ssm()
        from mamba_ssm.ops.part import found

        assert found == 7
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == "mamba_ssm"]:
            del sys.modules[name]


def test_samples_are_taken_in_turns_until_the_deadline():
    now, ran = [0.0], []

    def sample(run):
        now[0] += 1.0
        return run()

    tasks = {name: lambda name=name: ran.append(name) or len(ran) for name in "ab"}
    found = gpu.in_turns(tasks, 5, 2, deadline=7.0, clock=lambda: now[0], sample=sample)
    assert "".join(ran) == "aabb" * 2  # a third round would begin after the deadline
    assert found == {"a": [1, 2, 5, 6], "b": [3, 4, 7, 8]}
    late = gpu.in_turns({"a": lambda: 1}, 5, 2, deadline=-1.0, clock=lambda: now[0], sample=sample)
    assert len(late["a"]) == 2, "what has begun gets one round"
    slow = gpu.in_turns(
        {"a": lambda: 9.0, "b": lambda: 1.0}, 3, 2, patience=10.0, clock=float, sample=lambda run: run()
    )
    assert (len(slow["a"]), len(slow["b"])) == (2, 6)


def test_verdicts():
    def ways(kernel, rival):
        times = {"kernel": kernel, "mamba-ssm": rival}
        return [{"key": k, "ms": {"forward": {"launched": {"median": v}}}} for k, v in times.items() if v]

    case = {"name": "", "operation": "selective_scan", "sizes": {"b": 2048, "l": 200}}
    for rival, verdict in ((6.0, "met"), (2.0, "missed"), (None, "not measured")):
        found = gpu_jobs.judge([{**case, "ways": ways(1.0, rival)}])
        assert [a["verdict"] for a in found if a["what"].startswith("forward")] == [verdict]


def test_dry_run(tmp_path):
    done = t1("--dry-run", "--only", "glu,gated_norm", "--out", str(tmp_path / "t1.json"))
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "t1.json").read_text(encoding="utf-8"))
    assert report["dry_run"] and len(report["planned"]) == 20 and report["aims"] == []
    assert [case["operation"] for case in report["cases"]] == ["gated_norm", "glu"]
    for case in report["cases"]:
        ways = {way["key"]: way for way in case["ways"]}
        assert ways["kernel"]["status"] == "timed" and ways["kernel"]["error"] < 1e-5
        assert {"forward", "both"} == set(ways["kernel"]["ms"])
    assert "(tiny)" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [(("--dry-run", "--only", "nothing"), "there are causal_conv1d"), (("--packages", "nowhere"), "is no folder")],
)
def test_what_is_asked_wrongly(arguments, says):
    done = t1(*arguments)
    assert done.returncode == 1 and says in done.stderr and "Traceback" not in done.stderr
