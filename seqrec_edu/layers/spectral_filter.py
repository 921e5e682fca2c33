from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from seqrec_edu import ops
from seqrec_edu.layers.dropout import Dropout
from seqrec_edu.ops.checks import axis_sizes
from seqrec_edu.taps import tap

PADS = ("zeroed", "kept")
START = 0.02  # standard deviation of the factors a filter starts with


@dataclass(frozen=True)
class SpectralFilterConfig:
    """What a spectral filter is made for: width d, the one length l of its histories, whether it may read ahead.

    ``pads="zeroed"`` keeps pads out of the filter, ``"kept"`` lets them in like events, as the authors' code does.
    """

    d_model: int
    history_length: int
    dropout: float = 0.2
    causal: bool = False
    pads: str = "zeroed"

    def __post_init__(self):
        if self.history_length < 1:
            raise ValueError(f"SpectralFilterConfig: history_length must be at least 1, got {self.history_length}")
        if self.pads not in PADS:
            raise ValueError(f"SpectralFilterConfig: pads must be one of {', '.join(PADS)}, got {self.pads!r}")

    @property
    def frequencies(self) -> int:
        return self.history_length // 2 + 1


class SpectralFilter(nn.Module):
    """``LN(dropout(filter(x)) + x)``: one learned convolution per channel over the whole history.

    Circular (the default): ``filter(x) = irfft(rfft(x) ⊙ W)`` with a factor per frequency and channel. Every output
    reads every event, later ones too, so only one target per history may be trained. ``causal``: ``filter(x)[t] =
    Σ_{s≤t} w[t-s] x[s]`` with a factor per lag and channel.

    A frequency is a number of turns per ``history_length`` events, so the filter belongs to that length. Shorter
    batches are extended with zeros to exactly that and cut again; longer ones are refused. ``mask`` is true at real
    events. With ``pads="zeroed"`` pads are zero on the way into the filter and out of the layer, and neither their
    content nor their number matters. With ``pads="kept"`` the mask is not used: to repeat the authors' numbers pad the
    histories to ``history_length`` as they do, for zeros that the layer appends are not their pads.

    ``W`` is stored as pairs of real numbers, "f d 2": fused optimiser steps, safetensors, mixed precision and the
    collectives of DDP handle real parameters everywhere and complex ones only in places. The imaginary parts at f = 0
    and, for even l, at f = l/2 do nothing (see ``ops.spectral_filter``) but are counted, as the papers do.

    The factors start from normal(0, 0.02); those of the causal filter from normal(0, 0.02 √(2/l)), which passes the
    same power. Parameters: 2·d·(l//2 + 1), or d·l, and 2·d of the norm. Cost b·d·l·log l. Errors: ``ShapeError`` on
    axes that do not fit, ``ValueError`` on a longer history. FMLP-Rec, arXiv 2202.13556, section 4; EchoMamba4Rec,
    arXiv 2406.02638.
    """

    def __init__(self, config: SpectralFilterConfig, eps: float = 1e-12):
        super().__init__()
        self.config = config
        l, d = config.history_length, config.d_model
        start = START * torch.randn(l, d) * (2 / l) ** 0.5 if config.causal else START * torch.randn(l // 2 + 1, d, 2)
        self.weight = nn.Parameter(start)
        self.dropout = Dropout(config.dropout)
        self.norm = nn.LayerNorm(d, eps=eps)

    def forward(self, x: Float[Tensor, "b l d"], mask: Bool[Tensor, "b l"] | None = None) -> Float[Tensor, "b l d"]:
        length = axis_sizes("SpectralFilter", x=(x, "b l d"), mask=(mask, "b l"))["l"]
        if length > self.config.history_length:
            raise ValueError(
                f"SpectralFilter is made for histories of {self.config.history_length} events, the batch holds "
                f"{length}: gather shorter histories or build it with a larger history_length"
            )
        mask = mask if self.config.pads == "zeroed" else None
        y = self.norm(self.dropout(tap("filtered", self._filter(x, mask), "b l d")) + x)
        return tap("hidden", y if mask is None else y.masked_fill(~mask[:, :, None], 0), "b l d")

    def _filter(self, x, mask):
        length = x.shape[1]
        weight = self.weight.to(torch.promote_types(self.weight.dtype, torch.float32))  # no complex half precision
        wide = x.to(weight.dtype)
        tap("mask", mask, "b l")
        if self.config.causal:  # what lies behind the last event is never read, so a shorter filter does the same
            tap("filter", weight, "l d")
            return ops.spectral_filter(wide, weight[:length], causal=True, mask=mask).to(x.dtype)
        missing = self.config.history_length - length
        wide = F.pad(wide, (0, 0, 0, missing))
        mask = None if mask is None else F.pad(mask, (0, missing))
        weight = tap("filter", torch.view_as_complex(weight.contiguous()), "f d")
        y = ops.spectral_filter(wide, weight, mask=mask)
        return y[:, :length].to(x.dtype)
