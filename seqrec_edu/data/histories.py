"""`Histories`: all interactions of a dataset as three flat arrays, and what can be said about them."""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from seqrec_edu.data.check import BadInput, Report
from seqrec_edu.data.person import Person
from seqrec_edu.data.statistics import Statistics, statistics

FORMAT_VERSION = 1
PAD_ID = "<pad>"
_ARRAYS = ("items", "times", "offsets")


@dataclass(frozen=True, eq=False)
class Histories:
    """All interactions of a dataset, sorted by user, then time; ties keep source order.

    Item 0 is padding and never occurs. Times are int64 Unix seconds. User `u` owns events `offsets[u]:offsets[u + 1]`.

    Attributes:
        items: int32 "events", item index 1..n_items.
        times: int64 "events", Unix seconds, never decreasing within a user.
        offsets: int64 "users + 1".
        item_ids: source id of each item; entry 0 is "<pad>".
        user_ids: source id of each user.
        name: what to call the dataset.
        item_names, item_genres: for people to read, same length as `item_ids`, or None.
        report: what was found on the way in.
    Raises:
        BadInput: when the arrays contradict each other.
    """

    items: np.ndarray
    times: np.ndarray
    offsets: np.ndarray
    item_ids: list[str]
    user_ids: list[str]
    name: str = ""
    item_names: list[str] | None = None
    item_genres: list[str] | None = None
    report: Report = field(default_factory=Report)

    def __post_init__(self) -> None:
        for name, kind in zip(_ARRAYS, (np.int32, np.int64, np.int64), strict=True):
            array = getattr(self, name)
            if not isinstance(array, np.ndarray) or array.dtype != kind or array.ndim != 1:
                found = f"{getattr(array, 'dtype', type(array).__name__)}, {getattr(array, 'ndim', '?')} axes"
                raise BadInput(f"{name} must be a flat {np.dtype(kind)} array, got {found}; convert it first")
        _check_shape(self)
        _check_order(self)

    @property
    def n_users(self) -> int:
        return self.offsets.size - 1

    @property
    def n_items(self) -> int:
        """Number of items, padding not counted."""
        return len(self.item_ids) - 1

    @property
    def n_events(self) -> int:
        return self.items.size

    @cached_property
    def hash(self) -> str:
        """SHA-256 (hex) of the content: items, times, offsets and ids, not the name."""
        digest = hashlib.sha256(b"seqrec_edu histories 1")
        for name in _ARRAYS:
            array = np.ascontiguousarray(getattr(self, name))
            digest.update(f"{name} {array.size} ".encode())
            digest.update(array.astype(array.dtype.newbyteorder("<"), copy=False).data)
        for ids in (self.item_ids, self.user_ids):
            digest.update(json.dumps(ids, ensure_ascii=True, separators=(",", ":")).encode())
        return digest.hexdigest()

    def history(self, user: int) -> tuple[np.ndarray, np.ndarray]:
        """Items and times of one user, as views."""
        if not 0 <= user < self.n_users:
            raise BadInput(f"user must be in 0..{self.n_users - 1}, got {user}")
        part = slice(self.offsets[user], self.offsets[user + 1])
        return self.items[part], self.times[part]

    def user(self, user: int) -> Person:
        """One user with the names of the items. Raises `BadInput` on a user there is not, or without events."""
        items, times = self.history(user)
        name = f"user {user}" + (f" of {self.name}" if self.name else "")
        return Person(items, times, _Labels(self), name)

    def label(self, item: int) -> str:
        """The item's name if it has one, else its source id."""
        if not 0 <= item <= self.n_items:
            raise BadInput(f"item must be in 0..{self.n_items} (0 is padding), got {item}")
        name = self.item_names[item] if self.item_names else ""
        return name or self.item_ids[item]

    def find(self, text: str) -> int:
        """Item index of a name or source id: exact but for case, else the only name that contains the text.

        Raises:
            BadInput: when nothing or more than one item fits; the message lists candidates.
        """
        wanted = text.strip().casefold()
        for labels in filter(None, (self.item_names, self.item_ids)):
            found = [i for i, label in enumerate(labels) if i and label.casefold() == wanted]
            if found:
                return self._only(text, found)
        labels = self.item_names or self.item_ids
        found = [i for i, label in enumerate(labels) if i and wanted and wanted in label.casefold()]
        if found:
            return self._only(text, found)
        close = difflib.get_close_matches(wanted, {label.casefold(): label for label in labels[1:]}, n=5, cutoff=0.5)
        by_case = {label.casefold(): label for label in labels[1:]}
        hint = "Close: " + ", ".join(repr(by_case[label]) for label in close) if close else "Nothing is close"
        raise BadInput(f"no item is called {text!r}. {hint}.")

    def _only(self, text: str, found: list[int]) -> int:
        if len(found) == 1:
            return found[0]
        shown = ", ".join(f"{self.label(i)!r} (id {self.item_ids[i]})" for i in found[:8])
        raise BadInput(
            f"{text!r} fits {len(found)} items: {shown}{' …' if len(found) > 8 else ''}. Give more of the name."
        )

    def statistics(self) -> Statistics:
        """Counts, lengths, gaps and ties; see `Statistics`."""
        return statistics(self.items, self.times, self.offsets, self.n_items)

    def __repr__(self) -> str:
        return (
            f"Histories({self.name or 'unnamed'}: {self.n_events:,} events, {self.n_users:,} users, "
            f"{self.n_items:,} items, hash {self.hash[:12]})"
        )

    def save(self, folder: str | Path) -> Path:
        """Write .npy arrays and meta.json into a new folder; it appears whole or not at all.

        Raises:
            FileExistsError: when the folder exists and is not empty.
        """
        folder = Path(folder)
        if folder.exists() and any(folder.iterdir()):
            raise FileExistsError(f"{folder} exists and is not empty; choose another folder or remove it")
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.part")
        part.mkdir()
        try:
            for name in _ARRAYS:
                np.save(part / f"{name}.npy", getattr(self, name), allow_pickle=False)
            meta = {"format_version": FORMAT_VERSION, "hash": self.hash, "report": self.report.as_dict()}
            meta |= {key: getattr(self, key) for key in ("name", "item_ids", "user_ids", "item_names", "item_genres")}
            (part / "meta.json").write_text(json.dumps(meta, ensure_ascii=False), encoding="utf-8")
            os.replace(part, folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)
        return folder

    @classmethod
    def load(cls, folder: str | Path) -> Histories:
        """Memory-map what `save` wrote, after checking format version and content hash.

        Raises:
            BadInput: when a file is missing, damaged, of another version, or does not give the stored hash.
        """
        folder = Path(folder)
        try:
            meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
            if meta.pop("format_version") != FORMAT_VERSION:
                raise BadInput(f"written in another format version than {FORMAT_VERSION}")
            expected, report = meta.pop("hash"), Report.from_dict(meta.pop("report"))
            arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in _ARRAYS}
            histories = cls(**{name: array.view(np.ndarray) for name, array in arrays.items()}, **meta, report=report)
            if histories.hash != expected:
                raise BadInput(f"content hash is {histories.hash[:12]}, stored was {expected[:12]}")
        except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError) as error:
            raise BadInput(
                f"{folder} does not hold usable histories: {error}. Delete it and build it again."
            ) from error
        return histories


