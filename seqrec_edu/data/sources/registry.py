"""Which datasets are known, where they come from, on what terms, and what they should contain.

The facts stand in `sources/*.toml`. Each carries `checked`, which says how it is known:

* `read`: read in the provider's own terms, README or record page;
* `seen`: quoted by other public projects that fetched the file; not fetched by us;
* `counted`: counted by us in a copy of the data;
* `memory`: from memory or inferred from a pattern. Verify before relying on it.
"""

from __future__ import annotations

import difflib
import functools
import tomllib
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

CHECKED = ("read", "seen", "counted", "memory")
STAGES = ("source", "prepared", "core5")
GENERATED = "shoppers"


class SourceError(ValueError):
    """A dataset cannot be had; the message says what was tried and what to do."""


class UnknownDataset(SourceError):
    """No dataset has this name; the message lists the known ones and close matches."""


@dataclass(frozen=True)
class Address:
    """One place a file can be downloaded from. `role` is "official" or "mirror"."""

    url: str
    role: str
    checked: str


@dataclass(frozen=True)
class Archive:
    """The file a provider hands out. Without `sha256` and `md5` the first bytes seen are pinned (see fetch.py)."""

    file: str
    addresses: tuple[Address, ...]
    checked: str
    bytes: int | None = None
    size: str = ""
    sha256: str = ""
    md5: str = ""
    also: tuple[tuple[str, str], ...] = ()  # (file, sha256 or ""): other forms of it that a user may already have

    @property
    def known_hash(self) -> str:
        """In pooch's form, "sha256:…" or "md5:…"; "" where nothing is published."""
        return f"sha256:{self.sha256}" if self.sha256 else f"md5:{self.md5}" if self.md5 else ""

    @property
    def pin(self) -> str:
        """One word on how the bytes are pinned, for people."""
        return self.known_hash.split(":")[0] or "unpinned"


@dataclass(frozen=True)
class MirrorFile:
    """A prepared file in a local mirror folder: `folder/file`, its checksum, and its item names if it has them."""

    folder: str
    file: str
    sha256: str = ""
    bytes: int | None = None
    items: str = ""
    items_sha256: str = ""
    caution: str = ""


@dataclass(frozen=True)
class Published:
    """Sizes to compare with. None where nothing is published."""

    checked: str
    users: int | None = None
    items: int | None = None
    events: int | None = None


@dataclass(frozen=True)
class Dataset:
    """One dataset. `prepare` says how `archive` becomes the one prepared form (see convert.py)."""

    name: str
    title: str
    about: str
    resolution: str
    terms: str  # the licence in a word or two
    licence: str
    licence_url: str
    ship: bool
    citation: str
    cautions: tuple[str, ...] = ()
    archive: Archive | None = None
    prepare: dict[str, Any] = field(default_factory=dict)
    mirror: MirrorFile | None = None
    published: dict[str, Published] = field(default_factory=dict)  # keys: STAGES


def datasets() -> dict[str, Dataset]:
    """All registered datasets by name, in alphabetical order. `shoppers` is generated and not among them."""
    return dict(_registry())


def dataset(name: str) -> Dataset:
    """The registered dataset called `name`. Raises `UnknownDataset`, which lists the known names and close matches."""
    try:
        return _registry()[name]
    except KeyError:
        raise unknown(name, list(_registry())) from None


def unknown(name: str, known: list[str]) -> UnknownDataset:
    """The error for a name that is not known, with the nearest of `known`."""
    close = difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.5)
    hint = f" Did you mean {' or '.join(close)}?" if close else ""
    return UnknownDataset(
        f"No dataset is called {name!r}.{hint} Known: {', '.join(sorted(known))}. "
        "A file of your own: give its path, or store it under a name with `seqrec-edu data add FILE --name NAME`."
    )


@functools.cache
def _registry() -> dict[str, Dataset]:
    raw: dict[str, dict] = {}
    for source in sorted(resources.files("seqrec_edu.data.sources").iterdir(), key=lambda path: path.name):
        if source.name.endswith(".toml"):
            raw.update(tomllib.loads(source.read_text(encoding="utf-8")))
    return {name: _dataset(name, raw) for name in sorted(raw)}


def _dataset(name: str, raw: dict[str, dict]) -> Dataset:
    entry = dict(raw[name])
    archive, prepare = entry.pop("archive", None), entry.pop("prepare", {})
    mirror, published = entry.pop("mirror", None), entry.pop("published", {})
    return Dataset(
        name=name,
        cautions=tuple(entry.pop("cautions", ())),
        archive=_archive(archive, raw) if archive else None,
        prepare=_with_base(prepare, raw, "prepare"),
        mirror=MirrorFile(**{"folder": name, **mirror}) if mirror else None,
        published={stage: Published(**values) for stage, values in published.items()},
        **entry,
    )


def _archive(values: dict, raw: dict[str, dict]) -> Archive:
    values = _with_base(values, raw, "archive")
    return Archive(
        addresses=tuple(Address(**address) for address in values.pop("addresses")),
        also=tuple((other["file"], other.get("sha256", "")) for other in values.pop("also", ())),
        **values,
    )


def _with_base(values: dict, raw: dict[str, dict], part: str) -> dict:
    """`same_as = "ml-1m"` takes this part from another dataset; keys given here win."""
    values = dict(values)
    base = values.pop("same_as", None)
    return {**raw[base][part], **values} if base else values
