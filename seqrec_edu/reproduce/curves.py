"""How a run came to its result, epoch by epoch, kept as a small table beside the receipt.

A receipt says how long training took; when it had become good is only in its validations on the way. Seconds are left
out of the table: they are those of a machine that may have had other work. What an epoch costs is measured apart, all
variants in turns (`benchmarks/epochs.py`), and `epochs_to` times that is the time to a quality.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seqrec_edu.data.files import write_whole
from seqrec_edu.training.checkpoint import read_position

CURVE = ".csv"  # instead of .json of the receipt
EPOCHS_FILE = "epochs.json"  # beside the variants of a dataset: what an epoch of each costs
BY = " by "  # in that file, between a variant and somebody else who carries it out
COLUMNS = ("epoch", "loss", "HR@10", "NDCG@10", "MRR@10")


class BadCurve(ValueError):
    """A file that holds no training curve, or a damaged one."""


@dataclass(frozen=True)
class Curve:
    """Loss and validation metrics after each epoch: rows of `COLUMNS`."""

    rows: Sequence[Sequence[float]]

    def epochs_to(self, level: float) -> int | None:
        """The first epoch after which validation NDCG@10 was at least `level`; None if it never was."""
        at = COLUMNS.index("NDCG@10")
        return next((int(row[0]) for row in self.rows if row[at] >= level), None)

    @property
    def best(self) -> float:
        """The highest validation NDCG@10."""
        return max(row[COLUMNS.index("NDCG@10")] for row in self.rows)

    def write(self, path: Path) -> None:
        """Write whole or not at all."""
        buffer = io.StringIO()
        table = csv.writer(buffer, lineterminator="\n")
        table.writerows([COLUMNS, *([int(row[0]), *(f"{value:.6f}" for value in row[1:])] for row in self.rows)])
        write_whole(path, buffer.getvalue().encode("utf-8"))

    @classmethod
    def read(cls, path: Path) -> Curve:
        """A curve from a file. Errors: BadCurve that names the file."""
        try:
            header, *rows = csv.reader(path.read_text(encoding="utf-8").splitlines())
            curve = cls([[float(value) for value in row] for row in rows])
        except ValueError as error:  # no text, no header, no numbers
            raise BadCurve(f"{path} holds no training curve ({error}); collect the run again") from error
        if tuple(header) != COLUMNS or not rows or any(len(row) != len(COLUMNS) for row in rows):
            raise BadCurve(f"{path} holds no training curve: expected columns {', '.join(COLUMNS)}; collect it again")
        return curve


def curve_of_run(folder: Path) -> Curve | None:
    """From the log in a run's folder; None where nothing was trained, or its training state was cleared away."""
    log = read_position(folder).get("log", [])
    rows = [[float(record[name]) for name in COLUMNS] for record in log if "NDCG@10" in record]
    return Curve(rows) if rows else None


def read_epoch_seconds(folder: Path) -> dict[str, float]:
    """Seconds of one epoch of each variant on one dataset, as far as they were measured. Errors: BadCurve."""
    path = folder / EPOCHS_FILE
    if not path.exists():
        return {}
    try:
        variants = json.loads(path.read_text(encoding="utf-8"))["variants"]
        return {name: float(each["seconds"]) for name, each in variants.items()}
    except (ValueError, KeyError, TypeError) as error:
        raise BadCurve(f"{path} does not say what epochs cost ({error!r}); run benchmarks/epochs.py again") from error
