import math
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from seqrec_edu import ops
from seqrec_edu.data.batches import Batch
from seqrec_edu.layers import (
    InteractionGate,
    LowRankAttention,
    LowRankAttentionConfig,
    MambaConfig,
    MambaLayer,
    initialise,
)
from seqrec_edu.models.recommender import Recommender
from seqrec_edu.models.released import Quirks, Released, adam, draw_pad, overwrite_steps, whole_rows
from seqrec_edu.taps import tap

ATTENTION = ("low-rank", "running", "off")
GATES = ("gelu", "sigmoid")


@dataclass(frozen=True)
class MLSA4RecConfig(Quirks):
    """Sizes, which attention and gate, and how much of the authors' wiring.

    n_layers        Mamba layers behind the interaction block, which has one of its own
    interests       r, into which the attention pools the history
    attention       "low-rank", the authors'; "running", ours: event t pools the events up to t, so the model is causal;
                    "off": the gate reads the Mamba stream itself
    gate            "gelu", the authors'; "sigmoid", which can only pass and block
    history_length  l of whole rows; read only with pads_as_events
    kaiming_init    weights start from Kaiming's uniform(±1/√inputs) instead of normal(0, 0.02), as the authors' do
    mode            "corrected", or "official": all four quirks at once. With attention="off" it is the authors' model
                    without that part, which takes its quirks along: pads are then read by nothing

    The quirks are those of the authors' code (October 2024), off by default:

    softmax_over_positions  each interest hands out its share over the events, instead of each event over the interests.
                            Cost: the weights of an event sum to r/l on average instead of 1, and depend on all others
    pads_as_events          pads are pooled and counted like events, in rows of history_length places. Cost: the same
                            history gives another recommendation when more pads follow it
    random_pad              see ``models.released``; it shows through pads_as_events
    overwritten_steps       see ``models.released``
    """

    n_items: int
    d_model: int = 64
    n_layers: int = field(default=2, metadata={"least": 0})  # 0: the interaction block alone
    d_state: int = 32
    conv_width: int = 4
    expand: int = 2
    heads: int = 8
    interests: int = 20
    dropout: float = 0.1
    attention_dropout: float = 0.1
    attention: str = "low-rank"
    gate: str = "gelu"
    history_length: int = 200
    kaiming_init: bool = False
    mode: str = "corrected"
    softmax_over_positions: bool = False
    pads_as_events: bool = False
    random_pad: bool = False
    overwritten_steps: bool = False

    def __post_init__(self):
        self.check("MLSA4Rec", {"random_pad": ("pads_as_events",)}, attention=ATTENTION, gate=GATES)
        about_attention = [name for name in ("softmax_over_positions", "pads_as_events") if getattr(self, name)]
        if about_attention and self.attention == "off":
            raise ValueError(f'MLSA4Rec: {" and ".join(about_attention)} would change nothing with attention="off"')
        if self.attention == "running" and self.has("softmax_over_positions", "pads_as_events"):
            raise ValueError(
                'MLSA4Rec: attention="running" has pooled the events up to each one, so neither later events nor pads '
                "can count: leave out softmax_over_positions, pads_as_events and the official mode"
            )

    def attention_sizes(self) -> LowRankAttentionConfig:
        """Sizes of the attention block."""
        over = "positions" if self.has("softmax_over_positions") else "interests"
        return LowRankAttentionConfig(
            self.d_model, self.heads, self.interests, self.dropout, self.attention_dropout, over,
            causal=self.attention == "running",
        )  # fmt: skip


def _as_released() -> tuple[dict[str, Any], dict[str, Any]]:
    model = {
        "mode": "official", "d_model": 64, "n_layers": 2, "d_state": 32, "conv_width": 4, "expand": 2, "heads": 8,
        "interests": 20, "dropout": 0.1, "attention_dropout": 0.1, "history_length": 50, "kaiming_init": True,
    }  # fmt: skip
    return model, adam(50, 100, 8192, seed=2024)


