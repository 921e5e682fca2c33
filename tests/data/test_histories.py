"""Histories themselves: contradictions refused, labels found, statistics counted, saved and loaded unchanged."""

import os

import numpy as np
import pytest

from seqrec_edu.data import BadInput, Histories, Report

NAMES = ["<pad>", "Red tent", "Blue tent", "Stove", "Stove"]


def make(**changes) -> Histories:
    values = {
        "items": np.array([1, 2, 1, 3, 4, 4], dtype=np.int32),
        "times": np.array([5, 5, 9, 1, 2, 62], dtype=np.int64),
        "offsets": np.array([0, 3, 6], dtype=np.int64),
        "item_ids": ["<pad>", "t1", "t2", "s1", "s2"],
        "user_ids": ["u", "v"],
        "item_names": NAMES,
        "item_genres": ["", "Tents", "Tents", "Stoves", "Stoves"],
        "name": "shop",
    }
    return Histories(**(values | changes))


@pytest.mark.parametrize(
    "changes, part",
    [
        ({"items": np.array([1, 2, 1, 3, 4, 4])}, "items must be a flat int32"),
        ({"items": np.array([1, 2, 1, 3, 4, 0], dtype=np.int32)}, "1..4"),
        ({"items": np.array([1, 2, 1, 3, 4, 5], dtype=np.int32)}, "1..4"),
        ({"times": np.array([5, 5, 9, 1, 2], dtype=np.int64)}, "same length"),
        ({"times": np.array([5, 5, 4, 1, 2, 3], dtype=np.int64)}, "event 2 is earlier"),
        ({"offsets": np.array([0, 3, 5], dtype=np.int64)}, "offsets must rise"),
        ({"offsets": np.array([0, 7, 6], dtype=np.int64), "user_ids": ["u", "v"]}, "offsets must rise"),
        ({"user_ids": ["u"]}, "2 user ids"),
        ({"item_ids": ["t1", "t2", "s1", "s2"]}, "padding item"),
        ({"item_names": NAMES[:-1]}, "item_names must have 5"),
    ],
)
def test_contradictions_are_refused(changes, part):
    with pytest.raises(BadInput, match=part):
        make(**changes)


def test_counts_and_views():
    histories = make()
    assert (histories.n_users, histories.n_items, histories.n_events) == (2, 4, 6)
    items, times = histories.history(1)
    assert items.tolist() == [3, 4, 4] and times.tolist() == [1, 2, 62]
    assert items.base is not None and "6 events, 2 users, 4 items" in repr(histories)
    with pytest.raises(BadInput, match=r"0\.\.1"):
        histories.history(2)


def test_labels():
    histories = make()
    assert histories.label(1) == "Red tent" and make(item_names=None).label(1) == "t1"
    assert histories.find("red TENT") == 1 == histories.find("t1") == histories.find("red")
    assert histories.find("s2") == 4
    for text, part in [
        ("tent", r"fits 2 items: 'Red tent' \(id t1\), 'Blue tent' \(id t2\)"),
        ("stove", "fits 2 items"),
        ("stofe", "Close: 'Stove'"),
        ("lamp post", "Nothing is close"),
        ("", "no item"),
    ]:
        with pytest.raises(BadInput, match=part):
            histories.find(text)
    with pytest.raises(BadInput, match=r"0\.\.4"):
        histories.label(5)


def test_statistics():
    found = make().statistics()
    assert (found.users, found.items, found.events) == (2, 4, 6)
    assert (found.length_min, found.length_median, found.length_mean, found.length_max) == (3, 3, 3, 3)
    assert found.zero_gaps == 0.25 and found.gap_median == 2.5 and found.gap_max == 60  # gaps 0, 4, 1, 60
    assert found.density == 6 / 8 and found.repeats == pytest.approx(2 / 6)
    assert found.single_time_users == 0 and (found.first_time, found.last_time) == (1, 62)
    assert "6 events" in str(found) and found.as_dict()["users"] == 2
    still = make(times=np.array([5, 5, 5, 1, 2, 3], dtype=np.int64)).statistics()
    assert still.single_time_users == 1


def test_hash_is_of_the_content():
    assert make().hash == make(name="other", item_names=None).hash
    assert make().hash != make(user_ids=["u", "w"]).hash != make(times=make().times + 1).hash
    # Pinned: a changed hash would orphan every receipt and checkpoint.
    assert make().hash == "e033a70ef889175a351e51edf200894b022149602c3888480490d9fd8a3476a7"


def test_save_and_load(tmp_path):
    report = Report("here")
    report.warn("kind", "text", 3)
    histories = make(report=report)
    histories.save(tmp_path / "deep" / "saved")
    loaded = Histories.load(tmp_path / "deep" / "saved")
    assert loaded.hash == histories.hash and loaded.name == "shop" and loaded.item_genres == histories.item_genres
    assert isinstance(loaded.times.base, np.memmap) and str(loaded.report) == str(report)
    with pytest.raises(FileExistsError):
        histories.save(tmp_path / "deep" / "saved")
    assert os.listdir(tmp_path / "deep") == ["saved"]


def test_a_failed_save_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        make().save(tmp_path / "saved")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("file", ["meta.json", "items.npy", "times.npy", "offsets.npy"])
@pytest.mark.parametrize("damage", ["missing", "truncated", "flipped"])
def test_damage_is_noticed(file, damage, tmp_path):
    path = make().save(tmp_path / "saved") / file
    whole = path.read_bytes()
    path.unlink()
    if damage != "missing":
        path.write_bytes(whole[:-5] if damage == "truncated" else whole[:-8] + bytes([whole[-8] ^ 1]) + whole[-7:])
    if file == "meta.json" and damage == "flipped":
        path.write_bytes(whole.replace(b'"format_version": 1', b'"format_version": 9'))
    with pytest.raises(BadInput, match="Delete it and build it again"):
        Histories.load(tmp_path / "saved")
