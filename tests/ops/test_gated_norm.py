"""Gates: the norm behind a gate of Mamba-2, and gated linear units, against PyTorch's own layers."""

from importlib.util import find_spec

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from seqrec_edu import ops
from seqrec_edu.layers import GatedRMSNorm
from tests.ops.hopper import resources
from tests.ops.support import DOUBLE, SINGLE, assert_same, normal, values_and_gradients

GPU = torch.cuda.is_available()
needs_triton = pytest.mark.skipif(find_spec("triton") is None, reason="triton is not installed: it exists for Linux")
FAST = ["vectorised", pytest.param("kernel", marks=needs_triton)]
PRECISIONS = [(torch.float64, DOUBLE), (torch.float32, SINGLE)]
GATES = ["sigmoid", "silu", "gelu"]


def norm_inputs(b, l, e, gated=True):
    inputs = {"y": normal(b, l, e, seed=1), "z": normal(b, l, e, seed=2), "weight": normal(e, seed=3)}
    return inputs if gated else {name: value for name, value in inputs.items() if name != "z"}


def glu_inputs(b, l, d):
    return {"u": normal(b, l, d, seed=1), "v": 3 * normal(b, l, d, seed=2)}


def run(operation, backend):
    """``operation`` by one backend; the kernel on the GPU where there is one, in Triton's interpreter elsewhere."""

    def call(**inputs):
        if backend == "kernel" and GPU:
            inputs = {name: value.cuda() if torch.is_tensor(value) else value for name, value in inputs.items()}
        return operation(**inputs, backend=backend).cpu()

    return call


def gated_norm(y, weight, z=None, **options):
    return ops.gated_norm(y, z, weight, **options)


@pytest.mark.parametrize("gated", [True, False])
@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
@pytest.mark.parametrize("backend", FAST)
@settings(max_examples=5, deadline=None)
@given(b=st.integers(1, 3), l=st.sampled_from([1, 2, 17]), e=st.sampled_from([3, 64, 100]))
def test_gated_norm_is_the_reference(gated, dtype, tolerance, backend, b, l, e):
    inputs = norm_inputs(b, l, e, gated)
    expected = values_and_gradients(gated_norm, inputs, torch.float64, backend="reference")
    assert_same(values_and_gradients(run(gated_norm, backend), inputs, dtype), expected, tolerance)


@pytest.mark.parametrize("activation", GATES)
@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
@pytest.mark.parametrize("backend", FAST)
@settings(max_examples=5, deadline=None)
@given(b=st.integers(1, 3), l=st.sampled_from([1, 2, 17]), d=st.sampled_from([1, 3, 64, 100]))
def test_glu_is_the_reference(activation, dtype, tolerance, backend, b, l, d):
    inputs = glu_inputs(b, l, d)
    expected = values_and_gradients(ops.glu, inputs, torch.float64, activation=activation, backend="reference")
    found = values_and_gradients(run(ops.glu, backend), inputs, dtype, activation=activation)
    assert_same(found, expected, tolerance)


@pytest.mark.parametrize("backend", FAST)
def test_at_two_hundred_events(backend):
    for operation, inputs in ((gated_norm, norm_inputs(2, 200, 8)), (ops.glu, glu_inputs(2, 200, 8))):
        expected = values_and_gradients(operation, inputs, torch.float64, backend="reference")
        assert_same(values_and_gradients(run(operation, backend), inputs, torch.float32), expected, SINGLE)


@needs_triton
def test_a_program_of_the_backward_pass_may_own_several_tiles(monkeypatch):
    monkeypatch.setattr("seqrec_edu.ops._gated_norm.kernel.PROGRAMS", 2)
    inputs = norm_inputs(3, 7, 400)  # two rows a tile, 11 tiles for two programs
    expected = values_and_gradients(gated_norm, inputs, torch.float64, backend="reference")
    assert_same(values_and_gradients(run(gated_norm, "kernel"), inputs, torch.float64), expected, DOUBLE)


@pytest.mark.parametrize("backend", FAST)
def test_the_norm_of_one_channel_is_its_sign(backend):
    """In float64 only: the gradient is what eps leaves of the difference of two equal numbers."""
    inputs = norm_inputs(2, 3, 1)
    expected = values_and_gradients(gated_norm, inputs, torch.float64, backend="reference")
    assert_same(values_and_gradients(run(gated_norm, backend), inputs, torch.float64), expected, 1e-7)


def test_norm_without_a_gate_is_torch_rms_norm_and_the_gate_comes_first():
    y, z, weight = norm_inputs(2, 9, 6).values()
    layer = nn.RMSNorm(6, eps=1e-5, dtype=torch.float64)
    layer.weight.data.copy_(weight)
    torch.testing.assert_close(ops.gated_norm(y, None, weight, backend="reference"), layer(y))
    torch.testing.assert_close(ops.gated_norm(y, z, weight, backend="reference"), layer(y * F.silu(z)))
    assert (ops.gated_norm(y, z, weight) - layer(y) * F.silu(z)).abs().max() > 0.1
    shut = ops.gated_norm(y, torch.full_like(z, -3.0), torch.ones_like(weight))
    torch.testing.assert_close(shut.square().mean(-1), torch.ones(2, 9, dtype=torch.float64), rtol=0.05, atol=0)


