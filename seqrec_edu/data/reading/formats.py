"""From a file to a `Table`: what kind of file it is, whether its bytes agree with its name, its rows."""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path

import polars as pl

from seqrec_edu.data.check import BadInput, Report
from seqrec_edu.data.reading import text
from seqrec_edu.data.reading.table import Chooser, Table, frame_table

TEXT_SUFFIXES = {".csv": ",", ".tsv": "\t", ".txt": "\t", ".inter": "\t", ".dat": "::", ".data": "\t"}
PARQUET_SUFFIXES = {".parquet", ".pq"}
MOVIELENS_COLUMNS = ["user_id", "item_id", "rating", "timestamp"]
_WEB_PAGE = "a web page, perhaps an error page saved instead of the data; download it again"
_FOREIGN = {
    b"\x1f\x8b": "a gzip file; name it with .gz at the end (data.csv.gz)",
    b"PAR1": "a Parquet file; name it .parquet",
    b"PK\x03\x04": "a zip archive or an Excel sheet; unpack it, or save the sheet as CSV",
    b"BZh": "a bzip2 file; unpack it",
    b"\xfd7zXZ": "an xz file; unpack it",
    b"\x28\xb5\x2f\xfd": "a Zstandard file; unpack it",
    b"\xff\xfe": "UTF-16 text; save it as UTF-8",
    b"\xfe\xff": "UTF-16 text; save it as UTF-8",
    b"<!DOCTYPE": _WEB_PAGE,
    b"<!doctype": _WEB_PAGE,
    b"<html": _WEB_PAGE,
    b"version https://git-lfs": "a Git LFS pointer, not the data itself; run `git lfs pull`",
    b"{": "JSON; write its fields as columns of a CSV file, or pass a frame",
    b"\x89PNG": "a PNG picture",
    b"%PDF": "a PDF document",
}


def existing(source: str | Path) -> Path:
    """The path of an existing file that is not empty.

    Raises:
        BadInput: for a missing file, a folder, a file of 0 bytes.
    """
    path = Path(source).expanduser()
    if path.is_dir():
        held = sorted(entry.name for entry in path.iterdir())[:8]
        raise BadInput(
            f"{path} is a folder, expected a file. It holds: {', '.join(held) or 'nothing'}. Name one of them."
        )
    if not path.exists():
        raise BadInput(f"{path} does not exist. Check the spelling, or pass the full path.")
    if not path.is_file():
        raise BadInput(f"{path} is not a plain file; copy its content into one")
    if path.stat().st_size == 0:
        raise BadInput(f"{path} is empty (0 bytes); expected a header line and one row per interaction")
    return path


def kind_of(path: Path) -> tuple[str, bool]:
    """The suffix that decides the format, in lower case, and whether the file is gzip-compressed.

    Raises:
        BadInput: when the name tells no known format.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    zipped = suffixes[-1:] == [".gz"]
    suffix = "".join((suffixes[:-1] if zipped else suffixes)[-1:])
    if suffix in TEXT_SUFFIXES or (suffix in PARQUET_SUFFIXES and not zipped):
        return suffix, zipped
    raise BadInput(
        f"{path.name}: cannot tell the format from the name. Expected .csv, .tsv, .txt, .inter (RecBole), .dat "
        "(MovieLens ratings.dat), .data (MovieLens u.data), each also with .gz, or .parquet. Rename the file, or "
        "read it into a polars or pandas frame and pass that."
    )


def read_table(path: Path, choose: Chooser, report: Report) -> Table:
    """Read a file of any known format into a `Table`.

    Raises:
        BadInput: when the bytes are not what the name says, are damaged, or are not UTF-8 text.
    """
    suffix, zipped = kind_of(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror or error}") from error
    if suffix in PARQUET_SUFFIXES:
        return _parquet(data, path.name, choose)
    if zipped:
        data = _unzip(data, path.name)
    for magic, what in _FOREIGN.items():
        if data.startswith(magic):
            raise BadInput(f"{path.name} is not {suffix} text: it is {what}")
    lines = text.clean(data, path.name, report)
    if suffix in (".dat", ".data"):
        return _movielens(lines, suffix, choose)
    layout = text.header(lines, TEXT_SUFFIXES[suffix], suffix, report)
    return text.fields(lines, layout, choose(layout.names, layout.types))


def _parquet(data: bytes, name: str, choose: Chooser) -> Table:
    if not data.startswith(b"PAR1"):
        raise BadInput(f"{name} is not Parquet: it starts with {data[:8]!r}; rename it to what it is (.csv, .tsv, …)")
    if not data.endswith(b"PAR1") or len(data) < 12:
        raise BadInput(f"{name} is a truncated Parquet file: its end is missing; copy or download it again")
    try:
        names = list(pl.read_parquet_schema(io.BytesIO(data)))
        columns = choose(names, {})
        frame = pl.read_parquet(io.BytesIO(data), columns=list(columns.as_dict().values()))
    except BadInput:
        raise
    except (Exception, pl.exceptions.PanicException) as error:  # polars raises many kinds; all mean the same here
        raise BadInput(f"{name} is a damaged Parquet file ({error}); copy or download it again") from error
    return frame_table(frame, name, columns)


def _unzip(data: bytes, name: str) -> bytes:
    if not data.startswith(b"\x1f\x8b"):
        raise BadInput(f"{name} is named .gz but is not gzip: it starts with {data[:8]!r}; rename it without .gz")
    try:
        return gzip.decompress(data)
    except EOFError as error:
        raise BadInput(f"{name} is a truncated gzip file: its end is missing; copy or download it again") from error
    except (OSError, zlib.error) as error:
        raise BadInput(f"{name} is a damaged gzip file ({error}); copy or download it again") from error


def _movielens(lines: text.Lines, suffix: str, choose: Chooser) -> Table:
    """MovieLens ratings.dat (`::`) or u.data (tab): four fields, no header, integer ids, no quoting."""
    separator = TEXT_SUFFIXES[suffix]
    first = lines.line(lines.first)
    if separator not in first:
        raise BadInput(
            f"{lines.source}: a {suffix} file is read as MovieLens: user, item, rating, timestamp separated by "
            f"{separator!r}, without a header; but line {lines.first} is {first[:80]!r}. Give the file a header line "
            "and the suffix .csv or .tsv."
        )
    layout = text.Layout(separator, MOVIELENS_COLUMNS, header=False, quotes=False)
    return text.fields(lines, layout, choose(layout.names, {}), integers=True)
