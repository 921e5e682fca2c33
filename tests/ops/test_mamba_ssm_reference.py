"""The recurrences against mamba-ssm's own functions in plain PyTorch, and the adapter to its kernels without them.

Its package needs a GPU build to import; the modules that hold these functions do not, if its ``__init__`` is passed by.
"""

import importlib
import importlib.util
import sys
import types

import pytest
import torch
from einops import rearrange

from seqrec_edu import ops
from seqrec_edu.ops._ssd import reference
from tests.ops.support import DOUBLE, SINGLE, assert_same, scan_inputs, ssd_inputs, values_and_gradients


@pytest.fixture
def peer(monkeypatch):
    """Imports a module of mamba-ssm; afterwards none of it is left, so that nobody takes it for a whole package."""
    spec = importlib.util.find_spec("mamba_ssm")
    if spec is None:
        pytest.skip("mamba-ssm is not installed (an extra for GPUs; its sources alone would do here)")
    package = types.ModuleType("mamba_ssm")
    package.__path__, package.__spec__ = list(spec.submodule_search_locations), spec
    for name in [name for name in sys.modules if name.partition(".")[0] == "mamba_ssm"]:
        monkeypatch.delitem(sys.modules, name)
    before = set(sys.modules)
    monkeypatch.setitem(sys.modules, "mamba_ssm", package)
    if importlib.util.find_spec("selective_scan_cuda") is None:
        monkeypatch.setitem(sys.modules, "selective_scan_cuda", types.ModuleType("selective_scan_cuda"))

    def load(name):
        try:
            return importlib.import_module(f"mamba_ssm.{name}")
        except ImportError as error:
            pytest.skip(f"mamba_ssm.{name} does not import: {error}")

    yield load
    for name in set(sys.modules) - before:
        if name.startswith("mamba_ssm."):
            del sys.modules[name]


def test_selective_scan(peer):
    theirs = peer("ops.selective_scan_interface").selective_scan_ref  # float32 only

    def scan(x, dt, A, B, C, D, z):
        x, dt, B, C, z = (v.transpose(1, 2).float() for v in (x, dt, B, C, z))
        A, D = A.float(), D.float()
        y, last = theirs(x, dt, A, B, C, D, z, return_last_state=True)
        return y.transpose(1, 2), last

    inputs = scan_inputs(2, 20, 5, 4, state=False)
    expected = values_and_gradients(scan, inputs, torch.float64)
    for backend in ("reference", "vectorised"):
        found = values_and_gradients(ops.selective_scan, inputs, torch.float64, backend=backend, return_state=True)
        assert_same(found, expected, SINGLE)


def test_ssd_with_its_skip(peer):
    theirs = peer("ops.triton.ssd_combined").ssd_chunk_scan_combined_ref  # its decays in float32

    def scan(x, dt, A, B, C, D):
        return theirs(x, dt, A, B, C, 16, D)

    inputs = ssd_inputs(2, 32, 4, 3, 2, 5, time=False, state=False)
    expected = values_and_gradients(scan, inputs, torch.float64)
    for backend in ("reference", "vectorised"):
        assert_same(values_and_gradients(ops.ssd, inputs, torch.float64, backend=backend), expected, SINGLE)


def test_ssd_with_time_and_state(peer):
    theirs = peer("modules.ssd_minimal").ssd_minimal_discrete

    def scan(x, dt, A, B, C, decay_scale, initial_state):
        B, C = (reference.per_head(v, x.shape[2]) for v in (B, C))
        state = rearrange(initial_state, "b h p n -> b 1 h p n")
        return theirs(x * dt[..., None], decay_scale * dt * A, B, C, 16, initial_states=state)

    inputs = ssd_inputs(2, 32, 4, 3, 2, 5)
    del inputs["D"]
    expected = values_and_gradients(scan, inputs, torch.float64)
    for backend in ("reference", "vectorised"):
        found = values_and_gradients(ops.ssd, inputs, torch.float64, backend=backend, return_state=True)
        assert_same(found, expected, DOUBLE)


@pytest.fixture
def adapter(monkeypatch):
    """Our adapter to ``mamba_chunk_scan_combined``, with our own loop in its place: it too knows no decay_scale."""

    def stand_in(x, dt, A, B, C, chunk_size, D=None, *, initial_states=None, return_final_states=False):
        y, last = reference.ssd(x, dt, A, B, C, None, initial_states)
        return (y if D is None else y + D[:, None] * x), last

    names = ["mamba_ssm", "mamba_ssm.ops", "mamba_ssm.ops.triton", "mamba_ssm.ops.triton.ssd_combined"]
    for name in names:
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    sys.modules[names[-1]].mamba_chunk_scan_combined = stand_in
    monkeypatch.delitem(sys.modules, "seqrec_edu.ops._ssd.mamba_ssm", raising=False)
    yield importlib.import_module("seqrec_edu.ops._ssd.mamba_ssm").ssd
    monkeypatch.delitem(sys.modules, "seqrec_edu.ops._ssd.mamba_ssm", raising=False)


@pytest.mark.parametrize("left_out", ["", "D", "decay_scale", "initial_state"])
def test_adapter_folds_the_time_factor(adapter, left_out):
    inputs = ssd_inputs(2, 9, 4, 3, 2, 5)
    inputs.pop(left_out, None)
    expected = values_and_gradients(ops.ssd, inputs, torch.float64, backend="reference", return_state=True)
    assert_same(values_and_gradients(adapter, inputs, torch.float64), expected, DOUBLE)


def test_adapter_refuses_a_time_factor_of_zero(adapter):
    inputs = ssd_inputs(2, 9, 4, 3, 2, 5)
    inputs["decay_scale"][1, 4] = 0
    with pytest.raises(ValueError, match=r"decay_scale 'b l h' .* above 0"):
        adapter(**inputs)


def test_the_rival_is_named_or_does_not_run():
    with pytest.raises(ops.BackendError, match="CUDA GPU"):
        ops.ssd(**ssd_inputs(1, 2, 1, 2, 1, 2), backend="mamba_ssm")
    assert "a rival" in ops.explain("ssd", torch.empty(1)) or "CUDA GPU" in ops.explain("ssd", torch.empty(1))
