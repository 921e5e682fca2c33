"""The sum, event by event, and the Toeplitz band it is."""

import torch
import torch.nn.functional as F


def causal_conv1d(x, weight, bias=None, *, activation=None, initial_state=None):
    """Loop over time with the window of the last k inputs in hand. Returns ``y "b l e"`` and the window ``"b k-1
    e"``."""
    width = weight.shape[1]
    window = list(x.new_zeros(x.shape[0], width - 1, x.shape[2]).unbind(1))
    if initial_state is not None:
        window = list(initial_state.unbind(1))
    outputs = []
    for x_t in x.unbind(1):
        window.append(x_t)
        y_t = sum(weight[:, j] * window[j] for j in range(width))
        outputs.append(y_t if bias is None else y_t + bias)
        window.pop(0)
    y = torch.stack(outputs, dim=1)
    state = torch.stack(window, dim=1) if window else x.new_zeros(x.shape[0], 0, x.shape[2])
    return (F.silu(y) if activation == "silu" else y), state


def mixing_matrix(weight, length):
    """``M "e l l"`` with ``y[:, e] = M[e] x[:, e] + bias[e]``: a Toeplitz band, ``M[t, s] = weight[k-1-(t-s)]``."""
    lag = torch.arange(length)[:, None] - torch.arange(length)[None, :]
    inside = (lag >= 0) & (lag < weight.shape[1])
    tap = (weight.shape[1] - 1 - lag).clamp(0, weight.shape[1] - 1)
    return weight[:, tap] * inside
