from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from seqrec_edu.data.batches import Batch
from seqrec_edu.data.split import Split
from seqrec_edu.layers import FeedForward, LogGap, SSDConfig, SSDLayer, TimeStepMap, initialise
from seqrec_edu.models.recommender import Recommender

TIME = ("step", "decay", "off")


@dataclass(frozen=True)
class TiM4RecConfig:
    n_items: int
    d_model: int = 64
    n_layers: int = 2
    d_state: int = 32
    head_dim: int = 32
    conv_width: int = 4
    expand: int = 2
    chunk_size: int = 64
    dropout: float = 0.2
    time: str = "step"

    def __post_init__(self):
        if self.time not in TIME:
            raise ValueError(f"TiM4Rec: time must be one of {', '.join(TIME)}, got {self.time!r}")


class TiM4Rec(Recommender):
    """State space duality whose steps follow the real time between events (corrected mode).

    ``x = LN(dropout(embedding))``, then per layer ``x = LN(dropout(ssd(x, τ)) + x)`` and a Hardswish feed-forward, with
    ``τ`` one factor per event and head from the gap before the event (``layers.TimeStepMap``). ``time`` says where τ
    acts:

    * ``"step"``: ``softplus(dt · τ + b)``, on what is kept and what is written: where the authors' code has it;
    * ``"decay"``: ``exp(τ dt A)`` with τ ≥ 0, on what is kept only: the formula of the paper, a longer wait never
      remembers more;
    * ``"off"``: no time, the SSD backbone.

    Corrected against the released code: gaps in int64 seconds on a log scale, standardised over the training events
    and zero at pads, instead of float32 seconds normalised over the padded row; and a causal per-event map instead of
    two l × l matrices. Fan et al. 2024 (arXiv 2409.16182).
    """

    name = "tim4rec"
    causal = True

    def __init__(self, config: TiM4RecConfig):
        super().__init__(config)
        ssd = SSDConfig(
            config.d_model,
            config.d_state,
            config.head_dim,
            config.conv_width,
            config.expand,
            config.chunk_size,
            bias=True,
        )
        self.ssds = nn.ModuleList(SSDLayer(ssd) for _ in range(config.n_layers))
        self.norms = nn.ModuleList(nn.LayerNorm(config.d_model, eps=1e-12) for _ in range(config.n_layers))
        self.feed_forwards = nn.ModuleList(
            FeedForward(config.d_model, config.dropout, nn.Hardswish) for _ in range(config.n_layers)
        )
        if config.time != "off":
            self.gap = LogGap()
            self.time_maps = nn.ModuleList(
                TimeStepMap(ssd.heads, positive=config.time == "decay") for _ in range(config.n_layers)
            )
        initialise(self)

    def prepare(self, split: Split) -> None:
        """Take the scale of the gaps from the training events."""
        if self.config.time == "off":
            return
        offsets, times = split.histories.offsets, np.asarray(split.histories.times)
        event = np.arange(1, len(times))
        user = split.users_of(event)
        has_gap = (event > offsets[user]) & (event < split.train_end[user])  # a user's first event has none
        self.gap.measure(torch.from_numpy(np.diff(times)[has_gap]))

    def forward(self, batch: Batch):
        return self._advance(batch, None)[0]

    def _advance(self, batch, state):
        x = self.embed(batch.item)
        last_time, states = (None, None) if state is None else state
        gap = None if self.config.time == "off" else self.gap(batch.time, batch.mask, last_time)
        carried = []
        for i in range(self.config.n_layers):
            from_ssd, from_time = (None, None) if states is None else states[i]
            tau = None
            if gap is not None:
                tau, from_time = self.time_maps[i](gap, from_time)
            y, from_ssd = self.ssds[i](x, from_ssd, time_factor=tau, placement=self.config.time)
            x = self.norms[i](self.dropout(y) + x) if self.config.n_layers > 1 else self.norms[i](self.dropout(y))
            x = self.feed_forwards[i](x)
            carried.append((from_ssd, from_time))
        return x, (batch.time[:, -1], carried)
