"""The tiles of ``vectorised.py``, with the softmax between the two matrix products fused into one compiled loop.

A row of scores is read three times while it lies in cache: for its maximum, for exp and sum, and to scale. The padding
row needs no branch: its score is set to minus infinity, and exp of that is as good as zero.
"""

import functools
import math

import numpy as np
import torch

from seqrec_edu.ops._linear_cross_entropy.vectorised import in_tiles
from seqrec_edu.ops.compiled import arrays, compile_loop, exp_of_negative, numba, threads_of_torch


def linear_cross_entropy(hidden, items, target, reduction, ignore_index):
    """Same contract as the reference."""
    return in_tiles(hidden, items, target, reduction, ignore_index, loss_and_gradient)


def loss_and_gradient(scores, target, ignore_index):
    """Loss of each token of a tile; ``scores`` becomes their gradient, ``softmax - onehot``, zero where ignored."""
    loss = torch.empty(len(target))
    with threads_of_torch():
        _compiled()(*arrays(scores, target.contiguous()), ignore_index, *arrays(loss))
    return loss


@functools.cache
def _compiled():
    return compile_loop(_loop)


def _loop(scores, target, ignore_index, loss):
    items = scores.shape[1]
    for t in numba.prange(len(target)):
        loss[t] = 0
        if target[t] == ignore_index:
            for v in range(items):
                scores[t, v] = 0
            continue
        if ignore_index >= 0:
            scores[t, ignore_index] = np.float32(-1e30)
        right, largest, total = scores[t, target[t]], np.float32(-1e30), np.float32(0)
        for v in range(items):
            largest = max(largest, scores[t, v])
        for v in range(items):
            scores[t, v] = exp_of_negative(scores[t, v] - largest)
            total += scores[t, v]
        scale = np.float32(1) / total
        for v in range(items):
            scores[t, v] *= scale
        scores[t, target[t]] -= np.float32(1)
        loss[t] = math.log(total) + largest - right
