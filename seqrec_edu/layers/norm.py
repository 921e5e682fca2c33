import torch
from jaxtyping import Float
from torch import Tensor, nn

from seqrec_edu import ops


class GatedRMSNorm(nn.Module):
    """``RMSNorm(y · silu(z)) · weight``: the gate first, then the norm, as in Mamba-2 (arXiv 2405.21060, section 7).

    ``ops.gated_norm`` with the weight as its parameter.
    """

    def __init__(self, width: int, eps: float = 1e-5):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, y: Float[Tensor, "b l e"], z: Float[Tensor, "b l e"]) -> Float[Tensor, "b l e"]:
        z, weight = z.to(y.dtype), self.weight.to(y.dtype)  # under autocast z is bf16 and y, from the state, float32
        return ops.gated_norm(y, z, weight, eps=self.eps)
