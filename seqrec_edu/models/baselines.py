"""Three recommenders that learn nothing but counts, and without which no other number means anything.

`Popularity` ignores the person, `LastItemTransition` knows only the last event, `MostRecent` only the history. A model
that claims to understand a sequence has to beat all three, by more than the width of the intervals.

Each has `fit(split)`, which reads training events only, and `scores(batch)`, a dense "b v" tensor over all items
(v = n_items + 1) with -inf in column 0, the padding. Scores are float64: a count in front and a popularity fraction
behind it need more digits than float32 has (at a count of 100 it cannot tell 1/100,000 apart).
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from seqrec_edu.data.batches import Batch, prefix_targets
from seqrec_edu.data.split import Split


class NotFitted(ValueError):
    """Scores were asked of a baseline that has not counted anything yet."""


class Popularity:
    """How often each item occurs in training: score(i) = count(i), the same list for everyone.

    Ties stay ties; the expected rank deals with them. An item that only occurs in validation or test scores 0.
    """

    name = "popularity"

    def __init__(self) -> None:
        self._count: Tensor | None = None

    @property
    def n_parameters(self) -> int:
        """Numbers kept after `fit`."""
        return self.count.numel()

    @property
    def count(self) -> Float[Tensor, " v"]:
        """Training events of each item, float64; 0 for padding. Raises NotFitted before `fit`."""
        if self._count is None:
            raise NotFitted(f"{type(self).__name__} has not seen any data; call fit(split) first")
        return self._count

    def fit(self, split: Split) -> Popularity:
        """Count the training events of every item. Returns itself. Cost: O(events)."""
        count = np.bincount(split.train_items, minlength=split.histories.n_items + 1)
        self._count = torch.from_numpy(count.astype(np.float64))
        return self

    def scores(self, batch: Batch) -> Float[Tensor, "b v"]:
        """Training count of every item, one row per history. Raises NotFitted, ValueError for unknown items."""
        return _without_padding(self._for(batch, self.count).repeat(len(batch.item), 1))

    def _back_off(self, batch: Batch) -> Float[Tensor, "b v"]:
        """Popularity squeezed into [0, 1): it orders what nothing else has ordered, and never overtakes a 1."""
        return self._for(batch, self.count / (self.count.sum() + 1.0)).repeat(len(batch.item), 1)

    def _for(self, batch: Batch, row: Tensor) -> Tensor:
        # A history with items from another catalogue would index past the end, or worse, inside it.
        if batch.item.numel() and int(batch.item.max()) >= len(row):
            raise ValueError(
                f"expected items 1..{len(row) - 1} of the catalogue this baseline was fitted on, "
                f"got item {int(batch.item.max())}; fit it on the split that the batch comes from"
            )
        return row.to(batch.item.device)


class LastItemTransition(Popularity):
    """First-order Markov chain: what followed the last item in all training histories, the person's own included.

    score(i) = n(last → i) + count(i) / (total + 1)

    The second term is always below 1, so items once seen after the last item come first, by how often, and popularity
    orders the rest as well as equal transition counts. Kept as compressed sparse rows: at most one entry per training
    event, never items × items. Rendle et al. (2010) is the factorised relative (FPMC).
    """

    name = "last-item"

    @property
    def n_parameters(self) -> int:
        """Item counts, transition counts with their item, and the row offsets."""
        return super().n_parameters + 2 * self._next.numel() + self._row.numel()

    def fit(self, split: Split) -> LastItemTransition:
        """Count (previous → next) over neighbouring training events of one user. Cost: O(events · log events)."""
        super().fit(split)
        v = split.histories.n_items + 1
        items = split.histories.items.astype(np.int64)
        second = prefix_targets(split, "train", 1)[2]  # every training event but each user's first
        pair, times_seen = np.unique(items[second - 1] * v + items[second], return_counts=True)
        self._next = torch.from_numpy(pair % v)
        self._seen = torch.from_numpy(times_seen.astype(np.float64))
        self._row = torch.from_numpy(np.concatenate([[0], np.cumsum(np.bincount(pair // v, minlength=v))]))
        return self

    def scores(self, batch: Batch) -> Float[Tensor, "b v"]:
        """Transition counts out of the last item of each history over popularity; empty histories get popularity."""
        scores = self._back_off(batch)
        last = batch.item.gather(1, (batch.length - 1).clamp(min=0).unsqueeze(1)).squeeze(1)
        row, following, seen = (stored.to(last.device) for stored in (self._row, self._next, self._seen))
        begin, many = row[last], row[last + 1] - row[last]
        # The entries of all rows in one flat list: where each row begins, plus a count from 0 within the row.
        history = torch.repeat_interleave(torch.arange(len(last), device=last.device), many)
        within = torch.arange(len(history), device=last.device) - (many.cumsum(0) - many)[history]
        entry = begin[history] + within
        scores[history, following[entry]] += seen[entry]
        return _without_padding(scores)


class MostRecent(Popularity):
    """Repeat what was just consumed: the last item first, the one before it second, and so on back in time.

    score(i) = (last position of i in the history, counted from 1) + count(i) / (total + 1)

    Items outside the history follow by popularity. Strong where people buy or play again, worthless where nobody
    consumes twice (MovieLens), and then a check that a dataset has no repeats.
    """

    name = "most-recent"

    def fit(self, split: Split) -> MostRecent:
        """Count the training events of every item, for the back-off. Returns itself."""
        super().fit(split)
        return self

    def scores(self, batch: Batch) -> Float[Tensor, "b v"]:
        """Recency of each item in the history over popularity. Positions count inside the window of the batch."""
        scores = self._back_off(batch)
        length = batch.item.shape[1]
        position = torch.arange(1, length + 1, device=batch.item.device, dtype=scores.dtype).expand_as(batch.item)
        # Of several occurrences the latest counts. Padding writes into column 0 only.
        recency = torch.zeros_like(scores).scatter_reduce(1, batch.item, position, "amax")
        return _without_padding(scores + recency)


def _without_padding(scores: Tensor) -> Tensor:
    scores[:, 0] = -torch.inf
    return scores
