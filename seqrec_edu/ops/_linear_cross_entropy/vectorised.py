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
    return in_tiles(hidden, items, target, reduction, ignore_index, loss_and_gradient)


def loss_and_gradient(scores, target, ignore_index):
    """Loss of each token of a tile; ``scores`` becomes their gradient, ``softmax - onehot``, zero where ignored."""
    rows = torch.arange(len(target), device=target.device)
    if ignore_index >= 0:
        scores[:, ignore_index] = -torch.inf
    right = scores[rows, target.clamp(min=0)]
    total = scores.logsumexp(1)
    scores.sub_(total[:, None]).exp_()
    scores[rows, target.clamp(min=0)] -= 1
    ignored = target == ignore_index
    scores[ignored] = 0
    return torch.where(ignored, 0, total - right)


def in_tiles(hidden, items, target, reduction, ignore_index, loss_and_gradient):
    """The loss with one way to turn a tile of scores into losses and gradient."""
    ignore_index = -1 if ignore_index is None else ignore_index
    if reduction == "none":
        return _PerToken.apply(hidden, items, target, ignore_index, loss_and_gradient)
    loss = _Total.apply(hidden, items, target, ignore_index, loss_and_gradient)
    return loss if reduction == "sum" else loss / (target != ignore_index).sum()


def _tiles(hidden, items):
    """Slices of tokens whose scores, in fp32, fill one tile of memory."""
    budget = TILE_BYTES.get(hidden.device.type, TILE_BYTES["cpu"])
    size = max(64, budget // (4 * len(items)))
    return [slice(start, start + size) for start in range(0, len(hidden), size)]


def _scores(hidden, items):
    """Scores of one tile, in fp32 or better."""
    scores = hidden @ items.T
    return scores.float() if scores.dtype in (torch.bfloat16, torch.float16) else scores


class _Total(torch.autograd.Function):
    """Sum of the losses; the gradients are made in the forward pass, where the scores are at hand."""

    @staticmethod
    def forward(ctx, hidden, items, target, ignore_index, loss_and_gradient):
        hidden_gradient, items_gradient = torch.empty_like(hidden), torch.zeros_like(items)
        total = hidden.new_zeros((), dtype=torch.promote_types(hidden.dtype, torch.float32))
        for tile in _tiles(hidden, items):
            scores = _scores(hidden[tile], items)
            total += loss_and_gradient(scores, target[tile], ignore_index).sum()
            if any(ctx.needs_input_grad[:2]):
                gradient = scores.to(hidden.dtype)
                torch.mm(gradient, items, out=hidden_gradient[tile])
                items_gradient.addmm_(gradient.T, hidden[tile])
        ctx.save_for_backward(hidden_gradient, items_gradient)
        return total.to(hidden.dtype)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, upstream):
        hidden_gradient, items_gradient = ctx.saved_tensors
        return upstream * hidden_gradient, upstream * items_gradient, None, None, None


class _PerToken(torch.autograd.Function):
    """One loss per token; the backward pass scores each tile again rather than keep it."""

    @staticmethod
    def forward(ctx, hidden, items, target, ignore_index, loss_and_gradient):
        ctx.save_for_backward(hidden, items, target)
        ctx.options = ignore_index, loss_and_gradient
        tiles = _tiles(hidden, items)
        losses = [loss_and_gradient(_scores(hidden[tile], items), target[tile], ignore_index) for tile in tiles]
        return torch.cat(losses).to(hidden.dtype)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, upstream):
        hidden, items, target = ctx.saved_tensors
        ignore_index, loss_and_gradient = ctx.options
        hidden_gradient, items_gradient = torch.empty_like(hidden), torch.zeros_like(items)
        for tile in _tiles(hidden, items):
            scores = _scores(hidden[tile], items)
            loss_and_gradient(scores, target[tile], ignore_index)
            gradient = scores.mul_(upstream[tile, None]).to(hidden.dtype)
            torch.mm(gradient, items, out=hidden_gradient[tile])
            items_gradient.addmm_(gradient.T, hidden[tile])
        return hidden_gradient, items_gradient, None, None, None
