import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class GatedRMSNorm(nn.Module):
    """``RMSNorm(y · silu(z)) · weight``: the gate first, then the norm, as in Mamba-2 (arXiv 2405.21060, section 7)."""

    def __init__(self, width: int, eps: float = 1e-5):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, y: Float[Tensor, "... e"], z: Float[Tensor, "... e"]) -> Float[Tensor, "... e"]:
        return F.rms_norm(y * F.silu(z), (y.shape[-1],), self.weight, self.eps)
