from dataclasses import dataclass
from typing import Any, ClassVar

from torch import nn

from seqrec_edu.data.batches import Batch
from seqrec_edu.layers import FeedForward, LinearAttention, initialise
from seqrec_edu.models.recommender import Recommender
from seqrec_edu.models.released import Quirks, Released, adam, but_for, draw_pad, positions, whole_rows
from seqrec_edu.taps import tap


@dataclass(frozen=True)
class LinRecConfig(Quirks):
    """Sizes, and how much of the authors' wiring.

    inner           width of the feed-forward; None is 4 d
    mode            "corrected", or "official": both quirks at once

    The quirks are those of the authors' code (2023), off by default:

    pads_as_events  pads give keys and values like events, in rows of history_length places: the mask is taken and not
                    used. Cost: the same history gives another recommendation when more pads follow it, and as no
                    softmax could play them down, many pads drown a short history
    random_pad      see ``models.released``; it shows through pads_as_events
    """

    n_items: int
    d_model: int = 64
    n_layers: int = 2
    heads: int = 8
    inner: int | None = None
    dropout: float = 0.2
    history_length: int = 200
    mode: str = "corrected"
    pads_as_events: bool = False
    random_pad: bool = False

    def __post_init__(self):
        self.check("LinRec", {"random_pad": ("pads_as_events",)})


class LinRec(Released, Recommender):
    """SASRec's wiring around an attention of linear cost, and without its causal mask.

    ``x = LN(dropout(embedding + position))``, then per layer ``x = LN(dropout(attention(x)) + x)``
    (``layers.LinearAttention``) and a feed-forward of inner width ``inner``, by default 4 d.

    Not causal: the authors answer that one target per history makes a mask needless. Corrected against their code: pads
    take no part. The body has as many parameters as SASRec's, 103,296 at d = 64, l = 50; with the preset
    it has 290,816. They rank among 100 items sampled by popularity.
    Liu et al. 2023, SIGIR, arXiv 2411.01537, section 3.
    """

    name = "linrec"
    causal = False
    released: ClassVar = {
        "ml-1m": (
            {
                "mode": "official", "d_model": 128, "n_layers": 2, "heads": 8, "inner": 256, "dropout": 0.2,
                "history_length": 200,
            },
            adam(200, 100, 2048, seed=2000),
        )
    }  # fmt: skip

    def __init__(self, config: LinRecConfig):
        super().__init__(config)
        self.position_embedding = nn.Embedding(config.history_length, config.d_model)
        layers = range(config.n_layers)
        self.attentions = nn.ModuleList(LinearAttention(config.d_model, config.heads) for _ in layers)
        self.norms = nn.ModuleList(nn.LayerNorm(config.d_model, eps=1e-12) for _ in layers)
        self.feed_forwards = nn.ModuleList(
            FeedForward(config.d_model, config.dropout, inner=config.inner) for _ in layers
        )
        initialise(self)
        self.pad_in_softmax = config.has("random_pad")
        if self.pad_in_softmax:
            draw_pad(self.item_embedding)

    def settings(self) -> dict[str, Any]:
        """Without ``inner`` where it is left to d."""
        return but_for(super().settings(), inner=None)

    @property
    def fills_rows(self) -> bool:
        return self.config.has("pads_as_events")

    def forward(self, batch: Batch):
        item, mask = batch.item, batch.mask
        if self.fills_rows:
            item, mask = whole_rows("LinRec", batch, self.config.history_length)[0], None
        position = positions("LinRec", self.position_embedding, item.shape[1])
        x = self.embedding_norm(self.dropout(self.item_embedding(item) + position))
        tap("embedding", x, "b l d")
        for attention, norm, feed_forward in zip(self.attentions, self.norms, self.feed_forwards, strict=True):
            x = norm(self.dropout(attention(x, mask)) + x)
            x = feed_forward(x)
        return tap("hidden", x[:, : batch.item.shape[1]], "b l d")
