"""Batches: gathering against slicing, windows that ask every event once, buckets that lose nothing."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from seqrec_edu.data import BadInput, Histories, Split, leave_one_out
from seqrec_edu.data.batches import EventStore, bucketed, prefix_targets, windows

QUICK = settings(max_examples=40, deadline=None)  # no deadline: other work may share the machine
RANDOM = np.random.default_rng(0)


def make(lengths: list[int]) -> Histories:
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Histories(
        items=RANDOM.integers(1, 31, offsets[-1]).astype(np.int32),
        times=np.arange(offsets[-1], dtype=np.int64) * 3 + 1_700_000_000,
        offsets=offsets,
        item_ids=["<pad>", *map(str, range(30))],
        user_ids=list(map(str, range(len(lengths)))),
    )


def test_mapped_histories_are_not_copied(tmp_path):
    make([5, 3]).save(tmp_path / "h")
    histories = Histories.load(tmp_path / "h")
    store = EventStore(histories)
    for name in ("items", "times", "offsets"):
        assert getattr(store, name).data_ptr() == getattr(histories, name).ctypes.data, name


LENGTHS = st.lists(st.integers(0, 12), min_size=1, max_size=8)


@QUICK
@given(LENGTHS, st.data())
def test_gather_agrees_with_slicing(lengths, data):
    assume(sum(lengths))
    histories = make(lengths)
    pairs = data.draw(st.lists(st.sampled_from([
        (a, b, u) for u, (o, n) in enumerate(zip(histories.offsets, lengths, strict=False))
        for a in range(o, o + n) for b in range(a + 1, o + n + 1)
    ]), min_size=1, max_size=5))  # fmt: skip
    start, stop, user = map(np.array, zip(*pairs, strict=True))
    length = data.draw(st.one_of(st.none(), st.integers(1, 14)))
    batch = EventStore(histories).gather(start, stop, length, target=start)
    width = length or max(stop - start)
    assert batch.item.shape == batch.time.shape == batch.mask.shape == (len(pairs), width)
    assert batch.item.dtype == batch.time.dtype == batch.length.dtype == batch.user.dtype == torch.int64
    assert batch.user.tolist() == user.tolist() and batch.target.tolist() == histories.items[start].tolist()
    for row, (a, b, _) in enumerate(pairs):
        a = max(a, b - width)
        pad = [0] * (width - (b - a))
        assert batch.item[row].tolist() == [*histories.items[a:b], *pad]
        assert batch.time[row].tolist() == [*histories.times[a:b], *pad]
        assert batch.mask[row].tolist() == [True] * (b - a) + [False] * len(pad) and batch.length[row] == b - a


def test_gather_next_shifts_by_one():
    histories = make([5, 3])
    batch = EventStore(histories).gather([0, 5], [5, 8], 3, target="next")
    items = histories.items.tolist()
    assert batch.item.tolist() == [items[1:4], [*items[5:7], 0]]
    assert batch.target.tolist() == [items[2:5], [*items[6:8], 0]]
    assert batch.length.tolist() == [3, 2] and len(batch) == 2
    moved = batch.to("cpu")
    assert torch.equal(moved.target, batch.target) and moved.mask.sum() == 5


@pytest.mark.parametrize(
    "start, stop, options, part",
    [
        ([0], [0], {}, "event indices"),
        ([3], [3], {}, "at least one event"),
        ([0], [6], {}, "one user"),
        ([4], [2], {}, "at least one event"),
        ([0], [9], {}, "0..7"),
        ([-1], [2], {}, "0..7"),
        ([], [], {}, "b ≥ 1"),
        ([0, 1], [2], {}, "2 and 1 entries"),
        ([[0]], [[1]], {}, r"shape \(1, 1\)"),
        ([0], [1], {"target": "next"}, "two events"),
        ([0], [1], {"target": "last"}, "'last'"),
        ([0], [1], {"target": [9]}, "target must be event indices"),
        ([0], [1], {"length": 0}, "length must be at least 1"),
    ],
)
def test_gather_says_what_is_wrong(start, stop, options, part):
    with pytest.raises(BadInput, match=part):
        EventStore(make([5, 3])).gather(start, stop, **options)


def some_split(lengths: list[int], data) -> Split:
    histories = make(lengths)
    cut = np.array([data.draw(st.integers(0, n)) for n in lengths])
    return Split(histories, "drawn", histories.offsets[:-1] + cut, np.array([], np.int64), np.array([], np.int64))


@QUICK
@given(LENGTHS, st.integers(1, 14), st.one_of(st.none(), st.integers(0, 5)), st.data())
def test_windows_ask_each_event_once(lengths, length, seed, data):
    split = some_split(lengths, data)
    offsets = split.histories.offsets
    start, stop = windows(split, length, seed)
    asked = sorted(e for a, b in zip(start, stop, strict=True) for e in range(a + 1, b))
    expected = [e for o, end in zip(offsets, split.train_end, strict=False) for e in range(o + 1, end)]
    assert asked == expected
    assert start.dtype == stop.dtype == np.int64 and ((stop - start >= 2) & (stop - start <= length + 1)).all()
    assert (split.users_of(start) == split.users_of(stop - 1)).all() and (np.diff(stop) > 0).all()
    short = split.train_end - offsets[:-1] - 1 <= length
    assert (np.bincount(split.users_of(start), minlength=len(lengths))[short] <= 1).all()


def test_windows_without_seed_cut_from_the_end_and_with_seed_move():
    histories = make([24])
    split = Split(histories, "all", histories.offsets[1:], np.array([], np.int64), np.array([], np.int64))
    start, stop = windows(split, 10)
    assert list(zip(start.tolist(), stop.tolist(), strict=True)) == [(0, 4), (3, 14), (13, 24)]
    lasts = {int(windows(split, 10, seed)[0][-1]) for seed in range(100)}
    assert lasts == {*range(13, 23)}  # 1 to 10 targets in the last window
    assert (windows(split, 10, 3)[0] == windows(split, 10, 3)[0]).all()
    with pytest.raises(BadInput, match="length"):
        windows(split, 0)


@QUICK
@given(st.lists(st.integers(0, 9), min_size=1, max_size=6).filter(lambda n: max(n) >= 3), st.integers(1, 12))
def test_prefix_targets(lengths, length):
    split = leave_one_out(make(lengths))
    offsets = split.histories.offsets
    for which in ("train", "valid", "test"):
        start, stop, target = prefix_targets(split, which, length)
        if which == "train":
            expected = [e for o, end in zip(offsets, split.train_end, strict=False) for e in range(o + 1, end)]
        else:
            expected = split.events(which).tolist()
        assert target.tolist() == expected == stop.tolist()
        assert start.tolist() == [max(offsets[split.users_of(np.array(e))], e - length) for e in expected]
        assert (start < stop).all()
    with pytest.raises(BadInput, match="history_length"):
        prefix_targets(split, "test", 0)
    with pytest.raises(BadInput, match="which"):
        prefix_targets(split, "dev", 5)


@QUICK
@given(st.lists(st.integers(1, 50), max_size=60), st.integers(1, 9), st.integers(1, 4), st.booleans())
def test_buckets(lengths, size, buckets_of, shuffled):
    def draw():
        return bucketed(lengths, size, np.random.default_rng(7) if shuffled else None, buckets_of=buckets_of)

    batches = draw()
    assert sorted(np.concatenate([*batches, np.array([], int)]).tolist()) == list(range(len(lengths)))
    assert sum(len(batch) < size for batch in batches) <= 1 and max(map(len, batches), default=0) <= size
    assert all((a == b).all() for a, b in zip(batches, draw(), strict=True))


@QUICK
@given(st.lists(st.integers(1, 30), min_size=1, max_size=60), st.integers(1, 50), st.booleans())
def test_batches_of_equal_weight(weights, size, shuffled):
    weights = np.array(weights)
    batches = bucketed(weights, size, np.random.default_rng(7) if shuffled else None, weights=weights, buckets_of=2)
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(weights))) and all(map(len, batches))
    filled = np.array([weights[batch].sum() for batch in batches])
    assert (filled < size + weights.max()).all() and (filled <= size - weights.max()).sum() <= 1


def test_buckets_save_padding():
    lengths = np.random.default_rng(0).integers(1, 200, 5000)
    padded = sum(lengths[batch].max() * len(batch) for batch in bucketed(lengths, 50, np.random.default_rng(1)))
    assert padded < 1.05 * lengths.sum() < lengths.max() * len(lengths) / 1.5
    with pytest.raises(BadInput, match="batch_size"):
        bucketed(lengths, 0)
    with pytest.raises(BadInput, match="buckets_of"):
        bucketed(lengths, 1, buckets_of=0)
