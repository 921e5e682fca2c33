"""A receipt is whole or it is refused; it comes back as it was written; tables only hold what compares."""

import json
import os
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
import torch

import seqrec_edu
from seqrec_edu.data.histories import Histories
from seqrec_edu.data.split import global_time, leave_one_out
from seqrec_edu.models.baselines import LastItemTransition, Popularity
from seqrec_edu.training import machine
from seqrec_edu.training.evaluate import evaluate
from seqrec_edu.training.receipts import BadReceipt, Receipt, compare, make_receipt


def small_histories(seed=0):
    items = np.random.default_rng(seed).integers(1, 31, 400).astype(np.int32)
    names = ["<pad>", *map(str, range(1, 31))]
    return Histories(items, np.arange(400), np.arange(0, 401, 10), names, [f"u{u}" for u in range(40)], "small")


def receipt_of(baseline=Popularity, split=None, seen="unmasked", max_users=None, **options):
    split = split or leave_one_out(small_histories())
    model = baseline().fit(split)
    found = {which: evaluate(model, split, which, seen=seen, max_users=max_users) for which in ("valid", "test")}
    given = {"settings": {}, "parameters": model.n_parameters, "objective": "counts", "seconds": {"fit": 0.5}}
    return make_receipt(split, found, model=model.name, **{**given, **options})


@pytest.fixture(scope="module")
def receipt():
    return receipt_of(
        settings={"layers": 2, "dropout": 0.1}, config={"epochs": 3, "rate": 1e-3}, seed=7, best_epoch=2, epochs=3,
        backends={"ssd": "vectorised"}, notes="a note – ünïcode",
    )  # fmt: skip


def test_it_comes_back_as_written(receipt, tmp_path):
    path = receipt.write(tmp_path / "deep" / "one.json")
    assert Receipt.read(path) == receipt
    assert [p.name for p in path.parent.iterdir()] == ["one.json"]
    replace(receipt, notes="again").write(path)
    assert Receipt.read(path).notes == "again"


def test_it_says_what_was_asked(receipt):
    split = leave_one_out(small_histories())
    assert receipt.schema == 1
    assert receipt.dataset == {"name": "small", "hash": split.histories.hash, "users": 40, "items": 30, "events": 400}
    assert receipt.split == {"protocol": "leave-one-out", "hash": split.hash}
    assert receipt.protocol == {"objective": "counts", "ranking": "full", "seen": "unmasked"}
    assert receipt.model == {"name": "popularity", "settings": {"layers": 2, "dropout": 0.1}, "parameters": 31}
    assert receipt.versions["torch"] == torch.__version__ and receipt.versions["numpy"] == np.__version__
    assert receipt.versions["seqrec_edu"] == seqrec_edu.__version__ and receipt.versions["python"].count(".") == 2
    assert receipt.seconds == {"fit": 0.5, "evaluate": None}
    assert receipt.threads == torch.get_num_threads() and receipt.device.startswith("cpu (")
    assert abs((date.fromisoformat(receipt.created) - date.today()).days) <= 1
    found = evaluate(Popularity().fit(split), split, "test")
    part = receipt.metrics["test"]
    assert part["users"] == part["targets"] == 40 and not part["sampled"]
    for name, value in found.metrics.items():
        low, high = found.intervals[name]
        assert part["values"][name] == {"value": value, "low": low, "high": high}


def test_memory_and_commit_are_numbers_or_none(receipt, monkeypatch):
    held = torch.ones(2**24)  # 64 MiB in use, so the peak is at least that
    assert held.sum() and 64 < machine.peak_memory()["host"] < 2**20
    assert receipt.peak_memory_mib["device"] is None
    assert receipt.commit is None or len(receipt.commit.removesuffix("-dirty")) == 40
    monkeypatch.setenv("PATH", os.devnull)
    assert machine.commit() is None


def test_peak_memory_where_nothing_can_be_asked(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "resource", None)
    assert machine.peak_memory() == {"host": None, "device": None}


