"""Gate, mean square, scale."""

import torch


def gated_norm(y, z, weight, *, eps):
    """``"b l e"``; without ``z`` the norm alone."""
    wide = torch.promote_types(y.dtype, torch.float32)
    g = y.to(wide)
    if z is not None:
        g = g * z.to(wide) * torch.sigmoid(z.to(wide))
    mean_square = (g * g).mean(-1, keepdim=True)
    return (g / torch.sqrt(mean_square + eps) * weight.to(wide)).to(y.dtype)
