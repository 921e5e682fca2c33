"""Two protocols: no event after a cut is trained on, every target has a history, and the hash covers it all."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqrec_edu.data import BadInput, Histories, global_time, leave_one_out, read
from seqrec_edu.data.split import ranges

QUICK = settings(max_examples=40, deadline=None)  # no deadline: other work may share the machine


def make(times_of_users: list[list[int]]) -> Histories:
    times = np.array([t for user in times_of_users for t in sorted(user)], dtype=np.int64)
    lengths = [len(user) for user in times_of_users]
    return Histories(
        items=np.arange(times.size, dtype=np.int32) % 7 + 1,
        times=times,
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        item_ids=["<pad>", *"abcdefg"],
        user_ids=[str(u) for u in range(len(lengths))],
    )


TIMES = st.lists(st.lists(st.integers(0, 50), min_size=0, max_size=9), min_size=1, max_size=9)


@QUICK
@given(TIMES)
def test_leave_one_out(times):
    histories = make(times)
    lengths = [len(user) for user in times]
    if max(lengths) < 3:
        with pytest.raises(BadInput, match="at least 3 events"):
            leave_one_out(histories)
        return
    split = leave_one_out(histories)
    offsets = histories.offsets
    expected = [(offsets[u + 1] - 2, offsets[u + 1] - 1) for u, n in enumerate(lengths) if n >= 3]
    assert list(zip(split.valid, split.test, strict=True)) == expected
    assert split.train_end.tolist() == [offsets[u + 1] - (2 if n >= 3 else 0) for u, n in enumerate(lengths)]
    assert split.users_of(split.test).tolist() == [u for u, n in enumerate(lengths) if n >= 3]
    assert split.n_train + 2 * split.test.size == histories.n_events == split.n_train + 2 * split.valid.size
    assert f"{sum(n < 3 for n in lengths)} users with fewer than 3 events" in split.summary()


@QUICK
@given(TIMES, st.sampled_from(["last", "all"]))
def test_global_time(times, targets):
    histories = make(times)
    try:
        split = global_time(histories, 0.5, 0.75, targets)
    except BadInput as error:
        assert "events" in str(error)
        return
    valid_from, test_from = split.cuts
    offsets, clock = histories.offsets, histories.times
    for user, start, end, stop in zip(range(len(times)), offsets[:-1], split.train_end, offsets[1:], strict=True):
        assert (clock[start:end] < valid_from).all() and (clock[end:stop] >= valid_from).all()
        own = [e for e in range(start, stop) if e > start]
        for events, low, high in ((split.valid, valid_from, test_from), (split.test, test_from, 10**9)):
            expected = [e for e in own if low <= clock[e] < high]
            mine = events[split.users_of(events) == user].tolist()
            assert mine == (expected if targets == "all" else expected[-1:])


def test_global_time_of_one_history():
    histories = make([[1, 2, 3, 4, 5, 6, 7, 8]])
    last, every = (global_time(histories, 0.5, 0.75, targets) for targets in ("last", "all"))
    assert (last.valid.tolist(), last.test.tolist()) == ([5], [7])
    assert (every.valid.tolist(), every.test.tolist()) == ([4, 5], [6, 7])


def test_global_time_says_what_is_wrong():
    histories = make([[5] * 6, [5] * 6])
    with pytest.raises(BadInput, match=r"no training events.*constant"):
        global_time(histories)
    with pytest.raises(BadInput, match="no training events"):
        global_time(make([[5, 5, 5, 5, 7, 9]]), 0.5, 0.9)
    for valid, test in ((0.9, 0.8), (0, 0.5), (0.5, 0.5), (0.5, 1)):
        with pytest.raises(BadInput, match="0 < valid < test < 1"):
            global_time(histories, valid, test)
    with pytest.raises(BadInput, match="targets"):
        global_time(histories, targets="first")
    with pytest.raises(BadInput, match="no validation events"):
        global_time(make([[1, 2, 5], [3], [4]]), 0.4, 0.8)  # nothing is before what is left for it
    with pytest.raises(BadInput, match="no test events"):
        global_time(make([[1, 2, 3, 4], [9]]), 0.5, 0.9)


def test_hash_and_text():
    histories = make([[1, 2, 3, 4, 5], [2, 4, 6, 8, 10, 12]])
    split, other = leave_one_out(histories), global_time(histories, 0.5, 0.7)
    assert split.hash == leave_one_out(histories).hash != other.hash
    moved = make([[1, 2, 3, 4, 5], [2, 4, 6, 8, 10, 13]])
    assert leave_one_out(moved).hash != split.hash
    for changed in ({"train_end": split.train_end - 1}, {"valid": split.valid[:1]}, {"test": split.test - 1}):
        assert replace(split, **changed).hash != split.hash
    assert (split.events("valid"), split.events("test")) == (split.valid, split.test)
    assert "train: 7 events of 2 users" in split.summary()
    assert "train: 3 events of 1 users" in global_time(make([[1, 2, 3, 6], [7, 8]]), 0.5, 0.9).summary()
    assert "leave-one-out" in repr(split) and split.hash[:12] in split.summary()
    assert "1970-01-01" in other.summary()
    assert split.train_items.tolist() == [1, 2, 3, 6, 7, 1, 2]
    with pytest.raises(BadInput, match='"valid" or "test"'):
        split.events("train")


def test_targets_never_trained_on_are_counted():
    again = pl.DataFrame({"user": [1, 1, 1, 1], "item": [1, 2, 2, 3], "time": [1, 2, 3, 4]})
    assert "0 targets whose item is never trained on" in leave_one_out(read(again, core=0)).summary()
    frame = pl.DataFrame({"user": [1, 1, 1, 1], "item": [1, 1, 2, 3], "time": [1, 2, 3, 4]})
    assert leave_one_out(read(frame, core=0)).summary().count("1 targets whose item is never trained on") == 2


@QUICK
@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 5)), max_size=8))
def test_ranges(pairs):
    starts = np.array([a for a, _ in pairs], dtype=np.int64)
    stops = starts + np.array([n for _, n in pairs], dtype=np.int64)
    assert ranges(starts, stops).tolist() == [e for a, n in pairs for e in range(a, a + n)]
