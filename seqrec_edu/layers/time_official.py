"""The time branch of TiM4Rec as its authors released it: rows of raw seconds, normalised and mixed across positions.

Everything here reads later events and is tied to one length l, the history length; ``TimeQuirks`` says what each part
costs. Rewritten from the equations that the authors' code carries out (arXiv 2409.16182, code of August 2025).
"""

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from seqrec_edu.layers.conv import CausalConv
from seqrec_edu.layers.dropout import Dropout
from seqrec_edu.layers.time import differences
from seqrec_edu.ops.checks import ShapeError
from seqrec_edu.taps import tap


class RowNorm(nn.Module):
    """Mean 0 and variance 1 over the length axis of each row, then a gain and a bias per position: ``LN_l``.

    ``x "b l"`` or ``"b l h"``, l exactly ``length``. With a ``mask`` "b l" the real events alone make mean and
    variance and pads come out 0; without one the pads count like events, which is what the authors do.
    Cost O(b·l·h). Errors: ``ShapeError`` on another length. Layer normalisation, arXiv 1607.06450, section 3.
    """

    def __init__(self, length: int, eps: float = 1e-12):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(length))
        self.bias = nn.Parameter(torch.zeros(length))
        self.eps = eps

    def forward(self, x: Float[Tensor, "b l ..."], mask: Bool[Tensor, "b l"] | None = None) -> Tensor:
        exact_length("RowNorm", x, len(self.weight))
        row = x.movedim(1, -1)
        if mask is None:
            row = F.layer_norm(row, self.weight.shape, self.weight, self.bias, self.eps)
        else:
            real = (mask if x.dim() == 2 else mask[:, None]).to(x.dtype)
            count = real.sum(-1, keepdim=True).clamp(min=1)
            centred = (row - (row * real).sum(-1, keepdim=True) / count) * real
            variance = centred.square().sum(-1, keepdim=True) / count
            row = (centred * torch.rsqrt(variance + self.eps) * self.weight + self.bias) * real
        return row.movedim(-1, 1)


class RowGap(nn.Module):
    """Gap before each event in raw seconds, scaled by its own padded row: ``LN_l(dropout(t[i] - t[i-1]))``.

    The first event has gap 0. The difference runs over the whole row, so the first pad holds minus the time of the
    last event, some -1e9 s. That one number makes the variance of the row: with 20 events in a row of 200 it becomes
    -14.1, and all gaps lie at .071 with a spread below .001. ``dropout`` acts on the seconds, that jump included: in
    the authors' code at the rate of the item embeddings.

    The three faults can be mended one by one: ``float32_seconds=False`` subtracts exactly, ``raw_seconds=False`` takes
    ``log(1 + gap)``, no gap below 0, and ``pads_in_norm=False`` scales by the real events of ``mask`` alone and leaves
    0 at pads.

    ``time`` int64 "b l" in seconds, l exactly ``length``. Errors: ``ShapeError`` on another length, ``ValueError``
    where a history continues (``before``): a row cannot; or where pads are to be left out and no ``mask`` says which.
    """

    def __init__(
        self,
        length: int,
        dropout: float = 0.0,
        eps: float = 1e-12,
        *,
        float32_seconds: bool = True,
        raw_seconds: bool = True,
        pads_in_norm: bool = True,
    ):
        super().__init__()
        self.dropout = Dropout(dropout)
        self.norm = RowNorm(length, eps)
        self.float32_seconds, self.raw_seconds, self.pads_in_norm = float32_seconds, raw_seconds, pads_in_norm

    def forward(self, time: Int[Tensor, "b l"], mask: Tensor | None = None, before=None) -> Float[Tensor, "b l"]:
        if before is not None:
            raise ValueError("RowGap: a row is normalised as a whole and cannot continue from an earlier event")
        if mask is None and not self.pads_in_norm:
            raise ValueError("RowGap: without pads_in_norm a mask must say which events are real")
        exact_length("RowGap", time, len(self.norm.weight))
        gap = differences(time, in_float32=self.float32_seconds).to(self.norm.weight.dtype)
        gap = gap if self.raw_seconds else torch.log1p(gap.clamp(min=0))
        return tap("gap", self.norm(self.dropout(gap), None if self.pads_in_norm else mask), "b l")


