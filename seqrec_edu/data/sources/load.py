"""`load`: a dataset by name, or a file by path, as `Histories`; sizes are compared with the published ones."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqrec_edu.data.files import replacing
from seqrec_edu.data.sources import folder as places
from seqrec_edu.data.sources.convert import read_items
from seqrec_edu.data.sources.fetch import Fetched, archive_in, fetch, prepared_in
from seqrec_edu.data.sources.registry import GENERATED, Dataset, SourceError, datasets, unknown

if TYPE_CHECKING:
    from seqrec_edu.data.histories import Histories

ADDED = "added by hand"
RESERVED = ("archives", "cache", places.FIRST_SEEN)  # what else lies in the data folder


@dataclass(frozen=True)
class Difference:
    """One number that is not what was published."""

    stage: str
    what: str
    published: int
    found: int
    checked: str

    def __str__(self) -> str:
        where = {"source": "in the source", "prepared": "after preparing", "core5": "after 5-core"}[self.stage]
        doubt = "; the published figure itself is from memory" if self.checked == "memory" else ""
        return f"{self.what} {where}: found {self.found:,}, published {self.published:,}{doubt}"


def load(
    name: str | os.PathLike,
    *,
    core: int = 5,
    mirror: str | os.PathLike | None = None,
    accept_licence: bool = False,
    shuffle_gaps: int | None = None,
    **options: Any,
) -> Histories:
    """Histories of a dataset by name, fetched first if it is not here yet, or of a file by its path.

    Args:
        name: `"shoppers"` or a planted world such as `"gap-switch"` (generated; `options` go to the generator, `core`
            does not apply), a registered name, a name given to `data add` or `data from-git`, or a path.
        core: fewest events of each user and item; 0 keeps everything.
        mirror: folder to take files from, default `$SEQREC_EDU_MIRROR`.
        accept_licence: a yes to the licence, needed only for a first download.
        shuffle_gaps: a seed; the gaps between the events of each user are permuted (see `data.shuffle`).
        options: passed on to `read` (on_bad, duplicates, …).
    Returns:
        Histories whose report also carries the cautions of the dataset and every difference from published sizes.
    Raises:
        UnknownDataset: the name is not known; lists the known ones and close matches.
        SourceError: it cannot be had, and what to do.
    """
    if shuffle_gaps is not None:
        from seqrec_edu.data.shuffle import shuffle_gaps as shuffled

        return shuffled(load(name, core=core, mirror=mirror, accept_licence=accept_licence, **options), shuffle_gaps)
    known = datasets()
    if name in generated():
        from seqrec_edu.data.synthetic import planted, shoppers

        return shoppers(**options) if name == GENERATED else planted(name, **options)
    if name in known:
        return _registered(fetch(name, mirror=mirror, accept_licence=accept_licence), core, options)
    if isinstance(name, str) and (entry := added().get(name)):
        return _added(name, entry, core, options)
    from seqrec_edu.data.reading.read import read

    if Path(name).exists() or not isinstance(name, str) or _looks_like_path(name):
        return read(name, core=core, **options)
    raise unknown(name, [*generated(), *known, *added()])


def generated() -> tuple[str, ...]:
    """Names of what is made when it is asked for: the shoppers and the planted worlds."""
    from seqrec_edu.data.synthetic import WORLDS

    return GENERATED, *WORLDS


def _looks_like_path(name: str) -> bool:
    return "/" in name or os.sep in name or "." in name


def _registered(here: Fetched, core: int, options: dict[str, Any]) -> Histories:
    from seqrec_edu.data.reading.read import read

    name = here.dataset.name
    columns = {"user": "user_id", "item": "item_id", "time": "timestamp"}
    histories = named(read(here.path, core=core, name=name, **columns, **options), here.items)
    report = _cautioned(histories, (*here.dataset.cautions, *here.origin["cautions"])).report
    report.note("licence", f"{here.dataset.licence} ({here.dataset.licence_url})")
    for difference in differences(here, histories if core == 5 else None):
        report.warn("published", f"differs from what was published: {difference}")
    return histories


def _cautioned(histories: Histories, cautions: Iterable[str]) -> Histories:
    for caution in cautions:
        histories.report.note("caution", caution)
    return histories


def named(histories: Histories, items: Path) -> Histories:
    """The same histories with the item names and genres of an items file, if there is one."""
    names = read_items(items)
    if not names:
        return histories
    labels = [names.get(item, ("", "")) for item in histories.item_ids]
    labels[0] = (histories.item_ids[0], "")
    return replace(
        histories,
        item_names=[label for label, _ in labels],
        item_genres=[genre for _, genre in labels] if any(genre for _, genre in labels) else None,
    )


def differences(here: Fetched, core5: Histories | None = None) -> list[Difference]:
    """Every number that differs from the published one, over the stages that were counted."""
    counted = dict(here.origin["counted"])
    if core5 is not None:
        counted["core5"] = {"users": core5.n_users, "items": core5.n_items, "events": core5.n_events}
    found = []
    for stage, published in here.dataset.published.items():
        for what in ("users", "items", "events"):
            expected, seen = getattr(published, what), counted.get(stage, {}).get(what)
            if expected is not None and seen is not None and expected != seen:
                found.append(Difference(stage, what, expected, seen, published.checked))
    return found


def added() -> dict[str, dict[str, Any]]:
    """Datasets of the user's own, by name, with what is remembered about each."""
    entries = {}
    home = places.data_folder()
    for path in sorted(home.glob(f"*/{places.ORIGIN}")) if home.is_dir() else []:
        origin = places.read_json(path)
        if origin.get("from") == ADDED:
            entries[path.parent.name] = origin
    return entries


