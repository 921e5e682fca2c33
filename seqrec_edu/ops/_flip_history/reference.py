"""User by user: the events turned round, the pads left where they are."""

import torch
import torch.nn.functional as F


def flip_history(x, lengths):
    """``y "b l …"``."""
    return torch.stack(
        [torch.cat([row[:n].flip(0), row[n:]]) for row, n in zip(x, lengths.tolist(), strict=True)],
    )


def mixing_matrix(lengths, length):
    """``M "b l l"`` with ``y = M x``: a permutation, and its own inverse."""
    return F.one_hot(source(lengths, length), length).to(torch.get_default_dtype())


def source(lengths, length):
    """``"b l"``: the position that each position of the result is taken from."""
    t, n = torch.arange(length, device=lengths.device), lengths[:, None]
    return torch.where(t < n, n - 1 - t, t)
