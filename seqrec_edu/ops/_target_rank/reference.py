"""The rank by its definition, from the full users × items scores."""

import torch


def target_rank(hidden, items, target, exclude=None):
    """Score everything, take out what does not rank, count."""
    if hidden.dtype in (torch.bfloat16, torch.float16):
        hidden, items = hidden.float(), items.float()
    return rank_in(hidden @ items.T, target, exclude)


def rank_in(scores, target, exclude=None):
    """Expected rank of ``target "u"`` in ``scores "u v"``; column 0 and the excluded items do not rank."""
    column = target[:, None]
    ranked = torch.ones_like(scores, dtype=torch.bool)
    ranked[:, 0] = False
    if exclude is not None:
        ranked.scatter_(1, exclude, False)
    ranked.scatter_(1, column, False)  # the target does not compete with itself
    own = scores.gather(1, column)
    above = ((scores > own) & ranked).sum(1, dtype=torch.int32)
    level = ((scores == own) & ranked).sum(1, dtype=torch.int32)
    return place(own[:, 0], 2 * above + level)


def place(own, halves):
    """Rank from half places: an item above the target takes a whole one, an item level with it a half.

    NaN where the target's own score is NaN: nothing is above or level with that, so it would rank first.
    """
    return torch.where(own.isnan(), torch.nan, 1 + 0.5 * halves.float())