class MLSA4Rec(Released, Recommender):
    """Mamba steered by low-rank attention: the whole history, pooled into a few interests, gates the state space.

    ``X = LN(dropout(embedding))``;  ``H = LN(dropout(mamba(X)) + X)``;  ``A = lsa(H)`` (``layers.LowRankAttention``);
    ``G = LN(gelu(W1 A) ⊙ H)``, ``Z = LN(dropout(gelu(W2 [A; G])) + gelu(W3 X))`` (``layers.InteractionGate``);
    then n_layers times ``Z = LN(dropout(mamba(Z)) + Z)``, without feed-forward.

    Not causal: every event is read against interests pooled from the whole history. Corrected against the authors'
    code: the softmax runs over the interests and pads take no part, so a history of any length goes, followed by any
    number of pads. With ``attention="running"`` or ``"off"`` it is causal and can ``step``.

    The body has 148,864 parameters at any l. The authors' code holds another 51,392 that nothing reads (a spare Mamba,
    position and output projections of the attention); they are left out here. Their ML-1M setting too has l = 50.
    arXiv 2407.13135.
    """

    name = "mlsa4rec"
    causal = False
    released: ClassVar = {name: _as_released() for name in ("ml-1m", "beauty", "video-games")}

    def __init__(self, config: MLSA4RecConfig):
        super().__init__(config)
        self.causal = config.attention != "low-rank"
        mamba, layers = MambaConfig(config.d_model, config.d_state, config.conv_width, config.expand), config.n_layers
        self.mambas = nn.ModuleList(MambaLayer(mamba) for _ in range(1 + layers))
        self.norms = nn.ModuleList(nn.LayerNorm(config.d_model, eps=1e-12) for _ in range(1 + layers))
        self.attention = None if config.attention == "off" else LowRankAttention(config.attention_sizes())
        self.gate = InteractionGate(config.d_model, config.dropout, config.gate)
        initialise(self)
        if config.kaiming_init:
            _kaiming(self)
        self.pad_in_softmax = config.has("random_pad")
        if self.pad_in_softmax:
            draw_pad(self.item_embedding)
        if config.has("overwritten_steps"):
            overwrite_steps(self, None if config.kaiming_init else 0.02)  # Kaiming's uniform is what they start with

    @property
    def most_events(self) -> int | None:
        return self.config.history_length if self.fills_rows else None

    @property
    def fills_rows(self) -> bool:
        return self.attention is not None and self.config.has("pads_as_events")

    def forward(self, batch: Batch):
        return self._through(batch, None)[0]

    def _advance(self, batch, state):
        return self._through(batch, state, stepping=True) if self.causal else super()._advance(batch, state)

    def _through(self, batch, state, stepping=False):
        item, mask = batch.item, batch.mask
        if self.fills_rows:
            item, mask = whole_rows("MLSA4Rec", batch, self.config.history_length)[0], None
        start, carried, pooled = self.embed(item), [], []

        def mixed(i, x):
            y, after = self.mambas[i](x, state and state[i])
            carried.append(after)
            return self.norms[i](self.dropout(y) + x)

        stream = mixed(0, start)
        if self.attention is None:
            attended = stream
        elif stepping:
            attended, *pooled = _pooling_on(self.attention, stream, state and state[-1])
        else:
            attended = self.attention(stream, mask)
        x = self.gate(attended, stream, start)
        for i in range(1, 1 + self.config.n_layers):
            x = mixed(i, x)
        return tap("hidden", x[:, : batch.item.shape[1]], "b l d"), carried + pooled


def _pooling_on(attention: LowRankAttention, x: Tensor, past: tuple | None) -> tuple[Tensor, tuple]:
    """A running ``attention(x)`` that goes on after ``past``, in eval mode; and the past with x.

    The past is r events that stand before x. The i-th counts for interest i alone: the averages of keys and of values
    that it has pooled so far, each with the logarithm of their total weight as its logit.
    """
    k, v = attention.k_proj(x), attention.v_proj(x)
    events = (k, v, k @ attention.theta_k, v @ attention.theta_v)
    if past is not None:
        events = tuple(torch.cat(pair, dim=1) for pair in zip(past, events, strict=True))
    *values, pool_k, pool_v = events
    before = pool_k.shape[1] - x.shape[1]
    rows = (F.pad(attention.q_proj(x), (0, 0, before, 0)), *values)
    q, k, v = (rearrange(row, "b l (h p) -> b l h p", h=attention.config.heads) for row in rows)
    y = ops.low_rank_attention(q, k, v, pool_k, pool_v, causal=True)[:, before:]
    y = attention.norm(attention.dropout(rearrange(y, "b l h p -> b l (h p)")) + x)

    averages = (torch.softmax(pool, dim=1).to(row.dtype).mT @ row for pool, row in zip(events[2:], values, strict=True))
    others = ~torch.eye(pool_k.shape[2], dtype=torch.bool, device=x.device)
    logits = (
        torch.diag_embed(pool.logsumexp(dim=1).to(pool.dtype)).masked_fill(others, torch.finfo(pool.dtype).min)
        for pool in events[2:]
    )
    return y, (*averages, *logits)


def _kaiming(model: nn.Module) -> None:
    """He et al. 2015 (arXiv 1502.01852) with the slope √5 that PyTorch takes: uniform(±1/√inputs), padding row zero."""
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.kaiming_uniform_(module.weight, a=math.sqrt(5))
        if isinstance(module, nn.Embedding) and module.padding_idx is not None:
            nn.init.zeros_(module.weight[module.padding_idx])
