"""Bring a registered dataset into the data folder: from a local mirror, from an archive at hand, or by download."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from seqrec_edu.data.files import replacing
from seqrec_edu.data.sources import folder as places
from seqrec_edu.data.sources.convert import FORMAT, convert
from seqrec_edu.data.sources.download import Progress, download
from seqrec_edu.data.sources.registry import Dataset, SourceError, dataset

Confirm = Callable[[Dataset], bool]


class LicenceNotAccepted(SourceError):
    """A first download needs a yes to the licence."""


@dataclass(frozen=True)
class Fetched:
    """A dataset in the data folder, ready to be read. `origin` says where it came from and what was counted."""

    dataset: Dataset
    path: Path
    items: Path
    origin: dict[str, Any]


def fetched(name: str) -> Fetched | None:
    """What is in the data folder under this name, verified against the checksum taken when it was stored; else None."""
    known = dataset(name)
    home = places.data_folder() / name
    path, origin = home / places.INTERACTIONS, places.read_json(home / places.ORIGIN)
    if not origin or not path.exists() or origin.get("prepared_format", FORMAT) != FORMAT:
        return None
    if places.digest(path) != origin["sha256"] or places.items_changed(home, origin):
        raise SourceError(
            f"{path} or its item names have changed since they were stored. Run `seqrec-edu data fetch {name} --again`."
        )
    return Fetched(known, path, home / places.ITEMS, origin)


def fetch(
    name: str,
    *,
    mirror: str | os.PathLike | None = None,
    accept_licence: bool = False,
    confirm: Confirm | None = None,
    again: bool = False,
    progress: Progress | None = None,
) -> Fetched:
    """Make sure that a registered dataset is in the data folder.

    Looks in this order: the data folder (unless `again`); the mirror folder, official archive before prepared file;
    the addresses of the registry. A mirror is only read, never written to.

    Args:
        name: a name of the registry.
        mirror: folder with `NAME/…` files; default `$SEQREC_EDU_MIRROR`.
        accept_licence: a yes to the licence given beforehand; needed for a first download unless `confirm` says yes.
        confirm: asked once with the dataset before a first download; True means accepted.
        again: fetch and prepare anew even if it is there.
        progress: called with (bytes so far, bytes in all or None).
    Raises:
        UnknownDataset, LicenceNotAccepted, DownloadFailed, SourceError: each says what to do.
    """
    known = dataset(name)
    if not again and (here := fetched(name)):
        return here
    source = places.mirror_folder(mirror)
    if source is not None:
        if archive := archive_in(source, known):
            return _from_archive(known, archive, {"from": "archive in a local mirror"})
        if prepared := prepared_in(source, known):
            return _from_mirror(known, prepared, source)
    if mirror is not None or known.archive is None:
        where = f"is not in {source}" if source else "has no address to download it from, only a place in local mirrors"
        wanted = ", ".join(_wanted(known))
        raise SourceError(f"{name} {where}. Pass --from FOLDER with a folder that holds one of: {wanted}.")
    return _downloaded(known, lambda: accept_licence or (confirm is not None and confirm(known)), progress)


def _downloaded(known: Dataset, accepted: Callable[[], bool], progress: Progress | None) -> Fetched:
    archive = places.data_folder() / "archives" / known.archive.file
    if archive.exists():
        return _from_archive(known, archive, {"from": "archive kept from before"})
    if not accepted():
        raise LicenceNotAccepted(
            f"{known.title} comes under this licence: {known.licence} ({known.licence_url}). "
            f"To accept it and download: `seqrec-edu data fetch {known.name} --accept-licence`, or accept_licence=True."
        )
    pin = known.archive.known_hash or _seen_before(known.archive.file)
    address = download([a.url for a in known.archive.addresses], archive, pin, progress)
    return _from_archive(known, archive, {"from": address})


def archive_in(mirror: Path, known: Dataset) -> Path | None:
    """The provider's own file, if the user has it in the folder, beside others, or in `archives`."""
    if known.archive is None:
        return None
    files = [known.archive.file, *(file for file, _ in known.archive.also)]
    place = known.mirror.folder if known.mirror else known.name
    for file in files:
        for folder in (mirror / known.name, mirror / place, mirror / "archives", mirror):
            if (folder / file).is_file():
                return folder / file
    return None


def prepared_in(mirror: Path, known: Dataset) -> Path | None:
    """The prepared file of the mirror. A dataset that the registry has not seen there may be in its usual place."""
    place = known.mirror
    path = mirror / place.folder / place.file if place else mirror / known.name / places.INTERACTIONS
    return path if path.is_file() else None


def _wanted(known: Dataset) -> list[str]:
    place = known.mirror
    prepared = f"{place.folder}/{place.file}" if place else f"{known.name}/{places.INTERACTIONS}"
    return [prepared, *([known.archive.file, *(file for file, _ in known.archive.also)] if known.archive else [])]


