"""The registry is complete and honest about itself, and `load` finds what it is asked for."""

import gzip
import json
import os
import re
from pathlib import Path

import pytest

from seqrec_edu.data.sources.convert import read_items
from seqrec_edu.data.sources.load import add, added, load
from seqrec_edu.data.sources.registry import CHECKED, STAGES, UnknownDataset, dataset, datasets

MIRROR = os.environ.get("SEQREC_EDU_MIRROR")
needs_mirror = pytest.mark.skipif(not MIRROR, reason="needs real data: set SEQREC_EDU_MIRROR to a local mirror")
WANTED = [
    *("ml-100k", "ml-1m", "ml-latest-small", "amazon-beauty", "amazon-sports", "amazon-toys", "amazon-video-games"),
    *("kuairand-pure", "kuairand-pure-14d", "steam", "online-retail", "oulad"),
]


@pytest.fixture
def data(tmp_path, monkeypatch):
    home = tmp_path / "data"
    monkeypatch.setenv("SEQREC_EDU_DATA", str(home))
    monkeypatch.delenv("SEQREC_EDU_MIRROR", raising=False)
    return home


def rows(users: int = 6, items: int = 6) -> str:
    lines = [f"{u}\t{i}\t{1_600_000_000 + 100 * u + i}" for u in range(1, users + 1) for i in range(1, items + 1)]
    return "user_id\titem_id\ttimestamp\n" + "\n".join(lines) + "\n"


def test_every_wanted_dataset_is_registered():
    assert set(WANTED) <= set(datasets())


@pytest.mark.parametrize("known", datasets().values(), ids=lambda known: known.name)
def test_entry_is_complete(known):
    for text in (known.title, known.about, known.resolution, known.terms, known.licence, known.citation):
        assert text
    assert known.licence_url.startswith("https://")
    assert known.archive or known.mirror
    assert known.published and set(known.published) <= set(STAGES)
    assert {published.checked for published in known.published.values()} <= set(CHECKED)
    if known.mirror and known.mirror.sha256:
        assert re.fullmatch("[0-9a-f]{64}", known.mirror.sha256)
    if known.archive:
        assert known.prepare["kind"]
        assert known.archive.checked in CHECKED
        assert any(address.role == "official" for address in known.archive.addresses)
        for address in known.archive.addresses:
            assert address.url.startswith("https://")
            assert address.checked in CHECKED and address.role in ("official", "mirror")
        if known.archive.known_hash:
            assert re.fullmatch("sha256:[0-9a-f]{64}|md5:[0-9a-f]{32}", known.archive.known_hash)


def test_filtered_datasets_publish_both_stages():
    for name in ("ml-1m-ge4", "online-retail"):
        stages = dataset(name).published
        assert stages["source"].events > stages["prepared"].events


def test_one_dataset_takes_the_archive_of_another():
    assert dataset("ml-1m-ge4").archive == dataset("ml-1m").archive
    assert dataset("ml-1m-ge4").prepare == {**dataset("ml-1m").prepare, "minimum_rating": 4}


@pytest.mark.parametrize(("typo", "meant"), [("ml1m", "ml-1m"), ("ML-1M", "ml-1m"), ("beauty", "amazon-beauty")])
def test_unknown_name_lists_close_matches_and_all_names(typo, meant):
    with pytest.raises(UnknownDataset) as error:
        dataset(typo)
    assert f"{meant}" in str(error.value).split("?")[0]
    assert all(name in str(error.value) for name in WANTED)


def test_load_names_shoppers_too_when_the_name_is_unknown(data):
    with pytest.raises(UnknownDataset, match="Did you mean shoppers"):
        load("shopers")


def test_load_shoppers_needs_no_folder(data):
    histories = load("shoppers", users=20)
    assert histories.n_users == 20 and histories.item_names
    assert not data.exists()


def test_load_takes_a_path(data, tmp_path):
    file = tmp_path / "own.tsv"
    file.write_text(rows())
    assert load(file).n_events == load(str(file), core=0).n_events == 36


def test_added_file_loads_by_name_with_its_options(data, tmp_path):
    file = tmp_path / "clicks.csv"
    file.write_text(rows().replace("\t", ",").replace("user_id", "who").replace("item_id", "what"))
    first = add(file, "mine", user="who", item="what", time="timestamp", cautions=("only a toy",))
    file.unlink()
    again = load("mine")
    assert again.hash == first.hash and again.name == "mine"
    assert again.report.find("caution").text == "only a toy"
    assert list(added()) == ["mine"]


