"""`seqrec-edu data …`, as a person types it."""

import gzip
import os
import shutil
import subprocess

import pytest
from typer.testing import CliRunner

from seqrec_edu.cli.data import app
from seqrec_edu.data.sources import registry
from seqrec_edu.data.sources.registry import Dataset, MirrorFile, Published

ROWS = [(u, i, 1_600_000_000 + 100 * u + i) for u in range(6) for i in range(6)]
TEXT = "user_id\titem_id\ttimestamp\n" + "".join(f"{u}\t{i}\t{t}\n" for u, i, t in ROWS)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQREC_EDU_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("SEQREC_EDU_MIRROR", raising=False)
    return tmp_path / "data"


def run(*arguments, code=0):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """A local mirror with one toy dataset that the registry knows."""
    from hashlib import sha256

    folder = tmp_path / "mirror"
    (folder / "toy").mkdir(parents=True)
    body = gzip.compress(TEXT.encode(), mtime=0)
    (folder / "toy" / "interactions.tsv.gz").write_bytes(body)
    about = (
        "toy",
        "Toy clicks",
        "a toy",
        "second",
        "CC0",
        "CC0: do what you like",
        "https://example.org",
        True,
        "Nobody, 2020",
    )
    published = {"prepared": Published("read", 6, 6, 36), "core5": Published("counted", 6, 6, 35)}
    place = MirrorFile("toy", "interactions.tsv.gz", sha256=sha256(body).hexdigest(), caution="a copy of a copy")
    entries = {"toy": Dataset(*about, mirror=place, published=published), **registry.datasets()}
    monkeypatch.setattr(registry, "_registry", lambda: entries)
    return folder


def test_list_names_everything_and_where_it_is(mirror):
    text = run("list", "--from", mirror)
    for name in ("shoppers", "ml-1m", "oulad", "steam", "online-retail"):
        assert f"\n{name} " in text
    lines = {line.split()[0]: line for line in text.splitlines() if line}
    assert lines["toy"].endswith("in the mirror") and lines["ml-1m"].endswith("to download")
    assert "1,000,209" in lines["ml-1m"] and "GroupLens" in lines["ml-1m"]
    assert "│" not in text and "\x1b" not in text


def test_fetch_then_show(mirror, home):
    text = run("fetch", "toy", "--from", mirror)
    assert "CC0: do what you like" in text and str(home / "toy") in text and "a copy of a copy" in text
    text = run("show", "toy")
    for expected in ("Nobody, 2020", "https://example.org", "36 events, 6 users, 6 items", "equal", str(home / "toy")):
        assert expected in text
    assert "DIFFERS" in text and "found 36, published 35" in text


def test_show_downloads_nothing(home):
    text = run("show", "ml-1m")
    assert "999,611" in text and "seqrec-edu data fetch ml-1m" in text and "sha256:a6898adb" in text
    assert not home.exists()


def test_show_shoppers():
    assert "synthetic" in run("show", "shoppers")


def test_fetch_without_a_yes_shows_the_licence_and_says_what_to_pass(home):
    text = run("fetch", "ml-100k", code=1)
    assert "GroupLens usage licence" in text and "--accept-licence" in text
    assert not home.exists()


def test_fetch_of_generated_data_has_nothing_to_do():
    assert "generated" in run("fetch", "shoppers")


@pytest.mark.parametrize("command", ["fetch", "show"])
def test_unknown_name_is_one_line_without_traceback(command):
    text = run(command, "ml1m", code=1)
    assert "Did you mean ml-1m" in text and "Traceback" not in text


def test_add_reports_stores_and_shows(tmp_path):
    file = tmp_path / "My Clicks.tsv"
    file.write_text(TEXT)
    assert "--data my-clicks" in run("add", file)
    assert "36 events" in run("show", "my-clicks")
    assert "my-clicks" in run("list")
    assert "already stored" in run("add", file, code=1)
    run("add", file, "--again")


def test_add_passes_its_options_on(tmp_path):
    file = tmp_path / "x.csv"
    file.write_text("a,b,c\n" + "".join(f"{u},{i},{t}000\n" for u, i, t in ROWS) + "9,9,\n")
    run("add", file, "--user", "a", "--item", "b", "--time", "c", "--time-unit", "ms", code=1)
    options = ["--user", "a", "--item", "b", "--time", "c", "--time-unit", "ms", "--on-bad", "drop"]
    assert "36 events" in run("add", file, *options)
    assert "36 events" in run("show", "x")


def test_add_names_the_bad_row(tmp_path):
    file = tmp_path / "x.tsv"
    file.write_text(TEXT + "7\t\t5\n")
    text = run("add", file, code=1)
    assert "line 38" in text and "Traceback" not in text
    assert "missing.tsv" in run("add", tmp_path / "missing.tsv", code=1)


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_from_git_stores_or_writes_and_names_nobody(tmp_path, home):
    clone = tmp_path / "Clone One"
    clone.mkdir()
    (clone / "a.txt").write_text("x")
    who = {"GIT_AUTHOR_NAME": "Ada Lovelace", "GIT_AUTHOR_EMAIL": "ada@example.org"}
    who |= {"GIT_COMMITTER_NAME": "Ada Lovelace", "GIT_COMMITTER_EMAIL": "ada@example.org"}
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"]):
        subprocess.run(["git", "-C", str(clone), *command], check=True, env={**os.environ, **who})
    text = run("from-git", clone)
    assert "1 events by 1 authors on 1 files" in text and "--data gitlog-clone-one" in text
    text += run("show", "gitlog-clone-one", "--core", 0)
    text += run("from-git", clone, "--out", tmp_path / "log.tsv")
    assert (tmp_path / "log.tsv").read_text().startswith("user_id\titem_id\ttimestamp\n1\t1\t")
    (tmp_path / "log.tsv").write_text("precious")
    assert "exists already" in run("from-git", clone, "--out", tmp_path / "log.tsv", code=2)
    assert "ends in .tsv" in run("from-git", clone, "--out", tmp_path / "log.csv", code=2)
    assert (tmp_path / "log.tsv").read_text() == "precious"
    run("from-git", clone, "--out", tmp_path / "log.tsv", "--again")
    stored = "".join(gzip.decompress(path.read_bytes()).decode() for path in home.rglob("*.gz"))
    assert "Lovelace" not in text + stored and "ada@" not in text + stored
    assert "is not a git repository" in run("from-git", home, code=1)
