"""The compiled loop of the norm behind a gate: the reference's values and gradients from any shape and any memory."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqrec_edu import ops
from seqrec_edu.layers import GatedRMSNorm
from seqrec_edu.ops._gated_norm import cpu
from tests.ops.support import SINGLE, assert_same, normal, values_and_gradients

pytest.importorskip("numba", reason="numba is not installed: the compiled loop refuses and says so")

EXAMPLES = settings(max_examples=12, deadline=None, derandomize=True)


def inputs_of(b, l, e, gated=True):
    inputs = {"y": normal(b, l, e, seed=1), "z": normal(b, l, e, seed=2), "weight": normal(e, seed=3)}
    return inputs if gated else {name: value for name, value in inputs.items() if name != "z"}


def gated_norm(y, weight, z=None, **options):
    return ops.gated_norm(y, z, weight, **options)


def check(inputs, **options):
    """``inputs`` in float32, in whatever memory they lie, against the reference in float64."""
    expected = values_and_gradients(gated_norm, inputs, torch.float64, backend="reference", **options)
    found = values_and_gradients(gated_norm, inputs, torch.float32, backend="cpu", **options)
    assert_same(found, expected, SINGLE)


@pytest.mark.parametrize("gated", [True, False])
@EXAMPLES
@given(
    b=st.integers(1, 3),
    l=st.sampled_from([1, 2, 17, 200]),
    e=st.sampled_from([2, 3, 16, 64, 100, 129]),
    eps=st.sampled_from([1e-5, 1e-12, 1.0]),
)
def test_is_the_reference(gated, b, l, e, eps):
    check(inputs_of(b, l, e, gated), eps=eps)


def test_one_channel_is_its_sign():
    """Its gradient is what eps leaves of the difference of two equal numbers, so eps must not be small here."""
    check(inputs_of(2, 3, 1), eps=1.0)


def test_is_the_formula_by_hand():
    """g = (3, 4) · silu: with gates so wide open that silu(z) = z = 100, 100 · (3, 4) has the mean square 125,000."""
    y, z, weight = torch.tensor([[[3.0, 4.0]]]), torch.full((1, 1, 2), 100.0), torch.tensor([1.0, 10.0])
    expected = torch.tensor([[[300 / 125_000**0.5, 4_000 / 125_000**0.5]]])
    torch.testing.assert_close(ops.gated_norm(y, z, weight, backend="cpu"), expected, rtol=1e-6, atol=0)


LAYOUTS = {
    "plain": lambda value: value.clone(),
    "piece of longer rows": lambda value: inside(value, (2, 5), 1),
    "the last piece": lambda value: inside(value, (7, 0), 1),
    "every other channel": lambda value: inside(value, (0, 1), 2),
    "time before batch": lambda value: value.transpose(0, 1).contiguous().transpose(0, 1),
    "channels first": lambda value: value.transpose(1, 2).contiguous().transpose(1, 2),
}


def inside(value, around, step):
    """The same numbers as a part of a wider tensor; the rest of it is NaN."""
    wide = torch.full((*value.shape[:-1], sum(around) + step * value.shape[-1]), torch.nan, dtype=value.dtype)
    part = wide[..., around[0] : around[0] + step * value.shape[-1] : step]
    return part.copy_(value)


@pytest.mark.parametrize("of_z", LAYOUTS)
@pytest.mark.parametrize("of_y", LAYOUTS)
def test_wherever_the_numbers_lie(of_y, of_z):
    inputs = {name: value.float() for name, value in inputs_of(3, 5, 20).items()}
    expected = values_and_gradients(gated_norm, inputs, torch.float64, backend="reference")
    placed = inputs | {"y": LAYOUTS[of_y](inputs["y"]), "z": LAYOUTS[of_z](inputs["z"])}
    found = values_and_gradients(gated_norm, placed, torch.float32, backend="cpu")
    assert_same(found, expected, SINGLE)


def test_a_weight_and_an_upstream_gradient_may_be_spread_out_too():
    inputs = {name: value.float().requires_grad_() for name, value in inputs_of(3, 5, 20).items()}
    change = LAYOUTS["channels first"](normal(3, 5, 20, seed=4).float())
    spread = inputs | {"weight": LAYOUTS["every other channel"](inputs["weight"].detach()).requires_grad_()}
    found, expected = (
        torch.autograd.grad(gated_norm(**these, backend=backend), list(these.values()), change)
        for these, backend in ((spread, "cpu"), (inputs, "reference"))
    )
    assert_same(dict(zip(inputs, found, strict=True)), dict(zip(inputs, expected, strict=True)), SINGLE)


def test_the_same_row_many_times_and_a_gate_that_is_the_value_itself():
    row = normal(1, 1, 20, seed=1).float()
    weight = normal(20, seed=2).float()
    expected = ops.gated_norm(row, row, weight, backend="reference").expand(3, 5, 20)
    many = row.expand(3, 5, 20)
    torch.testing.assert_close(ops.gated_norm(many, many, weight, backend="cpu"), expected, rtol=1e-5, atol=1e-6)


def test_a_slice_of_a_projection_is_read_where_it_lies():
    """And not one number beyond its last, although the next row would begin further on."""
    wide = torch.zeros(2, 5, 24)
    part = wide[..., 16:]
    memory, step = cpu._memory(part)
    assert memory.ctypes.data == part.data_ptr() and step == 24
    assert len(memory) == 9 * 24 + 8 and part.storage_offset() + len(memory) == wide.numel()


def test_gradients_only_where_they_are_wanted():
    y, z, weight = (value.float() for value in inputs_of(2, 3, 8).values())
    z.requires_grad_()
    alone = torch.autograd.grad(ops.gated_norm(y, z, weight, backend="cpu").sum(), z)[0]
    with torch.no_grad():
        assert not ops.gated_norm(y, z, weight, backend="cpu").requires_grad
    expected = torch.autograd.grad(ops.gated_norm(y, z, weight, backend="reference").sum(), z)[0]
    torch.testing.assert_close(alone, expected, rtol=1e-4, atol=1e-6)


def test_histories_do_not_see_each_other():
    inputs = {name: value.float() for name, value in inputs_of(4, 6, 8).items()}
    whole = gated_norm(**inputs, backend="cpu")
    for b in range(4):
        one = {name: value[b : b + 1] if value.dim() == 3 else value for name, value in inputs.items()}
        assert torch.equal(gated_norm(**one, backend="cpu"), whole[b : b + 1])


@pytest.mark.parametrize("gate", [-1000.0, 0.0, 1000.0])
@pytest.mark.parametrize("value", [0.0, 1e-20, 1.0, 1e15, 1e25])  # the square of the last overflows
def test_shut_and_open_gates_and_silent_and_loud_events_stay_finite(value, gate):
    inputs = {"y": torch.full((1, 2, 3), value), "z": torch.full((1, 2, 3), gate), "weight": torch.ones(3)}
    for these in (inputs, {name: inputs[name] for name in ("y", "weight")}):
        found = values_and_gradients(gated_norm, these, torch.float32, backend="cpu")
        assert all(torch.isfinite(tensor).all() for tensor in found.values())
    if value == 0:
        assert not gated_norm(**inputs, backend="cpu").any()


def test_nan_stays_visible_and_in_its_row():
    for name in ("y", "z"):
        inputs = {key: tensor.float() for key, tensor in inputs_of(2, 3, 40).items()}
        inputs[name][1, 2, 33] = torch.nan
        out = gated_norm(**inputs, backend="cpu")
        assert out[1, 2].isnan().all() and out.isnan().sum() == 40


def test_runs_by_itself_in_float32_and_refuses_the_rest_by_name():
    assert ops.backends.chosen(torch.empty(1))["gated_norm"] == "cpu"
    assert ops.backends.chosen(torch.empty(1, dtype=torch.float64))["gated_norm"] == "vectorised"
    for dtype in (torch.float64, torch.bfloat16):
        x = torch.ones(1, 2, 3, dtype=dtype)
        with pytest.raises(ops.BackendError, match=f"compiled for float32, the tensor is {dtype}"):
            ops.gated_norm(x, x, x[0, 0], backend="cpu")


def test_the_layer_learns_as_with_torch_own_functions():
    layer, (y, z, _) = GatedRMSNorm(16), inputs_of(3, 7, 16).values()
    learnt = lambda: values_and_gradients(  # noqa: E731
        lambda y, z, weight: torch.func.functional_call(layer, {"weight": weight}, (y, z)),
        {"y": y, "z": z, "weight": layer.weight.detach()},
        torch.float32,
    )
    found = learnt()
    with ops.use("vectorised", "gated_norm"):
        assert_same(found, learnt(), SINGLE)
