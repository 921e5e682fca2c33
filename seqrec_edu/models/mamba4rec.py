from dataclasses import dataclass
from typing import Any, ClassVar

from torch import nn

from seqrec_edu.data.batches import Batch
from seqrec_edu.layers import FeedForward, MambaConfig, MambaLayer, initialise
from seqrec_edu.models.recommender import Recommender
from seqrec_edu.models.released import Quirks, Released, adam, but_for, overwrite_steps
from seqrec_edu.taps import tap


@dataclass(frozen=True)
class Mamba4RecConfig(Quirks):
    """Sizes, and how much of the authors' wiring.

    mode                   "corrected", or "official": the quirk below
    overwritten_steps      see ``models.released``: the one quirk of the authors' code, off by default
    single_layer_residual  a layer that is the only one adds its input too. Off, as in the authors' code, whose rule it
                           is that one layer alone has no residual. Cost of theirs: what Mamba does not pass on is lost,
                           and one layer and two differ in more than depth. Nothing changes with more layers
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
    single_layer_residual: bool = False

    def __post_init__(self):
        self.check("Mamba4Rec", {})


def _as_released(length: int, dropout: float, layers: int, patience: int) -> tuple[dict[str, Any], dict[str, Any]]:
    model = {
        "mode": "official", "d_model": 64, "n_layers": layers, "d_state": 32, "conv_width": 4, "expand": 2,
        "dropout": dropout,
    }  # fmt: skip
    return model, {**adam(length, 300, 2048), "patience": patience + 1}  # see models.released.adam


class Mamba4Rec(Released, Recommender):
    """Selective state spaces over a history, no positions: the recurrence knows the order.

    ``x = LN(dropout(embedding))``, then per layer ``x = LN(dropout(mamba(x)) + x)`` and a feed-forward of inner width
    4 d. With a single layer the residual around Mamba is left out, as in the authors' code (see
    ``single_layer_residual``). The body has 72,256 parameters with one layer, 144,384 with two. Step sizes keep Mamba's
    own initialisation, which the authors' code overwrites (``mode="official"``). RecBole, in which they train, keeps
    the padding row in the softmax; ours does not, in either mode.

    Presets: the authors', whose config says dropout 0.2 and who took 0.4 on Amazon (issue 8 of their repository), and
    "tim4rec", the baseline of TiM4Rec's authors on ML-1M. Liu et al. 2024, arXiv 2403.03900.
    """

    name = "mamba4rec"
    causal = True
    released: ClassVar = {
        "ml-1m": _as_released(200, 0.2, 1, 10), "beauty": _as_released(50, 0.4, 1, 10),
        "video-games": _as_released(50, 0.4, 1, 10), "tim4rec": _as_released(200, 0.2, 2, 20),
    }  # fmt: skip

    def __init__(self, config: Mamba4RecConfig):
        super().__init__(config)
        self.residual = config.n_layers > 1 or config.single_layer_residual
        mamba = MambaConfig(config.d_model, config.d_state, config.conv_width, config.expand)
        self.mambas = nn.ModuleList(MambaLayer(mamba) for _ in range(config.n_layers))
        self.norms = nn.ModuleList(nn.LayerNorm(config.d_model, eps=1e-12) for _ in range(config.n_layers))
        self.feed_forwards = nn.ModuleList(FeedForward(config.d_model, config.dropout) for _ in range(config.n_layers))
        initialise(self)
        if config.has("overwritten_steps"):
            overwrite_steps(self)

    def settings(self) -> dict[str, Any]:
        """Without the options of the wiring where they are off: a run recorded before there were any is still found."""
        return but_for(super().settings(), mode="corrected", overwritten_steps=False, single_layer_residual=False)

    def forward(self, batch: Batch):
        return self._advance(batch, None)[0]

    def _advance(self, batch, state):
        x = self.embed(batch.item)
        states = []
        for i, (mamba, norm, feed_forward) in enumerate(zip(self.mambas, self.norms, self.feed_forwards, strict=True)):
            y, carried = mamba(x, state and state[i])
            y = self.dropout(y)
            x = feed_forward(norm(y + x if self.residual else y))
            states.append(carried)
        return tap("hidden", x, "b l d"), states
