"""Every version of an operation gives the reference's values and gradients, at awkward lengths, in both precisions."""

import pytest
import torch
from torch.nn.functional import softplus

from seqrec_edu import ops
from tests.ops.support import (
    DOUBLE,
    SINGLE,
    assert_same,
    conv_inputs,
    normal,
    scan_inputs,
    ssd_inputs,
    values_and_gradients,
)

LENGTHS = [1, 2, 63, 200]
RUNGS = [("vectorised", torch.float64, DOUBLE), ("vectorised", torch.float32, SINGLE), ("cpu", torch.float32, SINGLE)]


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize(("backend", "dtype", "tolerance"), RUNGS)
@pytest.mark.parametrize("activation", [None, "silu"])
def test_causal_conv1d(length, backend, dtype, tolerance, activation):
    inputs = conv_inputs(3, length, 5, 4)
    options = {"activation": activation, "return_state": True}
    expected = values_and_gradients(ops.causal_conv1d, inputs, torch.float64, backend="reference", **options)
    assert_same(values_and_gradients(ops.causal_conv1d, inputs, dtype, backend=backend, **options), expected, tolerance)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize(("backend", "dtype", "tolerance"), RUNGS)
def test_selective_scan(length, backend, dtype, tolerance):
    inputs = scan_inputs(2, length, 5, 16)
    expected = values_and_gradients(ops.selective_scan, inputs, torch.float64, backend="reference", return_state=True)
    found = values_and_gradients(ops.selective_scan, inputs, dtype, backend=backend, return_state=True)
    assert_same(found, expected, tolerance)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize(("backend", "dtype", "tolerance"), RUNGS)
@pytest.mark.parametrize("time", [True, False])
def test_ssd(length, backend, dtype, tolerance, time):
    inputs = ssd_inputs(2, length, 4, 8, 2, 5, time=time)
    expected = values_and_gradients(ops.ssd, inputs, torch.float64, backend="reference", return_state=True)
    found = values_and_gradients(ops.ssd, inputs, dtype, backend=backend, return_state=True)
    assert_same(found, expected, tolerance)


@pytest.mark.parametrize(("heads", "width", "groups"), [(6, 16, 1), (5, 16, 1), (4, 16, 4), (2, 80, 1), (12, 8, 2)])
def test_compiled_ssd_with_narrow_and_wide_heads(heads, width, groups):
    """Narrow heads of a group are carried side by side; the state given and the last one are sorted back."""
    inputs = ssd_inputs(3, 9, heads, width, groups, 5)
    expected = values_and_gradients(ops.ssd, inputs, torch.float64, backend="reference", return_state=True)
    found = values_and_gradients(ops.ssd, inputs, torch.float32, backend="cpu", return_state=True)
    assert_same(found, expected, SINGLE)


def test_rounding_does_not_pile_up_over_a_long_history():
    """The compiled loop of ssd carries the gradient of the decay from event to event, and rounding errors with it."""
    inputs = {"x": normal(16, 200, 2, 8, seed=0), "dt": softplus(normal(16, 200, 2, seed=1) - 2)}
    inputs |= {"A": -torch.tensor([1.0, 16.0]), "B": normal(16, 200, 1, 5, seed=2), "C": normal(16, 200, 1, 5, seed=3)}
    expected = values_and_gradients(ops.ssd, inputs, torch.float64, backend="vectorised")["gradient of A"]
    found = values_and_gradients(ops.ssd, inputs, torch.float32, backend="cpu")["gradient of A"]
    assert (found - expected).norm() < 2e-6 * expected.norm()


def after_forgetting(forgets):
    """One event forgets everything; all others hardly forget."""
    inputs = ssd_inputs(1, 33, 2, 3, 1, 4, state=False)
    inputs |= {"dt": torch.full((1, 33, 2), 0.01), "A": -torch.tensor([1.0, 16.0])}
    inputs["decay_scale"] = torch.ones(1, 33, 2)
    inputs["dt"][:, 3], inputs["decay_scale"][:, 3] = 1.0, forgets
    return inputs


@pytest.mark.parametrize("forgets", [1e4, 1e6, 3e38])  # of the last one even the logarithm overflows
@pytest.mark.parametrize(
    ("backend", "chunk_size"), [("vectorised", 1), ("vectorised", 8), ("vectorised", 64), ("cpu", 64)]
)
def test_an_event_that_forgets_everything_costs_the_later_ones_no_digit(forgets, backend, chunk_size):
    inputs = after_forgetting(forgets)
    expected = values_and_gradients(ops.ssd, inputs, torch.float64, backend="reference", return_state=True)
    found = values_and_gradients(
        ops.ssd, inputs, torch.float32, backend=backend, chunk_size=chunk_size, return_state=True
    )
    assert_same(found, expected, SINGLE)


