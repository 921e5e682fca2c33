"""Whoever recommends, a model or a function, opened as far as it can be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from torch import nn

from seqrec_edu.data.person import Person
from seqrec_edu.lens.attribution import attribution
from seqrec_edu.lens.mixing import heads_with_matrix, layers_with_matrix, mixing_matrix
from seqrec_edu.lens.reading import WINDOW, batch_of, places_of
from seqrec_edu.lens.reasons import without_each
from seqrec_edu.training.recommend import recommend

Recommend = Callable[[np.ndarray, np.ndarray], Sequence[tuple[int, float]]]

_DEEP = 5  # how many times k the list of a model goes, so that a newcomer has a rank to come from


class Recommending:
    """A model with its mixing matrices, a baseline, or a function (items "l", times "l") → [(item, score), …].

    Attributes:
        layers: paths of the layers with a mixing matrix; none for a function or a baseline.
        closed: why there are none, for a sentence.
    """

    def __init__(self, given: nn.Module | Recommend | Any, k: int) -> None:
        neural = isinstance(given, nn.Module)
        self._model, self._ask, self._k = (given if neural or hasattr(given, "scores") else None), given, k
        if self._model is None and not callable(given):
            raise ValueError(f"expected a model or a function of items and times, got {type(given).__name__}")
        self.layers = layers_with_matrix(given) if neural else []
        self.closed = "a function has" if self._model is None else f"{type(given).__name__} has"
        self.closed += " no mixing matrix whose row could be shown"

    def check(self, person: Person) -> None:
        """Errors: ``ValueError`` where the person is of another dataset."""
        if isinstance(self._model, nn.Module):
            batch_of(self._model, person)

    def ranked(self, items: np.ndarray, times: np.ndarray) -> list[tuple[int, float]]:
        """(item, score), best first."""
        if self._model is None:
            found = self._ask(items, times)
        else:
            window = places_of(self._model) or WINDOW
            found = recommend(self._model, items, times, k=_DEEP * self._k, history_length=window)
        found = [(int(item), float(score)) for item, score in found]
        if not found:
            raise ValueError("recommend returned an empty list; it must return [(item, score), …], best first.")
        return found

    def effects(self, items: np.ndarray, times: np.ndarray, targets: list[int]) -> tuple[np.ndarray, np.ndarray]:
        """What each event that is read adds to the score of each target, "l k", and where that is a lower bound."""
        if self._model is None:
            return without_each(self._ask, items, times, targets)
        found = attribution(self._model, items, times, target=targets).effect()
        return found, np.zeros(found.shape, dtype=bool)

    def row(self, person: Person, layer: str, head: int) -> np.ndarray:
        """What the last event reads of each, "l"."""
        found = mixing_matrix(self._model, batch_of(self._model, person), layer=layer, channels=[head])
        return found.history()[0][-1].copy()

    def heads(self, layer: str) -> int:
        """How many there are to choose from."""
        return heads_with_matrix(self._model, layer)[1]

    def reader(self, layer: str, head: int) -> str:
        """Whose row it is, in words."""
        return f"{layer}, {heads_with_matrix(self._model, layer)[0]} {head}"
