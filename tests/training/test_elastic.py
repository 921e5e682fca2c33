"""A process that dies under torchrun costs a restart and nothing else."""

import os
import subprocess
import sys

import pytest
import torch.distributed as dist
from lightning_fabric import Fabric

from seqrec_edu.training import load_model
from seqrec_edu.training.engine import start_engine
from seqrec_edu.training.receipts import Receipt

RUN = """
import os, signal, sys, time
from importlib import import_module
import torch
from seqrec_edu.training.run import train_run

signal.alarm(50)  # ends a process that hangs, wherever it waits
torch.set_num_threads(1)
out, victim = sys.argv[1:]
dies, again = os.environ["RANK"] == victim, os.environ["TORCHELASTIC_RESTART_COUNT"] != "0"
one = import_module("seqrec_edu.training.fit")._Run
step = one._step

def step_or_die(run, *rows):
    if dies and not again and (run.at.epoch, run.at.step) == (1, 1):
        os.kill(os.getpid(), signal.SIGKILL)
    return step(run, *rows)

one._step = step_or_die
if dies and again:
    time.sleep(1)  # the other one is there first, and must not go by what the dead one left behind
settings = {"epochs": 2, "batch_size": 64, "history_length": 20, "seed": 3}
train_run("gru4rec", "shoppers", out, settings=settings, model_settings={"d_model": 8}, data_options={"users": 30},
    device="cpu")
"""


def run_two(folder, victim="nobody"):
    """Train in two processes; one that dies may be started again once. Nothing is left of them when this returns."""
    script, out = folder / "run.py", folder / "out"
    script.write_text(RUN)
    program = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "--max-restarts=1"]
    both = subprocess.Popen(
        [*program, str(script), str(out), str(victim)],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    try:
        complained = both.communicate(timeout=120)[1]
    finally:
        both.terminate()  # not killed: it has two processes of its own to end, in sessions of their own
        both.wait(60)
    assert both.returncode == 0, complained
    return Receipt.read(out / "receipt.json"), load_model(out).state_dict(), complained


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return run_two(tmp_path_factory.mktemp("whole"))


@pytest.mark.parametrize("victim", [0, 1])
def test_a_killed_process_is_started_again_and_the_run_ends_the_same(whole, tmp_path, victim):
    expected, expected_weights, _ = whole
    receipt, weights, complained = run_two(tmp_path, victim)
    assert f"exitcode: -9) local_rank: {victim}" in complained, "it was killed"
    assert receipt.metrics == expected.metrics
    assert all(value.equal(weights[name]) for name, value in expected_weights.items())


@pytest.fixture
def stores(monkeypatch):
    """Start the engine of one of two processes as torchrun would; the stores on which it starts the group itself."""
    agent = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    found = []
    monkeypatch.setattr(dist, "init_process_group", lambda *_, **options: found.append(options["store"]))
    monkeypatch.setattr(Fabric, "launch", lambda fabric: None)

    def start(restarts, machines=1):
        told = {"RANK": 0, "LOCAL_RANK": 0, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2 // machines}
        told |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": agent.port, "TORCHELASTIC_USE_AGENT_STORE": True}
        told |= {"TORCHELASTIC_RUN_ID": 1, "TORCHELASTIC_RESTART_COUNT": restarts}
        for name, value in told.items():
            monkeypatch.setenv(name, str(value))
        start_engine("cpu", "32-true")
        return found

    return agent, start


def test_no_attempt_reads_what_another_wrote(stores):
    """Deterministic, where the runs above meet a stale address or not by the order in which processes come."""
    agent, start = stores
    assert start(0) == [], "the first has the store for itself"
    agent.set("address", "of attempt 0")
    for restart in (1, 2):
        store = start(restart)[-1]
        assert not store.check(["address"])
        store.set("address", f"of attempt {restart}")
    assert agent.get("address") == b"of attempt 0"


def test_machines_that_count_apart_are_left_to_torch(stores):
    assert stores[1](1, machines=2) == []
