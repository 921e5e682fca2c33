"""Fetching: licence first, pinned bytes, mirrors that are only read, sizes compared."""

import gzip
import hashlib
import json
from dataclasses import replace

import pytest

from seqrec_edu.data.sources import download as transfer
from seqrec_edu.data.sources import registry
from seqrec_edu.data.sources.convert import read_items, write_items
from seqrec_edu.data.sources.download import DownloadFailed
from seqrec_edu.data.sources.fetch import LicenceNotAccepted, fetch, fetched
from seqrec_edu.data.sources.load import differences, load, state
from seqrec_edu.data.sources.registry import Address, Archive, Dataset, MirrorFile, Published, dataset


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQREC_EDU_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("SEQREC_EDU_MIRROR", raising=False)
    monkeypatch.setattr(transfer.time, "sleep", lambda _: None)
    return tmp_path / "data"


def sha(body):
    return hashlib.sha256(body).hexdigest()


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def reviews(users=6, items=6, extra=""):
    lines = [
        json.dumps(
            {"reviewerID": f"U{u}", "asin": f"B{i}", "overall": 5.0, "unixReviewTime": 1_400_000_000 + 86_400 * i}
        )
        for u in range(users)
        for i in range(items)
    ]
    return gzip.compress(("\n".join(lines) + "\n" + extra).encode(), mtime=0)


def reviews_dataset(**archive):
    values = {"file": "reviews.json.gz", "addresses": (), "checked": "memory"} | archive
    how = {"kind": "json-lines", "user": "reviewerID", "item": "asin", "rating": "overall", "time": "unixReviewTime"}
    published = {
        "prepared": Published("read", users=6, items=6, events=36),
        "core5": Published("memory", users=6, items=6, events=36),
    }
    about = (
        "toy",
        "Toy reviews",
        "a toy",
        "day",
        "toy",
        "Toy licence: be kind",
        "https://example.org",
        False,
        "nobody",
    )
    return Dataset(*about, archive=Archive(**values), prepare=how, published=published)


@pytest.fixture
def toy(server, monkeypatch):
    """A registered toy dataset whose only address is the local server."""
    server.files["reviews.json.gz"] = reviews()
    known = reviews_dataset(addresses=(Address(server.url("reviews.json.gz"), "official", "memory"),))
    entries = {"toy": known, **registry.datasets()}
    monkeypatch.setattr(registry, "_registry", lambda: entries)
    return entries


def test_fetched_prepared_and_loaded(toy, home):
    here = fetch("toy", accept_licence=True)
    assert gzip.decompress(here.path.read_bytes()).startswith(
        b"user_id\titem_id\trating\ttimestamp\nU0\tB0\t5.0\t1400000000\n"
    )
    assert files(home) == ["archives/reviews.json.gz", "first-seen.json", "toy/interactions.tsv.gz", "toy/origin.json"]
    histories = load("toy")
    assert histories.n_events == 36 and histories.report.find("published") is None
    assert "Toy licence" in histories.report.find("licence").text


def test_prepared_file_is_the_same_every_time(toy, home):
    first = fetch("toy", accept_licence=True).origin["sha256"]
    assert fetch("toy", accept_licence=True, again=True).origin["sha256"] == first


def test_licence_comes_first(toy, server, home):
    asked = []
    with pytest.raises(LicenceNotAccepted, match=r"Toy licence(.|\n)*--accept-licence"):
        fetch("toy", confirm=lambda known: bool(asked.append(known)))
    assert [known.name for known in asked] == ["toy"] and server.requests == [] and not home.exists()
    fetch("toy", confirm=lambda _: True)
    fetch("toy")  # here already: nobody is asked again


def test_unpinned_archive_is_pinned_by_the_bytes_first_seen(toy, server, home):
    fetch("toy", accept_licence=True)
    pin = json.loads((home / "first-seen.json").read_text())["reviews.json.gz"]
    assert pin["sha256"] == sha(server.files["reviews.json.gz"]) and pin["date"]
    (home / "archives" / "reviews.json.gz").unlink()
    server.files["reviews.json.gz"] = reviews(users=7)
    with pytest.raises(DownloadFailed, match="wrong bytes"):
        fetch("toy", accept_licence=True, again=True)
    assert not (home / "archives" / "reviews.json.gz").exists()
    (home / "archives" / "reviews.json.gz").write_bytes(reviews(users=7))
    with pytest.raises(ValueError, match=r"first seen here(.|\n)*first-seen\.json"):
        fetch("toy", again=True)


def test_unusable_archive_is_not_pinned_and_nothing_is_left(toy, server, home):
    server.files["reviews.json.gz"] = reviews(extra='{"reviewerID": "U9"}\n')
    with pytest.raises(ValueError, match="line 37: cannot use"):
        fetch("toy", accept_licence=True)
    assert files(home) == ["archives/reviews.json.gz"]


def test_published_checksum_that_does_not_match_leaves_no_archive(toy, home):
    toy["toy"] = replace(toy["toy"], archive=replace(toy["toy"].archive, sha256="0" * 64))
    with pytest.raises(DownloadFailed, match="wrong bytes"):
        fetch("toy", accept_licence=True)
    assert files(home) == []


