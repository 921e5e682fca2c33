"""The Triton kernels of causal_conv1d: in Triton's interpreter where there is no GPU, compiled where there is one."""

import importlib
import sys
import types

import pytest
import torch
import torch.nn.functional as F
from einops import rearrange

from seqrec_edu import ops
from seqrec_edu.ops import gpu
from tests.ops.support import DOUBLE, SINGLE, assert_same, conv_inputs, values_and_gradients

pytest.importorskip("triton", reason="triton is not installed (Linux only)")
interpreted = pytest.mark.skipif(
    not gpu.interpreting(), reason="Triton compiles here, for the GPU; TRITON_INTERPRET=1 runs its interpreter instead"
)
on_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")


@pytest.fixture(autouse=True)
def memory_begins_as_nan():
    """So that a kernel that reads what nobody wrote is found out."""
    torch.use_deterministic_algorithms(True, warn_only=True)
    yield
    torch.use_deterministic_algorithms(False)


def compare(inputs, dtype, tolerance, *, run=ops.causal_conv1d, **options):
    options = {"return_state": True} | options
    expected = values_and_gradients(ops.causal_conv1d, inputs, torch.float64, backend="reference", **options)
    assert_same(values_and_gradients(run, inputs, dtype, backend="kernel", **options), expected, tolerance)


@interpreted
@pytest.mark.parametrize(("b", "l", "dtype", "tolerance"), [
    (2, 1, torch.float64, DOUBLE), (1, 2, torch.float64, DOUBLE), (2, 16, torch.float32, SINGLE),
    (1, 17, torch.float64, DOUBLE), (1, 33, torch.float32, SINGLE),
])  # fmt: skip
@pytest.mark.parametrize("activation", [None, "silu"])
def test_lengths(b, l, dtype, tolerance, activation):
    compare(conv_inputs(b, l, 5, 4), dtype, tolerance, activation=activation)


@interpreted
def test_segments_and_tiles(monkeypatch):
    """Gradients cross from one segment into the one before; more channels than a tile has."""
    from seqrec_edu.ops._causal_conv1d import kernel

    monkeypatch.setattr(kernel, "SEGMENT", 8)
    compare(conv_inputs(1, 18, 70, 3), torch.float64, DOUBLE, activation="silu")


@interpreted
@pytest.mark.parametrize("width", [1, 2, 7])
def test_widths(width):
    """Also one longer than the history; a width of 1 carries no window."""
    compare(conv_inputs(1, 5, 3, width, state=width > 1), torch.float64, DOUBLE, activation="silu")


@interpreted
@pytest.mark.parametrize("left_out", [{"bias"}, {"initial_state"}, {"bias", "initial_state"}])
def test_what_may_be_left_out(left_out):
    inputs = {name: value for name, value in conv_inputs(1, 6, 3, 4).items() if name not in left_out}
    compare(inputs, torch.float64, DOUBLE, activation="silu")


@interpreted
def test_inputs_need_not_be_contiguous():
    """Slices of one projection are read in place, turned tensors are copied."""
    inputs = conv_inputs(2, 5, 3, 4)
    sliced = {k: torch.cat([v, v], -1)[..., v.shape[-1] :] for k, v in inputs.items()}
    turned = {k: v.transpose(0, -1).contiguous().transpose(0, -1) for k, v in inputs.items()}
    for strided in (sliced, turned):
        compare(strided, torch.float64, DOUBLE)


@interpreted
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_sums_in_single(dtype):
    """What comes in and goes out is rounded, by up to 2^-9 and 2^-12, the gradient to y too, and nothing else."""
    inputs = {name: value.to(dtype).double() for name, value in conv_inputs(1, 9, 3, 4).items()}
    compare(inputs, dtype, 2**-7 if dtype == torch.bfloat16 else 2**-10, activation="silu")


@interpreted
def test_gradients_are_differences():
    """Without the reference: a step along a random direction changes y by what the gradients say."""
    inputs = [value.requires_grad_() for value in conv_inputs(1, 4, 2, 3).values()]
    run = lambda *all: ops.causal_conv1d(*all[:3], initial_state=all[3], activation="silu", backend="kernel")  # noqa: E731
    assert torch.autograd.gradcheck(run, inputs, fast_mode=True)


@interpreted
def test_it_is_torch_conv1d_and_its_matrix():
    x, weight, bias = conv_inputs(1, 9, 3, 4, state=False).values()
    y = ops.causal_conv1d(x, weight, bias, backend="kernel")
    expected = F.conv1d(F.pad(x.transpose(1, 2), (3, 0)), weight[:, None], bias, groups=3).transpose(1, 2)
    torch.testing.assert_close(y, expected, rtol=DOUBLE, atol=DOUBLE)
    M = ops.mixing_matrix("causal_conv1d", weight, 9)
    J = torch.autograd.functional.jacobian(lambda v: ops.causal_conv1d(v, weight, backend="kernel")[0, :, 1], x)
    torch.testing.assert_close(J[:, 0, :, 1], M[1], rtol=DOUBLE, atol=DOUBLE)


