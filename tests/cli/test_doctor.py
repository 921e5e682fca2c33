"""The doctor: says what is there, survives what is broken, and answers machines in JSON."""

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from seqrec_edu.cli import doctor, examinations
from seqrec_edu.cli.examinations import Finding

ROOT = Path(__file__).resolve().parents[2]
BREAK = "raise OSError('libtorch: cannot open shared object file')"


def call(*arguments: str, extra_path: Path | None = None, **environment: str) -> subprocess.CompletedProcess:
    """Run ``python -m seqrec_edu`` with modules in ``extra_path`` hiding the installed ones."""
    paths = [str(path) for path in (extra_path, ROOT) if path]
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "COLUMNS": "100", **environment}
    command = [sys.executable, "-m", "seqrec_edu", *arguments]
    return subprocess.run(command, cwd=extra_path or ROOT, env=variables, capture_output=True, text=True, timeout=300)


def by_name(document: str) -> dict[str, dict]:
    return {finding["what"]: finding for finding in json.loads(document)["findings"]}


def test_report_in_json():
    done = call("doctor", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    found = by_name(done.stdout)
    assert json.loads(done.stdout)["ok"]
    assert found["torch"]["value"] == metadata.version("torch")
    expected = {"Python", "packages", "tested versions", "device", "threads", "mamba-ssm", "triton", "C++ compiler"}
    assert expected <= found.keys()
    assert "GiB free" in found["data folder"]["value"]
    assert any(name.startswith("ops.") for name in found)
    assert all(finding["status"] in doctor.WORDS for finding in found.values())


@pytest.fixture
def broken(tmp_path):
    """A folder whose modules hide the installed ones and fail, each in its own way."""
    (tmp_path / "typer.py").write_text("raise ImportError('no typer here')")
    (tmp_path / "torch.py").write_text(BREAK)
    (tmp_path / "polars.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGABRT)")
    (tmp_path / "mamba_ssm.py").write_text("import selective_scan_cuda")
    (tmp_path / "triton.py").write_text("raise SystemExit(3)")
    return tmp_path


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signal that ends another interpreter like this")
def test_report_with_half_of_it_broken(broken):
    done = call("doctor", "--json", extra_path=broken, SEQREC_EDU_DATA=str(broken / "data"))
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    found = by_name(done.stdout)
    assert found["torch"]["status"] == "broken"
    assert "OSError: libtorch: cannot open shared object file" in found["torch"]["value"]
    assert found["torch"]["next_step"]
    assert "polars does not load: the interpreter ended with SIGABRT" in found["packages"]["value"]
    assert found["operations"]["status"] == "broken"
    assert found["data folder"]["status"] in {"ok", "unknown"}
    assert "ModuleNotFoundError: No module named 'selective_scan_cuda'" in found["mamba-ssm"]["value"]
    assert "SystemExit: 3" in found["triton"]["value"]


def test_other_commands_without_typer_say_so(tmp_path):
    (tmp_path / "typer.py").write_text("raise ImportError('no typer here')")
    done = call("data", "list", extra_path=tmp_path)
    assert done.returncode == 1
    assert "no typer here" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_part_that_cannot_load_says_why(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\nsys.modules['seqrec_edu.cli.tables'] = None  # whatever imports it fails\n"
    )
    done = call("data", "list", "--whatever", extra_path=tmp_path)
    assert done.returncode == 1
    assert "`data` cannot be loaded here" in done.stderr
    assert "seqrec-edu doctor" in done.stderr


def test_a_check_that_fails_is_a_line():
    def nonsense() -> list[Finding]:
        raise KeyError("who")

    (finding,) = doctor.examine([nonsense])
    assert (finding.what, finding.status) == ("nonsense", "unknown")
    assert "KeyError: 'who'" in finding.value
    assert doctor.healthy([finding])


def test_table_wraps_and_ends_with_the_verdict():
    table = doctor.as_table([Finding("torch", "broken", "word " * 40, "do this"), Finding("Python", "ok", "3.11")], 80)
    assert all(len(line) <= 80 for line in table.splitlines())
    assert "next: do this" in table
    assert table.endswith("Broken and needed: torch.")


CAUSES = [
    ("ModuleNotFoundError: No module named 'mamba_ssm'", False, "without an NVIDIA GPU"),
    ("ModuleNotFoundError: No module named 'selective_scan_cuda'", True, "without its CUDA part"),
    ("ModuleNotFoundError: No module named 'triton'", True, "pip install triton"),
    ("ImportError: selective_scan_cuda.so: undefined symbol: _ZN3c10", True, "built for another torch"),
    ("ImportError: libcudart.so.12: cannot open shared object file", True, "built for another torch or CUDA"),
    ("TypeError: something new", True, "environment-gpu.yml"),
]


@pytest.mark.parametrize(("cause", "installed", "step"), CAUSES)
def test_next_step_for_mamba_ssm(cause, installed, step, monkeypatch):
    monkeypatch.setattr(examinations.sys, "platform", "linux")
    monkeypatch.setattr(examinations.shutil, "which", lambda name: None)
    assert step in examinations.advice(cause, installed)


def test_next_step_away_from_linux(monkeypatch):
    monkeypatch.setattr(examinations.sys, "platform", "darwin")
    assert examinations.advice("ModuleNotFoundError: No module named 'mamba_ssm'", False).startswith("none")


def test_lock_differences_are_named(tmp_path, monkeypatch):
    file = tmp_path / "requirements.lock"
    file.write_text("# head\npackaging==0.1\nnot-there==1.0\ncolorama==0.4.6 ; sys_platform == 'nowhere'\n")
    monkeypatch.setattr(examinations, "LOCK", file)
    (finding,) = examinations.lock()
    assert finding.status == "note"
    assert "2 of 2 packages differ" in finding.value
    assert "not-there missing (tested 1.0)" in finding.value
    monkeypatch.setattr(examinations, "LOCK", tmp_path / "none")
    assert "not a checkout" in examinations.lock()[0].value


def test_probe_reports_every_end():
    assert examinations.probe("print('noise'); found = {'a': 1}") == {"a": 1}
    assert examinations.probe("import nowhere")["error"].startswith("ModuleNotFoundError")
    assert "exit status 5" in examinations.probe("import os; os._exit(5)")["error"]


def test_unwritable_data_folder_is_broken(monkeypatch):
    monkeypatch.setattr(examinations, "probe", lambda code: str(Path.home() / "nowhere" / "deep"))
    monkeypatch.setattr(examinations.os, "access", lambda path, mode: False)
    (finding,) = examinations.data()
    assert finding.status == "broken"
    assert "SEQREC_EDU_DATA" in finding.next_step
    assert str(Path.home()) not in finding.value
