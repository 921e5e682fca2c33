from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from seqrec_edu.data.batches import Batch
from seqrec_edu.data.split import Split
from seqrec_edu.layers import FeedForward, RelativeTimeAttention, RelativeTimeAttentionConfig, initialise
from seqrec_edu.models.gaps import training_gaps
from seqrec_edu.models.recommender import Recommender
from seqrec_edu.models.released import Released, adam
from seqrec_edu.taps import tap

TABLES = ("position_k", "position_v", "time_k", "time_v")


@dataclass(frozen=True)
class TiSASRecConfig:
    """Sizes, and how time is counted.

    span    k, the last bucket of time: all that lies further apart falls into it
    scale   the unit of a bucket (``layers.time_buckets``). "running": the smallest gap of the history so far; "user":
            that of the whole history, as in the paper, which makes the model not causal; "raw": one second
    """

    n_items: int
    d_model: int = 64
    n_layers: int = 2
    heads: int = 2
    span: int = 256
    dropout: float = 0.2
    history_length: int = 200
    scale: str = "running"

    def __post_init__(self):
        if self.span < 1:
            raise ValueError(f"TiSASRec: span must be at least 1 bucket, got {self.span}")


class TiSASRec(Released, Recommender):
    """SASRec that is told how long ago every event was: positions and times join keys and values, not the items.

    ``x = LN(dropout(embedding))``, then per layer ``x = LN(dropout(W_o attention(x, r)) + x)`` and a feed-forward of
    inner width 4 d. ``attention`` is ``layers.RelativeTimeAttention`` with ``r_ij = min(k, ⌊|t_i - t_j| / unit⌋)``;
    all layers share one table of positions and one of times for keys, and one of each for values. Cost b·l²·d and
    b·l·k·d per layer.

    The paper's unit is the smallest gap of the whole history (``scale="user"``). A later pair of close events then
    re-scales what earlier events read: that is not causal, and every-position training is refused, though the authors
    train so. With "running", ours, each event counts in the smallest gap up to itself. A unit of the history makes
    patient and hasty users alike: only how gaps compare is seen, not how long they are. "raw" sees seconds, and no
    longer time than k of them.

    Blocks as in SASRec here, with which it can so be compared; the body has 139,392 parameters at d = 64, l = 50.
    The authors' blocks normalise before the attention, do without W_o, and have a feed-forward of inner width d.
    Presets: "authors" has the sizes in their code, and for training their batch and epochs, but one target per history
    and the softmax over all items where they have every position and one sampled negative, and without their l2
    penalty of 5e-5, for which ``FitSettings`` has no field; "tim4rec" has the sizes and the unit of the baseline of
    TiM4Rec's authors, whose wiring differs: positions are added to the items at the entrance, times are float32, and
    what is read from the tables of times drops out. Li, Wang and McAuley 2020, WSDM, doi 10.1145/3336191.3371786,
    section 3.
    """

    name = "tisasrec"
    causal = True
    released: ClassVar = {
        "authors": (
            {
                "d_model": 50, "n_layers": 2, "heads": 1, "span": 256, "dropout": 0.2, "history_length": 50,
                "scale": "user",
            },
            adam(50, 201, 128),
        ),
        "tim4rec": (
            {
                "d_model": 64, "n_layers": 2, "heads": 4, "span": 256, "dropout": 0.2, "history_length": 200,
                "scale": "raw",
            },
            adam(200, 300, 256),
        ),
    }  # fmt: skip

    def __init__(self, config: TiSASRecConfig):
        super().__init__(config)
        self.causal = config.scale != "user"
        sizes = RelativeTimeAttentionConfig(
            config.d_model, config.heads, config.history_length, config.span, config.dropout, config.scale
        )
        layers = range(config.n_layers)
        self.attentions = nn.ModuleList(RelativeTimeAttention(sizes) for _ in layers)
        for attention in self.attentions:
            for table in TABLES:
                setattr(attention, table, getattr(self.attentions[0], table))
        self.out_projs = nn.ModuleList(nn.Linear(config.d_model, config.d_model) for _ in layers)
        self.norms = nn.ModuleList(nn.LayerNorm(config.d_model, eps=1e-12) for _ in layers)
        self.feed_forwards = nn.ModuleList(FeedForward(config.d_model, config.dropout) for _ in layers)
        initialise(self)

    def prepare(self, split: Split) -> None:
        """Make sure that the training events have times to learn from. Errors: as ``training_gaps``."""
        training_gaps("TiSASRec", split)

    def forward(self, batch: Batch):
        length = batch.item.shape[1]
        if length > self.config.history_length:
            raise ValueError(
                f"TiSASRec has positions for {self.config.history_length} events, the batch holds {length}: "
                "gather shorter histories or build it with a larger history_length"
            )
        x = self.embed(batch.item)
        blocks = zip(self.attentions, self.out_projs, self.norms, self.feed_forwards, strict=True)
        for attention, out_proj, norm, feed_forward in blocks:
            x = norm(self.dropout(out_proj(attention(x, batch.time, batch.mask))) + x)
            x = feed_forward(x)
        return tap("hidden", x, "b l d")
