"""The same model wired otherwise: with another filter, direction, or mode, as far as its paper or its options go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from torch import nn

from seqrec_edu.models import MODELS, Recommender, build

AXES = {"filter": ("none", "circular", "causal"), "direction": ("forward", "both"), "mode": ("corrected", "official")}

# Model → axis → word → settings that make it so. Who has a "mode" is asked of the config.
_WAYS: dict[str, dict[str, dict[str, dict[str, Any]]]] = {
    "echomamba4rec": {
        "filter": {"none": {"filter": "off"}, "circular": {"filter": "circular"}, "causal": {"filter": "causal"}},
        "direction": {"forward": {"backward": "off"}, "both": {"backward": "aligned"}},
    },
    "fmlprec": {"filter": {"circular": {"filter": "circular"}, "causal": {"filter": "causal"}}},
    "ssd4rec": {"direction": {"forward": {"beta": 0.0, "aligned": False}, "both": {"beta": 0.1}}},
    "mlsa4rec": {"direction": {"forward": {"attention": "running"}, "both": {"attention": "low-rank"}}},
    "tisasrec": {"mode": {"corrected": {"scale": "running"}, "official": {"scale": "user"}}},
    "tim4rec": {
        "mode": {
            "corrected": {"mode": "corrected", "time_dropout": 0.0, "p2p_residual": False},
            "official": {"mode": "official"},
        }
    },
}
_FIXED = {"bert4rec": "both", "lightsans": "both", "linrec": "both", "fmlprec": None}  # direction; forward otherwise
_SAID = {
    "fmlprec": {"filter": "is its filter: without one nothing mixes events", "direction": "has no scan to turn round"},
    "bert4rec": {"direction": "reads both ways: that is what it is"},
    "lightsans": {"direction": "pools the whole history: it reads both ways"},
    "linrec": {"direction": "has no causal form here: it reads both ways"},
}


def wiring(model: nn.Module) -> dict[str, str | None]:
    """How a model is wired: axis → word of `AXES`; None where the axis means nothing for it."""
    if not _known(model):
        return dict.fromkeys(AXES)
    found: dict[str, str | None] = {"filter": "none", "direction": _FIXED.get(model.name, "forward"), "mode": None}
    for axis, words in _ways(model).items():
        found[axis] = next((w for w, given in words.items() if _has(model.config, given)), None)
    if model.name in ("echomamba4rec", "ssd4rec", "mlsa4rec"):  # of several settings that read both ways
        found["direction"] = found["direction"] or ("both" if not model.causal else "forward")
    return found


def why_not(model: nn.Module, axis: str, word: str) -> str:
    """Why a model cannot be wired so, in words; "" where it can."""
    name = type(model).__name__
    if not _known(model):
        return f"{name} is no model of this package: how it is wired is up to it"
    if word in _ways(model).get(axis, {}) or wiring(model)[axis] == word:
        return ""
    if axis == "mode" and axis not in _ways(model):
        return f"{name} is wired in one way only"
    usual = "has no filter" if axis == "filter" else "reads forwards only"
    return f"{name} {_SAID.get(model.name, {}).get(axis, usual)}"


def rewired(model: nn.Module, wanted: Mapping[str, str | None], *, seed: int = 0) -> nn.Module:
    """A model of the same sizes, wired as wanted, with the first weights of this seed; the model itself if it is so.

    wanted: axis → word of `AXES`; an axis left out or None stays as it is.
    Errors: ``ValueError`` on an unknown axis or word, a wiring the model cannot have (`why_not`), or settings that
    exclude each other, with the model's own reason.
    """
    now, settings = wiring(model), {}
    for axis, word in wanted.items():
        if axis not in AXES or (word is not None and word not in AXES[axis]):
            raise ValueError(f"no wiring {axis}={word!r}; there are {AXES}")
        if word is None or word == now[axis]:
            continue
        reason = why_not(model, axis, word)
        if reason:
            raise ValueError(f"{axis}={word!r} cannot be had: {reason}")
        settings |= _ways(model)[axis][word]
    return build(model.name, seed=seed, **(asdict(model.config) | settings)) if settings else model


def small_models(n_items: int, history_length: int, *, seed: int = 0) -> dict[str, Recommender]:
    """Models of width 16 at their first weights, for a look at how they are wired: class name → model."""
    sizes = {"n_items": n_items, "d_model": 16, "d_state": 8, "head_dim": 8, "heads": 2, "n_layers": 1, "dropout": 0.0}
    sizes["history_length"] = history_length
    found = {}
    for name in ("echomamba4rec", "fmlprec", "tim4rec", "tisasrec", "sasrec", "bert4rec"):
        model, config = MODELS[name]
        known = {key: value for key, value in sizes.items() if key in config.__dataclass_fields__}
        found[model.__name__] = build(name, seed=seed, **known)
    return found


def reads_ahead(model: nn.Module, stream: str) -> tuple[str, ...]:
    """The parts of a model by which an output may read the item, or the time, of a later event, in words.

    What the wiring says, not what was measured: `Poker` measures.
    """
    if not _known(model):
        return ()
    c, found = model.config, []
    if stream == "time":
        if model.name == "tim4rec" and c.whole_rows:
            found.append("the time branch, which normalises and mixes the gaps of the whole row,")
        if model.name == "tisasrec" and c.scale == "user":
            found.append("the unit of time, the smallest gap of the whole history,")
        return tuple(found)
    if getattr(c, "filter", None) == "circular":
        found.append("the circular filter")
    if getattr(c, "backward", "off") != "off":
        found.append("the backward Mamba")
    if model.name == "ssd4rec" and c.beta:
        found.append("the backward scan")
    if model.name == "lightsans" or getattr(c, "attention", None) == "low-rank":
        found.append("the pooled attention")
    if model.name in ("linrec", "bert4rec"):
        found.append("the attention without a causal mask")
    return tuple(found)


def filled_to(model: nn.Module) -> int | None:
    """Places to which a model itself fills every row with pads that it reads, as some authors do; None where not."""
    return model.config.history_length if isinstance(model, Recommender) and model.fills_rows else None


def _known(model: nn.Module) -> bool:
    return isinstance(model, Recommender) and model.name in MODELS


def _ways(model: Recommender) -> dict[str, dict[str, dict[str, Any]]]:
    own = _WAYS.get(model.name, {})
    modes = {word: {"mode": word} for word in AXES["mode"]} if hasattr(model.config, "mode") else None
    return own if modes is None or "mode" in own else {**own, "mode": modes}


def _has(config: Any, settings: Mapping[str, Any]) -> bool:
    """Whether a config is wired so; sizes that go with a mode are no part of it."""
    name, value = next(iter(settings.items()))
    return getattr(config, name) == value
