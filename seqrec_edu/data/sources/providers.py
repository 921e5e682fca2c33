"""How each provider's file is read: generators of `(user, item, rating, time, keep)`, one per row of the source.

`time` is a Unix second. `keep` is False for rows that the prepared form leaves out (they still count as source rows).
Names go into the dictionary `names`: `{item_id: (name, genre)}`.
"""

from __future__ import annotations

import ast
import csv
import gzip
import io
import json
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from seqrec_edu.data.sources.registry import SourceError

Item = tuple[str, str]
Row = tuple[str, str, object, int | str, bool]
DAY = 86_400
# OULAD counts days from the start of a module presentation, some of them negative. Its day 0 is stored as day 100 of
# Unix time: never negative, and so early that nobody takes it for a date of 2013 or 2014 (readers warn of it).
OULAD_DAY_0 = 100 * DAY


@dataclass(frozen=True)
class Provider:
    rows: Callable[[Path, dict[str, Any], dict[str, Item]], Iterator[Row]]
    has_rating: bool


@contextmanager
def _member(archive: zipfile.ZipFile, name: str, encoding: str = "utf-8") -> Iterator[io.TextIOWrapper]:
    """A text member of a zip archive, found by its full name or by its last part."""
    found = [entry for entry in archive.namelist() if entry == name or entry.endswith("/" + name)]
    if not found:
        raise SourceError(f"{archive.filename} has no member {name!r}; it holds: {', '.join(archive.namelist()[:12])}")
    with archive.open(found[0]) as raw, io.TextIOWrapper(raw, encoding=encoding, newline="") as text:
        yield text


def _opened_zip(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise SourceError(f"{path} is not a zip archive ({error}). Delete it and fetch it again.") from error


def _fields(lines: io.TextIOWrapper, separator: str, header: bool) -> Iterator[list[str]]:
    """Rows of delimited text. csv for one-character separators (quotes count only in comma files), split otherwise."""
    if len(separator) == 1:
        rows = csv.reader(lines, delimiter=separator, quoting=csv.QUOTE_MINIMAL if separator == "," else csv.QUOTE_NONE)
    else:
        rows = (line.rstrip("\r\n").split(separator) for line in lines)
    if header:
        next(rows, None)
    return (row for row in rows if row and row != [""])


def delimited(path: Path, how: dict[str, Any], names: dict[str, Item]) -> Iterator[Row]:
    """A delimited member of a zip archive (MovieLens). `minimum_rating` keeps only ratings from there on."""
    minimum = how.get("minimum_rating")
    with _opened_zip(path) as archive:
        if "items" in how:
            names.update(_delimited_items(archive, how["items"]))
        with _member(archive, how["member"], how.get("encoding", "utf-8")) as lines:
            width = len(how["columns"])
            for number, row in enumerate(_fields(lines, how["separator"], how.get("header", False)), start=1):
                if len(row) != width:
                    raise SourceError(f"{path}, {how['member']}, row {number}: expected {width} fields, got {row!r}")
                user, item, rating, time = row
                yield user, item, rating, time, minimum is None or float(rating) >= minimum


def _delimited_items(archive: zipfile.ZipFile, how: dict[str, Any]) -> Iterator[tuple[str, Item]]:
    with _member(archive, how["member"], how["encoding"]) as lines:
        for row in _fields(lines, how["separator"], how.get("header", False)):
            if "genre_flags" in how:
                flags = row[how["genre_flags"] :]
                genre = "|".join(name for name, flag in zip(how["genre_names"], flags, strict=False) if flag == "1")
            else:
                genre = row[how["genre"]]
            yield row[how["item"]], (row[how["name"]], genre)


def json_lines(path: Path, how: dict[str, Any], names: dict[str, Item]) -> Iterator[Row]:
    """One JSON object a line, gzip-compressed (Amazon)."""
    for number, record in _records(path, json.loads):
        try:
            yield record[how["user"]], record[how["item"]], record[how["rating"]], int(record[how["time"]]), True
        except (KeyError, TypeError, ValueError) as error:
            raise SourceError(f"{path}, line {number}: cannot use {str(record)[:120]!r}: {error!r}") from error


def python_lines(path: Path, how: dict[str, Any], names: dict[str, Item]) -> Iterator[Row]:
    """One Python dictionary literal a line (Steam). People are numbered by first appearance; their names are not kept.

    Days become midnight UTC.
    """
    numbers: dict[str, str] = {}
    days: dict[str, int] = {}
    for number, record in _records(path, ast.literal_eval):
        try:
            day = record[how["time"]]
            if day not in days:
                days[day] = int(datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC).timestamp())
            user = numbers.setdefault(record[how["user"]], str(len(numbers) + 1))
            yield user, record[how["item"]], None, days[day], True
        except (KeyError, TypeError, ValueError) as error:
            keys = sorted(record) if isinstance(record, dict) else type(record).__name__
            raise SourceError(f"{path}, line {number}: cannot use a record with {keys}: {error!r}") from error


