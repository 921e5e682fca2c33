"""The matrix that any module comes down to near one input: its Jacobian over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from seqrec_edu.lens.matrix import MixingMatrix
from seqrec_edu.training.evaluate import inference


def linearised(
    module: nn.Module, *inputs: Any, channels: Sequence[int] | None = None, per_channel: bool = True, **named: Any
) -> MixingMatrix:
    """What each output event would answer to a small change of each input event: a linearisation at this input.

    ``J[t, s] = ∂ y[t, c] / ∂ x[s, c]`` for every channel c, "b d l l"; with ``per_channel=False`` one matrix
    "b 1 l l" of the sizes ``√ Σ_cc' (∂ y[t, c] / ∂ x[s, c'])²`` over all pairs of channels. x is the first input of
    floating point, "b l d"; for a module that takes items, what its item embedding gives (else its first embedding
    with one vector per event). For a module linear in x it is its mixing matrix; for any other, true near this input
    only: a gate that closes shows as a small number, and adding up rows says nothing.

    channels: output channels to look at; all otherwise. The histories of a batch must not read each other.
    Cost: a backward pass per event and channel. Evaluation mode; the module's own mode comes back.
    Errors: ``ValueError`` where there is no such x, the output is not "b l c", or per_channel needs as many channels in
    as out.
    """
    name = type(module).__name__
    with inference(module), torch.enable_grad():
        x, y = _pass(module, inputs, named)
        if y.dim() != 3 or x.shape[:2] != y.shape[:2]:
            raise ValueError(f"linearised: {name} must give 'b l c' for x {tuple(x.shape)}, got {tuple(y.shape)}")
        if per_channel and x.shape[2] != y.shape[2]:
            raise ValueError(
                f"linearised: {name} has {x.shape[2]} channels in and {y.shape[2]} out, so none is another's; "
                "take per_channel=False"
            )
        picked = range(y.shape[2]) if channels is None else channels
        values = _rows(x, y, picked, per_channel)
    mixes = "a small change of its input" + ("" if per_channel else ", sizes over all pairs of channels")
    return MixingMatrix(values, "b d l l" if per_channel else "b 1 l l", name, mixes, exact=False)


def _rows(x: Tensor, y: Tensor, channels: Sequence[int], per_channel: bool) -> Tensor:
    batch, length, _ = x.shape
    J = x.new_zeros(batch, len(channels) if per_channel else 1, length, length)
    for t in range(length):
        for i, c in enumerate(channels):
            (g,) = torch.autograd.grad(y[:, t, c].sum(), x, retain_graph=True, allow_unused=True)
            if g is None:
                continue
            if per_channel:
                J[:, i, t] = g[:, :, c]
            else:
                J[:, 0, t] += g.square().sum(-1)
    return (J if per_channel else J.sqrt()).cpu()


def _pass(module: nn.Module, inputs: tuple, named: dict[str, Any]) -> tuple[Tensor, Tensor]:
    """The tensor to differentiate by, and the output."""
    inputs = list(inputs)
    for i, value in enumerate(inputs):
        if isinstance(value, Tensor) and value.is_floating_point():
            inputs[i] = value.detach().clone().requires_grad_()
            return inputs[i], _output(module(*inputs, **named))
    seen: list[Tensor] = []

    def vectors(embedding, given, output):
        if seen or output.dim() != 3:
            return None
        seen.append(output.detach().clone().requires_grad_())
        return seen[0]

    item = getattr(module, "item_embedding", None)
    tables = [item] if isinstance(item, nn.Embedding) else [m for m in module.modules() if isinstance(m, nn.Embedding)]
    handles = [table.register_forward_hook(vectors) for table in tables]
    try:
        y = _output(module(*inputs, **named))
    finally:
        for handle in handles:
            handle.remove()
    if not seen:
        raise ValueError(
            f"linearised: {type(module).__name__} was given no vectors 'b l d' and looks up no embedding 'b l d'; "
            "give it x in floating point"
        )
    return seen[0], y


def _output(found: Any) -> Tensor:
    return found[0] if isinstance(found, tuple) else found
