import torch.nn.functional as F
from einops import einsum, rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn

from seqrec_edu.ops.checks import axis_sizes
from seqrec_edu.taps import tap


class LinearAttention(nn.Module):
    """Attention without a softmax, so that keys meet values before any query: ``W_o concat_h y``, in each head

    ``y[t] = ρ(elu(q[t])) Σ_s ρ(elu(k[s]))ᵀ v[s] / √p``  with ρ(z) = z / ‖z‖ over the p numbers of one event.

    The weight of event s for query t is the cosine of two vectors over √p: it may be negative, a row does not sum to 1,
    and the l × l matrix of them has rank p. Cut off at s ≤ t it would be ``ops.ssd`` with A = 0, a state that never
    forgets. This is the norm in the authors' code; where a vector is zero its weights are zero.

    ``x`` "b l d"; ``mask`` "b l", true at real events: pads give no keys, without it they count like events. Reads the
    whole history. Cost b·l·d·(4 d + 2 p), where softmax attention has 2 l instead of 2 p.
    Errors: ``ValueError`` on heads that do not divide d; ``ShapeError`` on axes that do not fit.
    LinRec, SIGIR 2023, arXiv 2411.01537, section 3.
    """

    causal = False

    def __init__(self, d_model: int, heads: int):
        super().__init__()
        if d_model % heads:
            raise ValueError(f"LinearAttention: {heads} heads do not divide d_model {d_model}; choose a divisor")
        self.heads = heads
        self.q_proj = nn.Linear(d_model, d_model)
        self.k_proj = nn.Linear(d_model, d_model)
        self.v_proj = nn.Linear(d_model, d_model)
        self.out_proj = nn.Linear(d_model, d_model)

    def forward(self, x: Float[Tensor, "b l d"], mask: Bool[Tensor, "b l"] | None = None) -> Float[Tensor, "b l d"]:
        axis_sizes("LinearAttention", x=(x, "b l d"), mask=(mask, "b l"))
        q, k, v = (
            rearrange(project(x), "b l (h p) -> b l h p", h=self.heads)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        q, k = F.normalize(F.elu(q), dim=-1), F.normalize(F.elu(k), dim=-1)
        if mask is not None:
            k = k.masked_fill(~mask[:, :, None, None], 0)
        for name, tensor in (("q", q), ("k", k), ("v", v)):
            tap(name, tensor, "b l h p")
        tap("mask", mask, "b l")
        memory = einsum(k, v, "b s h p, b s h c -> b h p c") / q.shape[-1] ** 0.5
        y = tap("attended", einsum(q, memory, "b t h p, b h p c -> b t h c"), "b l h p")
        return self.out_proj(rearrange(y, "b l h p -> b l (h p)"))
