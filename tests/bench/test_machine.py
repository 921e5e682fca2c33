"""Memory, rates and surroundings: what a result is held against."""

import os
import subprocess
import sys

import pytest
import torch

from seqrec_edu.bench import memory, rates, surroundings
from seqrec_edu.bench.case import Work
from seqrec_edu.bench.rates import Rates, floor

RATES = Rates(copy=1e10, gemm=1e11, gemm_bf16=4e11, exponentials=1e9)
FRESH = """
import torch
from seqrec_edu.bench import memory
torch.set_num_threads(1)
def takes(mib):
    def run():
        return (torch.zeros(mib << 18) + 1).sum()
    return run
print(memory.growth(takes(16), takes(64)))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can reset the mark of the largest resident memory")
def test_growth_is_the_peak_of_each_run():
    done = subprocess.run([sys.executable, "-c", FRESH], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    (small, large), method = eval(done.stdout)
    assert method == "VmHWM"
    assert 28 < small < 45 and 120 < large < 145  # zeros, and the sum of zeros and one


def test_growth_where_the_mark_cannot_be_reset(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "SELF", tmp_path / "nothing")
    (found,), method = memory.growth(lambda: torch.ones(10))
    assert method in ("ru_maxrss", "none") and (found is None or found >= 0)
    assert set(memory.METHODS) == {"VmHWM", "ru_maxrss", "none"}


def test_the_floor_is_the_longer_of_moving_and_computing():
    assert floor(Work(bytes=1e10, operations=1e10), RATES) == (1.0, "bytes")
    assert floor(Work(bytes=1e9, operations=1e11, exponentials=1e9), RATES) == (2.0, "arithmetic")
    assert floor(Work(bytes=1e8, operations=4e11), RATES, bf16=True) == (1.0, "arithmetic")


def test_rates_are_measured():
    found = rates.measure(quick=True)
    assert all(rate > 1e7 for rate in vars(found).values())


def test_bf16_problem():
    assert RATES.bf16_problem is None
    assert "no AMX or AVX512-bf16" in Rates(1e10, 1e11, 1e9, 1e9).bf16_problem


def test_a_process_that_measures_has_one_thread_and_the_allocator_asked_for(monkeypatch):
    monkeypatch.setenv("MALLOC_TOP_PAD_", "7")
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    default, tuned = surroundings.environment("default"), surroundings.environment("tuned")
    assert not set(surroundings.TUNED) & set(default) and "TRITON_INTERPRET" not in default
    assert surroundings.TUNED.items() <= tuned.items()
    assert {default[name] for name in surroundings.ONE_THREAD} == {"1"}
    assert default["PATH"] == os.environ["PATH"]


def test_facts_name_no_place_of_this_machine():
    found = surroundings.facts()
    assert found["versions"]["torch"] == torch.__version__ and found["threads"] == torch.get_num_threads()
    assert os.getcwd() not in str(found)


def test_where_the_allocator_cannot_be_tuned(monkeypatch):
    monkeypatch.setattr(surroundings.sys, "platform", "darwin")
    assert "glibc" in surroundings.untunable()