class PositionMap(nn.Module):
    """One factor τ per event and head from all gaps of the row: two l × l maps across positions, then convolutions.

    ``s = W2 silu(W1 dropout(gap) + b1) + b2`` over the length axis, the same maps for all heads;
    ``τ = act(conv(act(conv(s ⊙ gap))))``, both convolutions causal over time, one filter per head.

    ``gap "b l"`` (the same for all heads) or ``"b l h"``; τ is "b l h" and may be negative. Cost O(b·h·l²) work, 2 l²
    parameters. Errors: ``ShapeError`` unless l is exactly ``length``. TiM4Rec's released code; its paper has a sigmoid
    here and states O(l).
    """

    def __init__(
        self, heads: int, length: int, conv_width: int = 4, dropout: float = 0.0, activation: str = "hardswish"
    ):
        super().__init__()
        self.heads = heads
        self.dropout = Dropout(dropout)
        self.lift = nn.Linear(length, length)
        self.mix = nn.Linear(length, length)
        self.smooth = CausalConv(heads, conv_width, activation)
        self.sharpen = CausalConv(heads, conv_width, activation)

    def forward(self, gap: Float[Tensor, "b l ..."], state: None = None) -> tuple[Float[Tensor, "b l h"], None]:
        exact_length("PositionMap", gap, self.lift.in_features)
        row = rows(gap, self.heads)
        s = self.mix(F.silu(self.lift(self.dropout(row))))
        smooth, _ = self.smooth(rearrange(s * row, "b h l -> b l h"))
        return tap("time_factor", self.sharpen(smooth)[0], "b l h"), None


class GapUpdate(nn.Module):
    """The gaps that the next layer reads: ``LN_l(g gap + (1 - g) τ)``, ``g = σ(w dropout(gap))``.

    g is one number per history and head, or with ``p2p_residual`` one per position through an l × l map.
    ``gap "b l"`` or ``"b l h"``, τ "b l h" to "b l h". Cost O(b·h·l), with ``p2p_residual`` O(b·h·l²).
    Errors: ``ShapeError`` unless l is exactly ``length``. TiM4Rec's released code.
    """

    def __init__(self, length: int, dropout: float = 0.0, eps: float = 1e-12, p2p_residual: bool = False):
        super().__init__()
        self.dropout = Dropout(dropout)
        self.gate = nn.Linear(length, length if p2p_residual else 1)
        self.norm = RowNorm(length, eps)

    def forward(
        self, gap: Float[Tensor, "b l ..."], tau: Float[Tensor, "b l h"], mask: Bool[Tensor, "b l"] | None = None
    ) -> Float[Tensor, "b l h"]:
        """``mask`` keeps pads out of the norm."""
        exact_length("GapUpdate", gap, self.gate.in_features)
        row = rows(gap, tau.shape[2])
        g = torch.sigmoid(self.gate(self.dropout(row)))
        mixed = g * row + (1 - g) * rearrange(tau, "b l h -> b h l")
        tap("share", lambda: rearrange(g.expand_as(row), "b h l -> b l h"), "b l h")
        return tap("gap", self.norm(rearrange(mixed, "b h l -> b l h"), mask), "b l h")


def rows(gap: Float[Tensor, "b l ..."], heads: int) -> Float[Tensor, "b h l"]:
    """One row per head, from gaps that all heads share or that each has its own."""
    return repeat(gap, "b l -> b h l", h=heads) if gap.dim() == 2 else rearrange(gap, "b l h -> b h l")


def exact_length(name: str, x: Tensor, length: int) -> None:
    """Refuse a row of another length than the parameters have."""
    if x.dim() < 2 or x.shape[1] != length:
        raise ShapeError(
            f"{name}: axis l (length) must be exactly {length}, the history length it was built for, got "
            f"{tuple(x.shape)}: pad the row, or build it with another history_length"
        )
