"""What a module wants to be given, read from the signature of its ``forward``: names, and shapes where jaxtyping has
them."""

from __future__ import annotations

import inspect
import typing
from dataclasses import dataclass

from torch import nn

from seqrec_edu.data.batches import Batch
from seqrec_edu.lens.rows import ITEM, NUMBER, TIME

BATCH, MASK, LENGTH = "batch", "mask", "length"
KNOWN = {
    "batch": BATCH,
    "mask": MASK,
    "length": LENGTH,
    "lengths": LENGTH,
    "item": ITEM,
    "items": ITEM,
    "time": TIME,
    "times": TIME,
}


@dataclass(frozen=True)
class Argument:
    """One argument of ``forward``: its kind, and how many axes a vector of numbers has after "b l"."""

    name: str
    kind: str
    inner_axes: int = 1
    told: bool = False  # whether name or annotation said it, or it is a guess


class Unreadable(ValueError):
    """A signature from which no call can be made."""


def arguments(module: nn.Module) -> list[Argument]:
    """The arguments an audit fills in: all without a default, and those whose names are known ("mask", "time" …)."""
    hints = _hints(module.forward)
    found = []
    for name, parameter in inspect.signature(module.forward).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        argument = _argument(name, hints.get(name))
        if name in KNOWN or hints.get(name) is Batch or parameter.default is parameter.empty:
            found.append(argument)
    if not any(argument.kind in (BATCH, ITEM, TIME, NUMBER) for argument in found):
        raise Unreadable(
            f"forward{inspect.signature(module.forward)} names no argument that holds a history; give it one: "
            "forward(batch), forward(item) or forward(x)"
        )
    return found


def takes(module: nn.Module, name: str) -> bool:
    """Whether ``forward`` has an argument of this name."""
    return name in inspect.signature(module.forward).parameters


def _argument(name: str, hint: object) -> Argument:
    if hint is Batch:
        return Argument(name, BATCH, told=True)
    if name in KNOWN:
        return Argument(name, KNOWN[name], told=True)
    axes, holds = _annotation(hint)
    if axes is None:
        return Argument(name, NUMBER)
    if holds == "Int":
        return Argument(name, TIME if "time" in name else ITEM if "l" in axes else LENGTH, told=True)
    if holds == "Bool":
        return Argument(name, MASK, told=True)
    if "l" not in axes and "..." not in axes:
        raise Unreadable(f"argument {name} has axes '{' '.join(axes)}', but an audit makes up histories, 'b l …'")
    return Argument(name, NUMBER, len([axis for axis in axes if axis not in ("b", "l", "...")]), told=True)


def _annotation(hint: object) -> tuple[list[str] | None, str | None]:
    """Axes and "Float", "Int" or "Bool" of a jaxtyping annotation, through ``| None``; else None."""
    for each in (hint, *typing.get_args(hint)):
        axes = getattr(each, "dim_str", None)
        if axes is not None:
            return axes.split(), each.dtype.__name__
    return None, None


def _hints(forward) -> dict[str, object]:
    try:
        return typing.get_type_hints(forward)
    except Exception:  # an annotation that names something undefined says nothing, and is no reason to refuse
        return {}
