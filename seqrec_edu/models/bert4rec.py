from dataclasses import dataclass, replace
from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from seqrec_edu.data.batches import Batch
from seqrec_edu.layers import FeedForward, SelfAttention, initialise
from seqrec_edu.models.recommender import Recommender
from seqrec_edu.models.released import Released, adam
from seqrec_edu.taps import tap


@dataclass(frozen=True)
class BERT4RecConfig:
    """Sizes, and what cloze training blanks out.

    mask_ratio         share of the events of a window that are blanked
    final_item_ratio   share of the windows in which, instead, only the last event is: what prediction asks for
    """

    n_items: int
    d_model: int = 64
    n_layers: int = 2
    heads: int = 2
    dropout: float = 0.2
    history_length: int = 200
    mask_ratio: float = 0.2
    final_item_ratio: float = 0.5

    def __post_init__(self):
        if not 0 < self.mask_ratio < 1:
            raise ValueError(f"BERT4Rec: mask_ratio must lie between 0 and 1, got {self.mask_ratio}")
        if not 0 <= self.final_item_ratio <= 1:
            raise ValueError(f"BERT4Rec: final_item_ratio must be 0 to 1, got {self.final_item_ratio}")


def _as_released(dropout: float) -> tuple[dict, dict]:
    model = {
        "d_model": 64, "n_layers": 2, "heads": 2, "dropout": dropout, "history_length": 50, "mask_ratio": 0.2,
        "final_item_ratio": 0.5,
    }  # fmt: skip
    return model, {**adam(50, 300, 2048), "objective": "cloze"}


class BERT4Rec(Released, Recommender):
    """A history read in both directions, with a mask token where an item is asked for.

    ``x = LN(dropout(embedding + position))``, then per layer ``x = LN(dropout(attention(x)) + x)`` over all events, and
    a feed-forward of inner width 4 d; at the end ``LN(gelu(W x + b))``. The mask token m takes the place of an
    embedding; it is a parameter of its own and no item, so nothing can recommend it.

    ``fill`` reads histories with blanks: cloze training. ``forward`` puts one mask token behind each history and gives
    what stands one place later, so the output at the last event is that of the token, which predicts the next item.
    The outputs at earlier events have read the next item itself: not causal. There are positions for history_length
    events and the token.

    RecBole's wiring but for the biases of the items and for dropout, which acts there after the norm of the embedding,
    on the weights of the attention, and not inside the feed-forward. Left out too: to put the token behind a history
    RecBole drops the oldest event of every one, however short, and a blank at the first event it never asks for. The
    body has 107,712 parameters at l = 50. Presets: "recbole", its defaults, and "tim4rec", the baseline of TiM4Rec's
    authors on Beauty; both blank out prefixes of a history where ``training`` here blanks out windows. Known to need
    several times SASRec's epochs (Petrov and Macdonald 2022, arXiv 2207.07483). Sun et al. 2019, CIKM, arXiv
    1904.06690, section 3.
    """

    name = "bert4rec"
    causal = False
    cloze = True
    released: ClassVar = {"recbole": _as_released(0.2), "tim4rec": _as_released(0.4)}

    def __init__(self, config: BERT4RecConfig):
        super().__init__(config)
        d, layers = config.d_model, range(config.n_layers)
        self.mask_token = nn.Parameter(torch.empty(d))
        self.position_embedding = nn.Embedding(config.history_length + 1, d)
        self.attentions = nn.ModuleList(SelfAttention(d, config.heads, causal=False) for _ in layers)
        self.norms = nn.ModuleList(nn.LayerNorm(d, eps=1e-12) for _ in layers)
        self.feed_forwards = nn.ModuleList(FeedForward(d, config.dropout) for _ in layers)
        self.head = nn.Sequential(nn.Linear(d, d), nn.GELU(), nn.LayerNorm(d, eps=1e-12))
        initialise(self)
        nn.init.normal_(self.mask_token, std=0.02)  # as the items, whose place it takes

    def forward(self, batch: Batch) -> Float[Tensor, "b l d"]:
        item = F.pad(batch.item, (0, 1)).scatter(1, batch.length[:, None], 0)
        hidden = self.fill(replace(batch, item=item, length=batch.length + 1))[:, 1:]
        return tap("hidden", hidden, "b l d")

    def fill(self, batch: Batch) -> Float[Tensor, "b l d"]:
        """Hidden vectors of all places of histories in which item 0 is a blank; at a blank, of what belongs there.

        Blanks are not pads: pads come after ``length``. Errors: ``ValueError`` on more places than there are positions.
        """
        length, mask = batch.item.shape[1], batch.mask
        if length > self.config.history_length + 1:
            raise ValueError(
                f"BERT4Rec has positions for {self.config.history_length} events and the one that follows, the batch "
                f"holds {length - 1} and one: gather shorter histories or build it with a larger history_length"
            )
        blank = (batch.item == 0)[..., None]  # pads too, which nobody reads
        x = torch.where(blank, self.mask_token, self.item_embedding(batch.item))
        x = self.embedding_norm(self.dropout(x + self.position_embedding.weight[:length]))
        tap("embedding", x, "b l d")
        for attention, norm, feed_forward in zip(self.attentions, self.norms, self.feed_forwards, strict=True):
            x = norm(self.dropout(attention(x, mask)) + x)
            x = feed_forward(x)
        return self.head(x)
