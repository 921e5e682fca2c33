"""Tile by tile, so that no tokens × items matrix is ever held; each tile is used while its scores are still in cache.

With p = softmax(scores), the gradient of a token's loss to its scores is ``p - onehot(target)``. Two ways to go:

* one pass over tiles of tokens, each scored against the whole catalogue. A tile that holds whole rows knows their
  softmax, so it gives the loss and both gradients at once, for an upstream gradient of 1; a scalar loss only scales
  them in the backward pass. 6·t·v·d operations, but every tile reads and writes the whole gradient of the items.
* two passes over tiles of tokens × items. The first joins the logsumexp of the tiles, the second, in the backward pass,
  scores again with it known. 8·t·v·d operations. For losses without reduction, whose upstream gradient differs per
  token and is only known later, and for catalogues so large that a tile of whole rows would hold only a few tokens.
"""

from collections.abc import Callable
from math import isqrt
from typing import NamedTuple

import torch

# A tile on the CPU should stay near the core that made it: 2 MB beat 0.5, 1, 4, 8 and 16 MB where it was measured.
TILE_BYTES = {"cpu": 2 << 20, "cuda": 256 << 20}
WHOLE_ROWS_BYTES = {"cpu": 16 << 20, "cuda": 256 << 20}  # whole rows while FEWEST_TOKENS of them fit this
FEWEST_TOKENS = 64
LOWEST = -1e30  # the score of the padding row: its exponential is zero, and unlike infinity it can be subtracted
HALF = (torch.bfloat16, torch.float16)


class Steps(NamedTuple):
    """What is done to one tile of scores "t v" between the matrix products."""

    whole_rows: Callable  # (scores, target) -> loss "t", scale "t"; scale·scores becomes the gradient
    logsumexp: Callable  # (scores) -> "t"
    gradient: Callable  # (scores, total, column, weight): scores becomes weight·(exp(scores - total) - onehot(column))


def linear_cross_entropy(hidden, items, target, reduction, ignore_index):
    """Same contract as the reference."""
    return in_tiles(hidden, items, target, reduction, ignore_index, Steps(whole_rows, torch_logsumexp, gradient))


def whole_rows(scores, target):
    """Loss of each token; ``scores`` becomes its gradient."""
    total = scores.logsumexp(1)
    right = scores.gather(1, target[:, None]).squeeze(1)
    gradient(scores, total, target, torch.ones_like(total))
    return total - right, torch.ones_like(total)


def torch_logsumexp(scores):
    return scores.logsumexp(1)


def gradient(scores, total, column, weight):
    """``scores`` becomes its gradient; a ``column`` outside the tile marks a target that is in another one."""
    last = scores.shape[1] - 1
    inside = (column >= 0) & (column <= last)
    scores.sub_(total[:, None]).exp_()
    scores.scatter_add_(1, column.clamp(0, last)[:, None], -inside.to(scores.dtype)[:, None])
    scores.mul_(weight[:, None])


def in_tiles(hidden, items, target, reduction, ignore_index, steps):
    """The loss with one way to work on a tile."""
    ignore_index = -1 if ignore_index is None else ignore_index
    rows_fit = FEWEST_TOKENS * 4 * len(items) <= _bytes(WHOLE_ROWS_BYTES, hidden)
    if reduction == "none" or not rows_fit:
        loss = _TwoPasses.apply(hidden, items, target, ignore_index, steps)
        if reduction == "none":
            return loss.to(hidden.dtype)
        loss = loss.sum()
    else:
        loss = _OnePass.apply(hidden, items, target, ignore_index, steps)
    return (loss if reduction == "sum" else loss / (target != ignore_index).sum()).to(hidden.dtype)


