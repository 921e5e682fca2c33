from jaxtyping import Float
from torch import Tensor, nn

from seqrec_edu.layers.dropout import Dropout


class FeedForward(nn.Module):
    """``LN(dropout(W2 dropout(act(W1 x))) + x)`` with an inner width of 4 d: the position-wise half of a block."""

    def __init__(self, d_model: int, dropout: float, activation: type[nn.Module] = nn.GELU, eps: float = 1e-12):
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(d_model, 4 * d_model),
            activation(),
            Dropout(dropout),
            nn.Linear(4 * d_model, d_model),
            Dropout(dropout),
        )
        self.norm = nn.LayerNorm(d_model, eps=eps)

    def forward(self, x: Float[Tensor, "b l d"]) -> Float[Tensor, "b l d"]:
        return self.norm(self.body(x) + x)