@pytest.mark.parametrize("value", [torch.ones(2), {1, 2}, float("nan"), float("inf"), object()])
def test_only_plain_json_is_written(receipt, tmp_path, value):
    with pytest.raises(BadReceipt, match="only numbers, text"):
        replace(receipt, config={"x": value}).write(tmp_path / "one.json")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_one_and_no_litter(receipt, tmp_path, monkeypatch):
    path = receipt.write(tmp_path / "one.json")
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        replace(receipt, notes="new").write(path)
    assert [p.name for p in tmp_path.iterdir()] == ["one.json"] and Receipt.read(path) == receipt


@pytest.mark.parametrize("share", [0.0, 0.01, 0.2, 0.5, 0.77, 0.9, 0.999])
def test_truncated_anywhere(receipt, tmp_path, share):
    path = receipt.write(tmp_path / "one.json")
    text = path.read_text(encoding="utf-8").rstrip()
    path.write_text(text[: int(len(text) * share)], encoding="utf-8")
    with pytest.raises(BadReceipt, match=r"one\.json is cut off at line"):
        Receipt.read(path)


def test_every_cut_is_refused(receipt, tmp_path):
    path = receipt.write(tmp_path / "one.json")
    text = path.read_text(encoding="utf-8").rstrip()
    for end in range(0, len(text), 97):
        path.write_text(text[:end], encoding="utf-8")
        with pytest.raises(BadReceipt):
            Receipt.read(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"model: popularity\n", "is not JSON at line 1"),
        (b'{"schema": 1,, }', "is not JSON"),
        (b"\xff\xfe{}", "not UTF-8"),
        (b"[1, 2]", "expected one JSON object, got list"),
        (b"null", "expected one JSON object, got NoneType"),
        (b"{}", "expected receipt schema 1, got 'none'"),
        (b'{"schema": 2}', "expected receipt schema 1, got 2"),
        (b'{"schema": 1}', "missing dataset, split"),
        (b"[" * 100_000, "is not a receipt|cut off"),
    ],
)
def test_what_is_not_a_receipt(tmp_path, content, message):
    path = tmp_path / "one.json"
    path.write_bytes(content)
    with pytest.raises(BadReceipt, match=message) as caught:
        Receipt.read(path)
    assert "one.json" in str(caught.value)


def test_a_missing_file_and_a_folder(tmp_path):
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(BadReceipt, match="cannot read a receipt"):
            Receipt.read(path)


def changed(document, path, value):
    """A copy with one place replaced, or removed when value is `...`."""
    document = json.loads(json.dumps(document))
    *way, last = path.split("/")
    place = document
    for key in way:
        place = place[key]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return document


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("dataset/hash", ..., "dataset: missing hash"),
        ("dataset/users", "40", "dataset: users: expected int, got '40'"),
        ("dataset/users", True, "users: expected int, got True"),
        ("dataset/colour", 1, "unknown colour"),
        ("seed", ..., "missing seed"),
        ("seed", 1.5, "seed: expected int or null"),
        ("surprise", 1, "unknown surprise"),
        ("model", "popularity", "model: expected a dictionary"),
        ("metrics", {}, "metrics must hold 'valid', 'test' or both"),
        ("metrics/train", {}, "metrics must hold"),
        ("metrics/test/values", [], "values: expected dict"),
        ("metrics/test/values/HR@10", 0.1, r"metrics.test.HR@10: expected a dictionary"),
        ("metrics/test/values/HR@10/value", 1.7, "must lie between 0 and 1"),
        ("metrics/test/values/HR@10/value", None, "value: expected int or float"),
        ("metrics/test/sampled", 0, "sampled: expected bool"),
        ("schema", True, "schema: expected int"),
    ],
)
def test_damaged_parts_are_named(receipt, tmp_path, place, value, message):
    path = receipt.write(tmp_path / "one.json")
    path.write_text(json.dumps(changed(json.loads(path.read_text(encoding="utf-8")), place, value)), encoding="utf-8")
    with pytest.raises(BadReceipt, match=message):
        Receipt.read(path)


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_are_none_of_json(receipt, tmp_path, constant):
    path = receipt.write(tmp_path / "one.json")
    path.write_text(path.read_text(encoding="utf-8").replace('"rate": 0.001', f'"rate": {constant}'), encoding="utf-8")
    with pytest.raises(BadReceipt, match=f"{constant} stands where a finite number"):
        Receipt.read(path)


