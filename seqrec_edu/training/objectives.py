"""What a model is asked to predict while it learns.

Both objectives are next-item prediction by full softmax. They differ in how often one pass over a history is used:

* every position: each event of a window predicts the one after it, so a history of l events yields l - 1 targets. Only
  for causal models: one that reads later events would find the answer in its input and learn to copy it.
* prefix: the history up to an event predicts that event, one target per pass. Right for every model, l times the work.
"""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from seqrec_edu import ops
from seqrec_edu.data.batches import Batch, EventStore, prefix_targets, windows
from seqrec_edu.data.split import Split
from seqrec_edu.models.recommender import Recommender
from seqrec_edu.training.settings import FitSettings


class NotCausal(ValueError):
    """Every-position training was asked of a model that reads later events."""


def check_objective(model: Recommender, objective: str) -> None:
    """Refuse every-position training for a model that is not causal, and say why."""
    if objective == "every-position" and not model.causal:
        raise NotCausal(
            f"{model.name} is not causal: the output at an event also reads the events after it. Trained at every "
            "position it would find each target in its own input and learn to copy it, score near-perfectly in "
            "training and fail when the next item is truly absent. "
            'Use objective="prefix": one target per history, never part of the input.'
        )


class Samples:
    """The training samples of a split as windows of event indices, drawn anew every epoch."""

    def __init__(self, split: Split, settings: FitSettings):
        self.split, self.settings = split, settings
        if settings.objective == "prefix":
            self._prefixes = prefix_targets(split, "train", settings.history_length)
        if len(self.epoch(0)[0]) == 0:
            raise ValueError(f"the split leaves no training events to predict: {split.summary()}")

    def epoch(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """``start, stop`` of every sample; for windows the cuts through long histories move from epoch to epoch."""
        if self.settings.objective == "prefix":
            start, stop, _ = self._prefixes
            return start, stop
        # A seed of its own, apart from the one that shuffles.
        seed = int(np.random.SeedSequence([self.settings.seed, epoch, 1]).generate_state(1)[0])
        return windows(self.split, self.settings.history_length, seed)

    def gather(self, store: EventStore, start: np.ndarray, stop: np.ndarray) -> Batch:
        """The batch of some samples with its targets: "b l" for every position, "b" for prefixes."""
        if self.settings.objective == "prefix":
            return store.gather(start, stop, target=stop)
        return store.gather(start, stop, target="next")

    def targets(self, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
        """How many targets each sample holds, known without looking at it."""
        return np.ones_like(start) if self.settings.objective == "prefix" else stop - start - 1


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
        return ops.linear_cross_entropy(hidden.to(items.dtype), items, target, reduction="sum")
