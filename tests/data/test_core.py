"""The k-core against a plain definition: remove what is too rare until nothing is."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqrec_edu.data.core import k_core, largest_core

QUICK = settings(max_examples=40, deadline=None)  # no deadline: other work may share the machine
EVENTS = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=60)


def plain(events: list[tuple[int, int]], k: int) -> list[int]:
    stay = list(range(len(events)))
    while True:
        users, items = Counter(events[e][0] for e in stay), Counter(events[e][1] for e in stay)
        fewer = [e for e in stay if users[events[e][0]] >= k and items[events[e][1]] >= k]
        if fewer == stay:
            return stay
        stay = fewer


def arrays(events) -> tuple[np.ndarray, np.ndarray]:
    return tuple(np.array([e[axis] for e in events], dtype=np.int64) for axis in (0, 1))


@QUICK
@given(EVENTS, st.integers(0, 5))
def test_agrees_with_the_definition(events, k):
    mask, _ = k_core(*arrays(events), k)
    assert np.flatnonzero(mask).tolist() == plain(events, k)


@QUICK
@given(EVENTS, st.integers(1, 5))
def test_properties(events, k):
    users, items = arrays(events)
    mask, rounds = k_core(users, items, k)
    for codes in (users[mask], items[mask]):
        assert not codes.size or np.unique_counts(codes).counts.min() >= k
    again, no_rounds = k_core(users[mask], items[mask], k)
    assert again.all() and no_rounds == 0
    assert (rounds > 0) == (not mask.all())
    assert not (k_core(users, items, k + 1)[0] & ~mask).any()  # cores are nested


def test_agrees_with_the_definition_over_several_rounds():
    """Dense enough that a core is left, sparse enough that it is not reached at once: hypothesis rarely draws that."""
    draw, longest = np.random.default_rng(0), 0
    for _ in range(100):
        users, items = draw.integers(0, 15, 60), draw.integers(0, 15, 60)
        mask, rounds = k_core(users, items, 3)
        assert np.flatnonzero(mask).tolist() == plain(list(zip(users.tolist(), items.tolist(), strict=True)), 3)
        longest = max(longest, rounds * mask.any())
    assert longest >= 4


def test_removal_spreads():
    """A chain: each round makes the next user or item too rare."""
    events = [(0, 0), (0, 1), (1, 1), (1, 2), (2, 2), (2, 3), (3, 3)]
    mask, rounds = k_core(*arrays(events), 2)
    assert not mask.any() and rounds == 4
    assert largest_core(*arrays(events), 2) == 1


@pytest.mark.parametrize("k", [0, 1])
def test_nothing_to_do(k):
    assert k_core(np.array([0, 1]), np.array([0, 0]), k)[0].all()


@pytest.mark.parametrize("below", [2, 5, 9, 4000])
def test_the_largest_core_is_that_which_trying_all_finds(below):
    draw = np.random.default_rng(below)
    users, items = draw.integers(0, 12, 150), draw.integers(0, 9, 150)
    tried = [k for k in range(1, min(below, 151)) if k_core(users, items, k)[0].any()]
    assert largest_core(users, items, below) == max(tried)
    assert largest_core(users[:0], items[:0], below) == 0


def test_the_largest_core_may_be_all_there_is():
    users, items = np.divmod(np.arange(9), 3)  # three people, each with the same three items
    assert largest_core(users, items, 10) == 3
    assert largest_core(np.append(users, 3), np.append(items, 3), 10) == 3
