"""How much training each dataset gets, and each paper's settings on it.

The papers train for up to 300 epochs of one target per prefix; here an epoch of every position asks as many targets for
a fraction of the work, and where that is not allowed there are few epochs. Optimiser and schedule are our defaults for
all (AdamW, warm-up, cosine), not the papers' constant Adam: they reach in few epochs what that reaches in many, and
they treat all models alike, but for the rate of cloze training.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from seqrec_edu.models import MODELS
from seqrec_edu.reproduce.variants import CLOZE, EVERY, PREFIX, Variant

SHUFFLE_SEED = 0
RELEASED_DEFAULT = "ml-1m"  # the one dataset for which every paper released settings
# Papers that name one dropout for all data. The other models take that of the dataset.
OWN_DROPOUT = ("gru4rec", "fmlprec", "mlsa4rec", "echomamba4rec")


# BERT4Rec's norms stand behind the residuals, and its blanks say nothing by themselves: on ml-100k it stays at .03 of
# validation NDCG@10 at the default 2e-3, and reaches .065 at this.
RATES = {CLOZE: 1e-3}


@dataclass(frozen=True)
class Budget:
    """Training on one dataset; what is None or not named follows `training.run.default_settings` and the models.

    history_length  events a model sees at most
    epochs          by objective
    dropout         that of the papers on these data
    released        name under which the authors released settings for these data, or for those most like them
    """

    history_length: int | None = None
    epochs: Mapping[str, int] = field(default_factory=dict)
    dropout: float | None = None
    released: str = RELEASED_DEFAULT
    more: Mapping[str, Any] = field(default_factory=dict)  # any other field of FitSettings
    model: Mapping[str, Any] = field(default_factory=dict)  # settings of every model, for a quick look
    rates: Mapping[str, float] = field(default_factory=lambda: RATES)  # by objective, where not the default

    def __post_init__(self) -> None:
        for name in ("epochs", "rates", "more", "model"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))


# No early stop: it would come while the rate is still high, and compare models by where they happened to stop. The
# cosine comes down in the given epochs, and the best validated epoch is the one that is tested.
WHOLE = {"patience": 1000}

# ml-100k: of 8, 16 and 30 epochs at every position 16 was best on validation (SASRec .068, .072, .071; Mamba4Rec .070
# and .077 with 8 and 16). On ml-1m an epoch takes more than a minute of a core, so it gets no more either. KuaiRand's
# short histories are learned by heart soon: of 3, 4, 6 and 8 epochs 6 was best on validation (SASRec .025, .031, .030,
# .030; Mamba4Rec .025, .028, .030, .029; SSD .029, .031, .030, .030), and 16 gave no more than 6.
BUDGETS: dict[str, Budget] = {
    "ml-100k": Budget(50, {EVERY: 16, CLOZE: 60, PREFIX: 5}, 0.2, "ml-1m", WHOLE),
    "ml-1m": Budget(200, {EVERY: 16}, 0.2, "ml-1m", WHOLE),
    "amazon-beauty": Budget(50, {EVERY: 16, CLOZE: 60, PREFIX: 6}, 0.4, "beauty", WHOLE),
    "kuairand-pure-14d": Budget(50, {EVERY: 6, CLOZE: 60, PREFIX: 6}, 0.2, "kuairand", WHOLE),
}


def training_settings(variant: Variant, budget: Budget) -> dict[str, Any]:
    """Fields of `FitSettings` for one variant, the seed left out; of a baseline only history_length."""
    length = {} if budget.history_length is None else {"history_length": budget.history_length}
    if variant.counts:
        return length
    objective = variant.objective
    epochs = {"epochs": budget.epochs[objective]} if objective in budget.epochs else {}
    rate = {"learning_rate": budget.rates[objective]} if objective in budget.rates else {}
    return {"objective": objective, **length, **epochs, **rate, **budget.more, **variant.training}


def model_settings(variant: Variant, budget: Budget) -> dict[str, Any]:
    """What differs from the defaults of the model: released or of the dataset, then what makes the variant."""
    if variant.counts:
        return {}
    if variant.released:
        settings = _released(variant.model, budget.released)
    else:
        own = variant.model in OWN_DROPOUT or budget.dropout is None
        settings = {} if own else {"dropout": budget.dropout}
    return {**settings, **budget.model, **variant.settings}


def data_options(variant: Variant, options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of `load` for one variant."""
    return {**options, **({"shuffle_gaps": SHUFFLE_SEED} if variant.shuffled_gaps else {})}


def _released(model: str, name: str) -> dict[str, Any]:
    cls = MODELS[model][0]
    try:
        settings = cls.preset(name)
    except ValueError:  # these authors had no such data
        settings = cls.preset(RELEASED_DEFAULT)
    settings.pop("history_length", None)  # follows training
    return settings
