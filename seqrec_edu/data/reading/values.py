"""Ids and times: which values can be used, and how they become numbers. Nothing here guesses silently."""

from __future__ import annotations

import numpy as np
import polars as pl

from seqrec_edu.data.check import BadInput, Report, RowChecks

# How tools write a missing value when they turn a column into text.
MISSING = ["", "nan", "NaN", "NAN", "null", "NULL", "None", "NA", "N/A", "<NA>", "\\N"]
DECIMAL = (
    r"^[+-]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)([eE][+-]?[0-9]+)?$"  # a number, whole or not; \d takes other digits, too
)


def check_ids(column: pl.Series, name: str, checks: RowChecks, report: Report, integers: bool) -> pl.Series:
    """Mark rows whose id is missing or a decimal number, and (where the format demands integers) any other.

    Returns the column as integers or text, still with the bad rows in it.

    Raises:
        BadInput: when the column's type cannot hold ids (floats, dates, lists, …).
    """
    if column.dtype in (pl.Categorical, pl.Enum):
        column = column.cast(pl.String)
    if column.dtype == pl.Null or column.dtype.is_integer():
        checks.add(column.is_null(), f"{name} is missing")
        return column
    if column.dtype != pl.String:
        raise BadInput(
            f"{checks.source}: id column {name!r} holds {column.dtype}; ids are integers or text. Floats lose digits "
            "of long ids and turn 3 into 3.0 (pandas makes them when values are missing): convert the column first."
        )
    distinct = column.unique()
    if is_whole(distinct).all():  # null is not whole
        return column
    column = _strip(column, name, report)
    distinct = column.unique().drop_nulls()
    checks.add(column.is_null() | column.is_in(MISSING), f"{name} is missing")
    distinct = distinct.filter(~distinct.is_in(MISSING))
    whole = is_whole(distinct)
    if whole.all():
        return column
    odd = distinct.filter(~whole)
    if integers:
        checks.add(column.is_in(odd.implode()), f"{name} is not a whole number, which this format demands")
        return column
    decimal = odd.filter(odd.str.contains(DECIMAL) & odd.str.contains(r"[.eE]"))
    if decimal.len() and int(whole.sum()) + decimal.len() >= distinct.len() / 2:
        # Among words, "1.5" may well be an id (a version, a path); among numbers it is a damaged one.
        checks.add(
            column.is_in(decimal.implode()),
            f"{name} is a decimal number; ids are integers or text (a tool may have turned integers into floats)",
        )
    return column


def _strip(column: pl.Series, name: str, report: Report) -> pl.Series:
    stripped = column.str.strip_chars()
    changed = int((stripped != column).sum())
    if changed:
        report.warn(
            "blanks", f"{changed:,} values of {name} have blanks around them; the blanks are no part of the id", changed
        )
    return stripped


def is_whole(distinct: pl.Series) -> pl.Series:
    """Which texts are 64-bit integers in plain form: "7" but not "007", "+7" or "7.0", which would not survive."""
    return (distinct.cast(pl.Int64, strict=False).cast(pl.String) == distinct).fill_null(False)


def encode(column: pl.Series, name: str, report: Report) -> tuple[np.ndarray, list[str]]:
    """Number the ids: in numeric order if all are integers, else in order of their text.

    Returns:
        codes from 0, int64 "events", and the source ids as text, in order of their codes.
    """
    distinct = column.unique()
    if column.dtype == pl.String:
        whole = is_whole(distinct)
        if whole.all():
            column, distinct = column.cast(pl.Int64), distinct.cast(pl.Int64)
        elif whole.mean() >= 0.5 or distinct.str.contains(r"^[+-]?[0-9]+$").all():
            odd = distinct.filter(~whole).sort()
            report.note(
                "text-ids",
                f"{name} is kept as text: {odd.len():,} of {distinct.len():,} ids are no plain 64-bit integers, for "
                f"instance {odd[0]!r}",
            )
    distinct = distinct.sort()
    return _codes(column, distinct), distinct.cast(pl.String).to_list()


def _codes(column: pl.Series, distinct: pl.Series) -> np.ndarray:
    """Place of each value in the sorted `distinct`."""
    if distinct.len() and distinct.dtype.is_integer():
        low, high = int(distinct[0]), int(distinct[-1])
        small = high - low < max(1_000_000, 4 * column.len())
        if small and high < 2**63:  # a look-up table is the fastest way while it stays small
            table = np.zeros(high - low + 1, dtype=np.int64)
            table[distinct.to_numpy().astype(np.int64) - low] = np.arange(distinct.len())
            return table[column.to_numpy().astype(np.int64) - low]
    return column.replace_strict(distinct, pl.int_range(distinct.len(), eager=True), return_dtype=pl.Int64).to_numpy()
