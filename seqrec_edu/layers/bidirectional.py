from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from seqrec_edu import ops
from seqrec_edu.layers.dropout import Dropout
from seqrec_edu.layers.mamba import MambaConfig, MambaLayer
from seqrec_edu.ops.checks import axis_sizes
from seqrec_edu.taps import tap

FLIPS = ("history", "axis")


@dataclass(frozen=True)
class BidirectionalConfig:
    """How two Mamba layers read one history from both ends.

    mamba     sizes of each of the two
    flip      "history" turns round the real events of each history; "axis" the whole padded row, as EchoMamba4Rec's
              released code does: the backward layer then reads the pads first
    realign   turn the backward layer's output round again, so that position t speaks of event t; without it (SSD4Rec)
              position t speaks of the t-th newest event, and the last real position has read the whole history
    share     one Mamba layer for both directions (SSD4Rec); the norms stay two
    beta      weight of the backward branch in the sum; 0 leaves the forward one alone
    """

    mamba: MambaConfig
    dropout: float = 0.2
    flip: str = "history"
    realign: bool = True
    share: bool = False
    beta: float = 1.0

    def __post_init__(self):
        if self.flip not in FLIPS:
            raise ValueError(f"BidirectionalConfig: flip must be one of {', '.join(FLIPS)}, got {self.flip!r}")


class BidirectionalMamba(nn.Module):
    """A history read oldest first and newest first.

    ``f = LN_f(dropout(mamba_f(x)) + x)``;  ``b = LN_b(dropout(flip(mamba_b(flip(x)))) + x)``;  output ``f + β b``.

    What the backward branch knows depends on where it is read. Realigned, its output at t has read the events from the
    last down to t, so *at the last event, where a recommendation is made, it has read that event only*: past and future
    meet at earlier positions, and reach the last one only through a further layer. Not realigned, the last real
    position has read everything. Turned round with the whole axis, the last event is read after all pads.

    Not causal: position t depends on later events. ``mask`` is true at real events, and left out where there are no
    pads; with ``flip="history"`` no real output depends on the content or the number of pads. Parameters 77,824 at
    d = 64, n = 32. Cost: two Mamba layers and two copies. Errors: ``ValueError`` on a mask with pads before events.
    EchoMamba4Rec, arXiv 2406.02638; SSD4Rec, arXiv 2409.01192.
    """

    def __init__(self, config: BidirectionalConfig, eps: float = 1e-12):
        super().__init__()
        self.config = config
        self.mambas = nn.ModuleList(MambaLayer(config.mamba) for _ in range(1 if config.share else 2))
        self.norms = nn.ModuleList(nn.LayerNorm(config.mamba.d_model, eps=eps) for _ in range(2))
        self.dropout = Dropout(config.dropout)

    def forward(self, x: Float[Tensor, "b l d"], mask: Bool[Tensor, "b l"] | None = None) -> Float[Tensor, "b l d"]:
        axis_sizes("BidirectionalMamba", x=(x, "b l d"), mask=(mask, "b l"))
        flip = self._flip(mask)
        y, _ = self.mambas[0](x)
        oldest_first = tap("oldest_first", self.norms[0](self.dropout(y) + x), "b l d")
        y, _ = self.mambas[-1](flip(x))
        newest_first = self.norms[1](self.dropout(flip(y) if self.config.realign else y) + x)
        tap("newest_first", newest_first, "b l d")
        tap("mask", mask, "b l")
        return oldest_first + self.config.beta * newest_first

    def _flip(self, mask: Tensor | None) -> Callable[[Tensor], Tensor]:
        """What turns a batch round."""
        if mask is None or self.config.flip == "axis":
            return lambda tensor: tensor.flip(1)
        lengths = mask.sum(1)
        if not torch.equal(mask, torch.arange(mask.shape[1], device=mask.device) < lengths[:, None]):
            raise ValueError(
                "BidirectionalMamba: mask must be bool, true at the real events and false behind them: histories are "
                "right-padded, this one has a pad before an event"
            )
        return lambda tensor: ops.flip_history(tensor, lengths)
