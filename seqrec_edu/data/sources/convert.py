"""From what a provider hands out to the one prepared form that everything else reads.

Rows stay in the order of the source (readers sort, and equal times must keep that order). The gzip header carries no
name and no time, so the same archive gives the same bytes everywhere.
"""

from __future__ import annotations

import csv
import gzip
import io
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from seqrec_edu.data.files import replacing
from seqrec_edu.data.sources.folder import INTERACTIONS, ITEMS
from seqrec_edu.data.sources.registry import Dataset, SourceError

UNREADABLE = (EOFError, csv.Error, tarfile.TarError, zipfile.BadZipFile, zlib.error)  # what damaged bytes raise
FORMAT = 1  # of the prepared files; raise it when a converter changes what it writes


@dataclass
class Tally:
    """How many users, items and events went by. An empty id counts as an event but not as a user or item."""

    events: int = 0
    _users: set[str] = field(default_factory=set)
    _items: set[str] = field(default_factory=set)

    def add(self, user: str, item: str) -> None:
        self.events += 1
        self._users.add(user)
        self._items.add(item)

    def as_dict(self) -> dict[str, int]:
        return {"users": len(self._users - {""}), "items": len(self._items - {""}), "events": self.events}


def convert(known: Dataset, archive: Path, folder: Path) -> dict[str, dict[str, int]]:
    """Prepare `archive` into `folder`; returns what was counted, `{"source": …, "prepared": …}`.

    Nothing is left behind when it fails. Raises `SourceError` naming the member, line and content that do not fit.
    """
    from seqrec_edu.data.sources.providers import PROVIDERS, Item

    provider = PROVIDERS[known.prepare["kind"]]
    names: dict[str, Item] = {}
    with replacing(folder / INTERACTIONS) as temporary:
        rows = _told(provider.rows(archive, known.prepare, names), archive)
        counts = _write(temporary, rows, provider.has_rating)
        if not counts["prepared"]["events"]:
            raise SourceError(f"{known.name}: {archive} gave no rows at all; it is not the archive that was expected.")
        write_items(folder / ITEMS, names)
    return counts


def _told(rows: Iterable[tuple], archive: Path) -> Iterator[tuple]:
    """The rows, and for whatever stops them an error that says where."""
    told = 0
    try:
        for row in rows:
            yield row
            told += 1
    except SourceError:
        raise
    except (*UNREADABLE, ArithmeticError, LookupError, ValueError) as error:
        raise SourceError(f"{archive} is damaged or of another form: after {told:,} rows {error!r}") from error


def _write(path: Path, rows: Iterable[tuple], has_rating: bool) -> dict[str, dict[str, int]]:
    source, prepared = Tally(), Tally()
    with writing(path) as out:
        out.write("user_id\titem_id\trating\ttimestamp\n" if has_rating else "user_id\titem_id\ttimestamp\n")
        tabs = 3 if has_rating else 2
        for user, item, rating, time, keep in rows:
            source.add(user, item)
            if not keep:
                continue
            prepared.add(user, item)
            line = f"{user}\t{item}\t{rating}\t{time}\n" if has_rating else f"{user}\t{item}\t{time}\n"
            if line.count("\t") != tabs or '"' in line or line.count("\n") != 1:
                raise SourceError(f"row {source.events:,}: a tab, quote or line break inside an id: {line!r}")
            out.write(line)
    return {"source": source.as_dict(), "prepared": prepared.as_dict()}


@contextmanager
def writing(path: Path) -> Iterator[TextIO]:
    """A UTF-8 text stream into `path`, gzip-compressed without name and time in its header."""
    with (
        path.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=6) as packed,
        io.TextIOWrapper(packed, encoding="utf-8", newline="\n") as out,
    ):
        yield out


def write_items(path: Path, names: dict[str, tuple[str, str]]) -> None:
    """Write item names and genres, `{item_id: (name, genre)}`; no file, and none of before, if there are none."""
    if not names:
        path.unlink(missing_ok=True)
        return
    with replacing(path) as temporary, writing(temporary) as out:
        out.write("item_id\tname\tgenre\n")
        for item, (name, genre) in names.items():
            out.write(f"{item}\t{_plain(name)}\t{_plain(genre)}\n")


def read_items(path: Path) -> dict[str, tuple[str, str]]:
    """Item names and genres, `{item_id: (name, genre)}`; {} if there is no such file. The genre column is optional."""
    if not path.exists():
        return {}
    try:
        with gzip.open(path, "rt", encoding="utf-8", newline="\n") as stream:
            lines = stream.readlines()
    except (*UNREADABLE, OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path} is damaged ({error}). Store or fetch the dataset again.") from error
    names = {}
    for number, line in enumerate(lines[1:], start=2):
        fields = line.rstrip("\r\n").split("\t")
        if len(fields) < 2:
            raise SourceError(f"{path}, line {number}: expected item_id, a tab and a name, got {line!r}")
        names[fields[0]] = (fields[1].strip(), fields[2].strip() if len(fields) > 2 else "")
    return names


def _plain(text: str) -> str:
    """One line without tabs, for people to read."""
    return " ".join(text.split())
