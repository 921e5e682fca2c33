"""Why an item is recommended, for any recommender: run it again without each event; and whether a row says the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

Recommend = Callable[[np.ndarray, np.ndarray], Sequence[tuple[int, float]]]


def without_each(
    recommend: Recommend, items: Sequence[int], times: Sequence[int], targets: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """``effect[i, j] = score(target j | history) - score(target j | history without event i)``, "l k".

    What `attribution` does for a model, for a function that returns a list: what has left the list without event i has
    at most the last score of that list, so that its effect is at least the number given, and the second result, bool
    "l k", is True there.

    recommend: (items, times) → [(item, score), …], best first.
    items, times: "l", oldest first; at least two events.
    targets: "k" items of the list for the whole history.
    Cost l calls. Errors: ``ValueError`` for fewer than two events, or targets that are not in the list.
    """
    items, times = np.asarray(items), np.asarray(times)
    if items.ndim != 1 or items.shape != times.shape or len(items) < 2:
        raise ValueError(f"without_each needs items and times 'l', l ≥ 2, got {items.shape} and {times.shape}")
    whole = {int(item): float(score) for item, score in recommend(items, times)}
    missing = [target for target in targets if target not in whole]
    if missing:
        raise ValueError(f"items {missing} are not among the {len(whole)} that the recommender returns")
    effects, least = np.zeros((len(items), len(targets))), np.zeros((len(items), len(targets)), dtype=bool)
    for i in range(len(items)):
        scores = {int(item): float(score) for item, score in recommend(np.delete(items, i), np.delete(times, i))}
        lowest = min(scores.values())
        for j, target in enumerate(targets):
            effects[i, j] = whole[target] - scores.get(target, lowest)
            least[i, j] = target not in scores
    return effects, least


def shared_strongest(first: Sequence[float], second: Sequence[float], *, most: int = 5) -> tuple[int, int]:
    """How many of the ``most`` entries of largest size two arrays "l" have in common, and of how many: (2, 5).

    An entry of 0 is not strong: an array with three others has a strongest three. Errors: ``ValueError`` on lengths
    that differ.
    """
    first, second = np.abs(np.asarray(first, dtype=np.float64)), np.abs(np.asarray(second, dtype=np.float64))
    if first.ndim != 1 or first.shape != second.shape:
        raise ValueError(f"shared_strongest compares two arrays 'l', got {first.shape} and {second.shape}")
    strong = [
        {int(i) for i in np.argsort(-values, kind="stable")[:most] if values[i] > 0} for values in (first, second)
    ]
    return len(strong[0] & strong[1]), max(map(len, strong))
