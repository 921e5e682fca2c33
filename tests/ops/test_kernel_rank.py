"""The Triton kernel of target_rank in Triton's interpreter; see test_hopper_loss.py for the GPU.

Scores of small whole numbers are exact in every order of summing, so that ties are ties wherever they are computed.
"""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqrec_edu import ops
from seqrec_edu.ops import gpu
from tests.ops.support import generator

pytest.importorskip("triton", reason="triton is not installed (Linux only)")
pytestmark = pytest.mark.skipif(
    not gpu.interpreting(), reason="Triton compiles here, for the GPU; TRITON_INTERPRET=1 runs its interpreter instead"
)


def programs(monkeypatch, wanted):
    monkeypatch.setattr("seqrec_edu.ops._linear_cross_entropy.tiles.PROGRAMS", wanted)


def whole_numbers(users, items, width, excluded, seed=4):
    draw = generator(seed)
    hidden = torch.randint(-2, 3, (users, width), generator=draw).double()
    catalogue = torch.randint(-1, 2, (items, width), generator=draw).double()
    target = torch.randint(1, items, (users,), generator=draw)
    exclude = None if excluded is None else torch.randint(0, items, (users, excluded), generator=draw)
    return hidden, catalogue, target, exclude


def compare(hidden, items, target, exclude, dtype=torch.float64):
    expected = ops.target_rank(hidden, items, target, exclude=exclude, backend="reference")
    found = ops.target_rank(hidden.to(dtype), items.to(dtype), target, exclude=exclude, backend="kernel")
    assert torch.equal(found, expected)


@pytest.mark.parametrize("excluded", [None, 0, 1, 30])
@pytest.mark.parametrize("wanted", [1, 4])
def test_ranks_and_ties(excluded, wanted, monkeypatch):
    programs(monkeypatch, wanted)
    compare(*whole_numbers(40, 140, 3, excluded))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("excluded", [None, 9])
def test_precisions(dtype, excluded, monkeypatch):
    programs(monkeypatch, 1)
    compare(*whole_numbers(70, 130, 20, excluded), dtype)


@settings(max_examples=6, deadline=None)
@given(
    users=st.integers(1, 40), items=st.integers(2, 70), width=st.integers(1, 20),
    excluded=st.one_of(st.none(), st.integers(0, 9)), wanted=st.integers(1, 9), seed=st.integers(0, 99),
)  # fmt: skip
def test_any_shape_in_any_number_of_programs(users, items, width, excluded, wanted, seed):
    with pytest.MonkeyPatch.context() as monkeypatch:
        programs(monkeypatch, wanted)
        compare(*whole_numbers(users, items, width, excluded, seed))


def test_the_excluded_at_the_edges_of_a_word():
    """Items 63, 64 and 127 are the last and first bits of a word of 64; the target is never left out."""
    items = torch.zeros(130, 2).double()
    exclude = torch.tensor([[63, 64, 127, 128, 129, 63], [1, 2, 0, 0, 0, 1], [0, 0, 0, 0, 0, 0]])
    compare(torch.ones(3, 2).double(), items, torch.tensor([64, 3, 63]), exclude)
    rank = ops.target_rank(
        torch.ones(3, 2), items.float(), torch.tensor([64, 3, 63]), exclude=exclude, backend="kernel"
    )
    assert rank.tolist() == [1 + 124 / 2, 1 + 126 / 2, 1 + 128 / 2]


def test_the_excluded_of_many_users_are_held_a_part_at_a_time(monkeypatch):
    monkeypatch.setattr("seqrec_edu.ops._target_rank.kernel.MOST_BITS", 70 * 7)
    compare(*whole_numbers(20, 70, 3, 5))


def test_scores_that_are_not_exact(monkeypatch):
    """Without ties the order of summing does not matter, unless two scores are a last bit apart."""
    programs(monkeypatch, 1)
    draw = generator(5)
    compare(
        torch.randn(30, 12, generator=draw).double(),
        torch.randn(70, 12, generator=draw).double(),
        torch.randint(1, 70, (30,), generator=draw),
        torch.randint(0, 70, (30, 8), generator=draw),
        torch.float32,
    )


def test_inputs_need_not_be_contiguous():
    hidden, items, target, exclude = whole_numbers(20, 70, 3, 5)
    compare(hidden.T.contiguous().T, items.T.contiguous().T, target, exclude.T.contiguous().T)


def test_nan_has_no_rank():
    hidden, items, target, _ = whole_numbers(20, 70, 3, None)
    hidden[3] = torch.nan
    rank = ops.target_rank(hidden, items, target, backend="kernel")
    assert rank[3].isnan() and torch.isfinite(rank).sum() == 19


def test_it_runs_only_where_it_is_named_and_fits():
    assert ops.backends.chosen(torch.empty(1, 64))["target_rank"] == "cpu"
    with pytest.raises(ops.BackendError, match="rows of up to 256, axis d is 300"):
        ops.target_rank(torch.ones(2, 300), torch.ones(3, 300), torch.tensor([1, 2]), backend="kernel")