def test_different_sizes_are_reported(toy, server):
    server.files["reviews.json.gz"] = reviews(users=7)
    found = differences(fetch("toy", accept_licence=True), load("toy"))
    assert [(d.stage, d.what, d.published, d.found) for d in found] == [
        ("prepared", "users", 6, 7),
        ("prepared", "events", 36, 42),
        ("core5", "users", 6, 7),
        ("core5", "events", 36, 42),
    ]
    warnings = [str(finding) for finding in load("toy").report.warnings if finding.kind == "published"]
    assert len(warnings) == 4 and "found 42, published 36" in warnings[1] and "from memory" in warnings[3]


def test_older_prepared_form_is_prepared_again_from_the_kept_archive(toy, server, home):
    fetch("toy", accept_licence=True)
    origin = json.loads((home / "toy" / "origin.json").read_text())
    (home / "toy" / "origin.json").write_text(json.dumps({**origin, "prepared_format": 0}))
    assert fetched("toy") is None
    assert fetch("toy").origin["from"] == "archive kept from before" and len(server.requests) == 1


def test_changed_prepared_file_is_refused(toy, home):
    fetch("toy", accept_licence=True)
    (home / "toy" / "interactions.tsv.gz").write_bytes(b"")
    with pytest.raises(ValueError, match="--again"):
        load("toy")


def test_archive_at_hand_needs_no_network(toy, server, tmp_path):
    mirror = tmp_path / "mirror"
    for folder in (mirror, mirror / "archives", mirror / "toy"):
        folder.mkdir(exist_ok=True)
        (folder / "reviews.json.gz").write_bytes(reviews())
        assert fetch("toy", mirror=mirror, again=True).origin["from"] == "archive in a local mirror"
        (folder / "reviews.json.gz").unlink()
    assert server.requests == []


def mirror_of(tmp_path, body, sums=True):
    mirror = tmp_path / "mirror"
    (mirror / "toy").mkdir(parents=True)
    (mirror / "toy" / "interactions.tsv.gz").write_bytes(body)
    if sums:
        (mirror / "SHA256SUMS").write_text(f"{sha(body)}  toy/interactions.tsv.gz\n")
    for path in [*mirror.rglob("*"), mirror]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    return mirror


PREPARED = gzip.compress(
    b"user_id\titem_id\ttimestamp\n" + b"".join(b"%d\t%d\t1600000000\n" % (u, i) for u in range(6) for i in range(6))
)


def test_prepared_file_of_a_mirror_is_copied_not_touched(toy, tmp_path, home, monkeypatch):
    mirror = mirror_of(tmp_path, PREPARED)
    before = files(mirror)
    monkeypatch.setenv("SEQREC_EDU_MIRROR", str(mirror))
    assert state(dataset("toy"), mirror) == "in the mirror"
    assert load("toy").n_events == 36
    assert state(dataset("toy"), mirror) == "here"
    assert files(mirror) == before and fetched("toy").path == home / "toy" / "interactions.tsv.gz"


def test_prepared_file_needs_a_checksum(toy, tmp_path, home):
    with pytest.raises(ValueError, match=r"SHA256SUMS(.|\n)*is missing"):
        fetch("toy", mirror=mirror_of(tmp_path, PREPARED, sums=False))
    assert not home.exists()


def test_prepared_file_that_the_registry_pins_must_match(toy, tmp_path, home):
    toy["toy"] = replace(toy["toy"], mirror=MirrorFile("toy", "interactions.tsv.gz", sha256="0" * 64))
    with pytest.raises(ValueError, match="not the file that was expected"):
        fetch("toy", mirror=mirror_of(tmp_path, PREPARED))
    assert files(home) == []


def test_mirror_that_lacks_it_says_what_was_looked_for(toy, tmp_path):
    with pytest.raises(ValueError, match=r"toy is not in(.|\n)*toy/interactions\.tsv\.gz, reviews\.json\.gz"):
        fetch("toy", mirror=tmp_path)
    with pytest.raises(ValueError, match="--from names"):
        fetch("toy", mirror=tmp_path / "missing")


def test_mirror_only_dataset_says_so():
    with pytest.raises(ValueError, match=r"kuairand-pure-14d has no address(.|\n)*kuairand-pure-14d/clicks\.tsv\.gz"):
        fetch("kuairand-pure-14d")


def test_a_fetch_that_fails_leaves_the_item_names_of_before(toy, server, home):
    fetch("toy", accept_licence=True)
    names = home / "toy" / "items.tsv.gz"
    write_items(names, {"B0": ("A bag", "bags")})
    archive = home / "archives" / "reviews.json.gz"
    good = archive.read_bytes()
    archive.write_bytes(reviews(extra='{"reviewerID": "U9"}\n'))
    (home / "first-seen.json").unlink()
    with pytest.raises(ValueError, match="cannot use"):
        fetch("toy", again=True)
    assert read_items(names) == {"B0": ("A bag", "bags")}
    archive.write_bytes(good)
    fetch("toy", again=True)
    assert not names.exists()  # this archive gives none
