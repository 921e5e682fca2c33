"""What a Mamba proposed, what a gate let through of it, and what came of it."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from seqrec_edu.layers import InteractionGate, LowRankAttention
from seqrec_edu.lens.record import record
from seqrec_edu.models import lightsans


@dataclass(frozen=True, eq=False, repr=False)
class Proposal:
    """The two streams that meet in the gate of MLSA4Rec, in float64.

    Attributes:
        proposed: "b l d", H, the Mamba stream before the gate.
        gate: "b l d", the factor on each channel of it: from 0 to 1 where it is a sigmoid; with GELU, the authors',
            from -0.17 upwards.
        passed: "b l d", ``gate ⊙ H``, what was let through.
        result: "b l d", what the block hands on, made of ``LN(gate ⊙ H)`` and the attention.
        layer: path of the gate.
        activation: of the gate, "gelu" or "sigmoid".
    """

    proposed: Tensor
    gate: Tensor
    passed: Tensor
    result: Tensor
    layer: str
    activation: str

    def __repr__(self) -> str:
        b, l, d = self.proposed.shape
        return f"Proposal at {self.layer or 'a gate'} ({self.activation}): {b} × {l} events, {d} channels"

    @property
    def share(self) -> Tensor:
        """ "b l": length of what was let through, as a share of the length of what was proposed."""
        return self.passed.norm(dim=-1) / self.proposed.norm(dim=-1).clamp_min(torch.finfo(torch.float64).tiny)


class NoGate(ValueError):
    """The model has no gate between an attention and a Mamba."""


def proposal(model: nn.Module, *inputs: Any, **named: Any) -> Proposal:
    """What reached the gate of an MLSA4Rec from its Mamba, and what left it.

    ``passed = act(W1 A + b1) ⊙ H`` with the attended interests A; result ``LN(gelu(W2 [A; G]) + gelu(W3 X))`` with
    ``G = LN(passed)``; biases left out here. Cost: one forward pass.
    Errors: `NoGate` where there is none. MLSA4Rec, arXiv 2407.13135.
    """
    gates = {path: module for path, module in model.named_modules() if isinstance(module, InteractionGate)}
    if len(gates) != 1:
        raise NoGate(f"{type(model).__name__} has {len(gates) or 'no'} gates on a Mamba stream; mlsa4rec has one")
    ((path, gate),) = gates.items()
    streams: list[Tensor] = []

    def seen(module, args, kwargs):
        streams.append(inspect.signature(module.forward).bind(*args, **kwargs).arguments["stream"].detach().cpu())

    handle = gate.register_forward_pre_hook(seen, with_kwargs=True)
    try:
        found = record(model, *inputs, only=("gate", "hidden"), **named).of(path)
    finally:
        handle.remove()
    proposed, opened = streams[0].double(), found["gate"].double()
    return Proposal(proposed, opened, opened * proposed, found["hidden"].double(), path, gate.activation)


def share_of_pads(feeds: Tensor, events: int) -> float:
    """Share of the interests, on average, that is pooled from the places behind the last event.

    feeds: "l r", as `Interests.feeds` has them for one history; zero unless pads are pooled like events.
    """
    whole = feeds.sum(0)
    return float((feeds[events:].sum(0) / whole.clamp_min(torch.finfo(whole.dtype).tiny)).mean())


def pooled_layers(model: nn.Module) -> dict[str, int]:
    """Path → heads of every low-rank attention of a model, those that `interests` can show."""
    found = {}
    for path, module in model.named_modules():
        if isinstance(module, LowRankAttention):
            found[path] = module.config.heads
        elif isinstance(module, lightsans._Layer):
            found[path] = module.heads
    return found
