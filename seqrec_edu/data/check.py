"""What was found on the way in: a `Report` of findings, and errors that name the file, the line and its content."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

SHOWN_ROWS = 5
SHOWN_CHARACTERS = 120


class BadInput(ValueError):
    """The source cannot be read as histories; the message says what was expected, what came, and what to do."""


@dataclass(frozen=True)
class BadRow:
    """One row that cannot be used: its place in the source (`"line 17"`), its content, and why."""

    place: str
    content: str
    why: str

    def __str__(self) -> str:
        content = self.content if len(self.content) <= SHOWN_CHARACTERS else self.content[:SHOWN_CHARACTERS] + "…"
        return f"{self.place}: {content!r}: {self.why}"


class BadRows(BadInput):
    """Some rows cannot be used: `rows` are the first few of `count`, `reasons` counts all of them by reason."""

    def __init__(self, source: str, rows: list[BadRow], count: int, total: int, reasons: dict[str, int]):
        self.rows, self.count, self.total, self.reasons = rows, count, total, reasons
        lines = [f"{source}: {count:,} of {total:,} rows cannot be used:", *(f"  {row}" for row in rows)]
        if count > len(rows):
            lines.append(f"  … and {count - len(rows):,} more. By reason: {_counted(reasons)}.")
        lines.append(
            'Correct the source, or pass on_bad="drop" (at the command line --data-option on_bad=drop) to leave such '
            "rows out (the report then counts them)."
        )
        super().__init__("\n".join(lines))


@dataclass(frozen=True)
class Finding:
    """One thing that was noticed. `level` is "note" (good to know) or "warning" (may spoil a result)."""

    level: str
    kind: str
    text: str
    count: int | None = None

    def __str__(self) -> str:
        return f"{self.level}: {self.text}"


@dataclass
class Report:
    """Everything that was noticed or changed while histories were made; nothing is corrected without a line here."""

    source: str = ""
    findings: list[Finding] = field(default_factory=list)

    def note(self, kind: str, text: str, count: int | None = None) -> None:
        self.findings.append(Finding("note", kind, text, count))

    def warn(self, kind: str, text: str, count: int | None = None) -> None:
        self.findings.append(Finding("warning", kind, text, count))

    @property
    def warnings(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.level == "warning"]

    def find(self, kind: str) -> Finding | None:
        """The first finding of this kind, or None."""
        return next((finding for finding in self.findings if finding.kind == kind), None)

    def as_dict(self) -> dict:
        return {"source": self.source, "findings": [vars(finding) for finding in self.findings]}

    @classmethod
    def from_dict(cls, values: dict) -> Report:
        return cls(values["source"], [Finding(**finding) for finding in values["findings"]])

    def __str__(self) -> str:
        head = f"Report on {self.source}" if self.source else "Report"
        return "\n".join([head, *(f"  {finding}" for finding in self.findings or ["nothing to report"])])


class RowChecks:
    """Collects unusable rows by row number; a row counts once, under the first reason found for it."""

    def __init__(self, source: str, total: int, describe: Callable[[int], tuple[str, str]]):
        self.source, self.total, self.describe = source, total, describe
        self._reason = np.full(total, -1, dtype=np.int16)  # per row: index into _whys
        self._whys: list[str] = []

    def add(self, mask, why: str) -> None:
        """Mark the rows where `mask` (a boolean array or polars series over all rows) is true as unusable."""
        rows = np.flatnonzero(mask if isinstance(mask, np.ndarray) else mask.fill_null(False).to_numpy())
        if rows.size == 0:
            return
        self._whys.append(why)
        fresh = rows[self._reason[rows] < 0]
        self._reason[fresh] = len(self._whys) - 1

    @property
    def bad(self) -> np.ndarray:
        return self._reason >= 0

    def reasons(self) -> dict[str, int]:
        counts = np.bincount(self._reason[self.bad], minlength=len(self._whys))
        return {why: int(count) for why, count in zip(self._whys, counts, strict=True) if count}

    def settle(self, on_bad: str, report: Report) -> np.ndarray:
        """Raise `BadRows`, or report what is dropped; returns the mask of rows that are good."""
        bad = self.bad
        count = int(bad.sum())
        if not count:
            return ~bad
        first = np.flatnonzero(bad)[:SHOWN_ROWS]
        rows = [BadRow(*self.describe(int(row)), self._whys[self._reason[row]]) for row in first]
        if on_bad == "raise":
            raise BadRows(self.source, rows, count, self.total, self.reasons())
        if count == self.total:
            raise BadInput(
                f'{self.source}: nothing is left: on_bad="drop" dropped all {count:,} rows '
                f"({_counted(self.reasons())}). The first: {rows[0]}"
            )
        report.warn(
            "dropped-rows",
            f"{count:,} of {self.total:,} rows dropped ({_counted(self.reasons())}); the first: {rows[0]}",
            count,
        )
        return ~bad


def _counted(reasons: dict[str, int]) -> str:
    return "; ".join(f"{count:,} × {why}" for why, count in reasons.items())
