"""Text files: clean bytes, the header line, and the fields of every line with its line number."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from seqrec_edu.data.check import BadInput, Report
from seqrec_edu.data.reading.columns import Columns
from seqrec_edu.data.reading.table import Table

SEPARATORS = "\t,;|"
_TYPED = re.compile(r"^([^:]+):(token|token_seq|float|float_seq)$")
_UNIT = b"\x1f"  # ASCII unit separator: stands in for `::`, since polars splits at one byte


@dataclass
class Lines:
    """UTF-8 bytes whose lines all end with one newline. `first` is the number (from 1) of the first line not blank."""

    data: bytes
    source: str
    first: int = 1

    def line(self, number: int) -> str:
        """One line by its number. It is looked for from the start: meant for messages."""
        return self.data.split(b"\n", number)[number - 1].decode("utf-8", "replace")


@dataclass
class Layout:
    """How lines divide into fields: separator, column names, RecBole types, header or not, quoting or not."""

    separator: str
    names: list[str]
    types: dict[str, str] = field(default_factory=dict)
    header: bool = True
    quotes: bool = True


def clean(data: bytes, source: str, report: Report) -> Lines:
    """Check that bytes are UTF-8 text, and bring line ends to one form (reported where that says something).

    Raises:
        BadInput: for bytes that are not UTF-8, NUL bytes, stray carriage returns, or nothing but blank lines.
    """
    if data.startswith(b"\xef\xbb\xbf"):
        data = data[3:]
        report.note("bom", "a UTF-8 byte-order mark stands before the first line; it is no part of the first name")
    if b"\r\n" in data:
        data = data.replace(b"\r\n", b"\n")
        report.note("line-ends", "lines end with CR LF (Windows)")
    elif b"\r" in data and b"\n" not in data:
        data = data.replace(b"\r", b"\n")
        report.note("line-ends", "lines end with CR (classic Mac)")
    for byte, what in ((b"\0", "a NUL byte: is it a binary file?"), (b"\r", "a carriage return inside a line")):
        if byte in data:
            raise BadInput(f"{source}: line {_line_of(data, data.index(byte))} holds {what}")
    if not data.isascii():
        _require_utf8(data, source)
    body = data.lstrip(b"\n")
    if not body.strip():
        raise BadInput(f"{source} holds only blank lines; expected a header line and one row per interaction")
    first = len(data) - len(body) + 1
    return Lines(data if data.endswith(b"\n") else data + b"\n", source, first)


def _line_of(data: bytes, place: int) -> int:
    return data.count(b"\n", 0, place) + 1


def _require_utf8(data: bytes, source: str) -> None:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        number = _line_of(data, error.start)
        line = data.split(b"\n", number)[number - 1].decode("utf-8", "backslashreplace")
        raise BadInput(
            f"{source}: line {number} is not UTF-8: byte 0x{data[error.start]:02x} in {line[:120]!r}. "
            "Save the file as UTF-8 (it may be Latin-1 or Windows-1252)."
        ) from error


def header(lines: Lines, separator: str, suffix: str, report: Report) -> Layout:
    """Read the header line: separator (the one that belongs to the suffix, else the only other one), names, types.

    Raises:
        BadInput: when no separator, or several that do not belong to the suffix, occur in the header.
    """
    line = lines.line(lines.first)
    if separator not in line:
        others = [other for other in SEPARATORS if other in line]
        if len(others) != 1 or suffix == ".inter":
            found = f"but {others}" if others else "nor any other of tab, comma, semicolon, bar"
            raise BadInput(
                f"{lines.source}: line {lines.first}, the header, has no {separator!r} (what {suffix} is separated by) "
                f"{found}: {line[:120]!r}. Expected names such as user_id, item_id, timestamp."
            )
        separator = others[0]
        report.warn("separator", f"fields are separated by {separator!r}, unusual for a {suffix} file")
    names = next(csv.reader([line], delimiter=separator))
    names = [name.strip() or f"column_{i}" for i, name in enumerate(names, start=1)]
    typed = [_TYPED.match(name) for name in names]
    if all(typed):
        return Layout(separator, [m[1] for m in typed], {m[1]: m[2] for m in typed})
    if suffix == ".inter":
        name = names[typed.index(None)]
        raise BadInput(
            f"{lines.source}: header name {name!r} has no type; a RecBole .inter header looks like "
            "user_id:token, item_id:token, timestamp:float (separated by tabs)"
        )
    return Layout(separator, names)


def fields(lines: Lines, layout: Layout, columns: Columns, *, integers: bool = False) -> Table:
    """Divide all lines into fields; lines with another number of fields than `layout.names` become malformed rows.

    Raises:
        BadInput: when no row follows the header, or a quotation is never closed.
    """
    if layout.quotes and b'"' in lines.data:
        values, numbers, malformed = _quoted_fields(lines, layout, columns)
    else:
        values, numbers, malformed = _plain_fields(lines, layout, columns)
    if numbers.size == 0:
        raise BadInput(f"{lines.source} holds a header line only; expected one row per interaction below it")

    def describe(row: int) -> tuple[str, str]:
        return f"line {numbers[row]}", lines.line(int(numbers[row]))

    return Table(values, columns, lines.source, describe, malformed, integers)


def _plain_fields(lines: Lines, layout: Layout, columns: Columns):
    data, mark = lines.data, layout.separator.encode()
    if len(mark) > 1:
        if _UNIT in data:
            raise BadInput(f"{lines.source}: line {_line_of(data, data.index(_UNIT))} holds byte 0x1f")
        data, mark = data.replace(mark, _UNIT), _UNIT
    buffer = np.frombuffer(data, dtype=np.uint8)
    width = len(layout.names)
    breaks = np.flatnonzero((buffer == mark[0]) | (buffer == 10))
    skip = lines.first if layout.header else lines.first - 1  # lines before the first row
    last = np.flatnonzero(buffer[breaks] == 10)  # which of the breaks end a line
    counts = np.diff(last, prepend=-1)[skip:]  # fields of each line
    ends = breaks[last]
    starts = np.concatenate([[0], ends[:-1] + 1])[skip:]
    ends = ends[skip:]
    numbers = np.arange(skip + 1, skip + 1 + ends.size)
    filled = ends > starts
    good = filled & (counts == width)
    if good.all():
        body = data[starts[0] :] if starts.size else b""
    else:
        keep = np.zeros(buffer.size, dtype=bool)
        keep[starts[0] :] = np.repeat(good, ends - starts + 1)
        body = buffer[keep].tobytes()
    frame = _parse(body, mark.decode(), layout, columns)
    return _with_gaps(frame, good[filled]), numbers[filled], _wrong_widths(counts[filled], layout)


def _parse(body: bytes, mark: str, layout: Layout, columns: Columns) -> pl.DataFrame:
    if not body:
        return pl.DataFrame(schema=dict.fromkeys(columns.as_dict(), pl.String))
    places = {role: layout.names.index(name) for role, name in columns.as_dict().items()}
    frame = pl.read_csv(
        io.BytesIO(body),
        separator=mark,
        has_header=False,
        schema={f"field_{i}": pl.String for i in range(len(layout.names))},
        columns=sorted(places.values()),
        quote_char=None,
    )
    return frame.select(**{role: f"field_{place}" for role, place in places.items()})


def _quoted_fields(lines: Lines, layout: Layout, columns: Columns):
    """Rows through the csv module, which knows quoted separators and quoted line ends; slower, exact line numbers."""
    reader = csv.reader(io.StringIO(lines.data.decode("utf-8"), newline=""), delimiter=layout.separator, strict=True)
    rows, numbers, started = [], [], 1
    try:
        for row in reader:
            if row:
                rows.append(row)
                numbers.append(started)
            started = reader.line_num + 1
    except csv.Error as error:
        raise BadInput(
            f'{lines.source}: the row that starts in line {started} has a quotation mark (") that is never closed or '
            f"stands in the wrong place ({error}): {lines.line(started)[:120]!r}"
        ) from error
    rows, numbers = (rows[1:], numbers[1:]) if layout.header else (rows, numbers)
    counts = np.array([len(row) for row in rows], dtype=np.int64)
    good = counts == len(layout.names)
    kept = [row for row, fine in zip(rows, good, strict=True) if fine]
    values = {role: [row[layout.names.index(name)] for row in kept] for role, name in columns.as_dict().items()}
    frame = pl.DataFrame(values, schema=dict.fromkeys(values, pl.String))
    return _with_gaps(frame, good), np.array(numbers, dtype=np.int64), _wrong_widths(counts, layout)


def _with_gaps(frame: pl.DataFrame, good: np.ndarray) -> pl.DataFrame:
    """Insert rows of nulls where `good` is False, so that row numbers stand for lines again."""
    if good.all():
        return frame
    places = pl.Series(np.cumsum(good) - 1).set(pl.Series(~good), None)
    return (
        frame.select(pl.all().gather(places))
        if frame.height
        else pl.DataFrame({name: [None] * good.size for name in frame.columns}, schema=frame.schema)
    )


def _wrong_widths(counts: np.ndarray, layout: Layout) -> list[tuple[np.ndarray, str]]:
    width = len(layout.names)
    if (counts == width).all():
        return []
    return [
        (
            counts == count,
            f"{count} field{'s' if count > 1 else ''} instead of {width} (separated by {layout.separator!r})",
        )
        for count in np.unique(counts)
        if count != width
    ]
