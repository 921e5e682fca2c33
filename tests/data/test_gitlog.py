"""Histories out of git: who counts, what counts, and that nobody is named."""

import gzip
import os
import shutil
import subprocess

import pytest

from seqrec_edu.data.sources.convert import read_items
from seqrec_edu.data.sources.gitlog import MAX_FILES, automated, read_log, write_log

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
START = 1_600_000_000


class Repository:
    """A tiny repository whose authors and times are given."""

    def __init__(self, path):
        self.path, self.clock = path, START
        path.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments, **environment):
        clean = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
        clean |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, **environment}
        subprocess.run(["git", "-C", str(self.path), *arguments], check=True, env=clean, capture_output=True)

    def commit(self, name, address, files, message="change", after=60):
        self.clock += after
        for file in files:
            target = self.path / file
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(f"{self.clock}")
        self.git("add", "--all")
        self.save(name, address, message)

    def save(self, name, address, message, *command):
        environment = {}
        for role in ("AUTHOR", "COMMITTER"):
            environment |= {f"GIT_{role}_NAME": name, f"GIT_{role}_EMAIL": address}
            environment[f"GIT_{role}_DATE"] = f"@{self.clock} +0200"
        self.git(*(command or ("commit", "--quiet", "--allow-empty", "-m", message)), **environment)


@pytest.fixture
def repository(tmp_path):
    return Repository(tmp_path / "clone")


def test_rows_are_author_file_and_author_time(repository):
    repository.commit("Ada Example", "ada@example.org", ["a.txt", "lib/b.txt"])
    repository.commit("Ben Example", "ben@example.org", ["a.txt"])
    repository.commit("Ada Example", "ADA@example.org", ["lib/b.txt"])
    log = read_log(repository.path)
    assert list(zip(log.users, log.items, log.times, strict=True)) == [
        (1, 1, START + 60),
        (1, 2, START + 60),
        (2, 1, START + 120),
        (1, 2, START + 180),
    ]
    assert log.paths == ["a.txt", "lib/b.txt"] and log.authors == 2 and log.commits == 3


def test_automated_accounts_and_large_commits_are_left_out(repository):
    repository.commit("Ada", "ada@example.org", ["a.txt"])
    repository.commit("dependabot[bot]", "1+dependabot[bot]@users.noreply.github.com", ["a.txt"])
    repository.commit("Ada", "ada@example.org", [f"many/{i}" for i in range(MAX_FILES + 1)])
    repository.commit("Ada", "ada@example.org", [f"few/{i}" for i in range(MAX_FILES)])
    log = read_log(repository.path)
    assert len(log.users) == 1 + MAX_FILES and log.automated == 1 and log.too_many_files == 1
    assert not any(path.startswith("many/") for path in log.paths)


def test_merges_and_empty_commits_give_no_rows(repository):
    repository.commit("Ada", "ada@example.org", ["a.txt"])
    repository.git("checkout", "--quiet", "-b", "side")
    repository.commit("Ben", "ben@example.org", ["b.txt"])
    repository.git("checkout", "--quiet", "main")
    repository.commit("Ada", "ada@example.org", ["c.txt"])
    repository.save("Cy", "cy@example.org", "", "merge", "--quiet", "--no-ff", "--no-edit", "side")
    repository.commit("Cy", "cy@example.org", [])
    log = read_log(repository.path)
    assert log.authors == 2 and len(log.users) == 3


def test_odd_paths_stay_one_line(repository):
    odd = ["tab\there", "new\nline", 'quote"d', "Straße/ß.txt"]
    repository.commit("Ada", "ada@example.org", odd)
    log = read_log(repository.path)
    assert sorted(log.paths) == sorted(["tab\\there", "new\\nline", 'quote"d', "Straße/ß.txt"])
    names = write_log(log, repository.path.parent / "out.tsv")
    assert {name for name, _ in read_items(names).values()} == set(log.paths)


def test_renames_are_not_followed_and_deletions_count(repository):
    repository.commit("Ada", "ada@example.org", ["old.txt"])
    repository.clock += 60
    repository.git("mv", "old.txt", "new.txt")
    repository.save("Ada", "ada@example.org", "rename")
    assert sorted(read_log(repository.path).paths) == ["new.txt", "old.txt"]


def test_impossible_times_are_left_out_and_counted(repository):
    repository.commit("Ada", "ada@example.org", ["a.txt"])
    repository.clock = 0
    repository.commit("Ada", "ada@example.org", ["b.txt"], after=0)
    repository.clock = 9_999_999_999
    repository.commit("Ada", "ada@example.org", ["c.txt"], after=0)
    log = read_log(repository.path)
    assert log.bad_times == 2 and log.paths == ["a.txt"]