def _records(path: Path, parse: Callable[[str], Any]) -> Iterator[tuple[int, Any]]:
    number = 0
    try:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield number, parse(line)
    except (ValueError, SyntaxError, UnicodeDecodeError) as error:
        raise SourceError(f"{path}, line {number}: not in the expected form: {error}") from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise SourceError(
            f"{path} is damaged after line {number:,} ({error}). Delete it and fetch it again."
        ) from error


def kuairand(path: Path, how: dict[str, Any], names: dict[str, Item]) -> Iterator[Row]:
    """Clicks of the standard logs of KuaiRand. Sorted by millisecond first: seconds alone would lose that order."""
    import polars as pl

    columns = ["user_id", "video_id", "time_ms", "is_click"]
    frames = {}
    with tarfile.open(path, "r:gz") as archive:
        for member in archive:
            file = Path(member.name).name
            if file in how["members"]:
                frames[file] = pl.read_csv(archive.extractfile(member).read(), columns=columns)
    missing = [file for file in how["members"] if file not in frames]
    if missing:
        raise SourceError(f"{path} has no member {', '.join(missing)}; it is not the archive that was expected.")
    log = pl.concat([frames[file].select(columns) for file in how["members"]])
    log = log.sort("user_id", "time_ms", maintain_order=True)
    for user, video, milliseconds, click in log.iter_rows():
        yield str(user), str(video), None, milliseconds // 1000, click == 1


def oulad(path: Path, how: dict[str, Any], names: dict[str, Item]) -> Iterator[Row]:
    """Daily clicks of students on pages. A history is one student in one presentation, since days count from its start.

    The rating is the number of clicks that day.
    """
    with _opened_zip(path) as archive:
        with _member(archive, "vle.csv") as lines:
            for row in csv.DictReader(lines):
                kind, where = row["activity_type"], f"{row['code_module']} {row['code_presentation']}"
                names[row["id_site"]] = (f"{kind} {row['id_site']} ({where})", kind)
        with _member(archive, "studentVle.csv") as lines:
            rows = csv.reader(lines)
            expected = ["code_module", "code_presentation", "id_student", "id_site", "date", "sum_click"]
            header = next(rows, [])
            if header != expected:
                raise SourceError(f"{path}, studentVle.csv: expected columns {expected}, got {header}")
            for module, presentation, student, site, day, clicks in rows:
                yield f"{student}-{module}-{presentation}", site, clicks, OULAD_DAY_0 + int(day) * DAY, True


def online_retail(path: Path, how: dict[str, Any], names: dict[str, Item]) -> Iterator[Row]:
    from seqrec_edu.data.sources.retail import rows

    return rows(path, names)


PROVIDERS = {
    "delimited": Provider(delimited, has_rating=True),
    "json-lines": Provider(json_lines, has_rating=True),
    "python-lines": Provider(python_lines, has_rating=False),
    "kuairand": Provider(kuairand, has_rating=False),
    "oulad": Provider(oulad, has_rating=True),
    "online-retail": Provider(online_retail, has_rating=True),
}
