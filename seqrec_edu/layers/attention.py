from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn

from seqrec_edu import ops
from seqrec_edu.taps import tap


class SelfAttention(nn.Module):
    """Multi-head self-attention: ``W_o concat_h attention(W_q x, W_k x, W_v x)``. Vaswani et al. 2017, section
    3.2.2."""

    def __init__(self, d_model: int, heads: int, *, causal: bool):
        super().__init__()
        if d_model % heads:
            raise ValueError(f"SelfAttention: {heads} heads do not divide d_model {d_model}; choose a divisor")
        self.heads, self.causal = heads, causal
        self.q_proj = nn.Linear(d_model, d_model)
        self.k_proj = nn.Linear(d_model, d_model)
        self.v_proj = nn.Linear(d_model, d_model)
        self.out_proj = nn.Linear(d_model, d_model)

    def forward(self, x: Float[Tensor, "b l d"], mask: Bool[Tensor, "b l"] | None = None) -> Float[Tensor, "b l d"]:
        q, k, v = (
            rearrange(project(x), "b l (h p) -> b l h p", h=self.heads)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        for name, tensor in (("q", q), ("k", k), ("v", v)):
            tap(name, tensor, "b l h p")
        tap("mask", mask, "b l")
        y = tap("attended", ops.attention(q, k, v, causal=self.causal, mask=mask), "b l h p")
        return self.out_proj(rearrange(y, "b l h p -> b l (h p)"))
