from dataclasses import dataclass
from typing import Any

from torch import nn

from seqrec_edu.data.batches import Batch
from seqrec_edu.layers import FeedForward, MambaConfig, MambaLayer, initialise
from seqrec_edu.models.recommender import Recommender
from seqrec_edu.models.released import Quirks, overwrite_steps
from seqrec_edu.taps import tap


@dataclass(frozen=True)
class Mamba4RecConfig(Quirks):
    """Sizes, and how much of the authors' wiring.

    mode               "corrected", or "official": the quirk below
    overwritten_steps  see ``models.released``: the one quirk of the authors' code, off by default
    """

    n_items: int
    d_model: int = 64
    n_layers: int = 1
    d_state: int = 32
    conv_width: int = 4
    expand: int = 2
    dropout: float = 0.2
    mode: str = "corrected"
    overwritten_steps: bool = False

    def __post_init__(self):
        self.check("Mamba4Rec", {})


class Mamba4Rec(Recommender):
    """Selective state spaces over a history, no positions: the recurrence knows the order.

    ``x = LN(dropout(embedding))``, then per layer ``x = LN(dropout(mamba(x)) + x)`` and a feed-forward of inner width
    4 d. With a single layer the residual around Mamba is left out, as in the authors' code. Liu et al. 2024 (arXiv
    2403.03900); the body has 72,256 parameters with one layer, 144,384 with two. Step sizes keep Mamba's own
    initialisation, which the authors' code overwrites (``mode="official"``).
    """

    name = "mamba4rec"
    causal = True

    def __init__(self, config: Mamba4RecConfig):
        super().__init__(config)
        mamba = MambaConfig(config.d_model, config.d_state, config.conv_width, config.expand)
        self.mambas = nn.ModuleList(MambaLayer(mamba) for _ in range(config.n_layers))
        self.norms = nn.ModuleList(nn.LayerNorm(config.d_model, eps=1e-12) for _ in range(config.n_layers))
        self.feed_forwards = nn.ModuleList(FeedForward(config.d_model, config.dropout) for _ in range(config.n_layers))
        initialise(self)
        if config.has("overwritten_steps"):
            overwrite_steps(self)

    def settings(self) -> dict[str, Any]:
        """Without the options of the wiring where they are off: a run recorded before there were any is still found."""
        off = {"mode": "corrected", "overwritten_steps": False}
        return {name: value for name, value in super().settings().items() if off.get(name, ...) != value}

    def forward(self, batch: Batch):
        return self._advance(batch, None)[0]

    def _advance(self, batch, state):
        x = self.embed(batch.item)
        states = []
        for i, (mamba, norm, feed_forward) in enumerate(zip(self.mambas, self.norms, self.feed_forwards, strict=True)):
            y, carried = mamba(x, state and state[i])
            x = norm(self.dropout(y) + x) if self.config.n_layers > 1 else norm(self.dropout(y))
            x = feed_forward(x)
            states.append(carried)
        return tap("hidden", x, "b l d"), states
