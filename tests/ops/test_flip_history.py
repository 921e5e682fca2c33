"""Reversal of histories of unequal length: an involution that leaves the pads alone."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqrec_edu import ops
from tests.ops.support import DOUBLE, assert_same, normal, values_and_gradients

BACKENDS = ["reference", "vectorised"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_by_hand(backend):
    items = torch.tensor([[5, 6, 7, 0], [8, 0, 0, 0], [1, 2, 3, 4], [9, 9, 1, 2]])
    lengths = torch.tensor([3, 1, 4, 0])
    flipped = ops.flip_history(items, lengths, backend=backend)
    assert flipped.tolist() == [[7, 6, 5, 0], [8, 0, 0, 0], [4, 3, 2, 1], [9, 9, 1, 2]]
    assert flipped.dtype == torch.int64
    times = 1_700_000_000 + items  # int64 seconds stay exact
    assert torch.equal(ops.flip_history(times, lengths, backend=backend), 1_700_000_000 + flipped)


@settings(max_examples=40, deadline=None)
@given(data=st.data(), b=st.integers(1, 4), l=st.integers(1, 12), rest=st.sampled_from([(), (3,), (2, 3)]))
def test_versions_agree_and_twice_is_nothing(data, b, l, rest):
    lengths = torch.tensor(data.draw(st.lists(st.integers(0, l), min_size=b, max_size=b)))
    inputs = {"x": normal(b, l, *rest, seed=l)}
    expected = values_and_gradients(ops.flip_history, inputs, torch.float64, lengths=lengths, backend="reference")
    found = values_and_gradients(ops.flip_history, inputs, torch.float64, lengths=lengths, backend="vectorised")
    assert_same(found, expected, DOUBLE)
    assert torch.equal(found["output 0"], expected["output 0"])  # only moved, never computed with
    assert torch.equal(ops.flip_history(found["output 0"], lengths), inputs["x"])


@pytest.mark.parametrize("backend", BACKENDS)
def test_full_histories_are_torch_flip(backend):
    x = normal(3, 200, 2, seed=1)
    assert torch.equal(ops.flip_history(x, torch.full((3,), 200), backend=backend), x.flip(1))


@pytest.mark.parametrize("backend", BACKENDS)
def test_matrix_is_the_operation_and_its_jacobian(backend):
    lengths, x = torch.tensor([2, 5]), normal(2, 5, 1, seed=1)
    M = ops.mixing_matrix("flip_history", lengths, 5).double()
    torch.testing.assert_close(torch.einsum("bts,bsd->btd", M, x), ops.flip_history(x, lengths, backend=backend))
    J = torch.autograd.functional.jacobian(lambda v: ops.flip_history(v, lengths, backend=backend), x)
    for user in range(2):
        assert torch.equal(J[user, :, 0, user, :, 0], M[user])
    assert torch.equal(M @ M, torch.eye(5, dtype=torch.float64).expand(2, 5, 5))


@pytest.mark.parametrize("backend", BACKENDS)
def test_strides_second_gradients_and_small_integers(backend):
    x = normal(4, 6, 3, seed=1).transpose(0, 2).requires_grad_()
    lengths = torch.tensor([6, 2, 0], dtype=torch.int32)
    flip = lambda v: ops.flip_history(v, lengths, backend=backend)  # noqa: E731
    assert torch.equal(flip(x), flip(x.contiguous()))
    assert torch.autograd.gradcheck(flip, x) and torch.autograd.gradgradcheck(flip, x)


@pytest.mark.parametrize(
    ("x", "lengths", "says"),
    [
        (torch.ones(2, 3, 4), torch.tensor([3]), "axis b .* of lengths 'b' is 1, but x fixes it at 2"),
        (torch.ones(2, 3, 4), torch.tensor([1, 4]), "run from 1 to 4, .* holds 0 to 3 events"),
        (torch.ones(2, 3), torch.tensor([-1, 2]), "run from -1 to 2"),
        (torch.ones(2, 3), torch.tensor([1.0, 2.0]), "whole numbers, got torch.float32"),
        (torch.ones(2, 3), torch.tensor([True, False]), "whole numbers, got torch.bool"),
        (torch.ones(2), torch.tensor([1, 2]), "x needs the 2 axes 'b l'"),
        (torch.ones(2, 0, 3), torch.tensor([0, 0]), "axis l .* of x is empty"),
    ],
)
def test_errors_in_axis_words(x, lengths, says):
    with pytest.raises(ValueError, match=says):
        ops.flip_history(x, lengths)
