"""The convolution as k shifted multiply-adds, channels last.

PyTorch's own depthwise ``conv1d`` wants channels first, which costs two copies of the whole history; k is 4, so four
passes over contiguous memory are cheaper.
"""

import torch
import torch.nn.functional as F


def causal_conv1d(x, weight, bias=None, *, activation=None, initial_state=None):
    """Same contract as the reference: ``y "b l e"`` and the window ``"b k-1 e"``."""
    length, width = x.shape[1], weight.shape[1]
    before = x.new_zeros(x.shape[0], width - 1, x.shape[2]) if initial_state is None else initial_state
    padded = torch.cat([before, x], dim=1)
    y = padded[:, :length] * weight[:, 0]
    for j in range(1, width):
        y = torch.addcmul(y, padded[:, j : j + length], weight[:, j])
    if bias is not None:
        y = y + bias
    return (F.silu(y) if activation == "silu" else y), padded[:, length:]
