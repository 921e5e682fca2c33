"""Where data lives: the data folder, the local mirror, and the small files that remember where each dataset came from.

DATA/NAME/interactions.tsv.gz   the prepared form: user_id item_id [rating] timestamp, one header line
DATA/NAME/items.tsv.gz          item_id name [genre], where names are known
DATA/NAME/origin.json           where it came from, its checksums, what was counted
DATA/archives/FILE              what the provider handed out, kept as it came
DATA/first-seen.json            checksums of archives for which nobody publishes one
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from seqrec_edu.data.files import replacing
from seqrec_edu.data.sources.registry import SourceError

ORIGIN = "origin.json"
FIRST_SEEN = "first-seen.json"
INTERACTIONS = "interactions.tsv.gz"
ITEMS = "items.tsv.gz"


def data_folder() -> Path:
    """`$SEQREC_EDU_DATA` if set, else the user's cache folder (`~/.cache/seqrec_edu` on Linux). Need not exist yet."""
    given = os.environ.get("SEQREC_EDU_DATA")
    if given:
        return Path(given).expanduser()
    import pooch

    return Path(pooch.os_cache("seqrec_edu"))


def mirror_folder(given: str | os.PathLike | None = None) -> Path | None:
    """The local mirror: `given`, else `$SEQREC_EDU_MIRROR`, else None. Raises `SourceError` if it is not a folder."""
    named = given if given is not None else os.environ.get("SEQREC_EDU_MIRROR") or None
    if named is None:
        return None
    folder = Path(named).expanduser()
    if not folder.is_dir():
        asked = "--from" if given is not None else "SEQREC_EDU_MIRROR"
        raise SourceError(f"{asked} names {folder}, which is not a folder. Give the folder that holds NAME/… files.")
    return folder


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Write JSON atomically, keys in the order given."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """The contents of a JSON file, {} if there is none. A damaged one is an error: it may hold checksums."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(values, dict):
            raise ValueError(f"it holds a {type(values).__name__}")
    except FileNotFoundError:
        return {}
    except ValueError as error:  # not JSON, or not UTF-8
        raise SourceError(f"{path} is damaged ({error}). Delete it and fetch the dataset again.") from error
    return values


def digest(path: Path, algorithm: str = "sha256") -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest()


def items_digest(home: Path) -> dict[str, str]:
    """What to remember of the item names of a dataset: nothing, where it has none."""
    return {"items_sha256": digest(home / ITEMS)} if (home / ITEMS).exists() else {}


def items_changed(home: Path, origin: dict[str, Any]) -> bool:
    """Whether the item names are no longer those that were stored. Older origins do not remember them."""
    expected = origin.get("items_sha256")
    return expected is not None and items_digest(home) != {"items_sha256": expected}
