"""`read`: histories out of a file or a frame, with everything checked and reported on the way."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from seqrec_edu.data.check import BadInput, Report, RowChecks
from seqrec_edu.data.core import k_core, largest_core
from seqrec_edu.data.histories import PAD_ID, Histories
from seqrec_edu.data.reading import cache as cached

# Polars takes long to import and a cached dataset does not need it: what imports it is imported inside functions.


def read(
    source,
    *,
    user: str | None = None,
    item: str | None = None,
    time: str | None = None,
    core: int = 5,
    on_bad: str = "raise",
    time_unit: str | None = None,
    duplicates: str = "keep",
    time_precision: str = "exact",
    name: str | None = None,
    cache: bool = True,
) -> Histories:
    """Read interactions into `Histories`.

    Rows are checked, users and items reduced to the `core`-core, events sorted by (user, time, source order). Whatever
    was found or changed stands in `histories.report`.

    Args:
        source: path of a .csv, .tsv, .txt (plain or .gz), .parquet, RecBole .inter, MovieLens ratings.dat or u.data
            file; or a polars or pandas frame.
        user, item, time: column names; None finds usual ones (user_id, movieId, asin, timestamp, unixReviewTime, …).
        core: least events of each user and item, applied until stable; 0 keeps everything.
        on_bad: "raise" names the first unusable rows by line and content; "drop" leaves them out and reports it.
        time_unit: "s", "ms", "us", "ns", or "date" for dates as text; None expects seconds (or real datetime columns).
        duplicates: "keep" or "drop" rows equal to an earlier one in user, item and time.
        time_precision: "exact"; or "float32", a quirk of RecBole, on which most published figures stand: times are
            rounded to float32 before events are put in order. At the seconds of the year 2000 that is to 64 s, at the
            milliseconds of 2022 to 131 s: events closer than that come in source order, which can often be predicted.
        name: what to call the dataset; None takes it from the path.
        cache: keep the result beside the file (or in a per-user folder) and take it from there next time, as long as
            file content, options and format version are the same. Frames are not cached.
    Raises:
        BadInput: when the source cannot be read as asked for; `BadRows` when single rows are at fault.
    """
    _check_options(core, on_bad, time_unit, duplicates, time_precision)
    options = {"user": user, "item": item, "time": time, "core": core, "on_bad": on_bad}
    options |= {"time_unit": time_unit, "duplicates": duplicates}
    if time_precision != "exact":  # named only then: what was cached before there was a choice stays good
        options["time_precision"] = time_precision
    if not isinstance(source, (str, os.PathLike)):
        return _build(source, Report("a frame"), options, name or "frame")
    from_file = cached.CacheEntry.of(source, options) if cache else None
    name = name or _name_of(Path(source))
    report = Report(Path(source).name)
    if from_file and (histories := from_file.load(name)):
        return histories
    histories = _build(Path(source), report, options, name)
    if from_file:
        from_file.store(histories)
    return histories


def _check_options(core, on_bad, time_unit, duplicates, time_precision) -> None:
    if isinstance(core, bool) or not isinstance(core, (int, np.integer)) or core < 0:
        raise BadInput(f"core must be a whole number ≥ 0 (0 keeps everything), got {core!r}")
    for option, value, allowed in (
        ("on_bad", on_bad, ("raise", "drop")),
        ("duplicates", duplicates, ("keep", "drop")),
        ("time_precision", time_precision, ("exact", "float32")),
        ("time_unit", time_unit, (None, "s", "ms", "us", "ns", "date")),
    ):
        if value not in allowed:
            raise BadInput(f"{option} must be one of {', '.join(map(repr, allowed))}; got {value!r}")


def _name_of(path: Path) -> str:
    stem = path.name.split(".")[0]
    return path.resolve().parent.name if stem in ("interactions", "ratings", "u") else stem


def _build(source, report: Report, options: dict, name: str) -> Histories:
    from seqrec_edu.data.reading import times as clock
    from seqrec_edu.data.reading import values

    table = _table(source, report, options)
    columns = table.columns
    checks = RowChecks(table.source, table.frame.height, table.describe)
    if not checks.total:
        raise BadInput(f"{table.source} holds no rows; expected one row per interaction")
    for rows, why in table.malformed:
        checks.add(rows, why)
    users = values.check_ids(table.frame["user"], columns.user, checks, report, table.integers)
    items = values.check_ids(table.frame["item"], columns.item, checks, report, table.integers)
    times = clock.read_times(table.frame["time"], columns.time, options["time_unit"], checks, report)
    good = checks.settle(options["on_bad"], report)
    ticks = times.ticks
    if not good.all():
        users, items, ticks = users.filter(good), items.filter(good), ticks[good]
    if "time_precision" in options:
        ticks = _in_float32(ticks, report)
    user_codes, user_ids = values.encode(users, columns.user, report)
    item_codes, item_ids = values.encode(items, columns.item, report)
    events = _Events(user_codes, item_codes, ticks)
    events.sort(report)
    events.settle_duplicates(options["duplicates"], len(item_ids), report)  # in the unit of the source
    events.times = times.seconds(events.times)
    events.report_ties(report)
    events.reduce(options["core"], table.source, report)
    return events.histories(user_ids, item_ids, name, report)


def _in_float32(ticks: np.ndarray, report: Report) -> np.ndarray:
    """Times as RecBole keeps them, in the unit of the source."""
    rounded = ticks.astype(np.float32)
    step = int(np.spacing(np.abs(rounded).max(initial=1)))
    report.note(
        "caution",
        f"times are rounded to float32, in steps of up to {step:,} of the source's unit: closer events keep source "
        "order. A quirk of RecBole, for comparison with figures that were published on it",
    )
    return rounded.astype(np.int64)


def _table(source, report: Report, options: dict):
    from seqrec_edu.data.reading import columns, formats, table

    label = source.name if isinstance(source, Path) else "frame"
    given = {role: options[role] for role in ("user", "item", "time")}

    def choose(names: list[str], types: dict[str, str]) -> columns.Columns:
        return columns.choose(names, types, given, label, report)

    if isinstance(source, Path):
        return formats.read_table(formats.existing(source), choose, report)
    if type(source).__module__.split(".")[0] == "pandas" and hasattr(source, "columns"):
        return table.pandas_table(source, label, choose)
    if type(source).__module__.split(".")[0] == "polars" and hasattr(source, "collect"):
        source = source.collect()
    if type(source).__module__.split(".")[0] == "polars" and hasattr(source, "get_column"):
        return table.frame_table(source, label, choose(source.columns, {}))
    raise BadInput(f"source must be a path, a polars frame or a pandas frame, got {type(source).__name__}")


class _Events:
    """Parallel arrays on their way to `Histories`; after `sort`, ordered by user, then time."""

    def __init__(self, users: np.ndarray, items: np.ndarray, times: np.ndarray):
        self.users, self.items, self.times = users, items, times

    def _take(self, index: np.ndarray) -> None:
        self.users, self.items, self.times = self.users[index], self.items[index], self.times[index]

    def sort(self, report: Report) -> None:
        """Stable sort by (user, time): ties keep source order."""
        low = int(self.times.min())
        spread = int(self.times.max()) - low + 1
        if spread * (int(self.users.max()) + 1) < 2**63:  # one key sorts three times faster than two
            order = np.argsort(self.users * np.int64(spread) + (self.times - low), kind="stable")
        else:
            order = np.lexsort((self.times, self.users))
        self._take(order)
        late = int(np.count_nonzero((order[1:] < order[:-1]) & (self.users[1:] == self.users[:-1])))
        if late:
            report.note(
                "unsorted", f"rows were not in order of time: {late:,} events stood before an earlier one; sorted", late
            )

    def settle_duplicates(self, duplicates: str, n_items: int, report: Report) -> None:
        """Report events equal in user, item and time; drop copies if asked to."""
        same = self._level()
        block = np.concatenate([[0], np.cumsum(~same)])  # events of one user at one time
        order = np.argsort(block * np.int64(n_items) + self.items, kind="stable")
        copy = (block[order][1:] == block[order][:-1]) & (self.items[order][1:] == self.items[order][:-1])
        count = int(copy.sum())
        if not count:
            return
        fate = "dropped all but the first of each" if duplicates == "drop" else 'kept; duplicates="drop" drops them'
        report.warn("duplicates", f"{count:,} rows repeat an earlier one in user, item and time; {fate}", count)
        if duplicates == "drop":
            keep = np.ones(self.users.size, dtype=bool)
            keep[order[1:][copy]] = False
            self._take(keep)

    def _level(self) -> np.ndarray:
        """Which events have the same user and time as the one before."""
        return (self.users[1:] == self.users[:-1]) & (self.times[1:] == self.times[:-1])

    def report_ties(self, report: Report) -> None:
        """Report neighbours at one time, and constant times."""
        same = self._level()
        if self.times.size > 1 and (self.times == self.times[0]).all():
            report.warn(
                "constant-times",
                "all events have one and the same timestamp: order is that of the source, and models "
                "that use time can learn nothing from it",
            )
        elif same.any():
            count, pairs = int(same.sum()), int((self.users[1:] == self.users[:-1]).sum())
            report.note(
                "ties",
                f"{count:,} of {pairs:,} neighbours ({count / pairs:.1%}) share a timestamp and keep source order",
                count,
            )

    def reduce(self, core: int, source: str, report: Report) -> None:
        """Keep the k-core and report what went."""
        keep, rounds = k_core(self.users, self.items, core)
        if not keep.any():
            best = largest_core(self.users, self.items, core)
            raise BadInput(
                f"{source}: nothing is left: core={core} removed all {keep.size:,} events, since no group of users and "
                f"items has {core} events each. The largest core that leaves something is {best}."
            )
        if keep.all():
            return
        gone = [_distinct(codes) - _distinct(codes[keep]) for codes in (self.users, self.items)]
        self._take(keep)
        report.note(
            "core",
            f"{core}-core removed {gone[0]:,} users, {gone[1]:,} items and {int((~keep).sum()):,} events "
            f"in {rounds} round{'s' if rounds > 1 else ''}",
            int((~keep).sum()),
        )

    def histories(self, user_ids: list[str], item_ids: list[str], name: str, report: Report) -> Histories:
        """Number users from 0 and items from 1 without gaps, in the order of their ids."""
        counts = np.bincount(self.users, minlength=len(user_ids))
        known = np.bincount(self.items, minlength=len(item_ids)) > 0
        index = np.cumsum(known)  # place among the items that stay, from 1
        return Histories(
            items=index[self.items].astype(np.int32),
            times=self.times,
            offsets=np.concatenate([[0], np.cumsum(counts[counts > 0])]).astype(np.int64),
            item_ids=[PAD_ID, *(text for text, stays in zip(item_ids, known, strict=True) if stays)],
            user_ids=[text for text, count in zip(user_ids, counts, strict=True) if count],
            name=name,
            report=report,
        )


def _distinct(codes: np.ndarray) -> int:
    return int(np.count_nonzero(np.bincount(codes)))
