"""The Triton kernels of linear_cross_entropy in Triton's interpreter; see test_hopper_loss.py for the GPU."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqrec_edu import ops
from seqrec_edu.ops import gpu
from tests.ops.support import DOUBLE, SINGLE, assert_same, generator, normal, values_and_gradients

pytest.importorskip("triton", reason="triton is not installed (Linux only)")
pytestmark = pytest.mark.skipif(
    not gpu.interpreting(), reason="Triton compiles here, for the GPU; TRITON_INTERPRET=1 runs its interpreter instead"
)


@pytest.fixture(autouse=True)
def few_programs(monkeypatch):
    """As on a GPU with more rows than it has room for: one program walks along many tiles."""
    programs(monkeypatch, 1)


def programs(monkeypatch, wanted):
    monkeypatch.setattr("seqrec_edu.ops._linear_cross_entropy.tiles.PROGRAMS", wanted)


def inputs_of(tokens, items, width):
    # Scores of a few units: a loss near zero would be the difference of two large numbers, of which little is left.
    inputs = {"hidden": normal(tokens, width, seed=1), "items": 0.3 * normal(items, width, seed=2)}
    target = torch.randint(0, items, (tokens,), generator=generator(3))
    target[0] = items - 1  # a mean needs one target that counts
    return inputs, target


def compare(tokens, items, width, dtype=torch.float64, tolerance=DOUBLE, **options):
    inputs, options["target"] = inputs_of(tokens, items, width)
    expected = values_and_gradients(ops.linear_cross_entropy, inputs, torch.float64, backend="reference", **options)
    found = values_and_gradients(ops.linear_cross_entropy, inputs, dtype, backend="kernel", **options)
    assert_same(found, expected, tolerance)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("ignore_index", [0, 5, None])
def test_values_and_gradients(reduction, ignore_index):
    compare(40, 70, 20, reduction=reduction, ignore_index=ignore_index)


@pytest.mark.parametrize(("tokens", "items", "width"), [(1, 3, 1), (2, 33, 16), (65, 31, 3), (40, 70, 20)])
def test_single_precision(tokens, items, width):
    compare(tokens, items, width, torch.float32, SINGLE, reduction="none")


@settings(max_examples=6, deadline=None)
@given(tokens=st.integers(1, 70), items=st.integers(3, 70), width=st.integers(1, 40), wanted=st.integers(1, 20))
def test_any_shape_in_any_number_of_programs(tokens, items, width, wanted):
    with pytest.MonkeyPatch.context() as monkeypatch:
        programs(monkeypatch, wanted)
        compare(tokens, items, width, reduction="none")


def test_half_precision_is_summed_in_full():
    inputs, target = inputs_of(30, 70, 12)
    inputs = {name: value.bfloat16() for name, value in inputs.items()}
    options = {"target": target, "reduction": "sum"}
    expected = values_and_gradients(ops.linear_cross_entropy, inputs, torch.float64, backend="reference", **options)
    found = values_and_gradients(ops.linear_cross_entropy, inputs, torch.bfloat16, backend="kernel", **options)
    assert_same(found, expected, 4e-3)  # bfloat16 rounds to 2e-3 or better


def test_every_run_has_the_same_bits(monkeypatch):
    programs(monkeypatch, 6)
    inputs, target = inputs_of(40, 70, 5)
    run = lambda: values_and_gradients(  # noqa: E731
        ops.linear_cross_entropy, inputs, torch.float32, target=target, backend="kernel"
    )
    once, again = run(), run()
    assert all(torch.equal(once[name], again[name]) for name in once)


@pytest.mark.filterwarnings(
    "ignore:(overflow|invalid value) encountered:RuntimeWarning"
)  # the padding row, thrown away
def test_huge_scores_make_no_nan():
    """Shares of 1 and 0, a padding row above everything, and tiles in which nothing has any share."""
    inputs, target = inputs_of(33, 70, 4)
    inputs = {"hidden": 300 * inputs["hidden"], "items": 1000 * inputs["items"]}
    inputs["items"][0] = 1e4
    options = {"target": target, "reduction": "none"}
    expected = values_and_gradients(ops.linear_cross_entropy, inputs, torch.float64, backend="reference", **options)
    found = values_and_gradients(ops.linear_cross_entropy, inputs, torch.float32, backend="kernel", **options)
    assert all(torch.isfinite(value).all() for value in found.values())
    torch.testing.assert_close(found["output 0"].double(), expected["output 0"], rtol=1e-4, atol=1)


def test_inputs_need_not_be_contiguous():
    inputs, target = inputs_of(20, 23, 6)
    strided = {name: value.T.contiguous().T for name, value in inputs.items()}
    options = {"target": target, "reduction": "none"}
    expected = values_and_gradients(ops.linear_cross_entropy, inputs, torch.float64, backend="reference", **options)
    assert_same(
        values_and_gradients(ops.linear_cross_entropy, strided, torch.float64, backend="kernel", **options),
        expected,
        DOUBLE,
    )


def test_only_wanted_gradients_and_only_padding():
    inputs, target = inputs_of(5, 7, 3)
    hidden, items = inputs["hidden"], inputs["items"].requires_grad_()
    nothing = ops.linear_cross_entropy(hidden, items, 0 * target, reduction="sum", backend="kernel")
    assert nothing == 0 and (torch.autograd.grad(nothing, items)[0] == 0).all()


@pytest.mark.parametrize("wrong", [-1, 7])
def test_a_target_that_is_no_item_makes_nan(wrong):
    """On a GPU nobody looks at the targets before the launch; the loss and every gradient show it."""
    from seqrec_edu.ops._linear_cross_entropy.kernel import linear_cross_entropy

    inputs, target = inputs_of(5, 7, 3)
    target[2] = wrong
    hidden, items = (value.requires_grad_() for value in inputs.values())
    loss = linear_cross_entropy(hidden, items, target, "sum", None)
    of_hidden, of_items = torch.autograd.grad(loss, (hidden, items))
    assert loss.isnan() and of_hidden[2].isnan().all() and of_items.isnan().all()


def test_it_runs_only_where_it_is_named_and_fits():
    assert ops.backends.chosen(torch.empty(1, 64))["linear_cross_entropy"] == "cpu"
    with pytest.raises(ops.BackendError, match="rows of up to 256, axis d is 257"):
        ops.linear_cross_entropy(torch.ones(2, 257), torch.ones(3, 257), torch.tensor([1, 2]), backend="kernel")
