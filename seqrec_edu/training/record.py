"""`run.json`: what was asked of a run, written before its first step, so that its folder explains itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from seqrec_edu.data.sources.folder import write_json

RECORD_FILE = "run.json"
FORMAT = 1


class RunError(ValueError):
    """A folder that holds no run, a damaged one, or another one than was asked for."""


@dataclass(frozen=True)
class Record:
    """Everything that decides the outcome of a run, in plain JSON types.

    model           name and every setting of the model
    training        every field of `FitSettings`; of a baseline only history_length
    data            source (name or file; None for histories that were handed over), options for `load`, name, hash
    split           protocol, hash
    """

    model: dict[str, Any]
    training: dict[str, Any]
    data: dict[str, Any]
    split: dict[str, Any]

    def write(self, folder: Path) -> None:
        """Write into the folder of the run, whole or not at all."""
        write_json(folder / RECORD_FILE, {"format": FORMAT, **asdict(self)})

    @classmethod
    def read(cls, folder: str | Path) -> Record:
        """The record of a run. Raises RunError when there is none or it cannot be used."""
        path = Path(folder) / RECORD_FILE
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            near = sorted(found.parent.name for found in Path(folder).glob(f"*/{RECORD_FILE}"))
            hint = f"; it holds runs: {', '.join(near)}" if near else ""
            raise RunError(f"{folder} holds no run: {RECORD_FILE} is missing{hint}. Name the --out of a run.") from None
        except ValueError as error:  # not JSON, or not UTF-8
            raise RunError(f"{path} is damaged ({error}); train into another folder") from error
        parts = [field.name for field in fields(cls)]
        whole = isinstance(document, dict) and all(isinstance(document.get(part), dict) for part in parts)
        if not whole or document.get("format") != FORMAT:
            raise RunError(
                f"{path} is not a record of format {FORMAT} with {', '.join(parts)}; train into another folder"
            )
        return cls(**{part: document[part] for part in parts})

    def check_same(self, other: Record, folder: Path) -> None:
        """Raise RunError that names every difference unless `other` asks for the run that this one records."""
        # Where the data came from does not matter, only what they are.
        pairs = [("data", {"hash": self.data["hash"]}, {"hash": other.data["hash"]})]
        pairs += [(part, getattr(self, part), getattr(other, part)) for part in ("split", "model", "training")]
        changed = [f"{part} {what}" for part, was, now in pairs for what in _changes(was, now)]
        if changed:
            raise RunError(
                f"{folder} holds another run ({'; '.join(changed)}). Choose another folder with --out, or repeat the "
                "settings of that run."
            )


def _changes(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    return [f"{key}: {was.get(key)} → {now.get(key)}" for key in {**was, **now} if was.get(key) != now.get(key)]
