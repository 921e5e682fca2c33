"""mamba-ssm's chunked kernels behind our signature: a rival to compare with.

It knows no decay_scale. With dt' = τ dt the decays are right, but dt' is what it writes with as well, so x has to
undo that: dt' (x / τ) = dt x. Exact for τ > 0, and then every gradient follows by the chain rule; at τ = 0 there is no
such x. Its skip would see x / τ too, so with a decay_scale it is added here.

For float32 its matrix products are TF32, whatever torch's setting: expect three digits.
"""

import torch
from mamba_ssm.ops.triton.ssd_combined import mamba_chunk_scan_combined


def ssd(x, dt, A, B, C, D=None, decay_scale=None, initial_state=None, *, chunk_size=64):
    """Same contract as the reference, with the skip D x: ``y "b l h p"`` and the last state ``"b h p n"``."""
    folded, skip = x, D
    if decay_scale is not None:
        if (decay_scale < torch.finfo(x.dtype).eps).any():
            raise ValueError(
                "ssd: backend 'mamba_ssm' takes decay_scale 'b l h' as a factor on dt and a divisor of x, so it must "
                f"be above 0, but its smallest entry is {decay_scale.min():.1e}; use backend='kernel'"
            )
        folded, dt, skip = x / decay_scale[..., None], dt * decay_scale, None
    y, last = mamba_chunk_scan_combined(
        folded, dt, A, B, C, chunk_size, D=skip, initial_states=initial_state, return_final_states=True
    )
    if skip is not D:
        y = y + D[:, None] * x
    return y, last.to(x.dtype)
