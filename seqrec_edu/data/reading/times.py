"""Timestamps: numbers in a known unit, or dates; each becomes whole parts of a second, and what is odd is said."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from seqrec_edu.data.check import BadInput, Report, RowChecks
from seqrec_edu.data.reading.dates import FORMS, parse_dates
from seqrec_edu.data.reading.values import DECIMAL, MISSING
from seqrec_edu.data.statistics import as_date

PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
UNITS = (*PER_SECOND, "date")
LATEST = 4_102_444_800  # 2100-01-01: no interaction is later
EARLY = 100_000_000  # 1973-03-03: before it lie relative times, and zeros that stand for "missing"
_WORDS = {"ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}


@dataclass
class Times:
    """Timestamps in `per_second` parts of a second: kept as fine as they came, so that sorting can use it."""

    ticks: np.ndarray  # int64 "rows"; anything in bad rows
    per_second: int

    def seconds(self, ticks: np.ndarray) -> np.ndarray:
        """Whole Unix seconds, rounded down."""
        return ticks if self.per_second == 1 else ticks // self.per_second


def read_times(column: pl.Series, name: str, unit: str | None, checks: RowChecks, report: Report) -> Times:
    """Turn a column into ticks; mark rows whose time is missing, not whole, negative or absurd.

    Args:
        unit: "s", "ms", "us", "ns" for numbers, "date" for dates; None takes seconds, or the column's own type.
    Raises:
        BadInput: when the whole column is in another unit than assumed, or of a type that cannot hold times.
    """
    if column.dtype.is_temporal():
        return _temporal(column, name, unit, checks, report)
    if column.dtype.is_decimal():
        column = column.cast(pl.Float64)
    if not (column.dtype.is_numeric() or column.dtype in (pl.String, pl.Null)):
        raise BadInput(f"{checks.source}: time column {name!r} holds {column.dtype}; expected numbers, dates or text")
    if column.dtype.is_numeric() and unit == "date":
        raise BadInput(
            f'{checks.source}: time column {name!r} holds numbers, and time_unit="date" is for dates; '
            'pass "s", "ms", "us" or "ns"'
        )
    if column.dtype.is_float():
        return _floats(column, name, unit, checks, report)
    if column.dtype.is_integer():
        checks.add(column.is_null(), f"{name} is missing")
        return _integers(column, name, unit, checks, report)
    return _texts(column.cast(pl.String), name, unit, checks, report)


def _texts(column: pl.Series, name: str, unit: str | None, checks: RowChecks, report: Report) -> Times:
    whole = column.cast(pl.Int64, strict=False)
    if unit != "date" and whole.null_count() == 0:
        return _integers(whole, name, unit, checks, report)
    column = column.str.strip_chars()
    missing = column.is_null() | column.is_in(MISSING)
    checks.add(missing, f"{name} is missing")
    column = column.set(missing, None)
    if unit == "date":
        ticks = parse_dates(column)
        checks.add(ticks.is_null() & ~missing, f"{name} is no date of the form {FORMS}")
        _note_dates(name, report)
        return _judged(ticks, name, "us", checks, report)
    number = column.str.contains(DECIMAL).fill_null(False)
    words = column.set(number, None)
    dates = parse_dates(words).is_not_null()
    if int(dates.sum()) > int(number.sum()):
        example = words.filter(dates)[0]
        raise BadInput(
            f"{checks.source}: time column {name!r} holds dates such as {example!r}, expected Unix seconds; "
            'pass time_unit="date" to read them (as UTC where they name no time zone)'
        )
    checks.add(dates, f"{name} is a date, while the column holds numbers")
    checks.add(words.is_not_null() & ~dates, f"{name} is neither a number nor a date of the form {FORMS}")
    whole = column.cast(pl.Int64, strict=False)
    if (whole.is_not_null() | ~number).all():
        return _integers(whole, name, unit, checks, report)
    return _floats(column.set(~number, None).cast(pl.Float64), name, unit, checks, report)


def _integers(column: pl.Series, name: str, unit: str | None, checks: RowChecks, report: Report) -> Times:
    whole = column.cast(pl.Int64, strict=False)
    checks.add(whole.is_null() & column.is_not_null(), f"{name} is absurd: no signed 64-bit number")
    return _judged(whole, name, unit, checks, report)


def _floats(column: pl.Series, name: str, unit: str | None, checks: RowChecks, report: Report) -> Times:
    known = (column.is_not_null() & column.is_finite()).fill_null(False)
    checks.add(~known, f"{name} is missing or not finite")
    if column.dtype == pl.Float32:
        report.warn("float32", f"{name} is a 32-bit float, which keeps only every 64th or 128th second: gaps are wrong")
    column = column.cast(pl.Float64).set(~known, None)
    fraction = (column != column.floor()).fill_null(False)
    checks.add(fraction, f'{name} is not whole; round it, or give whole milliseconds with time_unit="ms"')
    whole = column.set(fraction, None).cast(pl.Int64, strict=False)
    checks.add(whole.is_null() & known & ~fraction, f"{name} is absurd: no signed 64-bit number")
    if whole.null_count() < whole.len():
        report.note("float-times", f"{name} holds decimal numbers; their values are whole and are read as integers")
    return _judged(whole, name, unit, checks, report)


def _temporal(column: pl.Series, name: str, unit: str | None, checks: RowChecks, report: Report) -> Times:
    if unit not in (None, "date"):
        raise BadInput(f"{checks.source}: time column {name!r} holds {column.dtype}; time_unit={unit!r} is for numbers")
    if column.dtype not in (pl.Datetime, pl.Date):
        raise BadInput(f"{checks.source}: time column {name!r} holds {column.dtype}, which names no moment")
    checks.add(column.is_null(), f"{name} is missing")
    _note_dates(name, report)
    if column.dtype == pl.Date:
        return _judged(column.to_physical().cast(pl.Int64) * 86_400, name, "s", checks, report)
    return _judged(column.to_physical(), name, column.dtype.time_unit, checks, report)


def _note_dates(name: str, report: Report) -> None:
    report.note("dates", f"{name} holds dates; they are read as UTC where they name no time zone")


def _judged(whole: pl.Series, name: str, unit: str | None, checks: RowChecks, report: Report) -> Times:
    """Check the magnitude of ticks (null in bad rows) against the unit, and each row against the others."""
    good = whole.is_not_null().to_numpy()
    ticks = whole.fill_null(0).to_numpy()
    known = ticks if good.all() else ticks[good]
    if known.size == 0:
        return Times(ticks, PER_SECOND[unit or "s"])
    middle = int(np.partition(known, known.size // 2)[known.size // 2])
    if unit is None:
        _refuse_other_units(known, middle, name, checks.source)
    per_second = PER_SECOND[unit or "s"]
    checks.add(good & (ticks < 0), f"{name} is negative: before 1970")
    hint = "; milliseconds among seconds?" if per_second == 1 else f"; is the unit {unit!r} right?"
    checks.add(good & (ticks > LATEST * per_second), f"{name} is absurd: after the year 2100{hint}")
    if middle >= 3 * EARLY * per_second:
        early = good & (ticks >= 0) & (ticks < EARLY * per_second)
        moment = as_date(min(middle // per_second, LATEST))
        checks.add(early, f"{name} is absurd: before March 1973, while the middle of the column is {moment}")
    elif middle < EARLY * per_second:
        report.warn(
            "early-times",
            f"half of {name} lies before March 1973: relative times (no dates can be read off them), or another unit",
        )
    if per_second > 1 and (fine := int(np.count_nonzero(known % per_second))):
        report.note("rounded-times", f"{fine:,} times had parts of a second; rounded down after sorting", fine)
    if per_second == 1 and _looks_like_float32(known):
        report.warn("float32", f"every {name} is a multiple of 64 s: it seems to have passed through 32-bit floats")
    return Times(ticks, per_second)


def _refuse_other_units(known: np.ndarray, middle: int, name: str, source: str) -> None:
    unit = "s" if middle < 10**11 else "ms" if middle < 10**14 else "us" if middle < 10**17 else "ns"
    if unit != "s":
        raise BadInput(
            f"{source}: time column {name!r} holds values such as {middle}, too large for seconds; they look like "
            f"{_WORDS[unit]} ({as_date(middle // PER_SECOND[unit])}): pass time_unit={unit!r}"
        )
    if known.min() >= 19_700_101 and known.max() <= 21_001_231:
        month, day = known // 100 % 100, known % 100
        if ((month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)).all():
            raise BadInput(
                f"{source}: time column {name!r} holds values such as {middle}, which look like calendar days "
                '(YYYYMMDD), expected Unix seconds; turn the column into text or dates and pass time_unit="date", or '
                'time_unit="s" if they are seconds'
            )


def _looks_like_float32(seconds: np.ndarray) -> bool:
    """Multiples of 64 that are not just whole days or thirds of days (86,400 and 28,800 are multiples of 64, too)."""
    if seconds.size < 8 or seconds.min() < 2**29 or (seconds[:1000] % 64).any():
        return False
    return not (seconds % 64).any() and bool((seconds % 28_800).any()) and np.unique(seconds[:1000]).size >= 8