class _OnePass(torch.autograd.Function):
    """Sum of the losses; the gradients are made in the forward pass, where the scores are at hand."""

    @staticmethod
    def forward(ctx, hidden, items, target, ignore_index, steps):
        hidden_gradient, items_gradient = torch.empty_like(hidden), _zeros_to_add_to(items)
        total = hidden.new_zeros((), dtype=_exact(hidden))
        tokens = max(FEWEST_TOKENS, _bytes(TILE_BYTES, hidden) // (4 * len(items)))
        buffer = hidden.new_empty(min(tokens, len(hidden)) * len(items))
        for tile in _slices(len(hidden), tokens):
            scores = _scores(hidden[tile], items, ignore_index, buffer)
            loss, scale = steps.whole_rows(scores, target[tile])
            counts = target[tile] != ignore_index
            total += torch.where(counts, loss, 0).sum()
            if any(ctx.needs_input_grad[:2]):
                scale = torch.where(counts, scale, 0)[:, None].to(hidden.dtype)
                gradient = scores.to(hidden.dtype)
                hidden_gradient[tile] = (gradient @ items).mul_(scale)
                _add_product(items_gradient, gradient.T, scale * hidden[tile])
        ctx.save_for_backward(hidden_gradient, _of_items(items_gradient, ignore_index).to(items.dtype))
        return total

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, upstream):
        return *(upstream.to(gradient.dtype) * gradient for gradient in ctx.saved_tensors), None, None, None


class _TwoPasses(torch.autograd.Function):
    """One loss per token, in fp32 or better; the backward pass scores each tile again rather than keep it."""

    @staticmethod
    def forward(ctx, hidden, items, target, ignore_index, steps):
        total = hidden.new_full((len(hidden),), -torch.inf, dtype=_exact(hidden))
        for rows, _, scores in _blocks(hidden, items, ignore_index):
            total[rows] = torch.logaddexp(total[rows], steps.logsumexp(scores))
        right = (hidden.to(total.dtype) * items[target]).sum(1)
        ctx.save_for_backward(hidden, items, target, total)
        ctx.options = ignore_index, steps
        return torch.where(target == ignore_index, 0, total - right)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, upstream):
        hidden, items, target, total = ctx.saved_tensors
        ignore_index, steps = ctx.options
        weight = torch.where(target == ignore_index, 0, upstream)
        hidden_gradient, items_gradient = _zeros_to_add_to(hidden), _zeros_to_add_to(items)
        for rows, columns, scores in _blocks(hidden, items, ignore_index):
            steps.gradient(scores, total[rows], target[rows] - columns.start, weight[rows])
            gradient = scores.to(hidden.dtype)
            _add_product(hidden_gradient[rows], gradient, items[columns])
            _add_product(items_gradient[columns], gradient.T, hidden[rows])
        items_gradient = _of_items(items_gradient, ignore_index).to(items.dtype)
        return hidden_gradient.to(hidden.dtype), items_gradient, None, None, None


def _blocks(hidden, items, ignore_index):
    """Tiles of tokens × items: their slices and their scores, in one buffer that the next tile writes over.

    As square as they can be: a tile of t tokens reads and writes t and v rows to make t·v scores.
    """
    room = _bytes(TILE_BYTES, hidden) // 4
    tokens = min(len(hidden), max(FEWEST_TOKENS, isqrt(room), room // len(items)))
    wide = min(len(items), max(1, room // tokens))
    buffer = hidden.new_empty(tokens * wide)
    for rows in _slices(len(hidden), tokens):
        for columns in _slices(len(items), wide):
            yield rows, columns, _scores(hidden[rows], items[columns], ignore_index - columns.start, buffer)


def _scores(hidden, items, padding, buffer):
    """Scores of one tile, in fp32 or better; those of the column ``padding``, if the tile has it, are LOWEST."""
    if hidden.dtype in HALF:
        scores = (hidden @ items.T).float()
    else:  # fresh memory would be handed out page by page, which costs as much as the product
        scores = torch.mm(hidden, items.T, out=buffer[: len(hidden) * len(items)].view(len(hidden), len(items)))
    if 0 <= padding < len(items):
        scores[:, padding] = LOWEST
    return scores


def _of_items(gradient, padding):
    """The padding row has none; the compiled exp is never quite zero."""
    if padding >= 0:
        gradient[padding] = 0
    return gradient


def _zeros_to_add_to(tensor):
    return torch.zeros_like(tensor, dtype=_exact(tensor))


def _add_product(total, left, right):
    """``total += left @ right``; half-precision factors are added to a total in fp32."""
    if total.dtype == left.dtype:
        total.addmm_(left, right)
    else:
        total += left @ right


def _slices(size, step):
    return [slice(start, min(start + step, size)) for start in range(0, size, step)]


def _bytes(limits, tensor):
    return limits.get(tensor.device.type, limits["cpu"])


def _exact(tensor):
    return torch.promote_types(tensor.dtype, torch.float32)
