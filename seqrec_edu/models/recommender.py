"""What every neural recommender of this package has in common."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any, ClassVar, get_args, get_type_hints

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seqrec_edu.data.batches import Batch
from seqrec_edu.data.split import Split
from seqrec_edu.layers import Dropout
from seqrec_edu.taps import tap


class ItemEmbedding(nn.Embedding):
    """A row for each of the items 1 … n_items; row 0 is padding. Errors: ``ValueError`` for any other number."""

    def forward(self, item: Int[Tensor, "b l"]) -> Float[Tensor, "b l d"]:
        try:
            return super().forward(item)
        except IndexError:  # caught, not looked for: looking would make a GPU wait
            least, most = int(item.min()), int(item.max())
            raise ValueError(
                f"items of this model are 1 to {self.num_embeddings - 1:,}, and 0 is padding; the batch 'b l' holds "
                f"{least:,} to {most:,}: build it with n_items of the data"
            ) from None


class Recommender(nn.Module):
    """A history in, one hidden vector per event out; scores are its products with the item embeddings (tied, no bias).

    Subclasses set ``name``, ``causal`` (no output reads a later event: what ``fit`` relies on), ``config`` and
    implement
    ``forward``; the recurrent ones also ``_advance``, from which ``step`` follows.
    """

    name: ClassVar[str]
    causal: ClassVar[bool]
    pad_in_softmax: bool = False  # the loss counts the padding row as an item: see quirk random_pad in models.released

    def __init__(self, config: Any):
        check_sizes(type(self).__name__, config)
        super().__init__()
        self.config = config
        self.item_embedding = ItemEmbedding(config.n_items + 1, config.d_model, padding_idx=0)
        self.embedding_norm = nn.LayerNorm(config.d_model, eps=1e-12)
        self.dropout = Dropout(config.dropout)

    def embed(self, item: Int[Tensor, "b l"]) -> Float[Tensor, "b l d"]:
        """``LN(dropout(embedding))``, the entrance all models here share."""
        return tap("embedding", self.embedding_norm(self.dropout(self.item_embedding(item))), "b l d")

    def forward(self, batch: Batch) -> Float[Tensor, "b l d"]:
        """Hidden vectors of all events; at padded positions their content is meaningless."""
        raise NotImplementedError

    def prepare(self, split: Split) -> None:
        """Measure on the training events what the model must know before it learns (for example the scale of gaps)."""

    def scores(self, batch: Batch) -> Float[Tensor, "b v"]:
        """Scores of all items as the next event of each history; padding scores -inf.

        Errors: ``ValueError`` for an empty history, which these models cannot read (not looked for on a GPU).
        """
        if batch.length.device.type == "cpu" and (batch.length < 1).any():
            raise ValueError(f"{self.name} reads what came before: a history in the batch holds no event")
        hidden = self(batch)
        last = hidden[torch.arange(len(batch), device=hidden.device), batch.length - 1]
        scores = last @ self.item_embedding.weight.T
        scores[:, 0] = -torch.inf
        return scores

    def step(self, state: Any, item: Int[Tensor, " b"], time: Int[Tensor, " b"]) -> tuple[Float[Tensor, "b d"], Any]:
        """One event further at constant cost: ``hidden, state = model.step(state, item, time)``; start with None.

        Stepping through a history gives the hidden vectors of the full pass. Only for recurrent models; others raise
        ``NotImplementedError``.
        """
        one = torch.ones_like(item)
        hidden, state = self._advance(Batch(item[:, None], time[:, None], one, torch.zeros_like(item)), state)
        return hidden[:, 0], state

    def _advance(self, batch: Batch, state: Any) -> tuple[Float[Tensor, "b l d"], Any]:
        raise NotImplementedError(f"{self.name} is not recurrent: it has no state to step, run the whole history again")

    @property
    def n_body_parameters(self) -> int:
        """Parameters without the item embedding, the figure papers quote."""
        return sum(p.numel() for name, p in self.named_parameters() if not name.startswith("item_embedding"))

    @property
    def most_events(self) -> int | None:
        """Events that a history may have; None where any number goes."""
        return getattr(self.config, "history_length", None)

    @property
    def fills_rows(self) -> bool:
        """Whether every row is filled to ``history_length`` with pads that are read, as some authors do."""
        return False

    def settings(self) -> dict[str, Any]:
        """The configuration as plain values, enough to build the model again."""
        return asdict(self.config)


def check_sizes(model: str, config: Any) -> None:
    """Refuse a config with a whole number below 1, a ``history_length`` below 2, or an ``…_eps`` not above 0.

    A field that may be smaller says so: ``field(default=2, metadata={"least": 0})``. None is no size, and passes.
    Errors: ``ValueError`` that names ``model`` and the field.
    """
    kinds = get_type_hints(type(config))
    for each in fields(config):
        value = getattr(config, each.name)
        least = each.metadata.get("least", 2 if each.name == "history_length" else 1)
        whole = int in (kinds[each.name], *get_args(kinds[each.name]))  # bool is a type of its own here
        if whole and value is not None and value < least:
            raise ValueError(f"{model}: {each.name} must be at least {least}, got {value}")
        if each.name.endswith("_eps") and not value > 0:
            raise ValueError(f"{model}: {each.name} must be above 0, got {value}")
