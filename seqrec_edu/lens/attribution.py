"""What each event of a history does to a recommendation: leave it out, or move it, and run the model again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from seqrec_edu.data.batches import Batch
from seqrec_edu.lens.reading import WINDOW, places_of
from seqrec_edu.lens.spectrum import DAY
from seqrec_edu.lens.table import as_html, as_text
from seqrec_edu.training.evaluate import inference
from seqrec_edu.training.metrics import expected_rank

ROOM, ROWS = 2**24, 64  # scores and histories held at one time, 64 MiB of scores
HEAD = ("event", "item", "score", "rank")
KINDS = ("score", "rank", "log_probability")


@dataclass(frozen=True)
class Outcome:
    """What a recommender says of each target, for one history or one per event.

    Attributes:
        score: "k", or "l k".
        rank: expected rank among all items, 1 = best; items of the history rank like others.
        log_probability: of a softmax over all items; None for a baseline, whose scores are counts.
    """

    score: np.ndarray
    rank: np.ndarray
    log_probability: np.ndarray | None


@dataclass(frozen=True, repr=False)
class Attribution:
    """A history, the items asked about, and what becomes of them without each event.

    Attributes:
        items, times: "l", the events the model reads.
        targets: "k" items asked about.
        whole: `Outcome` "k" of the history as it is.
        without: `Outcome` "l k", row i without event i.
        moved: the same with event i moved by ``days``; None where not asked.
        days: how far; negative is earlier.
    """

    items: np.ndarray
    times: np.ndarray
    targets: np.ndarray
    whole: Outcome
    without: Outcome
    moved: Outcome | None = None
    days: float | None = None

    def effect(self, of: str = "score", *, moved: bool = False) -> np.ndarray:
        """``whole - without``, "l k": how much each event adds to the score, log_probability or rank of each target.

        A positive score says that the event speaks for the target; a rank that it makes worse (larger) is positive too.
        ``moved=True``: ``moved - whole`` instead, what the move changes.
        """
        if of not in KINDS:
            raise ValueError(f"effect of what? one of {', '.join(KINDS)}, got {of!r}")
        if moved and self.moved is None:
            raise ValueError("nothing was moved: give attribution(…, days=)")
        whole, other = (getattr(outcome, of) for outcome in (self.whole, self.moved if moved else self.without))
        if whole is None:
            raise ValueError("a baseline has scores and ranks, no probabilities")
        return other - whole if moved else whole - other

    def table(self, target: int = 0, label: Callable[[int], str] = str) -> str:
        """One line per event, oldest first: how the score and rank of a target (0 is the first) change without it."""
        return as_text(*self._table(target, label))

    def __repr__(self) -> str:
        return self.table()

    def _repr_html_(self) -> str:
        return as_html(*self._table(0, str))

    def _table(self, target: int, label: Callable[[int], str]):
        whole, without = self.whole, self.without
        title = (
            f"Item {label(int(self.targets[target]))}: score {whole.score[target]:.4g}, rank {whole.rank[target]:g}. "
            "Without one event:"
        )
        rows = []
        for i, item in enumerate(self.items):
            change = without.score[i, target] - whole.score[target]
            rank = f"{whole.rank[target]:g} → {without.rank[i, target]:g}"
            rows.append((str(i + 1), label(int(item)), f"{change:+.4g}", rank))
        return title, HEAD, rows


def attribution(
    model: Any,
    items: Sequence[int],
    times: Sequence[int],
    *,
    target: int | Sequence[int] | None = None,
    k: int = 10,
    days: float | None = None,
    history_length: int | None = None,
) -> Attribution:
    """What leaving out, or moving, each event does to the score and rank of recommended items: exact, by re-running.

    ``effect[i, j] = score(target j | history) - score(target j | history without event i)``. No gradient and no
    approximation: each row is the recommendation of an edited history. Effects of single events need not add up; two
    events that say the same each seem to say nothing.

    model: any recommender with ``scores(batch)`` or a tied ``item_embedding``, a fitted baseline too.
    items, times: "l", item indices and Unix seconds, oldest first. The model reads the last ``history_length`` (its own
        setting, else 200), and only these are edited: without one of them an older event comes into a full window.
    target: item or items to ask about; otherwise the ``k`` that score highest.
    days: also move each event by so many days; events are then put in order again. A model that reads no times
        notices the order alone.
    Cost: l forward passes of one history, with ``days`` twice that, in batches of equal length, so without a pad.
    Errors: ``ValueError`` for fewer than two events, times that run backwards, items or targets out of range.
    """
    items, times = _history(items, times)
    length = _own_length(model) if history_length is None else history_length
    if length < 1:
        raise ValueError(f"history_length must be at least 1, got {length}")
    first = max(0, len(items) - length)
    keep = np.arange(len(items))
    removed = np.stack([np.delete(keep, i)[-length:] for i in range(first, len(items))])
    run = _Runner(model, items)
    with inference(model):
        targets = run.targets(_rows(items, times, keep[None, -length:]), target, k)
        whole = run.outcome(*_rows(items, times, keep[None, -length:]), targets)
        without = run.outcome(*_rows(items, times, removed), targets)
        moved = None
        if days is not None:
            moved = run.outcome(*_moved(items, times, first, round(days * DAY), length), targets)
    whole = Outcome(*(None if part is None else part[0] for part in (whole.score, whole.rank, whole.log_probability)))
    return Attribution(items[first:], times[first:], targets, whole, without, moved, days)


class _Runner:
    """A model, and how its scores are asked for without holding too many of them."""

    def __init__(self, model: Any, items: np.ndarray):
        self.model, self.neural = model, isinstance(model, nn.Module)
        if not (hasattr(model, "scores") or hasattr(model, "item_embedding")):
            raise ValueError(
                f"attribution needs a model with scores(batch) or item_embedding, got {type(model).__name__}"
            )
        parameter = next(model.parameters(), None) if self.neural else None
        self.device = torch.device("cpu") if parameter is None else parameter.device
        if hasattr(model, "item_embedding") and items.max() >= len(model.item_embedding.weight):
            raise ValueError(f"the model knows items 1..{len(model.item_embedding.weight) - 1}, got {items.max()}")

    def targets(self, rows: tuple[np.ndarray, np.ndarray], target: int | Sequence[int] | None, k: int) -> np.ndarray:
        """The items asked about, or the best k of the whole history."""
        scores = self._scores(*rows)[0]
        if target is None:
            if k < 1:
                raise ValueError(f"k must be at least 1, got {k}")
            return torch.argsort(scores[1:], descending=True, stable=True)[:k].cpu().numpy() + 1
        targets = np.atleast_1d(np.asarray(target, dtype=np.int64))
        if targets.ndim != 1 or not len(targets) or targets.min() < 1 or targets.max() >= len(scores):
            raise ValueError(f"target must be items 1..{len(scores) - 1}, got {target}")
        return targets

    def outcome(self, item: np.ndarray, time: np.ndarray, targets: np.ndarray) -> Outcome:
        """Of every row: "l k"."""
        parts, at_once, start = [], 1, 0  # the first row shows how many items there are
        asked = torch.from_numpy(targets)
        while start < len(item):
            scores = self._scores(item[start : start + at_once], time[start : start + at_once]).cpu()
            start, at_once = start + at_once, max(1, min(ROWS, ROOM // scores.shape[1]))
            wanted = scores[:, asked].double()
            rank = torch.stack([expected_rank(scores, one.expand(len(scores))) for one in asked], dim=1)
            total = scores[:, 1:].double().logsumexp(-1, keepdim=True)
            parts.append((wanted, rank, wanted - total))
        score, rank, log_probability = (torch.cat(each).numpy() for each in zip(*parts, strict=True))
        return Outcome(score, rank, log_probability if self.neural else None)

    def _scores(self, item: np.ndarray, time: np.ndarray) -> Tensor:
        length = torch.full((len(item),), item.shape[1])
        batch = Batch(torch.from_numpy(item), torch.from_numpy(time), length).to(self.device)
        if hasattr(self.model, "scores"):
            return self.model.scores(batch)
        scores = self.model(batch)[:, -1] @ self.model.item_embedding.weight.T
        scores[:, 0] = -torch.inf
        return scores


def _rows(items: np.ndarray, times: np.ndarray, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return items[index], times[index]


def _moved(items: np.ndarray, times: np.ndarray, first: int, seconds: int, length: int):
    """Every event from ``first`` on moved by itself, put in order again, and cut to what the model reads."""
    later = np.repeat(times[None], len(items) - first, axis=0)
    later[np.arange(len(later)), np.arange(first, len(items))] += seconds
    order = np.argsort(later, axis=1, kind="stable")[:, -length:]
    return items[order], np.take_along_axis(later, order, axis=1)


def _history(items: Sequence[int], times: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    items, times = np.asarray(items, dtype=np.int64), np.asarray(times, dtype=np.int64)
    if items.ndim != 1 or items.shape != times.shape or len(items) < 2:
        raise ValueError(
            f"attribution needs items and times 'l' with at least two events, one to leave out and one to stay, got "
            f"shapes {items.shape} and {times.shape}"
        )
    if (np.diff(times) < 0).any():
        raise ValueError(f"times must not run backwards, got {times.tolist()}")
    if items.min() < 1:
        raise ValueError(f"items must be 1 or more (0 is padding), got {items.min()}")
    return items, times


def _own_length(model: Any) -> int:
    return places_of(model) or WINDOW
