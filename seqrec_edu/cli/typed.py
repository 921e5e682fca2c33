"""What people type, made into values: settings, seeds, lists, gaps. What cannot be read is a usage error."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING
from typing import Any, get_args, get_type_hints

from typer import BadParameter

SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}
LONGEST_GAP = 1000 * 52 * SECONDS["w"]
_KINDS = {int: "a whole number", float: "a number", bool: "true or false"}
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def settings(
    model: str, sets: Sequence[str], given: Mapping[str, Any], dropout: float | None, preset: str | None = None
) -> tuple[dict, dict]:
    """Settings of training and of the model: a preset's, over it those with an option of their own and of `--set`."""
    from seqrec_edu.models import MODELS
    from seqrec_edu.training.settings import FitSettings

    training, of_model = ({}, {}) if preset is None else _released(model, preset)
    training |= {name: value for name, value in given.items() if value is not None}
    of_model |= {} if dropout is None else {"dropout": dropout}
    fields = FitSettings.__dataclass_fields__ if model in MODELS else {}
    own = MODELS[model][1].__dataclass_fields__ if model in MODELS else {}
    known = {name for name, field in {**own, **fields}.items() if field.default is not MISSING}
    kinds = {**get_type_hints(MODELS[model][1]), **get_type_hints(FitSettings)} if model in MODELS else {}
    for text in sets:
        name, value = pair(text, "--set")
        if name in (*given, "dropout"):
            raise BadParameter(f"{name} has an option of its own: --{name.replace('_', '-')}", param_hint="--set")
        if name not in known:
            raise BadParameter(
                _no_setting(model, name, [k for k in (*own, *fields) if k in known and k not in given]),
                param_hint="--set",
            )
        (training if name in fields else of_model)[name] = _of_kind(kinds[name], name, value)
    return training, of_model


def _released(model: str, preset: str) -> tuple[dict, dict]:
    """What was published for training and model; the history length is one setting for both, that of training."""
    from seqrec_edu.models import MODELS

    if model not in MODELS:
        raise BadParameter(f"{model} only counts: it has no presets", param_hint="--preset")
    of_model = MODELS[model][0].preset(preset)
    of_model.pop("history_length", None)
    return MODELS[model][0].preset_training(preset), of_model


def _no_setting(model: str, name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    return f"{model} has no setting {name}.{hint} There are: {', '.join(known) or 'none'}."


def _of_kind(hint: Any, name: str, text: str) -> Any:
    kinds = get_args(hint) or (hint,)
    if type(None) in kinds and text.lower() == "none":
        return None
    kind = next(each for each in kinds if each is not type(None))
    try:
        return _TRUTH[text.lower()] if kind is bool else kind(text)
    except (KeyError, ValueError):
        raise BadParameter(f"{name} is {_KINDS[kind]}, got {text!r}", param_hint="--set") from None


def data_options(texts: Sequence[str], core: int | None) -> dict[str, Any]:
    """Options of `load`, numbers as numbers."""
    options: dict[str, Any] = {} if core is None else {"core": core}
    for text in texts:
        name, value = pair(text, "--data-option")
        for kind in (int, float, str):
            try:
                options[name] = kind(value)
                break
            except ValueError:
                continue
    return options


def pair(text: str, option: str) -> tuple[str, str]:
    """`key=value` in its two parts; a dash in the key counts as an underscore."""
    name, equals, value = text.partition("=")
    if not (name.strip() and equals and value.strip()):
        raise BadParameter(f"expected KEY=VALUE, got {text!r}", param_hint=option)
    return name.strip().replace("-", "_"), value.strip()


def seeds(text: str | None, seed: int | None) -> list[int]:
    """The seeds of `--seeds 0,1,2`; [] without it."""
    if text is None:
        return []
    if seed is not None:
        raise BadParameter("give --seed or --seeds, not both", param_hint="--seeds")
    found = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in found) or len(set(map(int, found))) < len(found):
        raise BadParameter(f"expected different whole numbers like 0,1,2, got {text!r}", param_hint="--seeds")
    return [int(part) for part in found]


def parts(text: str) -> list[str]:
    """What stands between semicolons."""
    return [part.strip() for part in text.split(";") if part.strip()]


def gaps(text: str | None, expected: int) -> list[int]:
    """Seconds of gaps like "90s; 5 min; 1h; 2d; 1w"; a minute each without them."""
    if text is None:
        return [60] * expected
    found = parts(text)
    if len(found) != expected:
        raise BadParameter(
            f"{expected + 1} events have {expected} gaps between them, got {len(found)}", param_hint="--gaps"
        )
    seconds = []
    for part in found:
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]+)", part)
        if not match or match[2] not in SECONDS:
            raise BadParameter(f"expected a number with {', '.join(SECONDS)}, got {part!r}", param_hint="--gaps")
        gap = float(match[1]) * SECONDS[match[2]]
        if gap > LONGEST_GAP:
            raise BadParameter(f"a gap of more than a thousand years: {part[:20]!r}", param_hint="--gaps")
        seconds.append(round(gap))
    return seconds
