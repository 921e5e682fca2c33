"""UCI Online Retail: one workbook of invoice lines. Kept: lines with a customer whose invoice is no cancellation.

The rating is the quantity. `InvoiceDate` has no zone and is read as if UTC.
"""

from __future__ import annotations

import csv
import importlib.util
import tempfile
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from seqrec_edu.data.sources.registry import SourceError

COLUMNS = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "CustomerID")
ENGINES = ("fastexcel", "openpyxl")  # the faster one first


def rows(path: Path, names: dict[str, tuple[str, str]]) -> Iterator[tuple]:
    """Rows of the zip, the workbook (.xlsx) or a CSV made of it; fills `names` with the commonest description."""
    described: dict[str, Counter[str]] = defaultdict(Counter)
    for number, line in enumerate(_lines(path), start=2):
        invoice, stock, description, quantity, date, customer = line
        try:
            time = _seconds(date)
            user = "" if customer in (None, "") else str(int(float(customer)))
        except (TypeError, ValueError) as error:
            raise SourceError(f"{path}, row {number}: cannot use {line!r}: {error}") from error
        item = str(stock)
        keep = user != "" and not str(invoice).startswith("C")
        if keep and description:
            described[item][str(description).strip()] += 1
        yield user, item, quantity, time, keep
    for item, seen in described.items():
        names[item] = (seen.most_common(1)[0][0], "")


def _seconds(date: Any) -> int:
    if isinstance(date, str):
        try:
            date = datetime.fromisoformat(date)
        except ValueError:
            raise ValueError(
                "InvoiceDate must look like 2010-12-01 08:26:00 (12/1/2010 leaves open which is the month)"
            ) from None
    return int(date.replace(tzinfo=UTC).timestamp())


def _lines(path: Path) -> Iterator[tuple]:
    if path.suffix.lower() == ".csv":
        with path.open(encoding="utf-8-sig", newline="") as stream:
            yield from _columns(path, csv.reader(stream))
    elif path.suffix.lower() == ".xlsx":
        yield from _columns(path, _sheet(path))
    else:
        engine()  # before unpacking 23 MB for nothing
        with tempfile.TemporaryDirectory() as scratch, zipfile.ZipFile(path) as archive:
            book = next((name for name in archive.namelist() if name.lower().endswith(".xlsx")), None)
            if book is None:
                raise SourceError(f"{path} holds no .xlsx workbook, only: {', '.join(archive.namelist()[:12])}")
            yield from _columns(path, _sheet(Path(archive.extract(book, scratch))))


def _columns(path: Path, table: Iterator[Any]) -> Iterator[tuple]:
    header = [str(cell).strip() for cell in next(table, ())]
    missing = [column for column in COLUMNS if column not in header]
    if missing:
        raise SourceError(f"{path}: column {', '.join(missing)} is missing; found {', '.join(header) or 'nothing'}")
    places = [header.index(column) for column in COLUMNS]
    for row in table:
        if any(cell not in (None, "") for cell in row):
            yield tuple(row[place] for place in places)


def engine() -> str:
    """The installed package that reads .xlsx workbooks. Raises `SourceError` that names the step to convert."""
    for name in ENGINES:
        if importlib.util.find_spec(name):
            return name
    raise SourceError(
        "UCI Online Retail is an Excel workbook, and no package that reads one is installed. Either "
        "`pip install fastexcel` and fetch again, or open the workbook in a spreadsheet program, save it as "
        "`Online Retail.csv` (UTF-8, dates like 2010-12-01 08:26:00), and "
        "`seqrec-edu data fetch online-retail --from FOLDER` with the folder that holds it."
    )


def _sheet(book: Path) -> Iterator[Any]:
    """Rows of the first sheet, header first."""
    if engine() == "openpyxl":
        import openpyxl

        workbook = openpyxl.load_workbook(book, read_only=True, data_only=True)
        try:
            yield from workbook.worksheets[0].iter_rows(values_only=True)
        finally:
            workbook.close()
    else:
        import polars as pl

        # Stock codes are numbers and words in one column: everything but the date is read as text.
        frame = pl.read_excel(
            book, engine="calamine", schema_overrides={"StockCode": pl.String, "InvoiceNo": pl.String}
        )
        yield frame.columns
        yield from frame.iter_rows()
