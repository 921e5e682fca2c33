from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn

from seqrec_edu import ops
from seqrec_edu.layers.dropout import Dropout
from seqrec_edu.taps import tap


@dataclass(frozen=True)
class LowRankAttentionConfig:
    """Sizes of a low-rank attention: width d, heads h, interests r; and which softmax its weights are.

    ``softmax_over="positions"`` is the authors' code (see ``ops.low_rank_attention``), ``causal`` the running variant
    that is ours.
    """

    d_model: int
    heads: int = 8
    interests: int = 20
    dropout: float = 0.1
    attention_dropout: float = 0.1
    softmax_over: str = "interests"
    causal: bool = False

    def __post_init__(self):
        if self.d_model % self.heads:
            raise ValueError(
                f"LowRankAttentionConfig: {self.heads} heads do not divide d_model {self.d_model}; choose a divisor"
            )
        if self.interests < 1:
            raise ValueError(f"LowRankAttentionConfig: interests must be at least 1, got {self.interests}")


class LowRankAttention(nn.Module):
    """The low-rank attention block of MLSA4Rec: ``LN(dropout(y) + x)`` with
    ``y = concat_h low_rank_attention(q, k, v, k θ_k, v θ_v)``, q, k, v = W x + b.

    The pools θ "d r" see keys and values whole, before they are split into heads, so all heads share their pools; θ
    starts unit normal, as in the authors' code. No output projection, no positions, no later feed-forward.
    Give ``mask``, or pads are pooled like events (again the authors' code). 15,168 parameters at d = 64, r = 20.
    Reads the whole history unless ``causal``. Cost b·l·d·(3 d + 6 r).
    Errors: ``ValueError`` on heads that do not divide d. MLSA4Rec, arXiv 2407.13135; LightSANs, SIGIR 2021.
    """

    def __init__(self, config: LowRankAttentionConfig, eps: float = 1e-12):
        super().__init__()
        d, r = config.d_model, config.interests
        self.config = config
        self.q_proj, self.k_proj, self.v_proj = nn.Linear(d, d), nn.Linear(d, d), nn.Linear(d, d)
        self.theta_k, self.theta_v = nn.Parameter(torch.randn(d, r)), nn.Parameter(torch.randn(d, r))
        self.attention_dropout = Dropout(config.attention_dropout)
        self.dropout = Dropout(config.dropout)
        self.norm = nn.LayerNorm(d, eps=eps)

    def forward(self, x: Float[Tensor, "b l d"], mask: Bool[Tensor, "b l"] | None = None) -> Float[Tensor, "b l d"]:
        q, k, v = self.q_proj(x), self.k_proj(x), self.v_proj(x)
        pool_k, pool_v = k @ self.theta_k, v @ self.theta_v
        q, k, v = (rearrange(t, "b l (h p) -> b l h p", h=self.config.heads) for t in (q, k, v))
        for name, tensor in (("q", q), ("k", k), ("v", v)):
            tap(name, tensor, "b l h p")
        for name, tensor in (("pool_k", pool_k), ("pool_v", pool_v)):
            tap(name, tensor, "b l r")
        tap("mask", mask, "b l")
        keep = None
        if self.training and self.config.attention_dropout:
            keep = self.attention_dropout(q.new_ones(*q.shape[:3], self.config.interests))
        y = ops.low_rank_attention(
            q,
            k,
            v,
            pool_k,
            pool_v,
            mask=mask,
            softmax_over=self.config.softmax_over,
            causal=self.config.causal,
            keep=keep,
        )
        tap("attended", y, "b l h p")
        return tap("hidden", self.norm(self.dropout(rearrange(y, "b l h p -> b l (h p)")) + x), "b l d")
