"""The scan in plain PyTorch: a loop in place, whose backward pass computes the states of a stretch once more."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqrec_edu import ops
from seqrec_edu.ops._selective_scan import vectorised
from tests.ops.support import DOUBLE, LargestTensor, assert_same, normal, scan_inputs, values_and_gradients


def run(**inputs):
    return ops.selective_scan(**inputs, backend="vectorised", return_state=True)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(length=st.integers(1, 50), gate=st.booleans(), state=st.booleans())
def test_wherever_the_last_stretch_ends(length, gate, state):
    inputs = scan_inputs(2, length, 3, 4, state=state or length == 1)
    inputs = inputs if gate else {name: value for name, value in inputs.items() if name not in ("D", "z")}
    expected = values_and_gradients(ops.selective_scan, inputs, torch.float64, backend="reference", return_state=True)
    assert_same(values_and_gradients(run, inputs, torch.float64), expected, DOUBLE)


def test_a_state_of_one_number():
    inputs = scan_inputs(2, 7, 3, 1)
    found, expected = (
        values_and_gradients(ops.selective_scan, inputs, torch.float64, backend=backend, return_state=True)
        for backend in ("vectorised", "reference")
    )
    assert_same(found, expected, DOUBLE)


@pytest.mark.parametrize(("length", "stretch"), [(1, 1), (2, 1), (8, 2), (17, 2), (18, 3), (200, 10)])
def test_few_states_are_kept(length, stretch):
    assert vectorised._stretch(torch.empty(1, length, 1)) == stretch
    inputs = {name: value.requires_grad_() for name, value in scan_inputs(2, length, 3, 7).items()}
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor.shape), lambda tensor: tensor):
        run(**inputs)
    assert kept.count((2, 7, 3)) == -(-length // stretch)


def test_no_tensor_holds_the_states_of_all_events():
    inputs = {name: value.requires_grad_() for name, value in scan_inputs(2, 60, 8, 16).items()}
    with LargestTensor() as seen:
        y, state = run(**inputs)
        (y.sum() + state.sum()).backward()
    assert seen.largest == 2 * 60 * 16, "B and C, the longest of the inputs"


def test_going_back_twice_gives_the_same():
    inputs = {name: value.requires_grad_() for name, value in scan_inputs(2, 11, 3, 4).items()}
    y, state = run(**inputs)
    once, again = (
        torch.autograd.grad(y.square().sum() + state.sum(), list(inputs.values()), retain_graph=True) for _ in range(2)
    )
    assert all(torch.equal(a, b) for a, b in zip(once, again, strict=True))


@pytest.mark.parametrize("wanted", ["x", "dt", "A", "B", "C", "initial_state"])
@pytest.mark.parametrize("of", [0, 1])
def test_one_gradient_of_one_output(wanted, of):
    inputs = scan_inputs(2, 7, 3, 4)
    inputs[wanted].requires_grad_()
    if (wanted, of) == ("C", 1):
        return  # the last state does not know how it is read
    found = torch.autograd.grad(run(**inputs)[of].square().sum(), inputs[wanted])[0]
    expected = ops.selective_scan(**inputs, backend="reference", return_state=True)[of].square().sum()
    torch.testing.assert_close(found, torch.autograd.grad(expected, inputs[wanted])[0], rtol=1e-9, atol=1e-12)


def test_the_reference_is_the_one_to_differentiate_twice():
    inputs = scan_inputs(1, 3, 2, 2)
    x = inputs["x"].requires_grad_()
    first = torch.autograd.grad(run(**inputs)[0].square().sum(), x, create_graph=True)[0]
    with pytest.raises(RuntimeError, match="once_differentiable"):
        first.sum().backward()
    first = torch.autograd.grad(ops.selective_scan(**inputs, backend="reference").square().sum(), x, create_graph=True)[
        0
    ]
    assert torch.autograd.grad(first.sum(), x)[0].abs().sum() > 0


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_rounded_once(dtype):
    """A state rounded at each of 100 events would be off by more."""
    inputs = {name: value.to(dtype) for name, value in scan_inputs(2, 100, 3, 4, state=False).items()}
    mixing = {name: inputs[name] for name in ("x", "dt", "A", "B", "C")}
    exact = ops.selective_scan(**{name: value.double() for name, value in mixing.items()}, backend="reference")
    y, state = run(**mixing)
    assert y.dtype == state.dtype == dtype
    assert (y.double() - exact).norm() < torch.finfo(dtype).eps * exact.norm()


def test_autocast_does_not_round_inside():
    inputs = {name: value.float() for name, value in scan_inputs(2, 20, 3, 4).items()}
    expected = values_and_gradients(run, inputs, torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        assert_same(values_and_gradients(run, inputs, torch.float32), expected, 1e-6)


def test_a_decay_of_nothing_and_of_everything():
    """dt A so large that exp(dt A) is 0: every event forgets all before it. And dt = 0: nothing is forgotten."""
    x, B, C = (normal(1, 6, size, seed=seed) for size, seed in ((2, 1), (3, 2), (3, 3)))
    A, start = torch.full((2, 3), -1e4, dtype=torch.float64), normal(1, 2, 3, seed=4)
    inputs = {"x": x, "dt": torch.ones_like(x), "A": A, "B": B, "C": C}
    torch.testing.assert_close(run(**inputs)[0], x * (B * C).sum(-1, keepdim=True))
    found = values_and_gradients(run, inputs, torch.float64)
    assert all(torch.isfinite(value).all() for value in found.values())
    still = inputs | {"dt": torch.zeros_like(x), "initial_state": start}
    torch.testing.assert_close(run(**still)[1], start, rtol=0, atol=0)
