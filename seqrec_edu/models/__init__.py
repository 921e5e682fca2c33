"""The recommenders of the papers, each one screen of wiring, and the baselines beside them."""

from typing import Any

import torch

from seqrec_edu.models.baselines import LastItemTransition, MostRecent, Popularity
from seqrec_edu.models.bert4rec import BERT4Rec, BERT4RecConfig
from seqrec_edu.models.echomamba4rec import EchoMamba4Rec, EchoMamba4RecConfig
from seqrec_edu.models.fmlprec import FMLPRec, FMLPRecConfig
from seqrec_edu.models.gru4rec import GRU4Rec, GRU4RecConfig
from seqrec_edu.models.lightsans import LightSANs, LightSANsConfig
from seqrec_edu.models.linrec import LinRec, LinRecConfig
from seqrec_edu.models.mamba4rec import Mamba4Rec, Mamba4RecConfig
from seqrec_edu.models.mlsa4rec import MLSA4Rec, MLSA4RecConfig
from seqrec_edu.models.recommender import Recommender
from seqrec_edu.models.sasrec import SASRec, SASRecConfig
from seqrec_edu.models.ssd4rec import SSD4Rec, SSD4RecConfig
from seqrec_edu.models.tim4rec import TiM4Rec, TiM4RecConfig
from seqrec_edu.models.tisasrec import TiSASRec, TiSASRecConfig

MODELS: dict[str, tuple[type[Recommender], type]] = {
    "sasrec": (SASRec, SASRecConfig),
    "mamba4rec": (Mamba4Rec, Mamba4RecConfig),
    "tim4rec": (TiM4Rec, TiM4RecConfig),
    "mlsa4rec": (MLSA4Rec, MLSA4RecConfig),
    "echomamba4rec": (EchoMamba4Rec, EchoMamba4RecConfig),
    "ssd4rec": (SSD4Rec, SSD4RecConfig),
    "gru4rec": (GRU4Rec, GRU4RecConfig),
    "fmlprec": (FMLPRec, FMLPRecConfig),
    "lightsans": (LightSANs, LightSANsConfig),
    "linrec": (LinRec, LinRecConfig),
    "tisasrec": (TiSASRec, TiSASRecConfig),
    "bert4rec": (BERT4Rec, BERT4RecConfig),
}
BASELINES = {"popularity": Popularity, "last-item": LastItemTransition, "most-recent": MostRecent}

__all__ = [
    "BASELINES",
    "MODELS",
    "BERT4Rec",
    "BERT4RecConfig",
    "EchoMamba4Rec",
    "EchoMamba4RecConfig",
    "FMLPRec",
    "FMLPRecConfig",
    "GRU4Rec",
    "GRU4RecConfig",
    "LastItemTransition",
    "LightSANs",
    "LightSANsConfig",
    "LinRec",
    "LinRecConfig",
    "MLSA4Rec",
    "MLSA4RecConfig",
    "Mamba4Rec",
    "Mamba4RecConfig",
    "MostRecent",
    "Popularity",
    "Recommender",
    "SASRec",
    "SASRecConfig",
    "SSD4Rec",
    "SSD4RecConfig",
    "TiM4Rec",
    "TiM4RecConfig",
    "TiSASRec",
    "TiSASRecConfig",
    "build",
]


def build(name: str, *, seed: int = 0, **settings: Any) -> Recommender:
    """Build a model by its name: ``build("tim4rec", n_items=3416, dropout=0.1)``.

    ``seed`` decides the initial weights; the caller's own random stream is left as it was.
    Errors: ``ValueError`` naming the models there are, or the settings this model has.
    """
    if name not in MODELS:
        raise ValueError(f"no model is called {name!r}; there are {', '.join(MODELS)}")
    model, config = MODELS[name]
    unknown = settings.keys() - config.__dataclass_fields__.keys()
    if unknown:
        raise ValueError(
            f"{name} has no setting {', '.join(sorted(unknown))}; it has {', '.join(config.__dataclass_fields__)}"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return model(config(**settings))
