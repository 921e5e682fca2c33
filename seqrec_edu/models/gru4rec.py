from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from seqrec_edu.data.batches import Batch
from seqrec_edu.layers import initialise
from seqrec_edu.models.recommender import Recommender
from seqrec_edu.models.released import Released, adam
from seqrec_edu.taps import tap


@dataclass(frozen=True)
class GRU4RecConfig:
    """Sizes: width d of items and outputs, ``hidden`` numbers of state per layer."""

    n_items: int
    d_model: int = 64
    hidden: int = 128
    n_layers: int = 1
    dropout: float = 0.3


class GRU4Rec(Released, Recommender):
    """A gated recurrent network over a history: the one before attention and state spaces.

    ``h[t] = GRU(h[t-1], dropout(embedding[t]))``, no biases;  output ``W h[t] + b``.
    With ``r, z = σ(W x + U h)`` a GRU is ``h ← z ⊙ h + (1 - z) ⊙ tanh(W' x + r ⊙ U' h)``: what is kept depends on the
    state itself, so unlike a scan it cannot be computed but one event after the other.

    The RecBole wiring of Hidasi et al. 2016 (arXiv 1511.06939) as improved by Tan et al. 2016 (arXiv 1606.08117): items
    embedded, cross-entropy over all of them. The body has 81,984 parameters. RecBole draws items Xavier-normal
    and leaves PyTorch's own start to W, b and the second layer. Presets: "recbole", its defaults, and "tim4rec", the
    baseline that TiM4Rec's authors ran.
    """

    name = "gru4rec"
    causal = True
    released: ClassVar = {
        "recbole": ({"d_model": 64, "hidden": 128, "n_layers": 1, "dropout": 0.3}, adam(50, 300, 2048)),
        "tim4rec": ({"d_model": 64, "hidden": 128, "n_layers": 2, "dropout": 0.4}, adam(200, 300, 2048)),
    }

    def __init__(self, config: GRU4RecConfig):
        super().__init__(config)
        self.embedding_norm = nn.Identity()
        self.gru = nn.GRU(config.d_model, config.hidden, config.n_layers, bias=False, batch_first=True)
        self.out_proj = nn.Linear(config.hidden, config.d_model)
        initialise(self)
        for weight in self.gru.parameters():
            nn.init.xavier_uniform_(weight)

    def forward(self, batch: Batch):
        return self._advance(batch, None)[0]

    def _advance(self, batch, state):
        y, state = self.gru(self.embed(batch.item), state)
        tap("state", y, "b l e")
        return tap("hidden", self.out_proj(y), "b l d"), state
