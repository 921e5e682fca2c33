"""A run that was stopped, killed or shared among processes ends like one that was not; another one is refused."""

import os
import signal
import subprocess
import sys
import time
from importlib import import_module

import pytest
import torch

from seqrec_edu.data.batches import windows
from seqrec_edu.data.split import global_time, leave_one_out
from seqrec_edu.data.synthetic import shoppers
from seqrec_edu.models import build
from seqrec_edu.training import CheckpointError, FitSettings, fit, load_model
from seqrec_edu.training.checkpoint import STATE_FILE, read
from seqrec_edu.training.log import OF_THE_MACHINE

fit_module = import_module("seqrec_edu.training.fit")  # the package exports the function of this name

SETTINGS = {"epochs": 3, "batch_size": 64, "history_length": 20, "seed": 3}
MODEL = {"n_items": 240, "d_model": 16, "n_layers": 1, "dropout": 0.2, "seed": 3}


class Killed(BaseException):
    """Stands for a process that ends between two steps."""


def weights(model):
    return {name: value.numpy().tobytes() for name, value in model.state_dict().items()}


def without_time(log):
    return [{key: value for key, value in record.items() if key not in OF_THE_MACHINE} for record in log]


@pytest.mark.parametrize("count", [2, 8, 9, 12])
def test_stopped_after_any_step_it_ends_the_same(split, small, quick, recorder, tmp_path, monkeypatch, count):
    """Eight steps an epoch, and a save after each: stopped inside the first epoch, at its end, and in the second."""
    monkeypatch.setattr(fit_module, "SECONDS_BETWEEN_SAVES", -1.0)
    whole = small()
    expected = fit(whole, split, quick(), out=tmp_path / "whole")
    watch = recorder()

    def stop(log):
        if len(watch.logs) == count:
            raise Killed

    watch.at_step = stop
    with pytest.raises(Killed):
        fit(small(), split, quick(), out=tmp_path / "stopped", callbacks=[watch])
    again = small(seed=9)  # its weights come from the checkpoint
    result = fit(again, split, quick(), out=tmp_path / "stopped")
    assert weights(again) == weights(whole)
    assert without_time(result.log) == without_time(expected.log)
    one, other = (read(tmp_path / name / STATE_FILE)[0] for name in ("stopped", "whole"))
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


RUN = """
import sys, time
from importlib import import_module
import torch
from seqrec_edu.data.synthetic import shoppers
from seqrec_edu.data.split import leave_one_out
from seqrec_edu.models import build
from seqrec_edu.training import Callback, FitSettings, fit

class Slow(Callback):
    def on_step_end(self, log):
        print(log["epoch"], log["step"])
        time.sleep(0.05)

torch.set_num_threads(1)
import_module("seqrec_edu.training.fit").SECONDS_BETWEEN_SAVES = 0.0
fit(build("sasrec", **{model}), leave_one_out(shoppers(users=40)), FitSettings(**{settings}),
    out=sys.argv[1], callbacks=[Slow()])
"""


def test_killed_in_an_epoch_and_resumed_it_is_bit_identical(tmp_path):
    """Every run in a process of its own, as a user has it: libraries add in another order in a process with a past."""
    script = RUN.replace("{model}", repr(MODEL)).replace("{settings}", repr(SETTINGS))
    out, whole = tmp_path / "killed", tmp_path / "whole"
    command = [sys.executable, "-c", script]
    victim = subprocess.Popen([*command, str(out)], stdout=subprocess.DEVNULL)
    try:
        deadline, at = time.monotonic() + 60, {"epoch": 0, "step": 0}
        while not (at["epoch"] == 1 and at["step"] >= 2):
            assert victim.poll() is None and time.monotonic() < deadline, "it ended before it could be killed"
            time.sleep(0.005)
            at = read(out / STATE_FILE)[1]["position"] if (out / STATE_FILE).exists() else at
    finally:
        victim.send_signal(signal.SIGKILL)
        victim.wait()
    at = read(out / STATE_FILE)[1]["position"]
    assert at["epoch"] == 1 and 2 <= at["step"] < 8 and at["targets"] > 0, "killed in mid-epoch"

    resumed = subprocess.run([*command, str(out)], capture_output=True, text=True, check=True)
    assert resumed.stdout.splitlines()[0] == f"2 {at['step'] + 1}", "it goes on with the next step"
    subprocess.run([*command, str(whole)], capture_output=True, check=True)
    assert weights(load_model(out)) == weights(load_model(whole))
    (one, about), (other, about_other) = read(out / STATE_FILE), read(whole / STATE_FILE)
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
    logs = [without_time(found["position"]["log"]) for found in (about, about_other)]
    assert logs[0] == logs[1] and len(logs[0]) == SETTINGS["epochs"]
    assert sorted(os.listdir(out)) == ["last.safetensors", "model.safetensors"]


