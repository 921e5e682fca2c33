"""The loss with its tokens × items matrix written out."""

import torch


def linear_cross_entropy(hidden, items, target, reduction, ignore_index):
    """All scores at once, the padding row taken out, then the definition."""
    scores = hidden @ items.T
    if ignore_index is not None:
        padding = torch.arange(len(items), device=items.device) == ignore_index
        scores = scores.masked_fill(padding, -torch.inf)
        counts = target != ignore_index
    loss = scores.logsumexp(1) - scores.gather(1, target[:, None]).squeeze(1)
    if ignore_index is not None:
        loss = torch.where(counts, loss, 0)  # infinite for a target that is padding, and its gradient 0
    if reduction == "none":
        return loss
    total = loss.sum()
    return total if reduction == "sum" else total / (counts.sum() if ignore_index is not None else len(loss))
