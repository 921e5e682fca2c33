"""Tile by tile over the tokens; each tile's gradient is taken while its scores are still in cache.

With p = softmax(scores), the gradient of a token's loss to its scores is ``p - onehot(target)``. So one pass can
produce the loss and both gradients for an upstream gradient of 1; a scalar loss then only scales them in the backward
pass. Without reduction the upstream gradient differs per token and is only known later, so the backward pass scores
the tiles again.
"""

import torch

TILE_BYTES = {"cpu": 16 << 20, "cuda": 256 << 20}


def linear_cross_entropy(hidden, items, target, reduction, ignore_index):
    """Same contract as the reference."""
    if ignore_index is None:
        ignore_index = -1
    if reduction == "none":
        return _PerToken.apply(hidden, items, target, ignore_index)
    loss = _Total.apply(hidden, items, target, ignore_index)
    return loss if reduction == "sum" else loss / (target != ignore_index).sum()


def _tiles(hidden, items):
    """Slices of tokens whose scores, in fp32, fill one tile of memory."""
    budget = TILE_BYTES.get(hidden.device.type, TILE_BYTES["cpu"])
    size = max(64, budget // (4 * len(items)))
    return [slice(start, start + size) for start in range(0, len(hidden), size)]


def _log_probabilities(hidden, items, ignore_index):
    """log softmax of one tile over the catalogue, in fp32 or better; the padding row has probability 0."""
    scores = hidden @ items.T
    if scores.dtype in (torch.bfloat16, torch.float16):
        scores = scores.float()
    if ignore_index >= 0:
        scores[:, ignore_index] = -torch.inf
    return torch.log_softmax(scores, -1)


def _score_gradient(log_p, target, upstream):
    """``upstream · (p - onehot(target))``, written over ``log_p``."""
    gradient = log_p.exp_()
    gradient[torch.arange(len(target), device=target.device), target] -= 1
    return gradient.mul_(upstream[:, None])


class _Total(torch.autograd.Function):
    """Sum of the losses; the gradients are made in the forward pass, where the scores are at hand."""

    @staticmethod
    def forward(ctx, hidden, items, target, ignore_index):
        wants_gradient = any(ctx.needs_input_grad[:2])
        hidden_gradient, items_gradient = torch.empty_like(hidden), torch.zeros_like(items)
        total = hidden.new_zeros((), dtype=torch.promote_types(hidden.dtype, torch.float32))
        for tile in _tiles(hidden, items):
            log_p = _log_probabilities(hidden[tile], items, ignore_index)
            counts = (target[tile] != ignore_index).to(log_p.dtype)
            loss = -log_p.gather(1, target[tile].clamp(min=0)[:, None])[:, 0]
            total += torch.where(counts > 0, loss, 0).sum()
            if wants_gradient:
                gradient = _score_gradient(log_p, target[tile].clamp(min=0), counts).to(hidden.dtype)
                torch.mm(gradient, items, out=hidden_gradient[tile])
                items_gradient.addmm_(gradient.T, hidden[tile])
        ctx.save_for_backward(hidden_gradient, items_gradient)
        return total.to(hidden.dtype)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, upstream):
        hidden_gradient, items_gradient = ctx.saved_tensors
        return upstream * hidden_gradient, upstream * items_gradient, None, None


class _PerToken(torch.autograd.Function):
    """One loss per token; the backward pass scores each tile again rather than keep it."""

    @staticmethod
    def forward(ctx, hidden, items, target, ignore_index):
        ctx.save_for_backward(hidden, items, target)
        ctx.ignore_index = ignore_index
        losses = []
        for tile in _tiles(hidden, items):
            log_p = _log_probabilities(hidden[tile], items, ignore_index)
            loss = -log_p.gather(1, target[tile].clamp(min=0)[:, None])[:, 0]
            losses.append(torch.where(target[tile] != ignore_index, loss, 0))
        return torch.cat(losses).to(hidden.dtype)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, upstream):
        hidden, items, target = ctx.saved_tensors
        hidden_gradient, items_gradient = torch.empty_like(hidden), torch.zeros_like(items)
        for tile in _tiles(hidden, items):
            log_p = _log_probabilities(hidden[tile], items, ctx.ignore_index)
            weight = torch.where(target[tile] != ctx.ignore_index, upstream[tile], 0).to(log_p.dtype)
            gradient = _score_gradient(log_p, target[tile].clamp(min=0), weight).to(hidden.dtype)
            torch.mm(gradient, items, out=hidden_gradient[tile])
            items_gradient.addmm_(gradient.T, hidden[tile])
        return hidden_gradient, items_gradient, None, None