@pytest.mark.parametrize("suffix", [".tsv", ".tsv.gz"])
def test_nobody_is_named_in_what_is_written_or_said(repository, tmp_path, suffix):
    repository.commit("Ada Lovelace", "ada@example.org", ["a.txt", "docs/b.md"])
    log = read_log(repository.path)
    out = tmp_path / f"log{suffix}"
    names = write_log(log, out)
    raw = gzip.decompress(out.read_bytes()) if suffix.endswith("gz") else out.read_bytes()
    everything = raw.decode() + gzip.decompress(names.read_bytes()).decode() + log.summary() + repr(log)
    assert "Lovelace" not in everything and "ada@" not in everything
    assert raw.decode() == f"user_id\titem_id\ttimestamp\n1\t1\t{START + 60}\n1\t2\t{START + 60}\n"
    assert read_items(names) == {"1": ("a.txt", "."), "2": ("docs/b.md", "docs")}
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["clone", out.name, "log.items.tsv.gz"])


def test_shallow_clone_is_said_and_its_edge_left_out(repository, tmp_path):
    for number in range(4):
        repository.commit("Ada", "ada@example.org", [f"{number}.txt"])
    shallow = tmp_path / "shallow"
    repository.git("clone", "--quiet", "--depth=2", f"file://{repository.path}", str(shallow))
    log = read_log(shallow)
    assert log.shallow and log.boundary == 1 and log.paths == ["3.txt"]
    assert "--unshallow" in log.summary()


def test_variables_of_a_hook_do_not_lead_elsewhere(repository, tmp_path, monkeypatch):
    repository.commit("Ada", "ada@example.org", ["a.txt"])
    other = Repository(tmp_path / "other")
    other.commit("Ben", "ben@example.org", ["b.txt"])
    monkeypatch.setenv("GIT_DIR", str(other.path / ".git"))
    assert read_log(repository.path).paths == ["a.txt"]


def test_settings_of_the_user_do_not_change_what_is_read(repository, tmp_path, monkeypatch):
    repository.commit("Ada", "ada@example.org", ["Straße.txt"])
    config = tmp_path / "gitconfig"
    config.write_text("[log]\n\tshowRoot = false\n[core]\n\tquotePath = true\n[color]\n\tui = always\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    config.rename(tmp_path / ".gitconfig")
    assert read_log(repository.path).paths == ["Straße.txt"]


def test_bare_repository(repository, tmp_path):
    repository.commit("Ada", "ada@example.org", ["a.txt"])
    bare = tmp_path / "bare.git"
    repository.git("clone", "--quiet", "--bare", str(repository.path), str(bare))
    assert read_log(bare).paths == ["a.txt"]


def test_clear_errors(repository, tmp_path, monkeypatch):
    empty = tmp_path / "empty"
    empty.mkdir()
    for path, complaint in [
        (empty, "not a git repository"),
        (tmp_path / "missing", "not a folder"),
        (repository.path, "without a single commit"),
    ]:
        with pytest.raises(ValueError, match=complaint):
            read_log(path)
    repository.commit("release bot", "x@example.org", ["a.txt"])
    with pytest.raises(ValueError, match=r"no commit counts(.|\n)*1 commits of automated accounts"):
        read_log(repository.path)
    monkeypatch.setenv("PATH", str(empty))
    with pytest.raises(ValueError, match="git is not installed"):
        read_log(repository.path)


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("dependabot[bot]", "49699333+dependabot[bot]@users.noreply.github.com"),
        ("Renovate Bot", "bot@renovateapp.com"),
        ("pre-commit-ci[bot]", "66853113+pre-commit-ci[bot]@users.noreply.github.com"),
        ("GitHub Actions", "actions@github.com"),
        ("github-actions", "x@example.org"),
        ("numpy-bot", "x@example.org"),
        ("release bot", "x@example.org"),
        ("Greenkeeper", "support@greenkeeper.io"),
    ],
)
def test_automated(name, address):
    assert automated(name, address)


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("Ada Lovelace", "ada@example.org"),
        ("Jan Bot", "jan.bot@example.nl"),
        ("Abbot Botha", "abbot@example.org"),
        ("Jenkinson", "j@jenkinson.org"),
        ("Robotham", "r@robot-lab.org"),
    ],
)
def test_people(name, address):
    assert not automated(name, address)
