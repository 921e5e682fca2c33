from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import nn

from seqrec_edu import ops
from seqrec_edu.data.batches import Batch
from seqrec_edu.layers import Dropout, FeedForward, SSDConfig, SSDLayer, initialise
from seqrec_edu.models.recommender import Recommender
from seqrec_edu.models.released import Released, adam
from seqrec_edu.taps import tap


@dataclass(frozen=True)
class SSD4RecConfig:
    """Sizes, and what the backward reading does.

    beta            weight of the backward reading; with 0 there is none, and the model is causal
    aligned         turn the backward reading round again, so that the last event has read itself only: an ablation,
                    ours, and expected to cost what the backward reading brought
    masked          share of events that are hidden from the model in training
    norm_embedding  whether items pass dropout and a norm on their way in
    """

    n_items: int
    d_model: int = 64
    n_layers: int = 2
    d_state: int = 64
    head_dim: int = 16
    conv_width: int = 4
    expand: int = 2
    chunk_size: int = 64
    dropout: float = 0.2
    beta: float = 0.1
    aligned: bool = False
    masked: float = 0.1
    norm_embedding: bool = True

    def __post_init__(self):
        if not 0 <= self.masked < 1:
            raise ValueError(f"SSD4Rec: masked must be at least 0 and below 1, got {self.masked}")
        if self.aligned and not self.beta:
            raise ValueError("SSD4Rec: aligned would change nothing with beta=0")


def _as_released(length: int, dropout: float, norm: bool, masked: float, layers: int) -> tuple[dict[str, Any], dict]:
    model = {
        "d_model": 256, "n_layers": layers, "d_state": 64, "head_dim": 16, "conv_width": 4, "expand": 2,
        "dropout": dropout, "beta": 0.1, "masked": masked, "norm_embedding": norm,
    }  # fmt: skip
    return model, adam(length, 300, 1024, seed=2024)


class SSD4Rec(Released, Recommender):
    """State space duality in both directions, with one set of weights.

    ``x = LN(dropout(embedding))``, then per layer ``x = dropout(LN(ssd(x) + β ssd(flip(x)) + x))`` and a feed-forward
    of inner width 4 d that drops its hidden width and, after the norm, its result. ``flip`` turns round the real events
    of each history, and its reading is not turned back: position t gets what was read from the last event down to the
    t-th newest, so at the last position, where a recommendation is made, it has read everything, newest first. In
    training a share of the events is replaced by one learned vector.

    Not causal, unless ``beta=0``. The authors lay histories end to end in one row and restart the state at each; padded
    rows that are turned round by their own lengths give the same. They do not cut histories to l, so a preset's
    ``history_length`` is what their config names and their loader ignores: raise it to do as they did. Their mask is
    row 0 of the embedding, here it is a parameter of its own. RecBole, in which they train, keeps that row in the
    softmax; ours does not. Without the backward reading this is not TiM4Rec without time: gate, norm and projections
    differ.

    The body has 1,929,920 parameters at d = 256, n = 64 with two layers. SSD4Rec, arXiv 2409.01192, TOIS 2025.
    """

    name = "ssd4rec"
    causal = False
    released: ClassVar = {
        "ml-1m": _as_released(200, 0.2, True, 0.1, 2), "beauty": _as_released(50, 0.4, False, 0.2, 1),
        "video-games": _as_released(50, 0.4, False, 0.1, 1), "kuairand": _as_released(50, 0.2, True, 0.2, 2),
    }  # fmt: skip

    def __init__(self, config: SSD4RecConfig):
        super().__init__(config)
        self.causal = config.beta == 0
        if not config.norm_embedding:
            self.embedding_norm = nn.Identity()
        if config.masked:
            self.mask_token = nn.Parameter(0.02 * torch.randn(config.d_model))
        self.layers = nn.ModuleList(_Layer(config) for _ in range(config.n_layers))
        initialise(self)

    def forward(self, batch: Batch):
        return self._through(batch, None)[0]

    def _advance(self, batch, state):
        return self._through(batch, state) if self.causal else super()._advance(batch, state)

    def _through(self, batch, state):
        x = self.item_embedding(batch.item)
        if self.training and self.config.masked:
            hidden = torch.rand(batch.item.shape, device=x.device) < self.config.masked
            x = torch.where(hidden[:, :, None], self.mask_token, x)
        x = self.embedding_norm(self.dropout(x)) if self.config.norm_embedding else x
        tap("embedding", x, "b l d")
        carried = []
        for i, layer in enumerate(self.layers):
            x, after = layer(x, batch.length, state and state[i])
            carried.append(after)
        return tap("hidden", x, "b l d"), carried


class _Layer(nn.Module):
    def __init__(self, c: SSD4RecConfig):
        super().__init__()
        self.beta, self.aligned = c.beta, c.aligned
        self.ssd = SSDLayer(SSDConfig(c.d_model, c.d_state, c.head_dim, c.conv_width, c.expand, c.chunk_size))
        self.norm = nn.LayerNorm(c.d_model, eps=1e-12)
        self.dropout = Dropout(c.dropout)
        self.feed_forward = FeedForward(c.d_model, c.dropout, drop_at=("hidden", "result"))

    def forward(self, x, length, state):
        y, state = self.ssd(x, state)
        if self.beta:
            newest_first, _ = self.ssd(ops.flip_history(x, length))
            newest_first = ops.flip_history(newest_first, length) if self.aligned else newest_first
            tap("mask", lambda: torch.arange(x.shape[1], device=x.device) < length[:, None], "b l")
            y = y + self.beta * newest_first
        return self.feed_forward(self.dropout(self.norm(y + x))), state
