"""The loss in tiles: both ways through them, any shape, awkward inputs."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqrec_edu import ops
from seqrec_edu.ops._linear_cross_entropy import vectorised
from tests.ops.support import DOUBLE, SINGLE, assert_same, generator, normal, values_and_gradients

RUNGS = [("vectorised", torch.float64, DOUBLE), ("vectorised", torch.float32, SINGLE), ("cpu", torch.float32, SINGLE)]


def inputs_of(tokens, items, width):
    # Scores of a few units: a loss near zero would be the difference of two large numbers, of which little is left.
    inputs = {"hidden": normal(tokens, width, seed=1), "items": 0.3 * normal(items, width, seed=2)}
    return inputs, torch.randint(0, items, (tokens,), generator=generator(3))


def compare(tokens, items, width, backend, dtype, tolerance, **options):
    inputs, target = inputs_of(tokens, items, width)
    target[0] = items - 1  # a mean needs one target that counts
    options["target"] = target
    expected = values_and_gradients(ops.linear_cross_entropy, inputs, torch.float64, backend="reference", **options)
    found = values_and_gradients(ops.linear_cross_entropy, inputs, dtype, backend=backend, **options)
    assert_same(found, expected, tolerance)


def tile(monkeypatch, numbers, *, whole_rows):
    """Tiles of so many numbers, of whole rows or of tokens × items."""
    monkeypatch.setattr(vectorised, "TILE_BYTES", {"cpu": 4 * numbers})
    monkeypatch.setattr(vectorised, "WHOLE_ROWS_BYTES", {"cpu": 1 << 40 if whole_rows else 0})


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("ignore_index", [0, 5, None])
@pytest.mark.parametrize(("backend", "dtype", "tolerance"), RUNGS)
def test_two_passes_over_tiles_of_the_catalogue(reduction, ignore_index, backend, dtype, tolerance, monkeypatch):
    tile(monkeypatch, 64 * 7, whole_rows=False)  # 150 tokens in tiles of 64, 37 items in tiles of 7
    compare(150, 37, 8, backend, dtype, tolerance, reduction=reduction, ignore_index=ignore_index)


@pytest.mark.parametrize(("backend", "dtype", "tolerance"), RUNGS)
@pytest.mark.parametrize("reduction", ["sum", "none"])
def test_a_padding_row_beyond_the_number_of_tokens(reduction, backend, dtype, tolerance):
    compare(3, 37, 8, backend, dtype, tolerance, reduction=reduction, ignore_index=30)


@pytest.mark.parametrize(("backend", "dtype", "tolerance"), RUNGS)
@settings(max_examples=20, deadline=None)
@given(
    tokens=st.integers(1, 200), items=st.integers(3, 90), width=st.integers(1, 20), numbers=st.integers(1, 9000),
    whole_rows=st.booleans(), reduction=st.sampled_from(["mean", "sum", "none"]),
    ignore_index=st.sampled_from([0, None]),
)  # fmt: skip
def test_any_shape_in_any_tiles(
    tokens, items, width, numbers, whole_rows, reduction, ignore_index, backend, dtype, tolerance
):
    with pytest.MonkeyPatch.context() as monkeypatch:
        tile(monkeypatch, numbers, whole_rows=whole_rows)
        compare(tokens, items, width, backend, dtype, tolerance, reduction=reduction, ignore_index=ignore_index)


@pytest.mark.parametrize("backend", ["vectorised", "cpu"])
@pytest.mark.parametrize(("tokens", "items"), [(100, 70_000), (300, 9_000), (3_000, 50)])
def test_no_tile_grows_with_tokens_or_catalogue(tokens, items, backend, monkeypatch):
    """Nor does the choice of tiles change the loss."""
    sizes, score = [], vectorised._scores
    monkeypatch.setattr(vectorised, "_scores", lambda *args: sizes.append(score(*args)) or sizes[-1])
    inputs, target = inputs_of(tokens, items, 3)
    hidden, catalogue = (value.float() for value in inputs.values())
    found = ops.linear_cross_entropy(hidden, catalogue, target, backend=backend)
    expected = ops.linear_cross_entropy(hidden.double(), catalogue.double(), target, backend="reference")
    torch.testing.assert_close(found.double(), expected, rtol=SINGLE, atol=0)
    assert len(sizes) > 1 or tokens * items <= vectorised.TILE_BYTES["cpu"] // 4
    assert max(scores.numel() for scores in sizes) <= max(vectorised.TILE_BYTES["cpu"] // 4, 64 * min(items, 65_536))


@pytest.mark.parametrize(
    ("tokens", "items", "reduction", "rows", "columns"),
    [
        (1_000, 1_000, "mean", [524, 476], [1_000]),  # 524 whole rows are two megabytes
        (100, 65_536, "mean", [64, 36], [65_536]),  # 64 whole rows still fit 16 megabytes
        (100, 65_537, "mean", [100], [5_242] * 12 + [2_633]),
        (1_500, 2_000, "none", [724, 724, 52], [724, 724, 552]),  # square: 724² numbers are two megabytes
        (20_000, 50, "none", [10_485, 9_515], [50]),
    ],
)
def test_a_tile_is_as_large_as_it_is_said_to_be(tokens, items, reduction, rows, columns, monkeypatch):
    """Its size decides memory and speed, which no other test would miss."""
    seen, score = [], vectorised._scores
    monkeypatch.setattr(vectorised, "_scores", lambda *args: seen.append(score(*args)) or seen[-1])
    inputs, target = inputs_of(tokens, items, 1)
    hidden, catalogue = (value.float() for value in inputs.values())
    ops.linear_cross_entropy(hidden, catalogue, target, reduction=reduction, backend="vectorised")
    assert [tuple(scores.shape) for scores in seen] == [(row, column) for row in rows for column in columns]


def test_a_tile_is_64_tokens_and_one_item_at_least(monkeypatch):
    tile(monkeypatch, 1, whole_rows=False)
    found = vectorised._blocks(torch.ones(70, 2), torch.ones(3, 2), -1)
    assert [tuple(scores.shape) for _, _, scores in found] == [(64, 1)] * 3 + [(6, 1)] * 3


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("whole_rows", [True, False])
def test_gradcheck(reduction, whole_rows, monkeypatch):
    tile(monkeypatch, 10, whole_rows=whole_rows)
    hidden, items = (value.requires_grad_() for value in inputs_of(5, 7, 3)[0].values())
    target = torch.tensor([3, 0, 6, 1, 3])
    run = lambda h, e: ops.linear_cross_entropy(h, e, target, reduction=reduction, backend="vectorised")  # noqa: E731
    assert torch.autograd.gradcheck(run, (hidden, items))


@pytest.mark.parametrize("backend", ["reference", "vectorised", "cpu"])
@pytest.mark.parametrize("whole_rows", [True, False])
def test_equal_scores_lose_the_logarithm_of_the_catalogue(backend, whole_rows, monkeypatch):
    """And the gradient of the items has no component along a shift of all scores."""
    tile(monkeypatch, 64 * 5, whole_rows=whole_rows)
    hidden = torch.ones(9, 4, requires_grad=True)
    items = torch.ones(22, 4, requires_grad=True)
    loss = ops.linear_cross_entropy(hidden, items, torch.arange(1, 10), backend=backend)
    loss.backward()
    assert loss.item() == pytest.approx(math.log(21), rel=1e-6)
    assert items.grad.sum(0).abs().max() < 1e-6 and (items.grad[0] == 0).all()


@pytest.mark.parametrize("backend", ["reference", "vectorised", "cpu"])
@pytest.mark.parametrize("whole_rows", [True, False])
def test_the_only_item_is_certain(backend, whole_rows, monkeypatch):
    tile(monkeypatch, 1, whole_rows=whole_rows)
    hidden, items = (value.float().requires_grad_() for value in inputs_of(3, 2, 5)[0].values())
    loss = ops.linear_cross_entropy(hidden, items, torch.ones(3, dtype=torch.int64), backend=backend)
    gradients = torch.autograd.grad(loss, (hidden, items))
    assert all(value.abs().max() < 1e-6 for value in (loss, *gradients))


@pytest.mark.parametrize("backend", ["vectorised", "cpu"])
@pytest.mark.parametrize("whole_rows", [True, False])
def test_huge_scores_make_no_nan(backend, whole_rows, monkeypatch):
    """Shares of 1 and 0, a padding row above everything, and tiles in which nothing has any share."""
    tile(monkeypatch, 64 * 5, whole_rows=whole_rows)
    inputs, target = inputs_of(80, 31, 4)
    inputs = {"hidden": 300 * inputs["hidden"], "items": 1000 * inputs["items"]}
    inputs["items"][0] = 1e4
    expected = values_and_gradients(
        ops.linear_cross_entropy, inputs, torch.float64, target=target, reduction="none", backend="reference"
    )
    found = values_and_gradients(
        ops.linear_cross_entropy, inputs, torch.float32, target=target, reduction="none", backend=backend
    )
    assert all(torch.isfinite(value).all() for value in found.values())
    torch.testing.assert_close(found["output 0"].double(), expected["output 0"], rtol=1e-4, atol=1)


@pytest.mark.parametrize("backend", ["vectorised", "cpu"])
@pytest.mark.parametrize("whole_rows", [True, False])
@pytest.mark.parametrize("where", ["hidden", "items"])
def test_nan_is_not_lost(backend, whole_rows, where, monkeypatch):
    tile(monkeypatch, 64 * 5, whole_rows=whole_rows)
    inputs, _ = inputs_of(70, 31, 4)
    inputs[where][3] = torch.nan
    hidden, items = (value.float() for value in inputs.values())
    assert ops.linear_cross_entropy(hidden, items, torch.arange(70) % 30 + 1, backend=backend).isnan()


@pytest.mark.parametrize("whole_rows", [True, False])
def test_half_precision_is_summed_in_full(whole_rows, monkeypatch):
    """In many tiles as in one: the error of bfloat16 is that of its scores, not of adding them up."""
    inputs, target = inputs_of(512, 40, 8)
    inputs = {name: value.bfloat16() for name, value in inputs.items()}
    options = {"target": target, "reduction": "sum"}
    expected = values_and_gradients(ops.linear_cross_entropy, inputs, torch.float64, backend="reference", **options)
    tile(monkeypatch, 64 * 5, whole_rows=whole_rows)
    found = values_and_gradients(ops.linear_cross_entropy, inputs, torch.bfloat16, backend="vectorised", **options)
    assert_same(found, expected, 8e-3)


@pytest.mark.parametrize(("backend", "dtype", "tolerance"), RUNGS)
@pytest.mark.parametrize("whole_rows", [True, False])
def test_inputs_need_not_be_contiguous(backend, dtype, tolerance, whole_rows, monkeypatch):
    tile(monkeypatch, 64 * 5, whole_rows=whole_rows)
    inputs, target = inputs_of(90, 23, 6)
    target = torch.stack([target, target], dim=1)
    strided = {name: value.T.contiguous().T for name, value in inputs.items()}
    expected = values_and_gradients(
        ops.linear_cross_entropy, inputs, torch.float64, target=target[:, 0].contiguous(), backend="reference"
    )
    found = values_and_gradients(ops.linear_cross_entropy, strided, dtype, target=target[:, 0], backend=backend)
    assert_same(found, expected, tolerance)


@pytest.mark.parametrize("reduction", ["sum", "none"])
@pytest.mark.parametrize("wanted", ["hidden", "items"])
def test_a_gradient_alone_is_that_of_both(wanted, reduction):
    inputs, target = inputs_of(5, 7, 3)
    loss = lambda: ops.linear_cross_entropy(**inputs, target=target, reduction=reduction, backend="vectorised").sum()  # noqa: E731
    inputs[wanted].requires_grad_()
    alone = torch.autograd.grad(loss(), inputs[wanted])[0]
    for value in inputs.values():
        value.requires_grad_()
    both = torch.autograd.grad(loss(), inputs[wanted])[0]
    assert both.norm() > 0.1 and torch.equal(alone, both)


def test_only_wanted_gradients_and_only_padding():
    inputs, target = inputs_of(5, 7, 3)
    hidden, items = inputs["hidden"], inputs["items"].requires_grad_()
    for reduction in ("sum", "none"):
        nothing = ops.linear_cross_entropy(hidden, items, 0 * target, reduction=reduction, backend="vectorised").sum()
        assert nothing == 0 and (torch.autograd.grad(nothing, items)[0] == 0).all()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"ignore_index": 7}, "one of 0…6, or None; got 7"),
        ({"ignore_index": -100}, "got -100"),
        ({"items": torch.ones(1, 3), "target": torch.zeros(5, dtype=torch.int64)}, "padding row only"),
        ({"target": torch.tensor([1, 2, 3, 4, 7])}, "targets run from 1 to 7, rows of items are 0…6"),
        ({"target": torch.tensor([1, 2])}, "axis t .* of target"),
        ({"reduction": "average"}, "'mean', 'sum' or 'none'"),
    ],
)
def test_bad_input_is_named(changes, says):
    good = {"hidden": torch.ones(5, 3), "items": torch.ones(7, 3), "target": torch.arange(5)}
    with pytest.raises(ValueError, match=says):
        ops.linear_cross_entropy(**(good | changes))
