"""What of a history can go through a filter: an item, a genre, its embeddings, a single event or a wave."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from seqrec_edu.data.person import Person
from seqrec_edu.figures.text import short
from seqrec_edu.lens import filters as lens

from .subjects import batch_of

if TYPE_CHECKING:
    from torch import nn

IMPULSE, WAVE, ITEM, GENRE, EMBEDDING = "impulse", "wave", "item", "genre", "embedding"
_LISTED = 12  # items and genres to choose from: the most frequent ones
_OFTEN = 3  # times that one must occur to be more telling than a single event

Key = tuple[str, str | int]  # kind, and of what


@dataclass(frozen=True)
class Signals:
    """The signals that histories offer.

    Attributes:
        models: name → model, for their item embeddings.
        genres: the genre of every item, or None.
    """

    models: Mapping[str, nn.Module]
    genres: Sequence[str] | None = None

    def offered(self, person: Person) -> list[tuple[str, Key]]:
        """What a control lists for this person: the most frequent first."""
        items = Counter(person.items.tolist()).most_common(_LISTED)
        genres = Counter(self.genres[item] for item in person.items) if self.genres else Counter()
        embedded = [name for name, model in self.models.items() if hasattr(model, "item_embedding")]
        return [
            *((f"genre {genre} ({n}×)", (GENRE, genre)) for genre, n in genres.most_common(_LISTED) if genre),
            *((f"{short(person.label(item), 28)} ({n}×)", (ITEM, item)) for item, n in items),
            *((f"embeddings of {name}", (EMBEDDING, name)) for name in embedded),
            ("one event alone", (IMPULSE, "")),
            ("a wave", (WAVE, "")),
        ]

    def telling(self, person: Person) -> Key:
        """The first signal that comes back, or one event alone, which shows what a filter does to any."""
        genres, items = Counter(self.genres[i] for i in person.items) if self.genres else {}, Counter(person.items)
        for _, (kind, of) in self.offered(person):
            often = {GENRE: genres, ITEM: items}.get(kind, {}).get(of, 0)
            if kind == EMBEDDING or _OFTEN <= often < len(person):
                return kind, of
        return IMPULSE, ""

    def values(self, key: Key, person: Person, *, place: int, period: float) -> np.ndarray:
        """The signal "n"; ``place`` is the event of a single one, from 1, and ``period`` that of a wave."""
        kind, of = key
        if kind == IMPULSE:
            return lens.impulse(len(person), min(place, len(person)) - 1)
        if kind == WAVE:
            return lens.wave(len(person), period)
        if kind == EMBEDDING:
            return lens.embedding_coordinate(self.models[of], batch_of(self.models[of], person))
        wanted = person.items if kind == ITEM else [self.genres[item] for item in person.items]
        return (np.asarray(wanted) == of).astype(np.float64)

    def said(self, key: Key, person: Person, *, place: int, period: float) -> tuple[str, str]:
        """What the signal is in words, and what its axis says."""
        kind, of = key
        if kind == ITEM:
            return person.label(of), "1 = this item"
        return {
            GENRE: (f"Genre {of}", "1 = this genre"),
            EMBEDDING: (f"Embeddings of {of}, main direction", "deviations"),
            IMPULSE: (f"Event {min(place, len(person))} alone", "signal"),
            WAVE: (f"A wave of period {period}", "signal"),
        }[kind]
