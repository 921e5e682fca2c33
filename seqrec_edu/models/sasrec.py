from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import nn

from seqrec_edu.data.batches import Batch
from seqrec_edu.layers import FeedForward, SelfAttention, initialise
from seqrec_edu.models.recommender import Recommender
from seqrec_edu.models.released import Released, adam
from seqrec_edu.taps import tap


@dataclass(frozen=True)
class SASRecConfig:
    n_items: int
    d_model: int = 64
    n_layers: int = 2
    heads: int = 2
    dropout: float = 0.2
    history_length: int = 200


def _as_released(heads: int, dropout: float, length: int) -> tuple[dict[str, Any], dict[str, Any]]:
    model = {"d_model": 64, "n_layers": 2, "heads": heads, "dropout": dropout, "history_length": length}
    return model, adam(length, 300, 2048)


class SASRec(Released, Recommender):
    """Causal self-attention over a history, with learned positions.

    ``x = LN(dropout(embedding + position))``, then per layer ``x = LN(dropout(attention(x)) + x)`` and a feed-forward
    of inner width 4 d. Norm after the residual, cross-entropy over all items: the RecBole wiring of Kang and McAuley
    2018 (arXiv 1808.09781), whose body has 103,296 parameters at d = 64, l = 50. Dropout acts elsewhere in RecBole:
    after the norm of the embedding, on the weights of the attention, and not inside the feed-forward. Presets:
    "recbole", its defaults, and "tim4rec", the baseline of TiM4Rec's authors on ML-1M. The code of the paper and its
    ports are wired otherwise and learn from one sampled negative, so their settings are no presets here.
    """

    name = "sasrec"
    causal = True
    released: ClassVar = {"recbole": _as_released(2, 0.5, 50), "tim4rec": _as_released(8, 0.2, 200)}

    def __init__(self, config: SASRecConfig):
        super().__init__(config)
        self.position_embedding = nn.Embedding(config.history_length, config.d_model)
        self.attentions = nn.ModuleList(
            SelfAttention(config.d_model, config.heads, causal=True) for _ in range(config.n_layers)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(config.d_model, eps=1e-12) for _ in range(config.n_layers))
        self.feed_forwards = nn.ModuleList(FeedForward(config.d_model, config.dropout) for _ in range(config.n_layers))
        initialise(self)

    def forward(self, batch: Batch):
        length = batch.item.shape[1]
        if length > self.config.history_length:
            raise ValueError(
                f"SASRec has positions for {self.config.history_length} events, the batch holds {length}: "
                "gather shorter histories or build it with a larger history_length"
            )
        position = self.position_embedding(torch.arange(length, device=batch.item.device))
        x = self.embedding_norm(self.dropout(self.item_embedding(batch.item) + position))
        tap("embedding", x, "b l d")
        for attention, norm, feed_forward in zip(self.attentions, self.norms, self.feed_forwards, strict=True):
            # Right padding under a causal mask: no real event reads a pad, so no padding mask is needed.
            x = norm(self.dropout(attention(x)) + x)
            x = feed_forward(x)
        return tap("hidden", x, "b l d")
