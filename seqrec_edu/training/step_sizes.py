"""How long the steps of state-space layers are while a model learns."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from seqrec_edu import taps
from seqrec_edu.data.batches import Batch, EventStore, prefix_targets
from seqrec_edu.data.split import Split
from seqrec_edu.training.evaluate import inference
from seqrec_edu.training.log import HIGH, LOW

KEY = "dt "  # before the path of a layer
QUANTILES = {LOW: 0.05, " q25": 0.25, "": 0.5, " q75": 0.75, HIGH: 0.95}  # behind it
_USERS, _EVENTS = 8, 50  # enough to see a distribution, too few to be felt beside a validation


class StepSizes:
    """Quantiles of Δ per layer over a few histories, the same ones at every call.

    ``measure(model)`` gives ``{"dt ssds.0": median, "dt ssds.0 low": 5 %, " q25", " q75", " high": 95 %, …}`` over all
    real events and heads (Mamba-1: channels); Δ is what passes the tap "dt", after softplus, without unit. A layer that
    runs twice is there twice, as "layers.0.ssd" and "layers.0.ssd@2". Empty for models without step sizes.
    Cost: a forward pass over at most 8 × 50 events; no random number is drawn and no gradient kept.
    Why look: Δ is what a layer forgets by, and initial values between 0.001 and 0.1 are easily lost (Gu & Dao 2023,
    section 3.6).
    """

    def __init__(self, split: Split, store: EventStore, history_length: int):
        start, stop, _ = prefix_targets(split, "valid", min(history_length, _EVENTS))
        some = np.unique(np.linspace(0, len(stop) - 1, _USERS).astype(int)) if len(stop) else np.empty(0, int)
        self.batch: Batch | None = store.gather(start[some], stop[some]) if len(some) else None

    def measure(self, model: torch.nn.Module) -> dict[str, float]:
        """The quantiles now, in plain numbers."""
        if self.batch is None:
            return {}
        with inference(model), taps.recording(model, only=["dt"]) as recorder:
            model(self.batch)
        if not recorder.taps:
            self.batch = None  # it has no step sizes and will not grow any
        found = {}
        for name, one in recorder.taps.items():
            values = _at_events(one.tensor, self.batch.mask.cpu())
            if len(values):
                quantiles = torch.quantile(values, torch.tensor(list(QUANTILES.values())))
                found |= {KEY + _layer(name) + end: float(q) for end, q in zip(QUANTILES, quantiles, strict=True)}
        return found


def _at_events(dt: Tensor, mask: Tensor) -> Tensor:
    """The finite values at real events, flat; a tensor with other axes is taken whole."""
    values = (dt[mask] if dt.shape[:2] == mask.shape else dt).flatten().float()
    return values[torch.isfinite(values)]


def _layer(name: str) -> str:
    """The path of the layer: "ssds.0.dt" → "ssds.0", "layers.0.ssd.dt@2" → "layers.0.ssd@2"."""
    path, _, call = name.partition("@")
    return (path.rpartition(".")[0] or "model") + (f"@{call}" if call else "")
