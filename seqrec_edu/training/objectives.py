"""What a model is asked to predict while it learns.

All objectives predict items by full softmax. They differ in how often one pass over a history is used:

* every position: each event of a window predicts the one after it, so a history of l events yields l - 1 targets. Only
  for causal models: one that reads later events would find the answer in its input and learn to copy it.
* prefix: the history up to an event predicts that event, one target per pass. Right for every model, l times the work.
* shared prefix: the same targets from the same histories, but all prefixes that begin at the same event in one pass.
  Only for causal models, whose output at an event is that of the prefix that ends there. Prefixes that were cut to the
  history length begin at different events and share nothing: the gain is large for short histories alone.
* cloze: some events of a window are blanked out, and the model fills them in from what stands before and after. For
  models with a mask token, which need not be causal: the answers are taken out of the input.
"""

from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from seqrec_edu import ops
from seqrec_edu.data.batches import Batch, EventStore, prefix_targets, windows
from seqrec_edu.data.split import Split
from seqrec_edu.models.recommender import Recommender
from seqrec_edu.training.settings import FitSettings

SEVERAL = ("every-position", "shared-prefix")  # ask at several positions of one pass


class NotCausal(ValueError):
    """Every-position training was asked of a model that reads later events."""


def check_objective(model: Recommender, objective: str) -> None:
    """Refuse training that asks at several positions for a model that is not causal, cloze for one without a mask
    token; say why."""
    cloze = getattr(model, "cloze", False)
    wired = " as it is wired here (it is by default)" if type(model).causal and not model.causal else ""
    if objective in SEVERAL and not model.causal:
        raise NotCausal(
            f"{model.name} is not causal{wired}: the output at an event also reads the events after it. Trained at "
            "every position it would find each target in its own input and learn to copy it, score near-perfectly in "
            "training and fail when the next item is truly absent. "
            'Use objective="prefix": one target per history, never part of the input'
            + ('; or "cloze": events are blanked out before they are asked for.' if cloze else ".")
        )
    if objective == "cloze" and not cloze:
        raise ValueError(
            f"{model.name} has no mask token: cloze training blanks events out and asks for them where they stood, and "
            "this model has nothing to put there. "
            + ('Use objective="every-position" or "prefix".' if model.causal else 'Use objective="prefix".')
        )


