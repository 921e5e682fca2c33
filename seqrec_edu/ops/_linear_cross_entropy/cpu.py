"""The tiles of ``vectorised.py``, with everything between two matrix products fused into one compiled loop.

The gradient of a row is ``(exp(scores - largest) - total·onehot) / total``. The loop leaves out the division: it scales
a whole row, so it may as well scale one row of the products, which is fifty times shorter. The largest score of a row
comes from torch, because the compiler does not vectorise a maximum of floating-point numbers.
"""

import functools
import math

import numpy as np
import torch

from seqrec_edu.ops._linear_cross_entropy.vectorised import Steps, in_tiles
from seqrec_edu.ops.compiled import arrays, compile_loop, exp_of_negative, numba, threads_of_torch


def linear_cross_entropy(hidden, items, target, reduction, ignore_index):
    """Same contract as the reference."""
    return in_tiles(hidden, items, target, reduction, ignore_index, Steps(whole_rows, logsumexp, gradient))


def whole_rows(scores, target):
    """Loss of each token; ``scores`` becomes its gradient times the total of the row, 1 / total is handed back."""
    loss, scale = torch.empty(len(scores)), torch.empty(len(scores))
    _run(_whole_rows, scores, scores.amax(1), target.contiguous(), loss, scale)
    return loss, scale


def logsumexp(scores):
    total = torch.empty(len(scores))
    _run(_logsumexp, scores, scores.amax(1), total)
    return total


def gradient(scores, total, column, weight):
    """``scores`` becomes its gradient; a ``column`` outside the tile marks a target that is in another one."""
    _run(_gradient, scores, total, column.contiguous(), weight.contiguous())


def _run(loop, *tensors):
    with threads_of_torch():
        _compiled(loop)(*arrays(*tensors))


@functools.cache
def _compiled(loop):
    return compile_loop(loop)


def _whole_rows(scores, largest, target, loss, scale):
    for t in numba.prange(len(target)):
        shift, right, total = largest[t], scores[t, target[t]], np.float32(0)
        for v in range(scores.shape[1]):
            scores[t, v] = exp_of_negative(scores[t, v] - shift)
            total += scores[t, v]
        scores[t, target[t]] -= total
        scale[t] = np.float32(1) / total
        loss[t] = math.log(total) + shift - right


def _logsumexp(scores, largest, result):
    for t in numba.prange(len(result)):
        shift, total = largest[t], np.float32(0)
        for v in range(scores.shape[1]):
            total += exp_of_negative(scores[t, v] - shift)
        result[t] = math.log(total) + shift


def _gradient(scores, total, column, weight):
    for t in numba.prange(len(total)):
        shift, scale = total[t], weight[t]
        for v in range(scores.shape[1]):
            scores[t, v] = scale * exp_of_negative(scores[t, v] - shift)
        if 0 <= column[t] < scores.shape[1]:
            scores[t, column[t]] -= scale
