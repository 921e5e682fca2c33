import torch
from jaxtyping import Float
from torch import Tensor, nn

from seqrec_edu import ops
from seqrec_edu.layers.dropout import Dropout
from seqrec_edu.taps import tap


class GatedLinearUnit(nn.Module):
    """``u, v = split(W1 x)``;  ``LN(dropout(W2 (u ⊙ σ(v))) + x)``: the position-wise half of an EchoMamba4Rec layer.

    With ``drop_sum`` it is ``LN(dropout(W2 (u ⊙ σ(v)) + x))``, as in the authors' code: ``x`` drops out as well.
    12,608 parameters at d = 64, where a feed-forward of inner width 4 d has 33,216. Cost 3·b·l·d². See ``ops.glu``.
    Dauphin et al. 2017, arXiv 1612.08083, section 2; EchoMamba4Rec, arXiv 2406.02638.
    """

    def __init__(self, d_model: int, dropout: float, eps: float = 1e-12, *, drop_sum: bool = False):
        super().__init__()
        self.drop_sum = drop_sum
        self.in_proj = nn.Linear(d_model, 2 * d_model)
        self.out_proj = nn.Linear(d_model, d_model)
        self.dropout = Dropout(dropout)
        self.norm = nn.LayerNorm(d_model, eps=eps)

    def forward(self, x: Float[Tensor, "b l d"]) -> Float[Tensor, "b l d"]:
        u, v = self.in_proj(x).chunk(2, dim=-1)
        tap("u", u, "b l d")
        tap("gate", lambda: torch.sigmoid(v), "b l d")
        y = self.out_proj(ops.glu(u, v))
        y = self.dropout(y + x) if self.drop_sum else self.dropout(y) + x
        return tap("hidden", self.norm(y), "b l d")
