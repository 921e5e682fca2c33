"""How the mixing matrix of each kind of layer follows from what passed its taps.

A function here takes the module, ``at(path, call)``, which gives the recorded tensors of a module inside it, and
``pick``, the heads or channels wanted; it returns the matrices "b c l l" in float64.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from einops import einsum
from torch import Tensor, nn

from seqrec_edu import layers, ops
from seqrec_edu.models import lightsans, ssd4rec

ROOM = 2**24  # numbers of an intermediate result held at one time, 128 MiB

Taps = dict[str, Tensor]
At = Callable[..., Taps]


@dataclass(frozen=True)
class Kind:
    """One kind of layer: the letter of its heads or channels, the matrix, and what it multiplies, in words."""

    channel: str
    matrix: Callable[[nn.Module, At, Tensor], Tensor]
    size: Callable[[nn.Module], int]
    mixes: str
    both_ways: bool = False  # the second half of the channels belongs to the reading that begins with the newest event


def convolution(module, at, pick):
    batch, length = at()["convolved"].shape[:2]
    M = ops.mixing_matrix("causal_conv1d", module.weight.detach().cpu().double()[pick], length)
    return M.expand(batch, *M.shape)


def selective_scan(module, at, pick):
    taps = at()
    dt, A = taps["dt"][..., pick], taps["A"][pick]
    (batch, length, _), n = dt.shape, A.shape[1]
    some = max(1, ROOM // (batch * n * length**2))
    parts = zip(dt.split(some, dim=-1), A.split(some), strict=True)
    return torch.cat([ops.mixing_matrix("selective_scan", *part, taps["B"], taps["C"]) for part in parts], dim=1)


def ssd(module, at, pick):
    taps = at()
    scale = taps.get("decay_scale")
    B, C = (taps[name].unsqueeze(2) for name in ("B", "C"))
    scale = None if scale is None else scale[..., pick]
    return ops.mixing_matrix("ssd", taps["dt"][..., pick], taps["A"][pick], B, C, decay_scale=scale)


def attention(module, at, pick):
    taps = at()
    q, k = (taps[name][:, :, pick] for name in ("q", "k"))
    return ops.mixing_matrix("attention", q, k, causal=module.causal, mask=taps.get("mask"))


def relative_time_attention(module, at, pick):
    taps = at()
    q, k = (taps[name][:, :, pick] for name in ("q", "k"))
    relation = taps["buckets"], taps["table_k"][:, pick], None
    return ops.mixing_matrix("attention", q, k, causal=True, mask=taps.get("mask"), relation=relation)


def linear_attention(module, at, pick):
    q, k = (at()[name][:, :, pick] for name in ("q", "k"))
    return einsum(q, k, "b t h p, b s h p -> b h t s") / q.shape[-1] ** 0.5


def low_rank_attention(module, at, pick):
    c = module.config
    return _low_rank(at(), pick, softmax_over=c.softmax_over, causal=c.causal)


def items_and_places(module, at, pick):
    """LightSANs: both halves of the attention read the same values, so their matrices add."""
    return _low_rank(at(), pick, softmax_over=module.over) + at()["place_weights"][:, pick]


def _low_rank(taps, pick, **options):
    q, k = (taps[name][:, :, pick] for name in ("q", "k"))
    pools = taps["pool_k"], taps["pool_v"]
    return ops.mixing_matrix("low_rank_attention", q, k, *pools, mask=taps.get("mask"), **options)


def spectral_filter(module, at, pick):
    taps, c = at(), module.config
    batch, length = taps["filtered"].shape[:2]
    weight = taps["filter"][:, pick]
    if c.causal:
        M = ops.mixing_matrix("spectral_filter", weight[:length], length, causal=True)
    else:  # shorter histories are extended with zeros to the length of the filter and cut again
        M = ops.mixing_matrix("spectral_filter", weight, c.history_length)[:, :length, :length]
    if "mask" not in taps:
        return M.expand(batch, *M.shape)
    real = taps["mask"][:, None, :length]
    return M * (real[..., :, None] & real[..., None, :])


def bidirectional(module, at, pick):
    share, c = module.config.share, module.config
    forward, backward = (
        lambda some: selective_scan(None, lambda: at("mambas.0"), some),
        lambda some: selective_scan(None, lambda: at("mambas.0", 2) if share else at("mambas.1"), some),
    )
    mask = at().get("mask") if c.flip == "history" else None
    return _both_ways(forward, backward, pick, c.mamba.d_inner, mask, c.realign)


def ssd_both_ways(module, at, pick):
    """SSD4Rec: one set of weights reads in both directions."""
    forward, backward = (
        lambda some: ssd(None, lambda: at("ssd"), some),
        lambda some: ssd(None, lambda: at("ssd", 2), some),
    )
    if not module.beta:
        return forward(pick)
    return _both_ways(forward, backward, pick, module.ssd.config.heads, at()["mask"], module.aligned)


def _both_ways(forward, backward, pick, size, mask, realign):
    """The two readings one behind the other: M, and M P or P M P with the P that turns a history round."""
    M, newest_first = forward(pick[pick < size]), backward(pick[pick >= size] - size)
    length = M.shape[-1]
    lengths = torch.full(M.shape[:1], length) if mask is None else mask.sum(1)
    P = ops.mixing_matrix("flip_history", lengths, length).double()[:, None]
    newest_first = newest_first @ P
    return torch.cat([M, P @ newest_first if realign else newest_first], dim=1)


def _d_inner(module):
    return module.config.d_inner


def _heads(module):
    return module.config.heads


BEFORE_SKIP = "what it writes into its state, before skip and gate"
BOTH_WAYS = f"{BEFORE_SKIP}: first all channels of the reading oldest first, then those newest first"
VALUES = "the values v of each head"
KINDS: dict[type[nn.Module], Kind] = {
    layers.CausalConv: Kind("e", convolution, lambda m: len(m.weight), "its input, before bias and activation"),
    layers.MambaLayer: Kind("e", selective_scan, _d_inner, BEFORE_SKIP),
    layers.SSDLayer: Kind("h", ssd, _heads, BEFORE_SKIP),
    layers.TimeAwareSSDLayer: Kind(
        "h", lambda m, at, pick: ssd(m.ssd, lambda: at("ssd"), pick), lambda m: m.ssd.config.heads, BEFORE_SKIP
    ),
    layers.SelfAttention: Kind("h", attention, lambda m: m.heads, VALUES),
    layers.RelativeTimeAttention: Kind(
        "h", relative_time_attention, _heads, f"{VALUES}; what times add to them comes on top"
    ),
    layers.LinearAttention: Kind("h", linear_attention, lambda m: m.heads, VALUES),
    layers.LowRankAttention: Kind("h", low_rank_attention, _heads, VALUES),
    layers.SpectralFilter: Kind(
        "d", spectral_filter, lambda m: m.config.d_model, "its input, before residual and norm"
    ),
    layers.BidirectionalMamba: Kind("e", bidirectional, lambda m: 2 * m.config.mamba.d_inner, BOTH_WAYS, True),
    lightsans._Layer: Kind("h", items_and_places, lambda m: m.heads, VALUES),
    ssd4rec._Layer: Kind(
        "h", ssd_both_ways, lambda m: m.ssd.config.heads * (2 if m.beta else 1), BOTH_WAYS, True
    ),
}  # fmt: skip


def kind_of(module: nn.Module) -> Kind | None:
    """The kind of a layer that has a mixing matrix, else None."""
    return next((kind for layer, kind in KINDS.items() if isinstance(module, layer)), None)
