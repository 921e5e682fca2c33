"""Histories kept beside the file they were read from, under the hash of file content, options and format version."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import uuid
from dataclasses import dataclass, replace
from pathlib import Path

from seqrec_edu.data.check import BadInput
from seqrec_edu.data.histories import FORMAT_VERSION, Histories

FOLDER = ".seqrec_edu"
READER_VERSION = 1  # raise it whenever the same file and options would give other histories or another report


def user_folder() -> Path:
    """Where caches go when the folder of the source cannot be written to: SEQREC_EDU_DATA, else ~/.cache/seqrec_edu."""
    given = os.environ.get("SEQREC_EDU_DATA")
    return Path(given).expanduser() / "cache" if given else Path.home() / ".cache" / "seqrec_edu"


@dataclass(frozen=True)
class CacheEntry:
    """The place of one (file content, options) in the cache, beside the source or in the per-user folder."""

    key: str
    places: tuple[Path, ...]
    notes: list[str]

    @classmethod
    def of(cls, source: str | Path, options: dict) -> CacheEntry | None:
        """None when the source is no readable file: reading it then says what is wrong."""
        path = Path(source).expanduser()
        try:
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            return None
        suffixes = path.name.split(".")[1:]  # they decide the format
        settings = [content, options, suffixes, FORMAT_VERSION, READER_VERSION]
        key = hashlib.sha256(json.dumps(settings, sort_keys=True, default=int).encode()).hexdigest()
        name = f"{path.name.split('.')[0]}-{key[:16]}"
        return cls(key, (path.parent / FOLDER / name, user_folder() / name), [])

    def load(self, name: str) -> Histories | None:
        """The cached histories, or None; a damaged entry is removed, never used."""
        for place in self.places:
            if not place.is_dir():
                continue
            try:
                histories = Histories.load(place)
            except BadInput as error:
                self.notes.append(f"the cache was damaged and is built again: {error}")
                _remove(place)
                continue
            histories.report.note("cache", f"taken from the cache ({place.parent.name}/{place.name})")
            return replace(histories, name=name)
        return None

    def store(self, histories: Histories) -> None:
        """Save beside the source, else in the per-user folder; what went wrong is noted in the report afterwards."""
        reasons = []
        for place in self.places:
            reason = _save(histories, place)
            if reason is None:
                break
            reasons.append(reason)
        else:
            self.notes.append(f"not cached, nowhere to write: {'; '.join(reasons)}")
        for text in self.notes:
            histories.report.warn("cache", text)


def _save(histories: Histories, place: Path) -> str | None:
    """Why it could not be saved there, or None."""
    if _read_only(place.parent.parent):
        return f"{place.parent.parent} is read-only"
    try:
        histories.save(place)
    except OSError as error:
        if not place.is_dir():  # else another process was faster, and its content is the same
            return f"{place.parent}: {error.strerror or error}"
    return None


def _read_only(folder: Path) -> bool:
    """Whether nobody may write there. Asked of the mode, since an administrator could write all the same."""
    return folder.is_dir() and not folder.stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH)


def _remove(place: Path) -> None:
    """Rename first, so that nobody finds half an entry under the name."""
    aside = place.with_name(f".{place.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        os.replace(place, aside)
    except OSError:
        return
    shutil.rmtree(aside, ignore_errors=True)
