"""Real timestamped histories out of a local git clone: an author is a user, a file an item, a commit gives the time.

Left out: merges, automated accounts, commits of more than 30 files (imports, reformatting). Renames are not followed.
Authors are numbered by first appearance; names and addresses stay in memory while counting and are never written.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from seqrec_edu.data.files import replacing
from seqrec_edu.data.sources.convert import write_items, writing
from seqrec_edu.data.sources.registry import SourceError

MAX_FILES = 30
CAUTIONS = (
    "authors are people: they are numbered here, but anyone who has the history can undo that",
    "files of one commit share its timestamp; author times are taken as recorded and may disagree with commit order",
    "an author is an e-mail address after .mailmap: people with several addresses count several times",
)
# Set inside hooks, these would silently lead to another repository than the one named.
_ELSEWHERE = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_COMMON_DIR",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_SHALLOW_FILE",
)
_HEADER = b"\x01"  # begins each commit in git's answer; no sane path begins with it
_SERVICES = (
    r"\[bot\]|\bdependabot|\brenovate(-?bot)?\b|\bgithub[-_ ]?actions?\b|pre-commit-ci|\bgreenkeeper|\bpyup\b|\bsnyk\b"
    r"|\bmergify|\bcodecov|\bimgbot|\ballcontributors|semantic-release|\b(travis|circle|azure)[-_ ]?(ci|pipelines?)\b"
    r"|\bjenkins\b|\bbuildbot\b|\bweblate\b"
)
_NAME = re.compile(rf"(?i:{_SERVICES}|^bot$|[-_+]bot\b)|\sbot$")  # «Jan Bot» is a person, «release bot» is not
_ADDRESS = re.compile(rf"(?i:{_SERVICES}|(^|[-_+])(ro)?bot@)")


@dataclass
class GitLog:
    """One row per author, file and second, oldest commit first; what was left out is counted.

    `users` and `items` are numbers from 1; `paths[i]` is the path of item `i + 1`.
    """

    users: list[int] = field(default_factory=list)
    items: list[int] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    authors: int = 0
    commits: int = 0
    automated: int = 0
    too_many_files: int = 0
    bad_times: int = 0
    repeated: int = 0
    boundary: int = 0
    shallow: bool = False

    def summary(self) -> str:
        """What was read and what was left out, in a few lines; no names."""
        lines = [
            f"{len(self.users):,} events by {self.authors:,} authors on {len(self.paths):,} files, "
            f"from {self.commits:,} commits (merges not counted)",
            f"left out: {self.automated:,} commits of automated accounts, {self.too_many_files:,} of more than "
            f"{MAX_FILES} files, {self.bad_times:,} with an impossible time; {self.repeated:,} repeated rows",
        ]
        if self.shallow:
            lines.append(
                f"the clone is shallow: older history is missing, and {self.boundary:,} commits at its edge are left "
                "out (they seem to touch every file). `git fetch --unshallow` there brings the rest"
            )
        return "\n".join(lines)


def read_log(path: str | os.PathLike) -> GitLog:
    """Histories of the clone at `path` (a work tree or a bare repository).

    Raises:
        SourceError: git is missing, `path` is not a git repository, or it has no commits that count.
    """
    path = Path(path)
    if not path.is_dir():
        raise SourceError(f"{path} is not a folder. Give the folder of a local git clone.")
    edge = _edge(path)
    log = GitLog(shallow=bool(edge))
    if not _git(path, "rev-list", "--max-count=1", "--all").strip():
        raise SourceError(f"{path} is a git repository without a single commit; there is no history to read.")
    authors: dict[bytes, int] = {}
    items: dict[str, int] = {}
    seen: set[tuple[int, int, int]] = set()
    latest = time.time() + 86_400  # clocks of authors may be a little ahead
    for commit, moment, name, address, files in _commits(path):
        log.commits += 1
        if commit in edge:
            log.boundary += 1
        elif automated(name, address):
            log.automated += 1
        elif len(files) > MAX_FILES:
            log.too_many_files += 1
        elif not 0 < moment < latest:
            log.bad_times += 1
        elif files:
            user = authors.setdefault(address.lower() or name, len(authors) + 1)
            _append(log, user, moment, files, items, seen)
    log.authors, log.paths = len(authors), list(items)
    if not log.users:
        raise SourceError(f"{path}: no commit counts as an event.\n{log.summary()}")
    return log


def _append(log: GitLog, user: int, moment: int, files: list[str], items: dict[str, int], seen: set) -> None:
    for file in files:
        item = items.setdefault(file, len(items) + 1)
        row = (user, item, moment)
        if row in seen:
            log.repeated += 1
            continue
        seen.add(row)
        log.users.append(user)
        log.items.append(item)
        log.times.append(moment)


def automated(name: bytes | str, address: bytes | str) -> bool:
    """Whether a name or an address is that of an automated account. People called Bot or Abbot are people."""
    name, address = (text.decode("utf-8", "replace") if isinstance(text, bytes) else text for text in (name, address))
    return bool(_NAME.search(name) or _ADDRESS.search(address))


def _edge(path: Path) -> set[bytes]:
    """Commits at the edge of a shallow clone: their parents are missing, so that every file seems to be new in them."""
    if _git(path, "rev-parse", "--is-shallow-repository").strip() != b"true":
        return set()
    file = Path(os.fsdecode(_git(path, "rev-parse", "--git-path", "shallow").strip()))
    return set((path / file).read_bytes().split())


def _commits(path: Path) -> Iterator[tuple[bytes, int, bytes, bytes, list[str]]]:
    """(hash, author time, name, address, files) of every commit of HEAD that is no merge, oldest first."""
    answer = _git(
        path,
        *("-c", "log.showSignature=false", "-c", "log.showRoot=true", "-c", "core.quotePath=false"),
        *("log", "-z", "--reverse", "--no-merges", "--no-renames", "--no-color", "--no-ext-diff", "--no-notes"),
        *("--name-only", "--format=tformat:%x01%H%x02%at%x02%aN%x02%aE"),
    )
    header, files = None, []
    for token in answer.split(b"\0"):
        parts = token[1:].split(b"\x02") if token.startswith(_HEADER) else ()
        if len(parts) == 4:
            if header:
                yield *header, files
            commit, moment, name, address = parts
            header, files = (commit, int(moment or 0), name, address), []
        elif token:
            files.append(_path(token.removeprefix(b"\n") if not files else token))
    if header:
        yield *header, files


def _path(raw: bytes) -> str:
    """A path as one line of text without tabs, so that it can stand in a table."""
    text = raw.decode("utf-8", "backslashreplace")
    return text.replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def _git(path: Path, *arguments: str) -> bytes:
    clean = {key: value for key, value in os.environ.items() if key not in _ELSEWHERE}
    clean |= {"GIT_NO_LAZY_FETCH": "1", "LC_ALL": "C"}
    try:
        done = subprocess.run(["git", "-C", str(path), *arguments], capture_output=True, env=clean, check=False)
    except FileNotFoundError:
        raise SourceError("git is not installed or not on the PATH; install it and try again.") from None
    if done.returncode:
        reason = done.stderr.decode("utf-8", "replace").strip().removeprefix("fatal: ")
        if "not a git repository" in reason:
            raise SourceError(f"{path} is not a git repository. Give the folder of a local clone.")
        if "does not have any commits yet" in reason or "bad default revision" in reason:
            raise SourceError(f"{path}: the branch that is checked out has no commits; there is no history to read.")
        raise SourceError(f"git could not read {path}: {reason or f'exit status {done.returncode}'}")
    return done.stdout


def write_log(log: GitLog, file: str | os.PathLike) -> Path:
    """Write the rows to `file` (tab-separated, .gz if it ends so), the paths beside it; returns the file of paths.

    `file` has user_id, item_id and timestamp; the other one is `NAME.items.tsv.gz` with item_id, name (the path) and
    genre (the top folder).
    """
    file = Path(file)
    stem = file.name.removesuffix(".gz").removesuffix(".tsv")
    with replacing(file) as temporary:
        rows = "".join(f"{u}\t{i}\t{t}\n" for u, i, t in zip(log.users, log.items, log.times, strict=True))
        text = "user_id\titem_id\ttimestamp\n" + rows
        if file.suffix == ".gz":
            with writing(temporary) as out:
                out.write(text)
        else:
            temporary.write_text(text, encoding="utf-8", newline="\n")
        names = file.with_name(f"{stem}.items.tsv.gz")
        tops = (path.split("/", 1)[0] if "/" in path else "." for path in log.paths)
        write_items(names, {str(i): (path, top) for i, (path, top) in enumerate(zip(log.paths, tops, strict=True), 1)})
    return names