class Samples:
    """The training samples of a split as windows of event indices, drawn anew every epoch."""

    def __init__(self, split: Split, settings: FitSettings):
        self.split, self.settings = split, settings
        if settings.objective in ("prefix", "shared-prefix"):
            self._prefixes = prefix_targets(split, "train", settings.history_length)[:2]
        if settings.objective == "shared-prefix":
            self._prefixes = _shared(*self._prefixes)
        if len(self.epoch(0)[0]) == 0:
            raise ValueError(f"the split leaves no training events to predict: {split.summary()}")

    def epoch(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """``start, stop`` of every sample; for windows the cuts through long histories move from epoch to epoch."""
        if self.settings.objective in ("prefix", "shared-prefix"):
            return self._prefixes
        # A seed of its own, apart from the one that shuffles.
        seed = int(np.random.SeedSequence([self.settings.seed, epoch, 1]).generate_state(1)[0])
        return windows(self.split, self.settings.history_length, seed)

    def gather(self, store: EventStore, start: np.ndarray, stop: np.ndarray) -> Batch:
        """The batch of some samples with its targets: "b l" for every position and shared prefixes, "b" for prefixes,
        none for cloze, where every event may be asked for."""
        if self.settings.objective == "prefix":
            return store.gather(start, stop, target=stop)
        if self.settings.objective == "cloze":
            return store.gather(start, stop)
        batch = store.gather(start, stop, target="next")
        if self.settings.objective == "every-position":
            return batch
        place = torch.arange(batch.item.shape[1], device=store.device)
        last = place == batch.length[:, None] - 1
        alone = torch.from_numpy(self._alone(start)).to(store.device)[:, None]
        return replace(batch, target=torch.where(alone & ~last, 0, batch.target))

    def targets(self, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
        """How many targets each sample holds, known without looking at it. Under cloze a window weighs as many as it
        holds at every position, however few are drawn."""
        if self.settings.objective == "prefix":
            return np.ones_like(start)
        if self.settings.objective == "shared-prefix":
            return np.where(self._alone(start), 1, stop - start - 1)
        return stop - start - 1

    def _alone(self, start: np.ndarray) -> np.ndarray:
        """Which windows hold one prefix: those that do not begin where their user does, so that they were cut."""
        offsets = self.split.histories.offsets
        return start != offsets[np.searchsorted(offsets, start, side="right") - 1]


def _shared(start: np.ndarray, stop: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Prefixes ``start:stop``, by user, then time, as one window for all that begin alike, target included."""
    last = np.append(start[1:] != start[:-1], True)
    return start[last], stop[last] + 1


class NextItemLoss(nn.Module):
    """Sum over targets of the cross-entropy of the next item over the whole catalogue. Wraps the model for DDP."""

    def __init__(self, model: Recommender):
        super().__init__()
        self.model = model

    def forward(self, batch: Batch) -> Float[Tensor, ""]:
        hidden = self.model(batch)
        if batch.target.dim() == 1:
            rows = torch.arange(len(batch), device=hidden.device)
            hidden, target = hidden[rows, batch.length - 1], batch.target
        else:
            mask = batch.target != 0
            hidden, target = hidden[mask], batch.target[mask]
        items = self.model.item_embedding.weight
        padding = None if getattr(self.model, "pad_in_softmax", False) else 0
        return ops.linear_cross_entropy(hidden.to(items.dtype), items, target, reduction="sum", ignore_index=padding)


class ClozeLoss(nn.Module):
    """Sum over windows of ``(events - 1) · mean cross-entropy of the blanked events``. Wraps the model for DDP.

    Which events are blanked is drawn anew in every pass, from torch's own stream. What a window weighs is the same
    whatever the draw: a step knows the weight of its batch beforehand, in all processes, and windows in which only the
    last event is asked for have half the say if they are half of all.

    The model needs ``cloze = True``, ``config.mask_ratio`` and ``config.final_item_ratio``, room for one event more
    than the history length, and ``fill(batch) -> hidden "b l d"``, which reads item 0 inside a history as a blank.
    Sun et al. 2019, arXiv 1904.06690, section 3.6.
    """

    def __init__(self, model: Recommender):
        super().__init__()
        self.model = model

    def forward(self, batch: Batch) -> Float[Tensor, ""]:
        config, items = self.model.config, self.model.item_embedding.weight
        blank = draw_blanks(batch.mask, config.mask_ratio, config.final_item_ratio)
        hidden = self.model.fill(replace(batch, item=batch.item.masked_fill(blank, 0)))[blank]
        losses = ops.linear_cross_entropy(hidden.to(items.dtype), items, batch.item[blank], reduction="none")
        weight = (batch.length - 1).to(losses.dtype) / blank.sum(1)
        return (losses * weight[blank.nonzero()[:, 0]]).sum()


def draw_blanks(mask: Bool[Tensor, "b l"], ratio: float, final_ratio: float) -> Bool[Tensor, "b l"]:
    """Which events to blank: each with probability ``ratio``; or, in a share ``final_ratio`` of the histories and where
    the first draw hit none, the last one alone."""
    final = mask & ~F.pad(mask, (0, 1))[:, 1:]
    draws = torch.rand(len(mask), mask.shape[1] + 1, device=mask.device)
    blank = mask & (draws[:, :-1] < ratio)
    only_final = (draws[:, -1:] < final_ratio) | ~blank.any(1, keepdim=True)
    return torch.where(only_final, final, blank)


def loss_of(model: Recommender, objective: str) -> NextItemLoss | ClozeLoss:
    """The loss that trains a model for an objective."""
    return ClozeLoss(model) if objective == "cloze" else NextItemLoss(model)
