"""What released models have in common: settings by name, and quirks, each one option and all of them ``official``.

Two quirks come from habits around RecBole, so more than one model has them:

random_pad
    The padding row of the item embedding is a random vector: ``self.apply(init)`` draws it after ``padding_idx`` had
    zeroed it. A norm then gives it the size of a real item. And it learns, but only by its other end: ``padding_idx``
    keeps the gradient of what was read away, while their softmax counts the row as an item that nobody ever chose
    (``pad_in_softmax``). Where pads are kept out nothing reads the row and only that softmax would be left of it, one
    class too many in the loss; so it needs a quirk that lets them in.
overwritten_steps
    The same ``apply`` reaches the Linear that makes Mamba's step sizes and sets its bias to zero. Cost: every step
    starts at softplus(0) = 0.69 instead of 0.001 … 0.1, and a state meant to remember hundreds of events forgets half
    of what it holds at the next one.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Int
from torch import Tensor, nn

from seqrec_edu.data.batches import Batch
from seqrec_edu.layers import MambaLayer

MODES = ("corrected", "official")


class Quirks:
    """A config with a ``mode``, and quirks: options that are off by default, and all on when the mode is official."""

    mode: str

    def has(self, *quirks: str) -> bool:
        """Whether one of these quirks is on."""
        return self.mode == "official" or any(getattr(self, quirk) for quirk in quirks)

    def check(self, model: str, needs: Mapping[str, tuple[str, ...]], **allowed: tuple[str, ...]) -> None:
        """Refuse words that are not ``allowed``, and quirks that no output would show without one that they need.

        Errors: ``ValueError``.
        """
        for name, words in {"mode": MODES, **allowed}.items():
            if getattr(self, name) not in words:
                raise ValueError(f"{model}: {name} must be one of {', '.join(words)}, got {getattr(self, name)!r}")
        for quirk, others in needs.items():
            if self.has(quirk) and not self.has(*others):
                raise ValueError(f"{model}: {quirk} would change no output without {' or '.join(others)}")


class Released:
    """A model with settings that its authors, or others, published: ``released`` maps a name to model and training."""

    released: ClassVar[Mapping[str, tuple[dict[str, Any], dict[str, Any]]]]

    @classmethod
    def preset(cls, name: str) -> dict[str, Any]:
        """Published settings of the model: ``build(model, n_items=…, **Model.preset(name))``.

        Errors: ``ValueError`` naming the presets there are.
        """
        return dict(cls._found(name)[0])

    @classmethod
    def preset_training(cls, name: str) -> dict[str, Any]:
        """How it was trained, as fields of ``training.FitSettings``. Errors: as ``preset``."""
        return dict(cls._found(name)[1])

    @classmethod
    def _found(cls, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
        if name not in cls.released:
            raise ValueError(f"{cls.__name__} has no preset {name!r}; there are {', '.join(cls.released)}")
        return cls.released[name]


def but_for(settings: dict[str, Any], **off: Any) -> dict[str, Any]:
    """Settings without the options that are ``off``: a run recorded before there were any is still found."""
    return {name: value for name, value in settings.items() if off.get(name, ...) != value}


def adam(
    history_length: int, epochs: int, batch_size: int, learning_rate: float = 1e-3, seed: int = 2020
) -> dict[str, Any]:
    """Training as RecBole does it: one target per prefix, Adam at a constant rate, nothing clipped, patience 10.

    RecBole stops after more than that many epochs without a better one, ``fit`` after that many: so here it is 11.
    """
    return {
        "objective": "prefix", "history_length": history_length, "epochs": epochs, "batch_size": batch_size,
        "learning_rate": learning_rate, "weight_decay": 0.0, "warmup": 0.0, "schedule": "constant", "clip": 1e9,
        "patience": 11, "seed": seed,
    }  # fmt: skip


def whole_rows(model: str, batch: Batch, length: int) -> tuple[Int[Tensor, "b l"], Bool[Tensor, "b l"]]:
    """Items and mask padded to exactly ``length`` places, for wiring in which the number of pads matters.

    Errors: ``ValueError`` on longer histories.
    """
    missing = length - batch.item.shape[1]
    if missing < 0:
        raise ValueError(
            f"{model} in this wiring reads rows of {length} places, the batch holds {batch.item.shape[1]} events: "
            "gather shorter histories or build it with a larger history_length"
        )
    return F.pad(batch.item, (0, missing)), F.pad(batch.mask, (0, missing))


def positions(model: str, table: nn.Embedding, length: int) -> Tensor:
    """The first ``length`` learned positions, "l d". Errors: ``ValueError`` where there are fewer."""
    if length > table.num_embeddings:
        raise ValueError(
            f"{model} has positions for {table.num_embeddings} events, the batch holds {length}: "
            "gather shorter histories or build it with a larger history_length"
        )
    return table.weight[:length]


@torch.no_grad()
def draw_pad(embedding: nn.Embedding) -> None:
    """Quirk ``random_pad``: a padding row of the same size as the other rows. Set ``pad_in_softmax`` with it."""
    embedding.weight[0] = torch.randn(embedding.embedding_dim) * embedding.weight[1:].std(correction=0)


@torch.no_grad()
def overwrite_steps(model: nn.Module, std: float | None = 0.02) -> None:
    """Quirk ``overwritten_steps``: zero the biases of Mamba's step sizes, and draw the weights from normal(0, std)."""
    for mamba in (module for module in model.modules() if isinstance(module, MambaLayer)):
        mamba.dt_bias.zero_()
        if std is not None:
            mamba.dt_weight.normal_(std=std)
