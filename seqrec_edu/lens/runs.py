"""Trainings as they left their traces: the log of a run, from memory, from its folder, or from a folder of runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from seqrec_edu.training.checkpoint import STATE_FILE, read_position
from seqrec_edu.training.fit import SELECT, FitResult
from seqrec_edu.training.log import HIGH, LOW
from seqrec_edu.training.receipts import Receipt
from seqrec_edu.training.run import RECEIPT_FILES, Run

RECEIPT = RECEIPT_FILES["unmasked"]
EARLY, FULL, OPEN = "early", "full", "open"
_KINDS = "a FitResult, a Run, its log (a list with a record per epoch), the folder of a run or of runs, or name → these"


@dataclass(frozen=True)
class RunLog:
    """One training: ``records`` per epoch (see `training.Callback`), and the settings of `fit` where they are known.

    ``alone`` is true where only a receipt was left, whose one record is the epoch that was kept.
    """

    records: Sequence[Mapping[str, Any]] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    alone: bool = False

    @property
    def ended(self) -> str | None:
        """How: "early", patience was used up; "full", all epochs; "open", neither; None where no plan is known.

        Patience counts from the best validated epoch on, as `fit` does.
        """
        epochs, patience = self.settings.get("epochs"), self.settings.get("patience")
        if self.alone or not self.records or epochs is None or patience is None:
            return None
        last = self.records[-1].get("epoch", len(self.records))
        if last >= epochs:
            return FULL
        found = [(record[SELECT], -record["epoch"]) for record in self.records if SELECT in record]
        return EARLY if found and last + max(found)[1] >= patience else OPEN


class Trail:
    """A stream of records of numbers in at most ``most`` of them: when they are full, neighbours become their mean.

    ``trail.add({"step": 1, "loss": 5.2})``; ``trail.records`` are means of equally many each, and of the rest behind
    them. Cost: O(1) on average per record, whatever its length.
    """

    def __init__(self, most: int = 400):
        self._most, self._every, self._full = most, 1, []
        self._rest: list[Mapping[str, float]] = []

    def add(self, record: Mapping[str, float]) -> None:
        """The next record of the stream; all have the same keys."""
        self._rest.append(record)
        if len(self._rest) == self._every:
            self._full.append(_mean(self._rest))
            self._rest = []
        if len(self._full) == self._most:
            self._full = [_mean(self._full[i : i + 2]) for i in range(0, self._most, 2)]
            self._every *= 2

    @property
    def records(self) -> list[dict[str, float]]:
        """What there is to draw."""
        return [*self._full, _mean(self._rest)] if self._rest else list(self._full)


def _mean(records: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {key: sum(record[key] for record in records) / len(records) for key in records[0]}


def run_logs(given: Any) -> dict[str, RunLog]:
    """Name → log of every run in ``given``: a result of `fit`, a `Run`, a log, a folder, or name → one of these.

    A folder is that of a run, or holds such folders at any depth: each is then called by its path in it. The log stands
    in ``last.safetensors``, of which only the description is read; where that was cleared away the receipt gives one
    record, with the metrics of the epoch that was kept.
    Errors: ``ValueError`` for anything else, a folder without runs, a run without epochs; ``CheckpointError``.
    """
    if isinstance(given, Mapping):
        found = {}
        for name, one in given.items():
            inner = run_logs(one)
            found |= {str(name) if len(inner) == 1 else f"{name}/{part}": log for part, log in inner.items()}
        return found
    if isinstance(given, RunLog):
        return {"run": given}
    if isinstance(given, FitResult):
        return {"run": RunLog(given.log, asdict(given.settings) if given.settings else {})}
    if isinstance(given, Run):
        return run_logs({given.record.model["name"]: given.result or given.folder})
    if isinstance(given, (str, Path)):
        return _in_folder(Path(given))
    if isinstance(given, Sequence) and all(isinstance(record, Mapping) for record in given):
        return {"run": RunLog(given)}
    raise ValueError(f"expected {_KINDS}, got {type(given).__name__}")


def _in_folder(folder: Path) -> dict[str, RunLog]:
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}; name the --out of a run, or a folder of such folders")
    if _is_run(folder):
        return {folder.name: _of_folder(folder)}
    inside = sorted({path.parent for name in (STATE_FILE, RECEIPT) for path in folder.rglob(name)})
    if not inside:
        raise ValueError(f"{folder} holds no run: there is neither {STATE_FILE} nor {RECEIPT} in it or below it")
    return {path.relative_to(folder).as_posix(): _of_folder(path) for path in inside}


def _is_run(folder: Path) -> bool:
    return any((folder / name).exists() for name in (STATE_FILE, RECEIPT))


def _of_folder(folder: Path) -> RunLog:
    if (folder / STATE_FILE).exists():
        position = read_position(folder)
        return RunLog(position.get("log", []), position.get("settings", {}))
    receipt = Receipt.read(folder / RECEIPT)
    record = {"epoch": receipt.best_epoch, "seconds": receipt.seconds["fit"]}
    for name, value in receipt.metrics.get("valid", {}).get("values", {}).items():
        record |= {name: value["value"], name + LOW: value["low"], name + HIGH: value["high"]}
    return RunLog([{key: value for key, value in record.items() if value is not None}], receipt.config, alone=True)
