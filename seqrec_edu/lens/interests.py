"""What a low-rank attention pools a history into, and who reads of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from einops import einsum
from torch import Tensor, nn

from seqrec_edu.lens.mixing import READ, NoMixingMatrix
from seqrec_edu.lens.record import record
from seqrec_edu.ops._low_rank_attention import reference


@dataclass(frozen=True, repr=False)
class Interests:
    """The two halves of a low-rank attention: ``M[t, s] = Σ_r reads[t, r] feeds[s, r]``.

    Attributes:
        feeds: "b l r": the share of each event in each interest, as values are pooled; columns sum to 1 over real
            events. Of a causal attention as the last event finds them.
        feeds_keys: "b l r": the same as keys are pooled, by which an interest is recognised.
        reads: "b h l r": how much each event reads of each interest; rows sum to 1, or columns do where the softmax
            runs over positions.
        layer: path of the layer.
    """

    feeds: Tensor
    feeds_keys: Tensor
    reads: Tensor
    layer: str

    def __repr__(self) -> str:
        b, h, l, r = self.reads.shape
        return f"Interests of {self.layer or 'an attention'}: {r} interests of {b} × {l} events, read by {h} heads"


def interests(model: nn.Module, *inputs: Any, layer: str | None = None, **named: Any) -> Interests:
    """Which events feed which interest, and which events read it, in a low-rank attention on this history.

    ``feeds = softmax_s(pool_v)``;  ``reads = softmax(q · k̃ / √p)``: computed in float64 from the taps of the layer, the
    interests' keys k̃ pooled as the layer does. ``layer`` is needed where several have interests.
    Errors: `NoMixingMatrix`, naming the layers with interests. MLSA4Rec, arXiv 2407.13135; LightSANs, SIGIR 2021.
    """
    found = record(model, *inputs, only=READ, **named)
    there = [tap.module for tap in found.values() if tap.own_name == "pool_k"]
    name = type(model).__name__
    if not there or (layer is not None and layer not in there) or (layer is None and len(there) > 1):
        which = f"give layer=, one of {', '.join(there)}" if there else "models with them: mlsa4rec, lightsans"
        meant = "several layers with interests" if layer is None and there else "no interests there"
        raise NoMixingMatrix(f"{name} has {meant}; {which}")
    layer = there[0] if layer is None else layer
    module = model.get_submodule(layer)
    taps = {key: value if value.dtype == torch.bool else value.double() for key, value in found.of(layer).items()}
    config = getattr(module, "config", None)
    over = module.over if config is None else config.softmax_over
    causal = config is not None and config.causal
    return _interests(taps, over, causal, layer)


def _interests(taps: dict[str, Tensor], over: str, causal: bool, layer: str) -> Interests:
    mask = taps.get("mask")
    keys = reference.pools(taps["pool_k"], mask, causal)
    values = reference.pools(taps["pool_v"], mask, causal)
    pooled = einsum(keys, taps["k"], "b t s r, b s h p -> b t r h p")
    q = taps["q"]
    one = "b t h p, b t r h p -> b h t r" if causal else "b t h p, b r h p -> b h t r"
    scores = einsum(q, pooled if causal else pooled[:, 0], one) / q.shape[-1] ** 0.5
    asking = torch.ones_like(q[:, :, 0, 0], dtype=torch.bool) if mask is None else mask
    scores = scores.masked_fill(~asking[:, None, :, None], torch.finfo(scores.dtype).min)
    reads = torch.softmax(scores, dim=-1 if over == "interests" else -2) * asking[:, None, :, None]
    if not causal:
        return Interests(values[:, 0], keys[:, 0], reads, layer)
    last = (asking.sum(1) - 1).clamp(min=0)
    row = torch.arange(len(last))
    return Interests(values[row, last], keys[row, last], reads, layer)
