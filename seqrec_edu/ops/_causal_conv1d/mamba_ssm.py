"""causal-conv1d, the convolution that mamba-ssm calls, behind our signature: a rival to compare with.

It takes histories with the channels last, as ours are, where the channels and the distance between two events are
multiples of eight. Otherwise they are copied to time last, and then it takes no window.
"""

import torch
from causal_conv1d import causal_conv1d_fn
from einops import rearrange

from seqrec_edu.ops.backends import BackendError


def causal_conv1d(x, weight, bias=None, *, activation=None, initial_state=None):
    """Same contract as the reference: ``y "b l e"`` and the window ``"b k-1 e"``.

    Errors: ``BackendError`` on a width outside 2…4, and on a window where the channels are not a multiple of eight.
    """
    channels, width = weight.shape
    if not 2 <= width <= 4:
        raise BackendError(
            f"causal_conv1d: backend 'mamba_ssm' knows widths k of 2, 3 and 4, got {width}; use backend='kernel'"
        )
    if initial_state is not None and channels % 8:
        raise BackendError(
            "causal_conv1d: backend 'mamba_ssm' takes an initial_state 'b k-1 e' only where axis e is a multiple of 8, "
            f"got {channels}; use backend='kernel'"
        )
    last = rearrange(x.contiguous() if channels % 8 == 0 else x, "b l e -> b e l")
    y = causal_conv1d_fn(
        last if channels % 8 == 0 else last.contiguous(),
        weight.contiguous(),
        bias,
        initial_states=None if initial_state is None else rearrange(initial_state.contiguous(), "b k e -> b e k"),
        activation=activation,
    )
    before = x.new_zeros(x.shape[0], width - 1, channels) if initial_state is None else initial_state
    window = torch.cat([before, x[:, max(0, x.shape[1] - width + 1) :]], dim=1)
    return rearrange(y, "b e l -> b l e"), window[:, window.shape[1] - width + 1 :]
