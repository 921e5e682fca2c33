"""Weights and training state on disk: safetensors only, written to a temporary name and renamed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from seqrec_edu.models import Recommender, build

FORMAT = "1"
MODEL_FILE = "model.safetensors"
STATE_FILE = "last.safetensors"


class CheckpointError(ValueError):
    """A checkpoint that is missing, damaged, or belongs to something else."""


def save_model(model: Recommender, path: Path, **about: Any) -> None:
    """The weights with what is needed to build the model again; ``about`` is kept beside them as JSON."""
    about = {"model": model.name, "settings": model.settings(), **about}
    _write(dict(model.state_dict()), about, path)


def load_model(path: str | Path, device: str | torch.device = "cpu") -> Recommender:
    """A trained model from its file, or from the folder of a run."""
    path = Path(path)
    path = path / MODEL_FILE if path.is_dir() else path
    tensors, about = read(path)
    if "model" not in about:
        raise CheckpointError(f"{path} holds no model description; it was not written by this package")
    model = build(about["model"], **about["settings"])
    _put(model, tensors, path)
    return model.to(device).eval()


def save_state(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, position: dict[str, Any]) -> None:
    """All that a run needs to go on: weights, moments of the optimiser, and where in the data it stands."""
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    for parameter, moments in optimizer.state.items():
        for key, value in moments.items():
            tensors[f"optimizer.{key}.{names[id(parameter)]}"] = torch.as_tensor(value)
    _write(tensors, {"position": position}, path)


def load_state(
    path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, check: Callable[[dict[str, Any]], None]
) -> dict[str, Any]:
    """Put a saved state back into model and optimiser; returns the position.

    ``check`` sees the position first: what it refuses leaves model and optimiser as they were.
    """
    tensors, about = read(path)
    if "position" not in about:
        raise CheckpointError(f"{path} holds no state of a training run; it was not written by this package")
    check(about["position"])
    _put(model, {name[6:]: value for name, value in tensors.items() if name.startswith("model.")}, path)
    for name, parameter in model.named_parameters():
        moments = {
            key.split(".", 2)[1]: value
            for key, value in tensors.items()
            if key.startswith("optimizer.") and key.split(".", 2)[2] == name
        }
        if moments:
            # All beside their parameter, the step count too: that is where a fused AdamW looks for it.
            optimizer.state[parameter] = {key: value.to(parameter.device, copy=True) for key, value in moments.items()}
    return about["position"]


def read_position(folder: Path) -> dict[str, Any]:
    """Where training stands in the folder of a run, its log among it; empty without a state. Errors: as `read`."""
    path = folder / STATE_FILE
    return read_about(path).get("position", {}) if path.exists() else {}


def read(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Tensors and description of a file. Raises ``CheckpointError`` if it is missing, damaged or of another format."""
    with _opened(path) as (file, about):
        return {name: file.get_tensor(name) for name in file.keys()}, about  # noqa: SIM118 - not a dict


def read_about(path: Path) -> dict[str, Any]:
    """The description alone, without reading a tensor. Raises ``CheckpointError`` as `read`."""
    with _opened(path) as (_, about):
        return about


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, dict[str, Any]]]:
    if not path.is_file():
        raise CheckpointError(f"no checkpoint at {path}: train first, or name the folder of a run")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            about = json.loads(metadata.get("about", "{}"))
            if metadata.get("format") != FORMAT:
                raise CheckpointError(f"{path} has format {metadata.get('format')!r}, this version reads {FORMAT!r}")
            yield file, about
    except (SafetensorError, json.JSONDecodeError) as error:
        raise CheckpointError(f"{path} is damaged ({error}); restore it from a copy, or delete it and train") from error


def _put(model: nn.Module, tensors: dict[str, torch.Tensor], path: Path) -> None:
    found, own = ({k: tuple(v.shape) for k, v in state.items()} for state in (tensors, model.state_dict()))
    wrong = [name for name in {**own, **found} if own.get(name) != found.get(name)]
    if wrong:
        raise CheckpointError(
            f"the weights in {path} do not fit this model: {wrong[0]} has shape {found.get(wrong[0], 'none')}, "
            f"expected {own.get(wrong[0], 'none')}" + f", and {len(wrong) - 1} more" * (len(wrong) > 1)
        )
    model.load_state_dict(tensors)


def _write(tensors: dict[str, torch.Tensor], about: dict[str, Any], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # One name for all time: what a kill leaves behind, the next write takes over.
    temporary = path.with_name(f".{path.name}.part")
    try:
        tensors = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
        # Not save_file: it writes to a name of its own first, and that would stay behind after a kill.
        temporary.write_bytes(save(tensors, metadata={"format": FORMAT, "about": json.dumps(about)}))
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
