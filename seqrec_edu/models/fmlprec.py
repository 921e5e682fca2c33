from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from seqrec_edu.data.batches import Batch
from seqrec_edu.layers import FeedForward, SpectralFilter, SpectralFilterConfig, initialise
from seqrec_edu.models.recommender import Recommender
from seqrec_edu.models.released import Quirks, Released, adam, draw_pad, positions, whole_rows
from seqrec_edu.taps import tap

FILTERS = ("circular", "causal")


@dataclass(frozen=True)
class FMLPRecConfig(Quirks):
    """Sizes, the kind of filter, and how much of the authors' wiring.

    filter  "circular", the authors'; "causal", ours: reads no later event
    mode    "corrected", or "official": both quirks at once

    The quirks are those of the authors' code (2022), off by default:

    pads_in_filter  pads are filtered like events, in rows of history_length places. Cost: a short history is mostly
                    pads, and what an event becomes depends on how many there are
    random_pad      see ``models.released``; it shows through pads_in_filter
    """

    n_items: int
    d_model: int = 64
    n_layers: int = 2
    dropout: float = 0.5
    history_length: int = 200
    filter: str = "circular"
    mode: str = "corrected"
    pads_in_filter: bool = False
    random_pad: bool = False

    def __post_init__(self):
        self.check("FMLPRec", {"random_pad": ("pads_in_filter",)}, filter=FILTERS)
        if self.pads_in_filter and self.filter == "causal":
            raise ValueError('FMLPRec: pads_in_filter would change nothing with filter="causal": pads come last')


class FMLPRec(Released, Recommender):
    """A learned filter where others have attention: all mixing over time is one circular convolution per channel.

    ``x = dropout(LN(embedding + position))``, then per layer ``x = LN(dropout(filter(x)) + x)``
    (``layers.SpectralFilter``) and a feed-forward of inner width 4 d.

    The authors pad on the left. A circular filter does not notice on which side the pads are, learned positions do:
    here as there they count back from the newest event, which always has the last one. Not causal; with
    ``filter="causal"`` it is, and positions count from the oldest event, or they would tell how many are to come.
    Corrected against the authors' code: pads are zero for the filter.

    The body has 76,672 parameters at d = 64, l = 50. The authors learn from one sampled negative per target and rank
    among 99; here, as everywhere, all items take part. Zhou et al. 2022, arXiv 2202.13556, section 4.
    """

    name = "fmlprec"
    causal = False
    released: ClassVar = {
        "beauty": (
            {"mode": "official", "d_model": 64, "n_layers": 2, "dropout": 0.5, "history_length": 50},
            {**adam(50, 200, 256, seed=42), "patience": 10},  # theirs stops after so many, as fit does
        )
    }

    def __init__(self, config: FMLPRecConfig):
        super().__init__(config)
        self.causal = config.filter == "causal"
        pads = "kept" if config.has("pads_in_filter") else "zeroed"
        sizes = SpectralFilterConfig(config.d_model, config.history_length, config.dropout, self.causal, pads)
        self.position_embedding = nn.Embedding(config.history_length, config.d_model)
        self.filters = nn.ModuleList(SpectralFilter(sizes) for _ in range(config.n_layers))
        self.feed_forwards = nn.ModuleList(FeedForward(config.d_model, config.dropout) for _ in range(config.n_layers))
        initialise(self)
        if config.has("random_pad"):
            draw_pad(self.item_embedding)

    @property
    def fills_rows(self) -> bool:
        return self.config.has("pads_in_filter")

    def forward(self, batch: Batch):
        item, mask = batch.item, batch.mask
        if self.fills_rows:
            item, mask = whole_rows("FMLPRec", batch, self.config.history_length)
        positions("FMLPRec", self.position_embedding, item.shape[1])
        place = torch.arange(item.shape[1], device=item.device)
        if not self.causal:  # n events end on the last place, and the pads after them go round to the first ones
            place = (place - batch.length[:, None]) % self.config.history_length
        x = self.dropout(self.embedding_norm(self.item_embedding(item) + self.position_embedding(place)))
        tap("embedding", x, "b l d")
        for filtered, feed_forward in zip(self.filters, self.feed_forwards, strict=True):
            x = feed_forward(filtered(x, mask))
        return tap("hidden", x[:, : batch.item.shape[1]], "b l d")
