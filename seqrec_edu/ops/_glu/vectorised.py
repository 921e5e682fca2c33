"""PyTorch's own fused activations, one pass each."""

import torch
import torch.nn.functional as F

GATES = {"sigmoid": torch.sigmoid, "silu": F.silu, "gelu": F.gelu}


def glu(u, v, *, activation):
    """Same contract as the reference."""
    wide = torch.promote_types(u.dtype, torch.float32)  # half precision is rounded once, at the end
    return (u.to(wide) * GATES[activation](v.to(wide))).to(u.dtype)