@interpreted
@pytest.mark.filterwarnings("ignore:overflow encountered in exp")
def test_large_sums_do_not_overflow():
    inputs = {name: value * 1000 for name, value in conv_inputs(1, 5, 3, 4).items()}
    compare(inputs, torch.float32, SINGLE, activation="silu")


def test_it_runs_only_where_it_can_and_is_named(monkeypatch):
    inputs = conv_inputs(1, 2, 8, 4)
    monkeypatch.setenv("TRITON_INTERPRET", "0")
    with pytest.raises(ops.BackendError, match="'kernel' cannot run: it needs a CUDA GPU, the tensor is on cpu"):
        ops.causal_conv1d(**inputs, backend="kernel")
    with pytest.raises(ops.BackendError, match="'mamba_ssm' cannot run: causal-conv1d needs a CUDA GPU"):
        ops.causal_conv1d(**inputs, backend="mamba_ssm")
    with pytest.raises(ops.ShapeError, match=r"axis e .* of weight"):
        ops.causal_conv1d(**(inputs | {"weight": inputs["weight"][1:]}), backend="kernel")


@pytest.mark.parametrize(("l", "e", "state"), [(5, 8, True), (2, 8, True), (5, 8, False), (5, 3, False)])
def test_the_rival_gets_its_layouts(monkeypatch, l, e, state):
    """causal-conv1d itself needs a GPU; here stands its signature, computed by our reference."""

    def causal_conv1d_fn(x, weight, bias=None, initial_states=None, activation=None):
        assert x.stride(1 if e % 8 == 0 else 2) == 1
        assert initial_states is None or initial_states.stride(1) == 1
        window = None if initial_states is None else rearrange(initial_states, "b e k -> b k e")
        x = rearrange(x, "b e l -> b l e")
        y = ops.causal_conv1d(x, weight, bias, activation=activation, initial_state=window, backend="reference")
        return rearrange(y, "b l e -> b e l")

    package = types.ModuleType("causal_conv1d")
    package.causal_conv1d_fn = causal_conv1d_fn
    monkeypatch.setitem(sys.modules, "causal_conv1d", package)
    rival = importlib.import_module("seqrec_edu.ops._causal_conv1d.mamba_ssm").causal_conv1d
    del sys.modules[rival.__module__]  # it holds on to the stand-in
    inputs = conv_inputs(2, l, e, 4, state=state)
    expected = values_and_gradients(
        ops.causal_conv1d, inputs, torch.float64, backend="reference", activation="silu", return_state=True
    )
    assert_same(values_and_gradients(rival, inputs, torch.float32, activation="silu"), expected, SINGLE)
    with pytest.raises(ops.BackendError, match="widths k of 2, 3 and 4, got 5"):
        rival(torch.zeros(1, 2, 8), torch.zeros(8, 5))
    with pytest.raises(ops.BackendError, match="a multiple of 8, got 3"):
        rival(torch.zeros(1, 2, 3), torch.zeros(3, 4), initial_state=torch.zeros(1, 3, 3))


def on_device(**inputs):
    """The kernel on the GPU, inputs from and outputs to the CPU, where they are compared."""
    moved = {k: v.cuda() if isinstance(v, torch.Tensor) else v for k, v in inputs.items()}
    return tuple(y.cpu() for y in ops.causal_conv1d(**moved))


@on_gpu
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, DOUBLE), (torch.float32, SINGLE), (torch.bfloat16, 1e-2)]
)
@pytest.mark.parametrize("activation", [None, "silu"])
@pytest.mark.parametrize("k", [1, 2, 4, 7])
@pytest.mark.parametrize(("b", "l", "e"), [(1, 1, 128), (3, 2, 5), (2, 63, 96), (70, 50, 192), (5, 200, 40)])
def test_on_the_gpu(b, l, e, k, activation, dtype, tolerance):
    inputs = {name: value.to(dtype).double() for name, value in conv_inputs(b, l, e, k, state=k > 1).items()}
    compare(inputs, dtype, tolerance, run=on_device, activation=activation)


@on_gpu
def test_the_same_bits_every_time():
    inputs = {name: value.float().cuda() for name, value in conv_inputs(300, 200, 192, 4).items()}
    options = {"backend": "kernel", "return_state": True, "activation": "silu"}
    once, again = (values_and_gradients(on_device, inputs, torch.float32, **options) for _ in "12")
    assert all(torch.equal(once[name], again[name]) for name in once)