def add(
    source: str | os.PathLike,
    name: str,
    *,
    items: str | os.PathLike | None = None,
    core: int = 5,
    again: bool = False,
    cautions: tuple[str, ...] = (),
    **options: Any,
) -> Histories:
    """Read a user's own file, and store a copy under `name` so that `load(name)` and `--data name` find it.

    Args:
        source: any file that `read` takes; it is stored only if it can be read.
        name: lower-case letters, digits, dashes and dots.
        items: item names, tab-separated `item_id name [genre]`, gzip-compressed.
        core: for the histories returned here; `load` has its own.
        again: replace what is stored under this name.
        cautions: what the report should say each time it is loaded.
        options: remembered and passed to `read` (user, item, time, time_unit, on_bad, duplicates).
    Returns:
        The histories, with their report.
    """
    from seqrec_edu.data.reading.read import read

    _check_name(name, again)
    source = Path(source)
    if source.name in (places.ITEMS, places.ORIGIN):
        raise SourceError(f"{source.name} is the name of a file of ours beside the data: give {source} another one.")
    options = {key: value for key, value in options.items() if value is not None}
    histories = read(source, name=name, core=core, cache=False, **options)
    home = places.data_folder() / name
    old = places.read_json(home / places.ORIGIN).get("file", source.name)
    for path, target in ((source, home / source.name), (items, home / places.ITEMS)):
        if path is not None:
            with replacing(target) as temporary:
                shutil.copyfile(path, temporary)
    if items is None:
        (home / places.ITEMS).unlink(missing_ok=True)  # the names of what was stored here before
    origin = {"name": name, "from": ADDED, "file": source.name, "sha256": places.digest(home / source.name)}
    origin |= places.items_digest(home)
    places.write_json(home / places.ORIGIN, {**origin, "options": options, "cautions": cautions})
    if old != source.name:
        (home / old).unlink(missing_ok=True)
    return _cautioned(named(histories, home / places.ITEMS), cautions)


def _check_name(name: str, again: bool) -> None:
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,63}", name) or name in RESERVED:
        raise SourceError(f"A name has lower-case letters, digits, dashes and dots, up to 64 of them; got {name!r}.")
    if name in generated() or name in datasets():
        raise SourceError(f"{name!r} is the name of a known dataset; choose another.")
    if name in added() and not again:
        raise SourceError(f"{name!r} is already stored. Choose another name, or replace it with --again.")


def _added(name: str, entry: dict[str, Any], core: int, options: dict[str, Any]) -> Histories:
    from seqrec_edu.data.reading.read import read

    home = places.data_folder() / name
    path = home / entry["file"]
    if not path.exists() or places.digest(path) != entry["sha256"] or places.items_changed(home, entry):
        raise SourceError(
            f"{path} or its item names are missing or have changed. "
            f"Store it again: `seqrec-edu data add FILE --name {name}`."
        )
    histories = read(path, name=name, core=core, **{**entry["options"], **options})
    return _cautioned(named(histories, home / places.ITEMS), entry["cautions"])


def state(known: Dataset, mirror: Path | None) -> str:
    """Where a dataset is now: "here", "in the mirror", "to download" or "mirror only"."""
    home = places.data_folder() / known.name
    if (home / places.ORIGIN).exists() and (home / places.INTERACTIONS).exists():
        return "here"
    if mirror is not None and (archive_in(mirror, known) or prepared_in(mirror, known)):
        return "in the mirror"
    return "to download" if known.archive else "mirror only"
