"""What can be run: rivals, baselines, and each paper's model with one part changed or taken out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from seqrec_edu.models.released import adam

EVERY, PREFIX, CLOZE = "every-position", "prefix", "cloze"
# As RecBole trains, and with it the papers, until validation gets no better.
PAPERS_TRAINING = {name: value for name, value in adam(0, 300, 2048).items() if name not in ("history_length", "seed")}


@dataclass(frozen=True)
class Variant:
    """A model with the settings that make it this variant.

    model          name in `models.MODELS` or `models.BASELINES`
    settings       of the model, on top of its defaults or of what was released
    objective      how it is trained; None for what only counts. Where a model is causal, "every-position" is ours: the
                   papers train one target per prefix, at the cost of a whole history for each
    about          what it is, in one line
    released       starts from the settings that its authors released for the dataset, or for the one most like it
    training       settings of training that are its own, before those of the dataset
    shuffled_gaps  is trained and asked on histories in which each person's gaps between events are permuted
    """

    model: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    objective: str | None = EVERY
    about: str = ""
    released: bool = False
    training: Mapping[str, Any] = field(default_factory=dict)
    shuffled_gaps: bool = False

    def __post_init__(self) -> None:
        for name in ("settings", "training"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    @property
    def counts(self) -> bool:
        """Whether nothing is trained, so that there is no seed either."""
        return self.objective is None


VARIANTS: dict[str, Variant] = {
    "popularity": Variant("popularity", objective=None, about="the most frequent items, the same for everybody"),
    "last-item": Variant("last-item", objective=None, about="what most often followed the last item"),
    "most-recent": Variant("most-recent", objective=None, about="the history itself, newest first"),
    "sasrec": Variant("sasrec", about="causal attention"),
    "sasrec-prefix": Variant("sasrec", objective=PREFIX, about="causal attention, one target per prefix"),
    "sasrec-papers-training": Variant(
        "sasrec", objective=PREFIX, about="causal attention, trained as the papers train", training=PAPERS_TRAINING
    ),
    "gru4rec": Variant("gru4rec", about="a gated recurrent network"),
    "tisasrec": Variant("tisasrec", about="attention that reads the time between events"),
    "bert4rec": Variant("bert4rec", objective=CLOZE, about="attention in both directions, trained to fill gaps"),
    "fmlprec": Variant("fmlprec", objective=PREFIX, about="learned circular filters"),
    "lightsans": Variant("lightsans", objective=PREFIX, about="low-rank attention, position attention beside it"),
    "linrec": Variant("linrec", objective=PREFIX, about="linear attention without a causal mask"),
    "mamba4rec": Variant("mamba4rec", about="one selective scan"),
    "mamba4rec-prefix": Variant("mamba4rec", objective=PREFIX, about="one selective scan, one target per prefix"),
    "mamba4rec-papers-training": Variant(
        "mamba4rec",
        objective=PREFIX,
        about="one selective scan, trained as the papers train",
        training=PAPERS_TRAINING,
    ),
    "mamba4rec-2-layers": Variant(
        "mamba4rec", {"n_layers": 2}, about="two selective scans, each added to what it reads: TiM4Rec's rival"
    ),
    "mamba4rec-residual": Variant(
        "mamba4rec", {"single_layer_residual": True}, about="one selective scan, added to what it reads: ours"
    ),
    # Released at width 256, where an epoch of prefixes on ml-100k takes half an hour of a core; all others have 64.
    "ssd4rec": Variant(
        "ssd4rec",
        {"d_model": 64},
        PREFIX,
        "SSD in both directions, one set of weights; width 64, not 256",
        released=True,
    ),
    "tim4rec": Variant("tim4rec", about="SSD whose steps follow the time between events"),
    "tim4rec-prefix": Variant("tim4rec", objective=PREFIX, about="SSD with time, one target per prefix"),
    "tim4rec-papers-training": Variant(
        "tim4rec", objective=PREFIX, about="SSD with time, trained as the papers train", training=PAPERS_TRAINING
    ),
    "tim4rec-mask-only": Variant(
        "tim4rec", {"time": "decay"}, about="SSD, time acts on what is kept, not on what is read"
    ),
    "tim4rec-no-time": Variant("tim4rec", {"time": "off"}, about="its SSD backbone without time"),
    "tim4rec-shuffled-time": Variant(
        "tim4rec", about="SSD with time, on gaps permuted within each person", shuffled_gaps=True
    ),
    "tim4rec-official": Variant(
        "tim4rec", {"time": "step"}, PREFIX, about="the released wiring and settings, with time on", released=True
    ),
    "mlsa4rec": Variant("mlsa4rec", objective=PREFIX, about="Mamba steered by low-rank attention"),
    "mlsa4rec-no-attention": Variant(
        "mlsa4rec", {"attention": "off"}, PREFIX, about="the gate reads the Mamba stream itself"
    ),
    "mlsa4rec-running": Variant(
        "mlsa4rec", {"attention": "running"}, about="attention pools only what came before: ours"
    ),
    "mlsa4rec-official": Variant("mlsa4rec", {}, PREFIX, about="the authors' wiring and settings", released=True),
    "echomamba4rec": Variant("echomamba4rec", objective=PREFIX, about="a filter, then Mamba in both directions"),
    "echomamba4rec-no-filter": Variant(
        "echomamba4rec", {"filter": "off"}, PREFIX, about="no filter, Mamba in both directions"
    ),
    "echomamba4rec-forward-only": Variant(
        "echomamba4rec", {"backward": "off"}, PREFIX, about="a filter, then Mamba forward only"
    ),
    "echomamba4rec-reversed": Variant(
        "echomamba4rec",
        {"backward": "reversed"},
        PREFIX,
        "its backward Mamba ends where the history began, having read all of it: ours",
    ),
    "echomamba4rec-causal": Variant(
        "echomamba4rec", {"filter": "causal", "backward": "off"}, about="a causal filter, no backward Mamba: ours"
    ),
    "echomamba4rec-official": Variant(
        "echomamba4rec", {}, PREFIX, about="the authors' wiring and settings", released=True
    ),
}


def variant(name: str) -> Variant:
    """A variant by its name. Errors: ValueError naming those there are."""
    if name not in VARIANTS:
        raise ValueError(f"no variant is called {name!r}; there are {', '.join(VARIANTS)}")
    return VARIANTS[name]