def _from_mirror(known: Dataset, path: Path, mirror: Path) -> Fetched:
    """Copy prepared files into the data folder: readers cache beside what they read, and a mirror is only read."""
    place = known.mirror
    expected = (place.sha256 if place else "") or _listed(mirror, path)
    home = places.data_folder() / known.name
    checksum = _copied(path, home / places.INTERACTIONS, expected, mirror)
    items = home / places.ITEMS
    if place and place.items:
        _copied(mirror / place.folder / place.items, items, place.items_sha256, mirror)
    else:
        items.unlink(missing_ok=True)
    origin = {
        "from": "prepared file in a local mirror",
        "sha256": checksum,
        "counted": {"prepared": _counts(home / places.INTERACTIONS)},
        "cautions": [place.caution] if place and place.caution else [],
    }
    return _stored(known, home, origin)


def _listed(mirror: Path, path: Path) -> str:
    """The checksum of `path` in the mirror's SHA256SUMS."""
    sums = mirror / "SHA256SUMS"
    wanted = path.relative_to(mirror).as_posix()
    lines = sums.read_text(encoding="utf-8").splitlines() if sums.is_file() else []
    for line in lines:
        checksum, _, file = line.partition(" ")
        if file.strip().lstrip("*").removeprefix("./") == wanted:
            return checksum.lower()
    raise SourceError(
        f"Nothing says what {path} should contain: the registry has no checksum for it, and {sums} "
        f"{'does not list it' if lines else 'is missing'}. Add it there: `sha256sum {wanted} >> SHA256SUMS`."
    )


def _copied(path: Path, target: Path, expected: str, mirror: Path) -> str:
    """Copy one file and verify the copy; nothing appears under the final name unless it matches."""
    if not path.is_file():
        raise SourceError(f"{path} is missing in the mirror {mirror}.")
    with replacing(target) as temporary:
        shutil.copyfile(path, temporary)
        checksum = places.digest(temporary)
        if checksum != expected:
            raise SourceError(
                f"{path} is not the file that was expected: its sha256 is {checksum}, expected {expected}. "
                "It is damaged or another version; replace it, or fetch without --from."
            )
    return checksum


def _from_archive(known: Dataset, archive: Path, origin: dict[str, Any]) -> Fetched:
    checksum = _verified(known, archive)
    home = places.data_folder() / known.name
    counted = convert(known, archive, home)
    _pin_first_seen(known, archive, checksum)
    origin |= {
        "archive": archive.name,
        "archive_sha256": checksum,
        "prepared_format": FORMAT,
        "sha256": places.digest(home / places.INTERACTIONS),
        "counted": counted,
        "cautions": [],
    }
    return _stored(known, home, origin)


def _verified(known: Dataset, archive: Path) -> str:
    """Compare an archive with its published checksum, or with the one first seen. Returns its sha256."""
    checksum = places.digest(archive)
    also = dict(known.archive.also)
    pin = f"sha256:{also[archive.name]}" if also.get(archive.name) else ""
    pin = pin or (known.archive.known_hash if archive.name == known.archive.file else "")
    source = "published" if pin else "first seen here"
    pin = pin or _seen_before(archive.name)
    algorithm, _, expected = pin.partition(":")
    found = checksum if algorithm in ("", "sha256") else places.digest(archive, algorithm)
    if expected and found != expected:
        raise SourceError(
            f"{archive} is not the {known.title} that was expected: its {algorithm} is {found}, {source}: {expected}. "
            f"Delete it and fetch again{_forget(archive.name) if source != 'published' else ''}."
        )
    return checksum


def _seen_before(file: str) -> str:
    """The checksum of an archive for which nobody publishes one, "sha256:…" as it was first seen, or ""."""
    pin = places.read_json(places.data_folder() / places.FIRST_SEEN).get(file)
    return f"sha256:{pin['sha256']}" if pin else ""


def _forget(file: str) -> str:
    book = places.data_folder() / places.FIRST_SEEN
    return f"; or, if the provider has changed it on purpose, remove {file!r} from {book}"


def _pin_first_seen(known: Dataset, archive: Path, checksum: str) -> None:
    """Nobody publishes a checksum for some archives: pin the bytes that could be used, so that others are refused."""
    published = (
        known.archive.known_hash if archive.name == known.archive.file else dict(known.archive.also)[archive.name]
    )
    if published or _seen_before(archive.name):
        return
    book = places.data_folder() / places.FIRST_SEEN
    seen = {"sha256": checksum, "bytes": archive.stat().st_size, "date": datetime.now(UTC).date().isoformat()}
    places.write_json(book, {**places.read_json(book), archive.name: seen})


def _counts(path: Path) -> dict[str, int]:
    import polars as pl

    frame = pl.read_csv(path, separator="\t", columns=["user_id", "item_id"], infer_schema=False, quote_char=None)
    return {"users": frame["user_id"].n_unique(), "items": frame["item_id"].n_unique(), "events": frame.height}


def _stored(known: Dataset, home: Path, origin: dict[str, Any]) -> Fetched:
    origin |= places.items_digest(home)
    places.write_json(home / places.ORIGIN, {"name": known.name, **origin})
    return Fetched(known, home / places.INTERACTIONS, home / places.ITEMS, origin)
