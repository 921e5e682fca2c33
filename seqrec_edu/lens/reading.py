"""Which models can be opened, and a person as one of them reads a history."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from seqrec_edu.data.batches import Batch
from seqrec_edu.data.person import Person

WINDOW = 200  # events of a model that does not say how many it reads


def models_of(given: nn.Module | Mapping[str, nn.Module]) -> dict[str, nn.Module]:
    """Models by name; one alone is called by its class.

    Raises:
        ValueError: no model, or something that is none.
    """
    found = dict(given) if isinstance(given, Mapping) else {type(given).__name__: given}
    for name, model in found.items():
        if not isinstance(model, nn.Module):
            raise ValueError(f"{name} is no model with layers but {type(model).__name__}: a baseline cannot be opened")
    if not found:
        raise ValueError("no model was given")
    return found


def named(models: Mapping[str, nn.Module], name: str, path: str) -> str:
    """What a reader calls a layer: its path, of one among several models "name: path"."""
    return path if len(models) == 1 else f"{name}: {path}"


def places_of(model: object) -> int | None:
    """How many events a model reads at most, where it says so."""
    return getattr(getattr(model, "config", None), "history_length", None)


def batch_of(model: nn.Module, person: Person, *, pads: int = 0) -> Batch:
    """One person as this model reads them: the newest events, as many as it has places for.

    Raises:
        ValueError: the model knows other items than the person's dataset has.
    """
    known = _known_items(model)
    if known is not None and known != person.n_items:
        raise ValueError(
            f"{type(model).__name__} knows {known} items, but the data of {person.name} have {person.n_items}: it was "
            "built for another dataset; build it with n_items=data.n_items, or show it a person it was trained for"
        )
    person = person.last(places_of(model) or len(person))
    return Batch.of(person.items, person.times, pads=pads)


def _known_items(model: nn.Module) -> int | None:
    embedding = getattr(model, "item_embedding", None)
    return None if embedding is None else len(embedding.weight) - 1
