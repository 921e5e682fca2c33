from jaxtyping import Float
from torch import Tensor, nn

from seqrec_edu.layers.dropout import Dropout
from seqrec_edu.taps import tap

ACTIVATIONS = {"gelu": nn.GELU, "hardswish": nn.Hardswish}
PLACES = ("hidden", "output", "result")


class FeedForward(nn.Module):
    """``LN(dropout(W2 dropout(act(W1 x))) + x)`` with an inner width of 4 d: the position-wise half of a block.

    ``activation`` is "gelu" (Hendrycks and Gimpel, arXiv 1606.08415) or "hardswish", ``x · min(max(x + 3, 0), 6) / 6``
    (Howard et al., arXiv 1905.02244), which TiM4Rec takes. ``drop_at`` says where dropout acts: on the "hidden" width,
    on the "output" before the residual, on the "result" of the norm; ``inner`` is another width than 4 d.
    Errors: ``ValueError`` on any other activation or place.
    """

    def __init__(
        self,
        d_model: int,
        dropout: float,
        activation: str = "gelu",
        eps: float = 1e-12,
        drop_at: tuple[str, ...] = ("hidden", "output"),
        inner: int | None = None,
    ):
        super().__init__()
        inner = 4 * d_model if inner is None else inner
        if not set(drop_at) <= set(PLACES):
            raise ValueError(f"FeedForward: drop_at must name some of {', '.join(PLACES)}, got {drop_at!r}")
        if activation not in ACTIVATIONS:
            raise ValueError(f"FeedForward: activation must be one of {', '.join(ACTIVATIONS)}, got {activation!r}")
        self.body = nn.Sequential(
            nn.Linear(d_model, inner),
            ACTIVATIONS[activation](),
            Dropout(dropout if "hidden" in drop_at else 0.0),
            nn.Linear(inner, d_model),
            Dropout(dropout if "output" in drop_at else 0.0),
        )
        self.norm = nn.LayerNorm(d_model, eps=eps)
        self.dropout = Dropout(dropout if "result" in drop_at else 0.0)

    def forward(self, x: Float[Tensor, "b l d"]) -> Float[Tensor, "b l d"]:
        return tap("hidden", self.dropout(self.norm(self.body(x) + x)), "b l d")