class _Labels(Sequence[str]):
    """The labels of all items, made when asked for: there may be a million."""

    def __init__(self, histories: Histories):
        self._histories = histories

    def __getitem__(self, item: int) -> str:
        return self._histories.label(item)

    def __len__(self) -> int:
        return self._histories.n_items + 1


def _check_shape(histories: Histories) -> None:
    items, times, offsets = histories.items, histories.times, histories.offsets
    if items.size != times.size:
        raise BadInput(f"items and times must have the same length, got {items.size} and {times.size}")
    if offsets.size < 2 or offsets[0] != 0 or offsets[-1] != items.size or (np.diff(offsets) < 0).any():
        raise BadInput("offsets must rise from 0 to the number of events, one more entry than users")
    if len(histories.user_ids) != offsets.size - 1:
        raise BadInput(f"expected {offsets.size - 1} user ids, one per user, got {len(histories.user_ids)}")
    if not histories.item_ids or histories.item_ids[0] != PAD_ID:
        raise BadInput(f"item_ids[0] must be {PAD_ID!r}, the padding item")
    for name in ("item_names", "item_genres"):
        labels = getattr(histories, name)
        if labels is not None and len(labels) != len(histories.item_ids):
            raise BadInput(f"{name} must have {len(histories.item_ids)} entries like item_ids, got {len(labels)}")


def _check_order(histories: Histories) -> None:
    items, times, offsets = histories.items, histories.times, histories.offsets
    if items.size and not (items.min() >= 1 and items.max() <= histories.n_items):
        raise BadInput(f"items must be in 1..{histories.n_items}, got {items.min()}..{items.max()} (0 is padding)")
    back = np.flatnonzero(times[1:] < times[:-1]) + 1
    if not np.isin(back, offsets).all():
        event = int(back[~np.isin(back, offsets)][0])
        raise BadInput(f"times must not decrease within a user; event {event} is earlier than the one before it")
