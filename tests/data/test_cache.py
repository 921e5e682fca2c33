"""The cache: used when everything is the same, never trusted when damaged, never written where it should not be."""

import os
from pathlib import Path

import pytest

from seqrec_edu.data import read
from seqrec_edu.data.reading.cache import FOLDER

ROWS = "user_id\titem_id\ttimestamp\n" + "".join(f"{u}\t{i}\t{978300000 + i}\n" for u in range(3) for i in range(3))


@pytest.fixture
def source(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("SEQREC_EDU_DATA", str(tmp_path / "elsewhere"))
    path = tmp_path / "data" / "shop.tsv"
    path.parent.mkdir()
    path.write_text(ROWS)
    return path


def entries(source: Path) -> list[Path]:
    return sorted((source.parent / FOLDER).glob("*"))


def from_cache(histories) -> bool:
    return any(finding.kind == "cache" and finding.level == "note" for finding in histories.report.findings)


def test_second_time_comes_from_the_cache(source):
    first, second = read(source, core=3), read(source, core=3, name="other")
    assert not from_cache(first) and from_cache(second)
    assert first.hash == second.hash and second.name == "other" and first.name == "shop"
    assert len(entries(source)) == 1 and not (source.parent.parent / "elsewhere").exists()


def test_content_and_options_decide(source):
    read(source, core=3)
    assert not from_cache(read(source, core=0)) and not from_cache(read(source, core=3, duplicates="drop"))
    source.write_text(ROWS + "9\t1\t978300000\n")
    changed = read(source, core=0)
    assert not from_cache(changed) and changed.n_users == 4 and len(entries(source)) == 4
    os.utime(source, (0, 0))
    assert from_cache(read(source, core=0))


def test_without_cache_nothing_is_written(source):
    read(source, core=3, cache=False)
    assert os.listdir(source.parent) == ["shop.tsv"]


@pytest.mark.parametrize("file", ["meta.json", "times.npy"])
def test_damage_is_rebuilt_and_noted(source, file):
    whole = read(source, core=3)
    path = entries(source)[0] / file
    path.write_bytes(path.read_bytes()[:-9])
    again = read(source, core=3)
    assert again.hash == whole.hash and not from_cache(again)
    assert "damaged and is built again" in again.report.find("cache").text
    third = read(source, core=3)
    assert from_cache(third) and "damaged" not in str(third.report) and len(entries(source)) == 1


def test_another_version_is_rebuilt(source):
    read(source, core=3)
    meta = entries(source)[0] / "meta.json"
    meta.write_text(meta.read_text().replace('"format_version": 1', '"format_version": 0'))
    assert "format version" in read(source, core=3).report.find("cache").text


def test_a_folder_that_cannot_be_written(source, monkeypatch):
    (source.parent / FOLDER).write_text("a file where the cache folder would be")
    first, second = read(source, core=3), read(source, core=3)
    elsewhere = source.parent.parent / "elsewhere" / "cache"
    assert not from_cache(first) and from_cache(second) and len(os.listdir(elsewhere)) == 1
    monkeypatch.setenv("SEQREC_EDU_DATA", str(source))  # a file again: nowhere to write
    nowhere = read(source, core=3)
    assert "not cached, nowhere to write" in nowhere.report.find("cache").text


def test_a_read_only_folder_is_left_alone(source):
    source.parent.chmod(0o555)  # an administrator could write there; the cache still does not
    try:
        assert not from_cache(read(source, core=3)) and from_cache(read(source, core=3))
    finally:
        source.parent.chmod(0o755)
    assert os.listdir(source.parent) == ["shop.tsv"]


def test_home_is_the_last_resort(monkeypatch, tmp_path):
    from seqrec_edu.data.reading.cache import user_folder

    monkeypatch.delenv("SEQREC_EDU_DATA", raising=False)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert user_folder() == tmp_path / ".cache" / "seqrec_edu"
