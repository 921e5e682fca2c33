from jaxtyping import Float
from torch import Tensor, nn

from seqrec_edu.layers.dropout import Dropout

ACTIVATIONS = {"gelu": nn.GELU, "hardswish": nn.Hardswish}


class FeedForward(nn.Module):
    """``LN(dropout(W2 dropout(act(W1 x))) + x)`` with an inner width of 4 d: the position-wise half of a block.

    ``activation`` is "gelu" (Hendrycks and Gimpel, arXiv 1606.08415) or "hardswish", ``x · min(max(x + 3, 0), 6) / 6``
    (Howard et al., arXiv 1905.02244), which TiM4Rec takes. Errors: ``ValueError`` on any other.
    """

    def __init__(self, d_model: int, dropout: float, activation: str = "gelu", eps: float = 1e-12):
        super().__init__()
        if activation not in ACTIVATIONS:
            raise ValueError(f"FeedForward: activation must be one of {', '.join(ACTIVATIONS)}, got {activation!r}")
        self.body = nn.Sequential(
            nn.Linear(d_model, 4 * d_model),
            ACTIVATIONS[activation](),
            Dropout(dropout),
            nn.Linear(4 * d_model, d_model),
            Dropout(dropout),
        )
        self.norm = nn.LayerNorm(d_model, eps=eps)

    def forward(self, x: Float[Tensor, "b l d"]) -> Float[Tensor, "b l d"]:
        return self.norm(self.body(x) + x)