def test_added_names_must_be_free_and_plain(data, tmp_path):
    file = tmp_path / "own.tsv"
    file.write_text(rows())
    add(file, "mine")
    for name, complaint in [("mine", "already stored"), ("ml-1m", "known dataset"), ("../x", "lower-case letters")]:
        with pytest.raises(ValueError, match=complaint):
            add(file, name)
    assert add(file, "mine", again=True).n_events == 36


def test_unreadable_file_is_not_stored(data, tmp_path):
    file = tmp_path / "bad.tsv"
    file.write_text("user_id\titem_id\ttimestamp\n1\t\t5\n")
    with pytest.raises(ValueError):
        add(file, "bad")
    assert not data.exists()


def test_stored_file_that_changed_is_refused(data, tmp_path):
    file = tmp_path / "own.tsv"
    file.write_text(rows())
    add(file, "mine")
    (data / "mine" / "own.tsv").write_text(rows(7))
    with pytest.raises(ValueError, match="have changed"):
        load("mine")


def test_damaged_memory_of_a_dataset_is_an_error(data, tmp_path):
    file = tmp_path / "own.tsv"
    file.write_text(rows())
    add(file, "mine")
    (data / "mine" / "origin.json").write_text("{")
    with pytest.raises(ValueError, match="damaged"):
        load("mine")


@needs_mirror
@pytest.mark.parametrize("name", ["ml-100k", "amazon-musical-instruments", "kuairand-pure-14d", "online-retail"])
def test_real_data_has_the_published_sizes(name, tmp_path, monkeypatch):
    monkeypatch.setenv("SEQREC_EDU_DATA", str(tmp_path))
    histories = load(name)
    published = dataset(name).published["core5"]
    assert (histories.n_users, histories.n_items, histories.n_events) == (
        published.users,
        published.items,
        published.events,
    )
    assert histories.report.find("published") is None
    origin = json.loads((tmp_path / name / "origin.json").read_text())
    assert origin["counted"]["prepared"]["events"] == dataset(name).published["prepared"].events


@needs_mirror
def test_mirror_files_are_those_the_registry_pins():
    sums = dict(reversed(line.split()) for line in (Path(MIRROR) / "SHA256SUMS").read_text().splitlines())
    for known in datasets().values():
        if known.mirror:
            assert sums[f"{known.mirror.folder}/{known.mirror.file}"] == known.mirror.sha256
            if known.mirror.items:
                assert sums[f"{known.mirror.folder}/{known.mirror.items}"] == known.mirror.items_sha256


@needs_mirror
def test_names_of_items_come_along(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQREC_EDU_DATA", str(tmp_path))
    histories = load("online-retail", core=0)
    with gzip.open(Path(MIRROR) / "online-retail" / "items.tsv.gz", "rt") as lines:
        next(lines)
        item, name = next(lines).rstrip("\n").split("\t")
    assert histories.label(histories.item_ids.index(item)) == name.strip()


def names_file(folder, *names):
    lines = ["item_id\tname", *(f"{item}\t{name}" for item, name in enumerate(names, start=1))]
    path = folder / "names.tsv.gz"
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    return path


def test_names_of_what_was_stored_before_do_not_stay(data, tmp_path):
    file = tmp_path / "mine.tsv"
    file.write_text(rows())
    assert add(file, "mine", items=names_file(tmp_path, *"abcdef")).item_names[1] == "a"
    assert add(file, "mine", again=True).item_names is None and load("mine").item_names is None


def test_damaged_item_names_are_noticed_and_named(data, tmp_path):
    file = tmp_path / "mine.tsv"
    file.write_text(rows())
    add(file, "mine", items=names_file(tmp_path, *"abcdef"))
    names = data / "mine" / "items.tsv.gz"
    names.write_bytes(names.read_bytes()[:20])
    with pytest.raises(ValueError, match="item names are missing or have changed"):
        load("mine")
    with pytest.raises(ValueError, match=r"items\.tsv\.gz is damaged"):
        read_items(names)


@pytest.mark.parametrize("name", ["archives", "cache", "first-seen.json"])
def test_names_of_our_own_places_are_no_names_for_data(data, tmp_path, name):
    (tmp_path / "mine.tsv").write_text(rows())
    with pytest.raises(ValueError, match="A name has lower-case letters"):
        add(tmp_path / "mine.tsv", name)
    ours = tmp_path / "items.tsv.gz"
    ours.write_bytes(gzip.compress(rows().encode()))
    with pytest.raises(ValueError, match="is the name of a file of ours"):
        add(ours, "mine")
