"""One file from several addresses: resumed, verified, renamed, refused."""

import gzip
import hashlib
import json

import pytest
from filelock import FileLock

from seqrec_edu.data.sources import download as transfer
from seqrec_edu.data.sources.download import DownloadFailed, download

BODY = bytes(range(256)) * 4096  # 1 MiB


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(transfer.time, "sleep", lambda _: None)


def sha(body):
    return hashlib.sha256(body).hexdigest()


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_whole_file_arrives_under_its_final_name(server, tmp_path):
    server.files["a.bin"] = BODY
    seen = []
    download([server.url("a.bin")], tmp_path / "a.bin", f"sha256:{sha(BODY)}", lambda *step: seen.append(step))
    assert (tmp_path / "a.bin").read_bytes() == BODY
    assert files(tmp_path) == ["a.bin"]
    assert seen[-1] == (len(BODY), len(BODY))


def test_broken_transfer_goes_on_within_one_call(server, tmp_path):
    server.files["a.bin"], server.cuts = BODY, [400_000, 700_000]
    download([server.url("a.bin")], tmp_path / "a.bin", f"sha256:{sha(BODY)}")
    assert (tmp_path / "a.bin").read_bytes() == BODY
    assert server.requests == [None, "bytes=400000-", "bytes=700000-"]


def test_broken_transfer_goes_on_in_a_later_call(server, tmp_path):
    server.files["a.bin"], server.cuts = BODY, [100_000] * 9
    with pytest.raises(DownloadFailed, match=r"100,000 bytes are kept in .*a\.bin\.part"):
        download([server.url("a.bin")], tmp_path / "a.bin", f"sha256:{sha(BODY)}")
    assert not (tmp_path / "a.bin").exists()
    server.cuts.clear()
    server.requests.clear()
    download([server.url("a.bin")], tmp_path / "a.bin", f"sha256:{sha(BODY)}")
    assert server.requests == ["bytes=100000-"]
    assert (tmp_path / "a.bin").read_bytes() == BODY and files(tmp_path) == ["a.bin"]


def test_part_of_another_version_is_not_continued(server, tmp_path):
    server.files["a.bin"], server.cuts = BODY[::-1], [100_000] * 3
    with pytest.raises(DownloadFailed):
        download([server.url("a.bin")], tmp_path / "a.bin", "")
    server.files["a.bin"], server.etag = BODY, '"v2"'
    server.cuts.clear()
    download([server.url("a.bin")], tmp_path / "a.bin", "")
    assert (tmp_path / "a.bin").read_bytes() == BODY


def test_part_without_version_is_not_continued(server, tmp_path):
    server.files["a.bin"], server.cuts, server.etag = BODY, [100_000], None
    download([server.url("a.bin")], tmp_path / "a.bin", "")
    assert server.requests == [None, None] and (tmp_path / "a.bin").read_bytes() == BODY


def test_damaged_part_gets_one_try_from_the_first_byte(server, tmp_path):
    server.files["a.bin"] = BODY
    (tmp_path / "a.bin.part").write_bytes(b"x" * 1000)
    (tmp_path / "a.bin.part.json").write_text(json.dumps({"url": server.url("a.bin"), "version": server.etag}))
    download([server.url("a.bin")], tmp_path / "a.bin", f"sha256:{sha(BODY)}")
    assert server.requests == ["bytes=1000-", None] and (tmp_path / "a.bin").read_bytes() == BODY


def test_part_as_long_as_the_file_starts_again(server, tmp_path):
    server.files["a.bin"] = BODY
    (tmp_path / "a.bin.part").write_bytes(b"x" * len(BODY))
    (tmp_path / "a.bin.part.json").write_text(json.dumps({"url": server.url("a.bin"), "version": server.etag}))
    download([server.url("a.bin")], tmp_path / "a.bin", f"sha256:{sha(BODY)}")
    assert (tmp_path / "a.bin").read_bytes() == BODY


def test_wrong_bytes_are_refused_and_leave_nothing(server, tmp_path):
    server.files["a.bin"] = BODY
    with pytest.raises(DownloadFailed, match=f"(?s)wrong bytes.*{'0' * 64}.*{sha(BODY)}"):
        download([server.url("a.bin")], tmp_path / "a.bin", f"sha256:{'0' * 64}")
    assert files(tmp_path) == []


def test_md5_is_enough_where_only_that_is_published(server, tmp_path):
    server.files["a.bin"] = BODY
    download([server.url("a.bin")], tmp_path / "a.bin", f"md5:{hashlib.md5(BODY).hexdigest()}")
    assert (tmp_path / "a.bin").exists()


def test_who_brings_the_same_file_is_waited_for(server, tmp_path, monkeypatch):
    target, part = tmp_path / "a.bin", tmp_path / "a.bin.part"
    other = FileLock(tmp_path / ".a.bin.lock")
    other.acquire()
    part.write_bytes(BODY[:1000])

    def meanwhile(_):
        assert not server.requests and part.read_bytes() == BODY[:1000]
        part.write_bytes(BODY)
        part.rename(target)
        other.release()

    monkeypatch.setattr(transfer.time, "sleep", meanwhile)
    seen = []
    download([server.url("a.bin")], target, f"sha256:{sha(BODY)}", lambda *step: seen.append(step))
    assert seen == [(1000, None)] and not server.requests and files(tmp_path) == ["a.bin"]


def test_second_mirror_is_used_and_named(server, tmp_path):
    server.files.update({"bad.bin": b"something else", "good.bin": BODY})
    urls = [server.url("gone.bin"), server.url("bad.bin"), server.url("good.bin")]
    assert download(urls, tmp_path / "a.bin", f"sha256:{sha(BODY)}") == urls[2]
    assert (tmp_path / "a.bin").read_bytes() == BODY


def test_all_mirrors_down_names_each_and_its_reason(server, tmp_path):
    server.files["bad.bin"] = b"something else"
    urls = [server.url("gone.bin"), server.url("bad.bin"), "http://127.0.0.1:9/a.bin"]
    with pytest.raises(DownloadFailed) as error:
        download(urls, tmp_path / "a.bin", f"sha256:{sha(BODY)}")
    text = str(error.value)
    assert all(url in text for url in urls)
    assert "HTTP 404" in text and "wrong bytes" in text and "refused" in text and "--from" in text
    assert files(tmp_path) == []


def test_packed_files_stay_packed(server, tmp_path):
    """Some servers label a .gz file as gzip-encoded; its bytes must arrive as they lie there."""
    server.files["a.gz"], server.encoding = gzip.compress(BODY), "gzip"
    download([server.url("a.gz")], tmp_path / "a.gz", f"sha256:{sha(server.files['a.gz'])}")
    assert gzip.decompress((tmp_path / "a.gz").read_bytes()) == BODY