def test_resuming_something_else_is_refused_and_changes_nothing(split, small, quick, tmp_path):
    fit(small(), split, quick(), out=tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    others = [
        (small(), split, quick(learning_rate=1e-4), r"other settings \(learning_rate: 0.002 → 0.0001\)"),
        (small(dropout=0.5), split, quick(), r"other settings \(dropout: 0.2 → 0.5\)"),
        (small(d_model=8), split, quick(), "d_model: 16 → 8"),
        (small("mamba4rec"), split, quick(), "name: sasrec → mamba4rec"),
        (small(), leave_one_out(shoppers(users=41)), quick(), "other data"),
        (small(), global_time(split.histories), quick(), "another split"),
    ]
    for model, data, settings, message in others:
        own = weights(model)
        with pytest.raises(CheckpointError, match=message) as refused:
            fit(model, data, settings, out=tmp_path)
        assert str(tmp_path) in str(refused.value) and own == weights(model)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "model cut"])
def test_a_damaged_checkpoint_is_named_and_left_as_it_is(split, small, quick, tmp_path, damage):
    fit(small(), split, quick(), out=tmp_path)
    path = tmp_path / ("model.safetensors" if damage == "model cut" else "last.safetensors")
    whole = path.read_bytes()
    damaged = {"empty": b"", "text": b"not a checkpoint at all"}.get(damage, whole[: len(whole) // 2])
    path.write_bytes(damaged)
    with pytest.raises(CheckpointError, match="damaged") as refused:
        fit(small(), split, quick(), out=tmp_path)
    assert str(path) in str(refused.value) and path.read_bytes() == damaged
    assert len(list(tmp_path.iterdir())) == 2


def test_two_processes_end_where_one_does(tmp_path):
    """41 users in batches of 8: the last batch has one window, so that one process has nothing to do."""
    settings, data = {**SETTINGS, "epochs": 2, "history_length": 60}, leave_one_out(shoppers(users=41))
    assert len(windows(data, 60)[0]) == 41
    out = tmp_path / "two"
    options = [f"--{key.replace('_', '-')}={value}" for key, value in settings.items()]
    program = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "seqrec_edu"]
    program += ["train", "sasrec", "--data-option", "users=41", "--set=d_model=16", "--set=n_layers=1", "--dropout=0"]
    program += ["--out", str(out), "--threads=1", "--device=cpu", *options]
    both = subprocess.Popen(
        program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    try:
        said, complained = both.communicate(timeout=120)
    finally:
        both.terminate()  # not killed: it has two processes of its own to end
    assert both.returncode == 0, complained
    assert said.count("epoch   1") == said.count("receipt:") == 1, "one process speaks"

    model = build("sasrec", n_items=240, d_model=16, n_layers=1, dropout=0.0, history_length=60, seed=3)
    fit(model, data, FitSettings(**settings))
    shared = load_model(out).state_dict()
    for name, value in model.state_dict().items():
        # Softmax ignores what is added to all keys, so this gradient is rounding alone, and Adam makes steps of it.
        if not name.endswith("k_proj.bias"):
            assert torch.allclose(value, shared[name], rtol=0, atol=1e-5), (name, (value - shared[name]).abs().max())