@pytest.mark.parametrize("forgets", [1e4, 1e6, 3e38])
def test_nor_does_it_in_the_matrix_of_ssd(forgets):
    given = {name: value.float() for name, value in after_forgetting(forgets).items() if name != "D"}
    expected = ops.ssd(**{name: value.double() for name, value in given.items()}, backend="reference")
    x = given.pop("x")
    M = ops.mixing_matrix("ssd", **given)
    torch.testing.assert_close(torch.einsum("bhts,bshp->bthp", M, x).double(), expected, rtol=SINGLE, atol=SINGLE)


def test_nor_does_it_in_the_matrix_of_the_scan():
    given = {
        name: value.float() for name, value in scan_inputs(1, 33, 2, 4, state=False).items() if name in "x dt A B C"
    }
    given["dt"] = torch.full((1, 33, 2), 0.01)
    given["dt"][:, 3], given["x"][:, 3] = 1e6, 0.0
    expected = ops.selective_scan(**{name: value.double() for name, value in given.items()}, backend="reference")
    x = given.pop("x")
    M = ops.mixing_matrix("selective_scan", **given)
    torch.testing.assert_close(torch.einsum("bets,bse->bte", M, x).double(), expected, rtol=SINGLE, atol=SINGLE)


@pytest.mark.parametrize("chunk_size", [1, 7, 64, 1000])
def test_ssd_chunk_size_changes_nothing(chunk_size):
    inputs = ssd_inputs(2, 63, 4, 8, 1, 5)
    expected = values_and_gradients(ops.ssd, inputs, torch.float64, backend="reference", return_state=True)
    found = values_and_gradients(
        ops.ssd, inputs, torch.float64, backend="vectorised", chunk_size=chunk_size, return_state=True
    )
    assert_same(found, expected, DOUBLE)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, DOUBLE), (torch.float32, SINGLE)])
def test_attention(length, causal, padded, biased, dtype, tolerance):
    inputs = {name: normal(3, length, 2, 4, seed=i) for i, name in enumerate("qkv")}
    if biased:
        inputs["bias"] = normal(3, 2, length, length, seed=9)
    real = torch.arange(length) < torch.tensor([[length], [max(1, length // 2)], [1]])
    options = {"causal": causal, "mask": real if padded else None}
    expected = values_and_gradients(ops.attention, inputs, torch.float64, backend="reference", **options)
    assert_same(
        values_and_gradients(ops.attention, inputs, dtype, backend="vectorised", **options), expected, tolerance
    )


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("ignore_index", [0, None])
@pytest.mark.parametrize(("backend", "dtype", "tolerance"), RUNGS)
def test_linear_cross_entropy(reduction, ignore_index, backend, dtype, tolerance, monkeypatch):
    monkeypatch.setattr("seqrec_edu.ops._linear_cross_entropy.vectorised.TILE_BYTES", {"cpu": 1})  # many tiles of 64
    inputs = {"hidden": normal(150, 8, seed=1), "items": normal(37, 8, seed=2)}
    target = torch.randint(0, 37, (150,), generator=torch.Generator().manual_seed(3))
    options = {"target": target, "reduction": reduction, "ignore_index": ignore_index}
    expected = values_and_gradients(ops.linear_cross_entropy, inputs, torch.float64, backend="reference", **options)
    found = values_and_gradients(ops.linear_cross_entropy, inputs, dtype, backend=backend, **options)
    assert_same(found, expected, tolerance)


@pytest.mark.parametrize("excluded", [True, False])
def test_target_rank(excluded, monkeypatch):
    monkeypatch.setattr("seqrec_edu.ops._target_rank.vectorised.TILE_BYTES", {"cpu": 1})  # many tiles of 16
    draw = torch.Generator().manual_seed(4)
    hidden, items = (
        torch.randint(-2, 3, (70, 3), generator=draw).double(),
        torch.randint(-2, 3, (40, 3), generator=draw).double(),
    )
    target = torch.randint(1, 40, (70,), generator=draw)
    exclude = torch.randint(0, 40, (70, 6), generator=draw) if excluded else None
    expected = ops.target_rank(hidden, items, target, exclude=exclude, backend="reference")
    assert torch.equal(ops.target_rank(hidden, items, target, exclude=exclude, backend="vectorised"), expected)


@pytest.mark.parametrize("backend", ["vectorised", "cpu"])
def test_inputs_need_not_be_contiguous(backend):
    inputs = {name: value.float() for name, value in ssd_inputs(2, 20, 4, 8, 2, 5).items()}
    strided = {name: value.transpose(0, -1).contiguous().transpose(0, -1) for name, value in inputs.items()}
    assert_same(
        values_and_gradients(ops.ssd, strided, torch.float32, backend=backend),
        values_and_gradients(ops.ssd, inputs, torch.float64, backend="reference"),
        SINGLE,
    )
