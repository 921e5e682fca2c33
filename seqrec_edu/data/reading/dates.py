"""Dates as text: only forms that read the same everywhere (year first)."""

from __future__ import annotations

import polars as pl

FORMS = "2011-12-09 12:50:00"
_FORMATS = [
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d",
    "%Y/%m/%d %H:%M:%S%.f",
    "%Y/%m/%d %H:%M",
    "%Y/%m/%d",
    "%Y%m%d",
]
_ZONE = r"(:[0-9][0-9](?:\.[0-9]+)?)\s*(?:Z|UTC|([+-][0-9][0-9]):?([0-9][0-9]))$"


def parse_dates(column: pl.Series) -> pl.Series:
    """Microseconds since 1970 (int64) of texts such as "2011-12-09 12:50:00" or "2011-12-09T12:50:00.5+01:00".

    A text that names no time zone is taken as UTC. Null where the text is no such date.
    """
    text = column.str.replace(r"^([0-9]{4}-[0-9][0-9]-[0-9][0-9])T([0-9])", "$1 $2")
    hours = text.str.extract(_ZONE, 2)
    minutes = text.str.extract(_ZONE, 3).cast(pl.Int64).fill_null(0)
    sign = pl.select(pl.when(hours.str.starts_with("-")).then(-1).otherwise(1)).to_series()
    offset = hours.cast(pl.Int64).fill_null(0) * 60 + sign * minutes
    text = text.str.replace(_ZONE, "$1")
    found = pl.Series("time", [None] * column.len(), dtype=pl.Int64)
    for form in _FORMATS:
        if found.null_count() == column.null_count():
            break
        moments = text.str.to_datetime(form, time_unit="us", strict=False, exact=True).to_physical()
        found = found.fill_null(moments) if found.null_count() else found
    return found - offset * 60_000_000
