"""From one history to the items that may come next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from seqrec_edu.data.batches import Batch
from seqrec_edu.training.evaluate import inference


def recommend(
    model: Any, items: Sequence[int], times: Sequence[int], *, k: int | None = 10, history_length: int = 200
) -> list[tuple[int, float]]:
    """The ``k`` items that score highest as the next event of one history, best first, with their scores.

    items, times: "l", item indices and Unix seconds, oldest first; the model sees the last ``history_length`` of them.
    model: a neural recommender or a fitted baseline; its mode is put back, random state is not touched.
    k: None gives the whole catalogue. Items of the history are ranked like all others; equal scores go by index.
    Errors: ``ValueError`` for an empty history, lengths that differ, times that run backwards, items that are no whole
    numbers or out of range, ``k`` or ``history_length`` below 1, and scores that are NaN.
    """
    items, times = _whole("items", items), _whole("times", times)
    for name, value in (("k", k), ("history_length", history_length)):
        if value is not None and value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    if items.ndim != 1 or items.shape != times.shape or not len(items):
        raise ValueError(f"expected items and times 'l' with l ≥ 1, got shapes {items.shape} and {times.shape}")
    if (np.diff(times) < 0).any():
        raise ValueError(f"times must not run backwards, got {times.tolist()}")
    if items.min() < 1:
        raise ValueError(f"items must be 1 or more (0 is padding), got {items.min()}")
    neural = isinstance(model, nn.Module)
    device = next(model.parameters()).device if neural else torch.device("cpu")
    if neural and items.max() >= len(model.item_embedding.weight):
        raise ValueError(f"the model knows items 1..{len(model.item_embedding.weight) - 1}, got {items.max()}")
    batch = Batch.of(items[-history_length:], times[-history_length:]).to(device)
    with inference(model):
        scores = model.scores(batch)[0, 1:].double().cpu()
    if scores.isnan().any():
        raise ValueError(f"{int(scores.isnan().sum()):,} of {len(scores):,} scores are NaN: nothing can be recommended")
    best = torch.argsort(scores, descending=True, stable=True)[:k]
    return [(int(index) + 1, float(scores[index])) for index in best]


def _whole(name: str, values: Sequence[int]) -> np.ndarray:
    found = np.asarray(values)
    if found.size and not np.issubdtype(found.dtype, np.integer):
        raise ValueError(f"{name} must be whole numbers, got {found.dtype}")
    return found.astype(np.int64)
