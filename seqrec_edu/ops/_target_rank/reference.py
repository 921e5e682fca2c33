"""The rank by its definition, from the full users × items scores."""

import torch


def target_rank(hidden, items, target, exclude=None):
    """Score everything, take out what does not rank, count."""
    return rank_in(hidden @ items.T, target, exclude)


def rank_in(scores, target, exclude=None):
    """Expected rank of ``target "u"`` in ``scores "u v"``; column 0 and the excluded items do not rank."""
    scores = scores.clone()
    own = scores.gather(1, target[:, None])
    scores[:, 0] = -torch.inf
    if exclude is not None:
        scores.scatter_(1, exclude, -torch.inf)
        scores.scatter_(1, target[:, None], own)
    better = (scores > own).sum(1)
    tied = (scores == own).sum(1) - 1  # the target equals itself
    return 1 + better + 0.5 * tied
