"""Attention that knows how long ago: TiSASRec's buckets of the time between two events."""

from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from seqrec_edu import ops
from seqrec_edu.layers.dropout import Dropout
from seqrec_edu.ops.checks import axis_sizes
from seqrec_edu.taps import tap

SCALES = ("user", "running", "raw")


def time_buckets(
    time: Int[Tensor, "b l"], mask: Bool[Tensor, "b l"] | None = None, *, span: int = 256, scale: str = "user"
) -> Int[Tensor, "b l l"]:
    """The time between every two events in buckets 0 … span: ``min(span, ⌊|t[i] - t[j]| / unit⌋)``.

    ``scale`` says what the unit is:

    * "user", TiSASRec's: the smallest gap above 0 between two real events of the history, 1 s if there is none. It
      makes patient and hasty users comparable, but a later pair of events closer than all before changes the buckets
      of the earlier ones: trained at every position, a causal model then sees something of the future.
    * "running", ours: for row i, the smallest such gap up to event i. Row i of a history is then that of its first
      i events alone; where j > i the entry is meaningless, and a causal attention does not read it.
    * "raw": one second.

    ``time`` is in int64 seconds, subtracted before anything else: a float32 holds today's seconds 128 s apart.
    Pads have no say in the unit; their own rows and columns are meaningless. Cost and memory b·l².
    Errors: ``ValueError`` on times that are not int64, an unknown scale, or a span below 1.
    TiSASRec, WSDM 2020, doi 10.1145/3336191.3371786.
    """
    axis_sizes("time_buckets", time=(time, "b l"), mask=(mask, "b l"))
    if time.dtype != torch.int64:
        raise ValueError(f"time_buckets: times must be int64 seconds, got {time.dtype}")
    if scale not in SCALES:
        raise ValueError(f"time_buckets: scale must be one of {', '.join(SCALES)}, got {scale!r}")
    if span < 1:
        raise ValueError(f"time_buckets: span must be at least 1 bucket, got {span}")
    apart = (time[:, :, None] - time[:, None, :]).abs()
    if scale != "raw":
        apart = apart // _smallest_gap(apart, mask, running=scale == "running")
    return apart.clamp(max=span)


def _smallest_gap(apart, mask, running):
    """The unit of each row, ``"b l 1"`` or ``"b 1 1"``."""
    counts = apart > 0
    if mask is not None:
        counts = counts & mask[:, :, None] & mask[:, None, :]
    if running:
        counts = counts.tril()
    none = torch.iinfo(apart.dtype).max
    smallest = apart.masked_fill(~counts, none).amin(dim=2, keepdim=True)
    smallest = smallest.cummin(dim=1).values if running else smallest.amin(dim=1, keepdim=True)
    return smallest.masked_fill(smallest == none, 1)


@dataclass(frozen=True)
class RelativeTimeAttentionConfig:
    """Sizes of a relative-time attention: width d, heads h, the longest history, and the buckets of ``time_buckets``:
    ``span`` is the last one, into which all longer times fall."""

    d_model: int
    heads: int
    history_length: int
    span: int = 256
    dropout: float = 0.2
    scale: str = "user"

    def __post_init__(self):
        if self.d_model % self.heads:
            raise ValueError(
                f"RelativeTimeAttentionConfig: {self.heads} heads do not divide d_model {self.d_model}; "
                "choose a divisor"
            )
        if self.scale not in SCALES:
            raise ValueError(
                f"RelativeTimeAttentionConfig: scale must be one of {', '.join(SCALES)}, got {self.scale!r}"
            )


class RelativeTimeAttention(nn.Module):
    """Causal attention whose keys and values also say where an event stands and how long before the query it was.

    ``y[i] = Σ_{j ≤ i} softmax_j(q[i]·(k[j] + P_k[j] + T_k[r_ij]) / √p) (v[j] + P_v[j] + T_v[r_ij])`` with q, k, v =
    W x + b, positions P "l d", times T "span+1 d" cut into heads, and r = ``time_buckets(time, mask)``. Dropout on the
    weights; no output projection. To share positions and times between blocks, give them the same four modules.

    ``x`` "b l d", ``time`` int64 seconds "b l", ``mask`` true at real events. Adding a constant to all times changes
    nothing. Cost b·l²·d and b·l·span·d, memory b·h·l·(l + span): a tensor "b l l d" is never formed.
    Errors: ``ValueError`` on heads that do not divide d, an unknown scale, times that are not int64, or a history
    longer than ``history_length``. TiSASRec, WSDM 2020, doi 10.1145/3336191.3371786.
    """

    def __init__(self, config: RelativeTimeAttentionConfig):
        super().__init__()
        d = config.d_model
        self.config = config
        self.q_proj, self.k_proj, self.v_proj = nn.Linear(d, d), nn.Linear(d, d), nn.Linear(d, d)
        self.position_k = nn.Embedding(config.history_length, d)
        self.position_v = nn.Embedding(config.history_length, d)
        self.time_k = nn.Embedding(config.span + 1, d)
        self.time_v = nn.Embedding(config.span + 1, d)
        self.dropout = Dropout(config.dropout)

    def forward(
        self, x: Float[Tensor, "b l d"], time: Int[Tensor, "b l"], mask: Bool[Tensor, "b l"] | None = None
    ) -> Float[Tensor, "b l d"]:
        batch, length, _ = x.shape
        axis_sizes("RelativeTimeAttention", x=(x, "b l d"), time=(time, "b l"), mask=(mask, "b l"))
        if length > self.config.history_length:
            raise ValueError(
                f"RelativeTimeAttention has positions for {self.config.history_length} events, x holds {length}: "
                "gather shorter histories or build it with a larger history_length"
            )
        q = self.q_proj(x)
        # Under autocast q is bf16 and the tables are not.
        k = self.k_proj(x) + self.position_k.weight[:length].to(q.dtype)
        v = self.v_proj(x) + self.position_v.weight[:length].to(q.dtype)
        tables = (table.weight.to(q.dtype) for table in (self.time_k, self.time_v))
        q, k, v = (rearrange(t, "b l (h p) -> b l h p", h=self.config.heads) for t in (q, k, v))
        table_k, table_v = (rearrange(t, "c (h p) -> c h p", h=self.config.heads) for t in tables)
        index = time_buckets(time, mask, span=self.config.span, scale=self.config.scale)
        for name, tensor in (("q", q), ("k", k), ("v", v)):
            tap(name, tensor, "b l h p")
        tap("mask", mask, "b l")
        tap("buckets", index, "b l l")
        tap("table_k", table_k, "c h p")
        keep = None
        if self.training and self.config.dropout:
            keep = self.dropout(q.new_ones(batch, self.config.heads, length, length))
        y = ops.attention(q, k, v, causal=True, mask=mask, relation=(index, table_k, table_v), keep=keep)
        return rearrange(tap("attended", y, "b l h p"), "b l h p -> b l (h p)")
