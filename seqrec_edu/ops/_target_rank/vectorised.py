"""A tile of users at a time, so that no users × items matrix is ever held."""

import torch

from seqrec_edu.ops._target_rank.reference import rank_in

TILE_BYTES = {"cpu": 2 << 20, "cuda": 512 << 20}


def target_rank(hidden, items, target, exclude=None):
    """Same contract as the reference."""
    if hidden.dtype in (torch.bfloat16, torch.float16):
        hidden, items = hidden.float(), items.float()
    size = max(16, TILE_BYTES.get(hidden.device.type, TILE_BYTES["cpu"]) // (4 * len(items)))
    ranks = []
    for start in range(0, len(hidden), size):
        tile = slice(start, start + size)
        left_out = None if exclude is None else exclude[tile]
        ranks.append(rank_in(hidden[tile] @ items.T, target[tile], left_out))
    return torch.cat(ranks)
