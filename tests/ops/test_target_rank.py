"""The rank of the target: one rule, told apart from how the scores are tiled and counted."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqrec_edu import ops
from seqrec_edu.ops._target_rank import cpu, vectorised
from seqrec_edu.training.metrics import expected_rank
from tests.ops.support import generator

BACKENDS = ["reference", "vectorised", "cpu"]


def whole_numbers(users, items, width, excluded, seed=4):
    """Scores of small whole numbers: exact in every order of summing, and full of ties."""
    draw = generator(seed)
    hidden = torch.randint(-2, 3, (users, width), generator=draw).float()
    catalogue = torch.randint(-1, 2, (items, width), generator=draw).float()
    target = torch.randint(1, items, (users,), generator=draw)
    exclude = None if excluded is None else torch.randint(0, items, (users, excluded), generator=draw)
    return hidden, catalogue, target, exclude


def by_sorting(scores, target, exclude):
    """Mean place of the target over all orders that sorting the catalogue by score could give."""
    places = []
    for row, right, left_out in zip(scores.tolist(), target.tolist(), exclude.tolist(), strict=True):
        ranked = [item for item in range(1, len(row)) if item == right or item not in left_out]
        order = sorted(ranked, key=lambda item: -row[item])
        level = [place for place, item in enumerate(order, start=1) if row[item] == row[right]]
        places.append(sum(level) / len(level))
    return torch.tensor(places)


@pytest.mark.parametrize("backend", BACKENDS)
@settings(max_examples=40, deadline=None)
@given(
    users=st.integers(1, 30), items=st.integers(2, 60), width=st.integers(1, 5), excluded=st.integers(0, 9),
    numbers=st.integers(1, 900), seed=st.integers(0, 999),
)  # fmt: skip
def test_it_is_the_mean_place_over_all_orders(users, items, width, excluded, numbers, seed, backend):
    hidden, catalogue, target, exclude = whole_numbers(users, items, width, excluded, seed)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(cpu, "TILE_BYTES", 4 * numbers)  # from one number to whole rows
        monkeypatch.setattr(cpu, "FEWEST_USERS", 4)
        monkeypatch.setattr(cpu, "MOST_USERS", 7)
        found = ops.target_rank(hidden, catalogue, target, exclude=exclude, backend=backend)
    expected = by_sorting(hidden @ catalogue.T, target, exclude)
    assert torch.equal(found, expected)
    assert torch.equal(expected_rank(hidden @ catalogue.T, target, exclude), expected.double())


@pytest.mark.parametrize("backend", BACKENDS)
def test_nothing_excluded(backend):
    hidden, items, target, _ = whole_numbers(20, 50, 3, None)
    expected = by_sorting(hidden @ items.T, target, torch.zeros(20, 1))
    assert torch.equal(ops.target_rank(hidden, items, target, backend=backend), expected)
    for exclude in (torch.zeros(20, 0, dtype=torch.int64), torch.zeros(20, 3, dtype=torch.int32), target[:, None]):
        assert torch.equal(ops.target_rank(hidden, items, target, exclude=exclude, backend=backend), expected)


@pytest.mark.parametrize("items", [300, 9_000, 20_000])
def test_compiled_and_vectorised_agree_with_the_tiles_they_have(items):
    """Whole rows, and tiles of the catalogue, many of them with ties in other tiles."""
    hidden, catalogue, target, exclude = whole_numbers(300, items, 6, 40)
    run = lambda backend: ops.target_rank(hidden, catalogue, target, exclude=exclude, backend=backend)  # noqa: E731
    assert torch.equal(run("cpu"), run("vectorised"))


@pytest.mark.parametrize(("users", "items", "fit"), [(1300, 1000, 524), (40, 70_000, 16)])
def test_a_tile_is_two_megabytes_of_scores_or_sixteen_users(users, items, fit, monkeypatch):
    """Memory does not grow with the users: one row of scores more would not fit."""
    hidden, catalogue, target, _ = whole_numbers(users, items, 2, None)
    seen, rank_in = [], vectorised.rank_in
    monkeypatch.setattr(vectorised, "rank_in", lambda scores, *rest: seen.append(len(scores)) or rank_in(scores, *rest))
    ops.target_rank(hidden, catalogue, target, backend="vectorised")
    whole, rest = divmod(users, fit)
    assert seen == [fit] * whole + [rest] * (rest > 0)
    assert fit == 16 or 4 * fit * items <= 2 << 20 < 4 * (fit + 1) * items


def test_a_score_that_a_tile_rounds_differently_is_counted_with_what_the_tile_shows(monkeypatch):
    """The foretold score of each target is made wrong by a hair, as a library with another order of summing would."""
    hidden, items, target, exclude = whole_numbers(20, 200, 3, 4)
    expected = ops.target_rank(hidden, items, target, exclude=exclude, backend="reference")
    monkeypatch.setattr(cpu, "TILE_BYTES", 4 * 20 * 30)
    counted, count = [], cpu._count_all
    monkeypatch.setattr(cpu, "_count_all", lambda own, *rest: counted.append(own) or count(own, *rest))
    foretell = cpu._foretold
    monkeypatch.setattr(cpu, "_foretold", lambda *args: foretell(*args) + 1e-6)
    assert torch.equal(ops.target_rank(hidden, items, target, exclude=exclude, backend="cpu"), expected)
    assert len(counted) == 2 and not torch.equal(counted[0], counted[1])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("numbers", [20 * 12, 1 << 20])
def test_nan_has_no_rank(backend, numbers, monkeypatch):
    """A NaN is above nothing and below nothing: without this it would rank first."""
    monkeypatch.setattr(cpu, "TILE_BYTES", 4 * numbers)
    hidden, items, target, exclude = whole_numbers(20, 50, 3, 4)
    target[target == 5] = 6
    finite = items.clone()
    items[5], hidden[3] = torch.nan, torch.nan
    target[7] = 5
    rank = ops.target_rank(hidden, items, target, exclude=exclude, backend=backend)
    assert rank.isnan().nonzero()[:, 0].tolist() == [3, 7]
    without = torch.cat([exclude, torch.full((20, 1), 5)], 1)  # the others rank as if item 5 were not there
    expected = ops.target_rank(hidden, finite, target, exclude=without, backend="reference")
    others = torch.arange(20)[~rank.isnan()]
    assert torch.equal(rank[others], expected[others])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("numbers", [20 * 12, 1 << 20])
def test_infinite_scores_rank(backend, numbers, monkeypatch):
    monkeypatch.setattr(cpu, "TILE_BYTES", 4 * numbers)
    items = torch.tensor([5.0, torch.inf, -torch.inf, 0.0, torch.inf, -torch.inf])[:, None]
    ranks = ops.target_rank(torch.ones(4, 1), items, torch.tensor([1, 2, 3, 4]), backend=backend)
    assert ranks.tolist() == [1.5, 4.5, 3.0, 1.5]
    exclude = torch.tensor([[4], [5], [2], [1]])
    ranks = ops.target_rank(torch.ones(4, 1), items, torch.tensor([1, 2, 3, 4]), exclude=exclude, backend=backend)
    assert ranks.tolist() == [1.0, 4.0, 3.0, 1.0]


@pytest.mark.parametrize("backend", BACKENDS)
def test_inputs_need_not_be_contiguous_nor_without_gradient(backend):
    hidden, items, target, exclude = whole_numbers(20, 50, 3, 4)
    hidden, items = hidden.requires_grad_(), items.requires_grad_()  # parameters, as a caller may have them
    strided = hidden.T.contiguous().T, items.T.contiguous().T, torch.stack([target, target], 1)[:, 0]
    expected = ops.target_rank(hidden, items, target, exclude=exclude, backend="reference")
    assert torch.equal(ops.target_rank(*strided, exclude=exclude.T.contiguous().T, backend=backend), expected)


@pytest.mark.parametrize("backend", ["reference", "vectorised"])
def test_half_precision_is_summed_in_full(backend):
    """8 · 16 · 16 + 1 is not a bfloat16: summed in half precision the two items would tie."""
    items = torch.full((3, 9), 16.0)
    items[:, 8] = torch.tensor([0.0, 0.0, 1.0])
    hidden = torch.tensor([[16.0] * 8 + [1.0]])
    rank = ops.target_rank(hidden.bfloat16(), items.bfloat16(), torch.tensor([1]), backend=backend)
    assert rank.tolist() == [2.0]


def test_bad_input_is_named():
    hidden, items, target, exclude = whole_numbers(4, 9, 3, 2)
    with pytest.raises(ValueError, match="item number from 1 to 8"):
        ops.target_rank(hidden, items, 0 * target)
    with pytest.raises(ValueError, match="0 \\(none\\) to 8"):
        ops.target_rank(hidden, items, target, exclude=exclude + 9)
    with pytest.raises(ops.ShapeError, match=r"axis u .* of exclude"):
        ops.target_rank(hidden, items, target, exclude=exclude[:2])
    with pytest.raises(ops.BackendError, match="compiled for float32"):
        ops.target_rank(hidden.double(), items.double(), target, backend="cpu")
