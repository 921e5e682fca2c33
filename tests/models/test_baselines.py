"""Baselines against the same counts made with dictionaries."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import torch

from seqrec_edu.data.batches import EventStore, prefix_targets
from seqrec_edu.data.histories import Histories
from seqrec_edu.data.split import Split, leave_one_out
from seqrec_edu.models.baselines import LastItemTransition, MostRecent, NotFitted, Popularity

ALL = (Popularity, LastItemTransition, MostRecent)


def histories_of(*users, n_items=None):
    flat = np.array([i for items in users for i in items], dtype=np.int32)
    offsets = np.concatenate([[0], np.cumsum([len(items) for items in users])]).astype(np.int64)
    times = np.concatenate([np.arange(len(items)) for items in users]).astype(np.int64)
    v = n_items or int(flat.max())
    names = ["<pad>", *(f"i{i}" for i in range(1, v + 1))]
    return Histories(flat, times, offsets, names, [f"u{u}" for u in range(len(users))], "small")


def random_split(seed, users=40, n_items=25):
    rng = np.random.default_rng(seed)
    return leave_one_out(
        histories_of(
            *(rng.integers(1, n_items + 1, rng.integers(1, 15)).tolist() for _ in range(users)), n_items=n_items
        )
    )


def last_histories(split, length=200):
    start, stop, _ = prefix_targets(split, "test", length)
    return EventStore(split.histories).gather(start, stop)


def training_part(split):
    ends, offsets = split.train_end, split.histories.offsets
    return [split.histories.items[offsets[u] : ends[u]].tolist() for u in range(split.histories.n_users)]


@pytest.mark.parametrize("seed", range(4))
def test_popularity_counts_training_events_only(seed):
    split = random_split(seed)
    count = Counter(i for items in training_part(split) for i in items)
    scores = Popularity().fit(split).scores(last_histories(split))
    assert (scores[:, 0] == -torch.inf).all()
    assert scores[:, 1:].tolist() == [[float(count[i]) for i in range(1, 26)]] * len(scores)


@pytest.mark.parametrize("seed", range(4))
def test_transitions_equal_counted_pairs(seed):
    split = random_split(seed)
    parts = training_part(split)
    count = Counter(i for items in parts for i in items)
    pairs = Counter(pair for items in parts for pair in pairwise(items))
    batch = last_histories(split)
    scores = LastItemTransition().fit(split).scores(batch)
    total = sum(count.values())
    for row, history in enumerate(batch.item.tolist()):
        last = history[int(batch.length[row]) - 1]
        expected = [pairs[last, i] + count[i] / (total + 1) for i in range(1, 26)]
        assert scores[row, 1:].tolist() == pytest.approx(expected, abs=1e-12)
        assert scores[row, 0] == -torch.inf


@pytest.mark.parametrize("seed", range(4))
def test_most_recent_lists_the_history_backwards_then_popularity(seed):
    split = random_split(seed)
    count = Counter(i for items in training_part(split) for i in items)
    batch = last_histories(split)
    scores = MostRecent().fit(split).scores(batch)
    for row, history in enumerate(batch.item.tolist()):
        backwards = list(dict.fromkeys(reversed([i for i in history if i])))
        order = scores[row].argsort(descending=True).tolist()
        assert order[: len(backwards)] == backwards
        rest = [count[i] for i in order[len(backwards) : -1]]
        assert rest == sorted(rest, reverse=True) and order[-1] == 0


def test_back_off_never_overtakes_a_transition_and_orders_equal_ones():
    split = leave_one_out(histories_of([1, 2, 9, 9], [3, 3, 3, 3, 3, 3, 9, 9], [1, 4, 9, 9], [4, 5, 9, 9], n_items=9))
    batch = EventStore(split.histories).gather([0], [1])  # the history "1"
    scores = LastItemTransition().fit(split).scores(batch)[0]
    assert scores.argsort(descending=True)[:4].tolist() == [4, 2, 3, 1]


def test_ties_in_popularity_stay_ties():
    split = leave_one_out(histories_of([1, 2, 3, 3], [2, 1, 3, 3], n_items=4))
    scores = Popularity().fit(split).scores(last_histories(split))
    assert scores[0, 1] == scores[0, 2] > scores[0, 3] == scores[0, 4] == 0


def test_popularity_stays_visible_behind_large_counts():
    """In float32 a count of 1,000 would swallow the fraction, and equal transitions would tie."""
    pair = [1, 2] * 3000 + [1, 3] * 3000
    split = leave_one_out(histories_of([*pair, 9, 9], [3, 3, 9, 9], n_items=9))
    scores = LastItemTransition().fit(split).scores(EventStore(split.histories).gather([0], [1]))[0]
    assert scores[2] < scores[3] and scores[3] - scores[2] < 1e-3


def test_pairs_never_cross_users_or_reach_into_the_targets():
    split = leave_one_out(histories_of([1, 2, 5, 6], [7], [3, 4, 5, 6], n_items=7))
    model = LastItemTransition().fit(split)
    store = EventStore(split.histories)
    for event, follower in ((0, 2), (5, 4)):  # 1 → 2 and 3 → 4
        assert model.scores(store.gather([event], [event + 1]))[0].argmax() == follower
    for event in (1, 4, 6):  # 2 → 5 is validation, 7 → 3 another user, 4 → 5 validation
        assert (model.scores(store.gather([event], [event + 1]))[0, 1:] < 1).all()


def test_transitions_are_stored_sparsely():
    rng = np.random.default_rng(0)
    v = 200_000  # v × v would be 320 GB
    split = leave_one_out(histories_of(*(rng.integers(1, v + 1, 20).tolist() for _ in range(50)), n_items=v))
    model = LastItemTransition().fit(split)
    assert model.n_parameters <= 2 * (v + 2) + 2 * split.n_train
    assert model.scores(last_histories(split)).shape == (50, v + 1)


@pytest.mark.parametrize("baseline", ALL)
def test_empty_users_and_fit_returns_itself(baseline):
    histories = histories_of([], [1, 2, 3], [], [2, 1, 3, 1], [])
    split = leave_one_out(histories)
    model = baseline()
    assert model.fit(split) is model
    assert model.scores(last_histories(split)).shape == (2, 4)


@pytest.mark.parametrize("baseline", ALL)
def test_asked_before_it_counted(baseline):
    split = random_split(0)
    with pytest.raises(NotFitted, match="call fit"):
        baseline().scores(last_histories(split))
    with pytest.raises(NotFitted, match="call fit"):
        _ = baseline().n_parameters


@pytest.mark.parametrize("baseline", ALL)
def test_another_catalogue_is_refused(baseline):
    model = baseline().fit(leave_one_out(histories_of([1, 2, 3])))
    with pytest.raises(ValueError, match=r"items 1\.\.3 of the catalogue"):
        model.scores(last_histories(random_split(0)))


@pytest.mark.parametrize("baseline", ALL)
def test_padding_and_the_rest_of_the_batch_change_nothing(baseline):
    split: Split = random_split(5)
    model, store = baseline().fit(split), EventStore(split.histories)
    start, stop, _ = prefix_targets(split, "test", 200)
    together = model.scores(store.gather(start, stop, 30))
    for row in range(len(start)):
        alone = model.scores(store.gather(start[row : row + 1], stop[row : row + 1]))
        assert torch.equal(together[row : row + 1], alone)
