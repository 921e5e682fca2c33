"""The gates as formulas."""

import math

import torch

GATES = {
    "sigmoid": torch.sigmoid,
    "silu": lambda v: v * torch.sigmoid(v),
    "gelu": lambda v: v * (1 + torch.erf(v / math.sqrt(2))) / 2,
}


def glu(u, v, *, activation):
    """``y "b l d"``."""
    wide = torch.promote_types(u.dtype, torch.float32)
    return (u.to(wide) * GATES[activation](v.to(wide))).to(u.dtype)