def test_the_layer_is_torch_rms_norm_to_the_last_bit_where_that_version_is_named():
    """What was trained before there was a compiled loop can be repeated; by itself the layer is as close as float32."""
    y, z, weight = (value.float() for value in norm_inputs(2, 9, 6).values())
    layer = GatedRMSNorm(6)
    layer.weight.data.copy_(weight)
    expected = F.rms_norm(y * F.silu(z), (6,), weight, 1e-5)
    with ops.use("vectorised", "gated_norm"):
        assert torch.equal(layer(y, z), expected)
    assert_same({"out": layer(y, z)}, {"out": expected}, SINGLE)


def test_glu_is_torch_glu():
    u, v = glu_inputs(2, 9, 6).values()
    torch.testing.assert_close(ops.glu(u, v, backend="reference"), F.glu(torch.cat([u, v], -1)))
    torch.testing.assert_close(ops.glu(u, v, activation="silu", backend="reference"), u * F.silu(v))
    torch.testing.assert_close(ops.glu(u, v, activation="gelu", backend="reference"), u * F.gelu(v))


@pytest.mark.parametrize("backend", FAST)
def test_slices_of_a_projection_need_no_copy(backend):
    wide = normal(2, 5, 24, seed=4).requires_grad_()
    weight = normal(8, seed=5)
    for call in (
        lambda name, a, b: run(gated_norm, name)(y=a, z=b, weight=weight),
        lambda name, a, b: run(ops.glu, name)(u=a, v=b),
    ):
        found, expected = (
            call(backend, wide[..., :8], wide[..., 10:18]),
            call("reference", wide[..., :8], wide[..., 10:18]),
        )
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)
        change = normal(5, 2, 8, seed=6).transpose(0, 1)
        got, wanted = (torch.autograd.grad(y, wide, change)[0] for y in (found, expected))
        torch.testing.assert_close(got, wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("backend", ["reference", *FAST])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_rounded_once(backend, dtype):
    """The squares of 300 would overflow float16; computed in float32 only the result is rounded."""
    y, z, weight = (value.to(dtype) for value in norm_inputs(2, 5, 64).values())
    found = run(gated_norm, backend)(y=300 * y, z=z, weight=weight)
    exact = gated_norm((300 * y).double(), weight.double(), z.double(), backend="reference")
    assert found.dtype == dtype and (found.double() - exact).norm() < torch.finfo(dtype).eps * exact.norm()
    found, exact = run(ops.glu, backend)(u=y, v=z), ops.glu(y.double(), z.double(), backend="reference")
    assert found.dtype == dtype and (found.double() - exact).norm() < torch.finfo(dtype).eps * exact.norm()


@pytest.mark.filterwarnings("ignore:overflow encountered in exp")  # numpy's, inside the interpreter: 1 / inf is meant
@pytest.mark.parametrize("backend", ["reference", *FAST])
def test_shut_gates_and_silent_events_stay_finite(backend):
    zero, shut = torch.zeros(1, 2, 3), torch.full((1, 2, 3), -1000.0)
    for y in (zero, zero + 1):
        found = values_and_gradients(
            run(gated_norm, backend), {"y": y, "z": shut, "weight": torch.ones(3)}, torch.float32
        )
        assert all(torch.isfinite(value).all() for value in found.values())
    for activation in GATES:
        for v in (shut, -shut):
            found = values_and_gradients(
                run(ops.glu, backend), {"u": zero + 1, "v": v}, torch.float32, activation=activation
            )
            assert all(torch.isfinite(value).all() for value in found.values())


def test_gradcheck():
    for backend in ("reference", "vectorised"):
        leaves = [value.requires_grad_() for value in norm_inputs(1, 3, 4).values()]
        assert torch.autograd.gradcheck(lambda y, z, w: ops.gated_norm(y, z, w, backend=backend), leaves)  # noqa: B023
        leaves = [value.requires_grad_() for value in glu_inputs(1, 3, 4).values()]
        for activation in GATES:
            assert torch.autograd.gradcheck(
                lambda u, v: ops.glu(u, v, activation=activation, backend=backend),  # noqa: B023
                leaves,
            )


@needs_triton
def test_kernel_keeps_a_row_in_registers():
    """Compiled for sm_90 in float32: 80 registers a thread, so that many programs share a processor."""
    tensors = ("y", "z", "weight", "dout", "dy", "dz", "partial")
    signature = dict.fromkeys(tensors, "*fp32") | dict.fromkeys(("y_row", "z_row", "width"), "i32:16") | {"rows": "i32"}
    options = {"GATED": True, "EPS": 1e-5, "R": 8, "E": 128}
    found = resources("seqrec_edu.ops._gated_norm.kernel", "_backward", signature, options)
    assert found["spill_bytes"] == 0 and found["registers"] <= 96


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda x: ops.gated_norm(x, x[:, :2], torch.ones(4)), "axis l .* of z 'b l e' is 2, but y fixes it at 3"),
        (lambda x: ops.gated_norm(x, x, torch.ones(3)), "axis e .* of weight"),
        (lambda x: ops.gated_norm(x, x.double(), torch.ones(4)), "z is torch.float64, y is torch.float32"),
        (lambda x: ops.gated_norm(x, x, torch.ones(4), eps=0.0), "eps must be above 0, got 0.0"),
        (lambda x: ops.glu(x, x[..., :1]), "axis d .* of v 'b l d' is 1"),
        (lambda x: ops.glu(x, x, activation="relu"), "one of sigmoid, silu, gelu, got 'relu'"),
        (lambda x: ops.mixing_matrix("glu", x), "does not mix a history"),
    ],
)
def test_errors_in_axis_words(call, says):
    with pytest.raises(ValueError, match=says):
        call(torch.ones(2, 3, 4))