def test_evaluations_must_belong_to_the_split():
    split, other = leave_one_out(small_histories()), leave_one_out(small_histories(seed=1))
    model = Popularity().fit(split)
    test, masked = evaluate(model, split, "test"), evaluate(model, split, "valid", seen="masked")
    given = {"model": "popularity", "settings": {}, "parameters": 31, "objective": "counts"}
    for evaluations, message in (
        ({}, "at least one evaluation"),
        ({"valid": test}, "expected the valid evaluation"),
        ({"test": test, "valid": masked}, "one rule for seen items"),
    ):
        with pytest.raises(ValueError, match=message):
            make_receipt(split, evaluations, **given)
    with pytest.raises(ValueError, match="expected the test evaluation of split"):
        make_receipt(other, {"test": test}, **given)


def test_compare_is_aligned_and_complete(receipt):
    other = receipt_of(LastItemTransition, objective="every-position", seconds={"fit": 1234.5})
    first, header, rule, *rows = compare([receipt, other], metrics=("HR@10", "NDCG@10")).split("\n")
    assert "small" in first and "leave-one-out" in first and "full over 30 items" in first and "unmasked" in first
    assert "targets: 40" in first and "95%" in first
    starts = [i for i, c in enumerate(rule) if c == "-" and (i == 0 or rule[i - 1] == " ")]
    assert len(rows) == 2 and len(starts) == 7
    for line in (header, *rows):
        assert all(start == 0 or line[start - 1 : start] in (" ", "") for start in starts)
    assert header.split()[:4] == ["model", "objective", "seed", "parameters"]
    value = receipt.metrics["test"]["values"]["HR@10"]
    assert f"{value['value']:.4f} [{value['low']:.4f}, {value['high']:.4f}]" in rows[0]
    assert rows[0].startswith("popularity") and rows[1].startswith("last-item") and rows[1].endswith("1,234.50 s")


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (lambda: receipt_of(split=leave_one_out(small_histories(seed=1))), "data: small"),
        (lambda: receipt_of(split=global_time(small_histories(seed=0))), "split: leave-one-out"),
        (lambda: receipt_of(seen="masked"), "seen items: unmasked, masked"),
        (lambda: receipt_of(max_users=12), "targets: 40, 12 \\(a sample, seed 0\\)"),
    ],
)
def test_only_like_is_compared_with_like(receipt, other, said):
    pair = [receipt, other()]
    with pytest.raises(ValueError, match=said) as caught:
        compare(pair)
    assert "mixed=True" in str(caught.value)
    named = said.split(":")[0]
    first, header, *_ = compare(pair, mixed=True).split("\n")
    assert named in header and f"{named}: " not in first


def test_compare_refuses_what_is_not_there(receipt):
    with pytest.raises(ValueError, match="at least one receipt"):
        compare([])
    with pytest.raises(ValueError, match="no HR@7; it has HR@5"):
        compare([receipt], metrics=("HR@7",))
    only_test = replace(receipt, metrics={"test": receipt.metrics["test"]})
    with pytest.raises(ValueError, match="has no valid metrics; it has test"):
        compare([only_test], which="valid")


def test_without_intervals_there_are_no_brackets():
    split = leave_one_out(small_histories())
    found = {"test": evaluate(Popularity().fit(split), split, "test", resamples=0)}
    bare = make_receipt(split, found, model="popularity", settings={}, parameters=31, objective="counts")
    assert "[" not in compare([bare]) and "interval: none" in compare([bare])
