"""The synthetic shoppers as data: the same bytes everywhere, made quickly, and readable."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np
import pytest

from seqrec_edu.data.histories import Histories
from seqrec_edu.data.reading.read import read
from seqrec_edu.data.synthetic import shoppers, shoppers_world
from seqrec_edu.data.synthetic.catalogue import GENRE_OF, GENRES, NAMES, SHOPPERS
from seqrec_edu.data.synthetic.clock import VISIT_GAP

FIRST_50_USERS = "bad3c18f2069c6011e960b9cea00a58ebeba6f1e782842326899d78eefaeea5f"
ALL_2000_USERS = "c9ba5a9a0b54622dc191e7075d5343cb4076f788783f63014d1b9ed7eb8f5b42"
DAY = 86_400


@pytest.fixture(scope="module")
def histories() -> Histories:
    return shoppers()


def as_tsv(histories: Histories) -> str:
    lines = ["user\titem\ttime\tname\tgenre"]
    for user, name in enumerate(histories.user_ids):
        for item, second in zip(*(x.tolist() for x in histories.history(user)), strict=True):
            lines.append(f"{name}\t{histories.item_ids[item]}\t{second}\t{NAMES[item]}\t{GENRE_OF[item]}")
    return "\n".join(lines) + "\n"


# Determinism


def test_reference_sample_is_pinned(histories):
    text = as_tsv(shoppers(50))
    assert hashlib.sha256(text.encode()).hexdigest() == FIRST_50_USERS
    assert histories.hash == ALL_2000_USERS
    assert as_tsv(histories).startswith(text)


def test_seed_and_dials_decide_everything(histories):
    assert shoppers(200).hash == shoppers(200, seed=0).hash
    others = [shoppers(200, seed=1), shoppers(200, seed=2**64 - 1), shoppers(200, chain=0.3), shoppers(200, length=20)]
    assert len({shoppers(200).hash, *(other.hash for other in others)}) == 5


def test_a_user_depends_neither_on_the_others_nor_on_the_length():
    few, many = shoppers(20, seed=4), shoppers(300, seed=4)
    short, long = shoppers(20, seed=4, length=10), shoppers(20, seed=4, length=40)
    for user in range(20):
        for a, b, c, d in zip(*(made.history(user) for made in (few, many, short, long)), strict=True):
            np.testing.assert_array_equal(a, b)
            np.testing.assert_array_equal(c, d[:10])
            np.testing.assert_array_equal(a[:8], d[:8])


def test_a_file_of_it_reads_back_as_the_same_histories(histories, tmp_path):
    (tmp_path / "shoppers.tsv").write_text(as_tsv(histories), encoding="utf-8")
    back = read(tmp_path / "shoppers.tsv", user="user", item="item", time="time", core=0, cache=False)
    assert back.hash == histories.hash


# What a person sees


def test_catalogue_is_readable(histories):
    assert histories.n_items == 240 and len(GENRES) == 16
    assert len({name.casefold() for name in histories.item_names}) == 241
    assert all(name.strip() == name and 3 < len(name) <= 30 for name in NAMES)
    assert histories.label(histories.find("Trail running shoes")) == "Trail running shoes"
    assert histories.item_genres[histories.find("trail running shoes")] == "Running"
    assert set(histories.item_genres[1:]) == set(GENRES)
    assert sum(share for share, _ in SHOPPERS.values()) == 100
    assert {genre for _, genres in SHOPPERS.values() for genre in genres} == set(GENRES)
    assert "synthetic" in str(histories.report)


def test_histories_look_like_shopping(histories):
    lengths = np.diff(histories.offsets)
    assert histories.n_users == 2000 and lengths.min() == 8 and lengths.max() == 60 and 23 < lengths.mean() < 27
    assert np.bincount(histories.items, minlength=241)[1:].min() >= 5
    gaps = np.concatenate([np.diff(histories.history(user)[1]) for user in range(histories.n_users)])
    assert gaps.min() >= 5 and not ((gaps > 1800) & (gaps < VISIT_GAP)).any()
    opens = gaps >= VISIT_GAP
    assert abs(opens.mean() - 0.4) < 0.01
    assert 60 < np.median(gaps[~opens]) < 300 and 2 * DAY < np.median(gaps[opens]) < 7 * DAY
    assert np.datetime64(int(histories.times.min()), "s") >= np.datetime64("2023-01-02")
    assert np.quantile(histories.times, 0.9) < np.datetime64("2025-01-01").astype("datetime64[s]").astype(int)
    hours = histories.times[histories.offsets[:-1]] % DAY // 3600
    assert ((hours >= 6) & (hours < 24)).all()


def test_made_in_under_two_seconds_and_without_torch():
    code = (
        "import sys, time; from seqrec_edu.data.synthetic import shoppers; start = time.process_time(); shoppers(); "
        "print(time.process_time() - start); assert 'torch' not in sys.modules and 'polars' not in sys.modules"
    )
    seconds = float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)
    assert seconds < 2


# Errors


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: shoppers(0), "users must be a whole number"),
        (lambda: shoppers(2.5), "users must be a whole number"),
        (lambda: shoppers(5, length=0), "length must be a whole number"),
        (lambda: shoppers(5, seed=-1), "seed must be an integer"),
        (lambda: shoppers(5, chian=0.2), "unknown dial: chian. The dials are: chain, resume"),
        (lambda: shoppers_world(chain=1.2), "chain is a probability"),
        (lambda: shoppers_world(chain=float("nan")), "chain is a probability"),
        (lambda: shoppers_world(chain="much"), "chain must be a number"),
        (lambda: shoppers_world(chain=0.9, again=0.2), "at most 1"),
        (lambda: shoppers_world(noise=0.0), "noise must be above 0"),
        (lambda: shoppers_world(forget_days=0.0), "forget_days must be above 0"),
    ],
)
def test_bad_dials(call, says):
    with pytest.raises(ValueError, match=says):
        call()
