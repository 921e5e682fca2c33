"""`Table`: the user, item and time columns as they came, and how to name each row; frames become one here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from seqrec_edu.data.check import BadInput
from seqrec_edu.data.reading.columns import Columns

Chooser = Callable[[list[str], dict[str, str]], Columns]


@dataclass
class Table:
    """Raw columns of a source.

    Attributes:
        frame: columns "user", "item", "time"; from text files all strings.
        columns: what the three are called in the source.
        source: what to call the source in messages.
        describe: row number -> (place such as "line 17", content).
        malformed: (mask, why) for rows whose fields could not be told apart; all null in `frame`.
        integers: the format demands integer ids.
    """

    frame: pl.DataFrame
    columns: Columns
    source: str
    describe: Callable[[int], tuple[str, str]]
    malformed: list[tuple[np.ndarray, str]] = field(default_factory=list)
    integers: bool = False


def frame_table(frame: pl.DataFrame, source: str, columns: Columns) -> Table:
    """A polars frame as a `Table`; rows are named by their number, counted from 0."""

    def describe(row: int) -> tuple[str, str]:
        return f"row {row} (counted from 0)", ", ".join(f"{k}={v}" for k, v in frame.row(row, named=True).items())

    return Table(frame.select(**columns.as_dict()), columns, source, describe)


def pandas_table(frame, source: str, choose: Chooser) -> Table:
    """A pandas frame as a `Table`; only the three columns are converted, and pyarrow is not needed."""
    names = [str(name) for name in frame.columns]
    columns = choose(names, {})

    def describe(row: int) -> tuple[str, str]:
        cells = (frame.iloc[row, column] for column in range(len(names)))  # a whole row would be of one type
        return f"row {row} (counted from 0)", ", ".join(f"{k}={v}" for k, v in zip(names, cells, strict=True))

    parts = {
        key: _from_pandas(frame.iloc[:, names.index(name)], name, source) for key, name in columns.as_dict().items()
    }
    return Table(pl.DataFrame(parts), columns, source, describe)


def _from_pandas(series, name: str, source: str) -> pl.Series:
    kind = getattr(series.dtype, "kind", "O")
    if getattr(series.dtype, "tz", None) is not None:
        series, kind = series.dt.tz_convert("UTC").dt.tz_localize(None), "M"
    missing = series.isna().to_numpy()
    if isinstance(series.dtype, np.dtype) and kind in "iufbM":
        values = series.to_numpy()
        if kind == "M" and np.datetime_data(values.dtype)[0] not in ("ms", "us", "ns"):
            values = values.astype("datetime64[us]")  # polars has no time of whole seconds
        return pl.Series(name, values)
    values = [None if gone else value for gone, value in zip(missing, series.tolist(), strict=True)]
    try:
        return pl.Series(name, values)
    except (TypeError, pl.exceptions.PolarsError) as error:
        kinds = sorted({type(value).__name__ for value in values if value is not None})
        raise BadInput(
            f"{source}: column {name!r} mixes values of type {', '.join(kinds)}; convert it to one type "
            f'(frame["{name}"].astype(str)) first'
        ) from error
