from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from einops import einsum, rearrange
from torch import Tensor, nn

from seqrec_edu import ops
from seqrec_edu.data.batches import Batch
from seqrec_edu.layers import Dropout, FeedForward, initialise
from seqrec_edu.models.recommender import Recommender, check_sizes
from seqrec_edu.models.released import Quirks, Released, adam, draw_pad, positions, whole_rows
from seqrec_edu.taps import tap


@dataclass(frozen=True)
class LightSANsConfig(Quirks):
    """Sizes, and how much of the authors' wiring.

    interests  r, into which the attention pools the history
    mode       "corrected", or "official": all three quirks at once

    The quirks are those of the authors' code (2021), and of RecBole's after it, off by default:

    softmax_over_positions  in both attentions what is read hands out its share over the events that read it, instead of
                            each event over what it reads. Cost: the weights of an event no longer sum to 1 (to r/l on
                            average among interests) and depend on all other events
    pads_as_events          pads are pooled, read and counted like events, in rows of history_length places. Cost: the
                            same history gives another recommendation when more pads follow it
    random_pad              see ``models.released``; it shows through pads_as_events
    """

    n_items: int
    d_model: int = 64
    n_layers: int = 2
    heads: int = 2
    interests: int = 20
    dropout: float = 0.2
    history_length: int = 200
    mode: str = "corrected"
    softmax_over_positions: bool = False
    pads_as_events: bool = False
    random_pad: bool = False

    def __post_init__(self):
        self.check("LightSANs", {"random_pad": ("pads_as_events",)})
        check_sizes("LightSANs", self)
        if self.d_model % self.heads:
            raise ValueError(f"LightSANs: {self.heads} heads do not divide d_model {self.d_model}; choose a divisor")


def _as_released(length: int, interests: int, dropout: float) -> tuple[dict[str, Any], dict[str, Any]]:
    model = {
        "mode": "official", "d_model": 64, "n_layers": 2, "heads": 2, "interests": interests, "dropout": dropout,
        "history_length": length,
    }  # fmt: skip
    return model, adam(length, 500, 1024, learning_rate=3e-3)


class LightSANs(Released, Recommender):
    """Attention to a few interests for what was consumed, and a separate attention for where it stands.

    ``x = dropout(LN(embedding))``, then per layer ``x = LN(dropout(W_o (items + places)) + x)`` and a feed-forward of
    inner width 4 d that drops its output alone. ``items`` is ``ops.low_rank_attention`` with pools k θ_k, v θ_v.
    ``places`` mixes the same values by learned positions P alone: ``softmax_s(q[t]·k[s] / (√2 p)) v[s]`` with
    q, k = W LN(P). Items and positions are never added, so neither blurs the other, but the second half costs b·h·l²
    again.

    Not causal. Corrected against the authors' code: both softmaxes run over what is read, pads take no part, and
    every layer draws its own θ, where theirs start as copies of the first.
    The body has 134,912 parameters at l = 200 with 20 interests. Fan et al. 2021, SIGIR, doi 10.1145/3404835.3462978.
    """

    name = "lightsans"
    causal = False
    released: ClassVar = {
        "ml-1m": _as_released(200, 20, 0.2), "yelp": _as_released(100, 10, 0.5), "books": _as_released(150, 15, 0.5)
    }  # fmt: skip

    def __init__(self, config: LightSANsConfig):
        super().__init__(config)
        self.position_embedding = nn.Embedding(config.history_length, config.d_model)
        self.layers = nn.ModuleList(_Layer(config) for _ in range(config.n_layers))
        initialise(self)
        self.pad_in_softmax = config.has("random_pad")
        if self.pad_in_softmax:
            draw_pad(self.item_embedding)

    @property
    def fills_rows(self) -> bool:
        return self.config.has("pads_as_events")

    def forward(self, batch: Batch):
        item, mask = batch.item, batch.mask
        if self.fills_rows:
            item, _ = whole_rows("LightSANs", batch, self.config.history_length)
            mask = torch.ones_like(item, dtype=torch.bool)
        position = positions("LightSANs", self.position_embedding, item.shape[1])
        x = tap("embedding", self.dropout(self.embedding_norm(self.item_embedding(item))), "b l d")
        for layer in self.layers:
            x = layer(x, position, mask)
        return tap("hidden", x[:, : batch.item.shape[1]], "b l d")


class _Layer(nn.Module):
    def __init__(self, c: LightSANsConfig):
        super().__init__()
        d = c.d_model
        self.heads, self.over = c.heads, "positions" if c.has("softmax_over_positions") else "interests"
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(d, d) for _ in range(4))
        self.place_q_proj, self.place_k_proj = nn.Linear(d, d), nn.Linear(d, d)
        self.theta_k, self.theta_v = (nn.Parameter(torch.randn(d, c.interests)) for _ in range(2))
        self.place_norm, self.norm = (nn.LayerNorm(d, eps=1e-12) for _ in range(2))
        self.dropout = Dropout(c.dropout)
        self.feed_forward = FeedForward(d, c.dropout, drop_at=("output",))

    def forward(self, x, position, mask):
        q, k, v = self.q_proj(x), self.k_proj(x), self.v_proj(x)
        pool_k, pool_v = k @ self.theta_k, v @ self.theta_v
        q, k, v = (rearrange(tensor, "b l (h p) -> b l h p", h=self.heads) for tensor in (q, k, v))
        for name, tensor in (("q", q), ("k", k), ("v", v)):
            tap(name, tensor, "b l h p")
        for name, tensor in (("pool_k", pool_k), ("pool_v", pool_v)):
            tap(name, tensor, "b l r")
        tap("mask", mask, "b l")
        keep = self._keep(*q.shape[:3], self.theta_k.shape[1], like=q)
        items = ops.low_rank_attention(q, k, v, pool_k, pool_v, mask=mask, softmax_over=self.over, keep=keep)
        attended = tap("attended", items + self._places(v, position, mask), "b l h p")
        y = rearrange(attended, "b l h p -> b l (h p)")
        return self.feed_forward(self.norm(self.dropout(self.out_proj(y)) + x))

    def _keep(self, *shape: int, like: Tensor) -> Tensor | None:
        """Dropout on the weights of the interests; positions have none in the authors' code."""
        return self.dropout(like.new_ones(shape)) if self.training and self.dropout.p else None

    def _places(self, v: Tensor, position: Tensor, mask: Tensor) -> Tensor:
        """What events read by position alone, "b l h p". All histories share the scores, each has its own pads."""
        place = self.place_norm(position)
        q, k = (
            rearrange(project(place), "l (h p) -> l h p", h=self.heads)
            for project in (self.place_q_proj, self.place_k_proj)
        )
        scores = einsum(q, k, "t h p, s h p -> h t s") / (2**0.5 * q.shape[-1])
        real = mask[:, None, :, None] & mask[:, None, None, :]
        over = -1 if self.over == "interests" else -2
        weights = torch.softmax(scores.masked_fill(~real, torch.finfo(scores.dtype).min), dim=over) * real
        tap("place_weights", weights, "b h l l")
        return einsum(weights.to(v.dtype), v, "b h t s, b s h p -> b t h p")
