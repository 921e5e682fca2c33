"""Permuted gaps: the control for everything that claims to use time."""

import numpy as np
import pytest

from seqrec_edu.data import BadInput, Histories, shuffle_gaps
from seqrec_edu.data.sources import load
from seqrec_edu.data.synthetic import shoppers


@pytest.fixture(scope="module")
def histories():
    return shoppers(users=50)


def gaps_of(histories, user):
    return np.diff(histories.history(user)[1])


def test_only_the_order_of_gaps_changes(histories):
    found = shuffle_gaps(histories, 0)
    assert np.array_equal(found.items, histories.items) and np.array_equal(found.offsets, histories.offsets)
    assert found.hash != histories.hash and found.times.dtype == np.int64
    for user in range(histories.n_users):
        was, now = histories.history(user)[1], found.history(user)[1]
        assert (now[0], now[-1]) == (was[0], was[-1])
        assert np.array_equal(np.sort(np.diff(was)), np.sort(np.diff(now)))


def test_most_gaps_move_and_every_place_is_as_likely(histories):
    assert (shuffle_gaps(histories, 0).times != histories.times).mean() > 0.8
    three = make([[0, 1, 11, 111]])  # gaps 1, 10, 100: six orders
    orders = [tuple(gaps_of(shuffle_gaps(three, seed), 0)) for seed in range(600)]
    counts = [orders.count(order) for order in set(orders)]
    assert len(counts) == 6 and min(counts) > 60


def test_the_seed_decides(histories):
    once, again, other = (shuffle_gaps(histories, seed) for seed in (0, 0, 1))
    assert once.hash == again.hash != other.hash


def test_users_without_gaps_stay_as_they_are():
    found = shuffle_gaps(make([[5], [], [7, 9], []]), 3)
    assert found.times.tolist() == [5, 7, 9]


def test_load_does_it_and_says_so():
    real, found = load("shoppers", users=30), load("shoppers", users=30, shuffle_gaps=4)
    assert found.hash == shuffle_gaps(real, 4).hash != real.hash
    assert "permuted (seed 4)" in found.report.find("caution").text
    assert real.report.find("caution") is None


@pytest.mark.parametrize("seed", [-1, 1.5, True, "1"])
def test_seeds_are_whole_numbers(histories, seed):
    with pytest.raises(BadInput, match="shuffle_gaps takes a seed"):
        shuffle_gaps(histories, seed)


def make(times):
    flat = np.array([t for each in times for t in each], dtype=np.int64)
    offsets = np.cumsum([0, *map(len, times)], dtype=np.int64)
    ids = [str(user) for user in range(len(times))]
    return Histories(np.ones(flat.size, dtype=np.int32), flat, offsets, ["<pad>", "a"], ids)
