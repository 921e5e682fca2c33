"""mamba-ssm's selective scan behind our signature: a rival to compare with.

It wants time last, so histories are copied on the way in and out, and takes A and D in float32. It begins every history
with an empty state, and its backward pass leaves out what flows through the last state.
"""

import torch
from einops import rearrange
from mamba_ssm.ops.selective_scan_interface import selective_scan_fn

from seqrec_edu.ops.backends import BackendError


def selective_scan(x, dt, A, B, C, D=None, z=None, initial_state=None):
    """Same contract as the kernel: ``y "b l e"``, skipped and gated, and the last state ``"b e n"``.

    Errors: ``BackendError`` on an initial state, and on a gradient that reaches the last state.
    """
    if initial_state is not None:
        raise BackendError(
            "selective_scan: backend 'mamba_ssm' cannot take an initial_state 'b e n'; use backend='kernel'"
        )
    x, dt, B, C, z = (None if v is None else rearrange(v, "b l c -> b c l").contiguous() for v in (x, dt, B, C, z))
    A, D = A.float(), None if D is None else D.float()
    y, last = selective_scan_fn(x, dt, A, B, C, D=D, z=z, return_last_state=True)
    return rearrange(y, "b e l -> b l e"), _WithoutGradient.apply(last.to(x.dtype))


class _WithoutGradient(torch.autograd.Function):
    """An error where the gradient would be silently lost."""

    @staticmethod
    def forward(ctx, last):
        ctx.set_materialize_grads(False)
        return last.clone()

    @staticmethod
    def backward(ctx, dlast):
        if dlast is not None:
            raise BackendError(
                "selective_scan: backend 'mamba_ssm' has no gradient to the last state; use backend='kernel'"
            )
