"""The matrix that a layer mixes a history with."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from seqrec_edu.lens.kinds import KINDS, Kind, kind_of
from seqrec_edu.lens.linearise import linearised
from seqrec_edu.lens.matrix import MixingMatrix
from seqrec_edu.lens.record import Record, record

# The taps that matrices are made of; nothing else is copied.
READ = (
    "convolved", "dt", "A", "B", "C", "decay_scale", "q", "k", "mask", "buckets", "table_k", "pool_k", "pool_v",
    "place_weights", "filter", "filtered",
)  # fmt: skip

CHANNELS = 16  # to choose among in a layer with a matrix per channel: each costs l² numbers


class NoMixingMatrix(ValueError):
    """This module has no mixing matrix, or more than one; the message says which modules have one."""


def mixing_matrix(
    module: nn.Module,
    *inputs: Any,
    layer: str | None = None,
    channels: int | Sequence[int] | None = None,
    **named: Any,
) -> MixingMatrix:
    """The matrix M with ``y = M v`` that a layer mixes this history with, exact, per head or channel.

    ``mixing_matrix(attention, x)``, or inside a model ``mixing_matrix(model, batch, layer="attentions.0")``. What v is
    stands in ``found.mixes``: for an attention the values, for a state space what is written into the state, for a
    filter its input. With dt, B, C, q, k … held as this history makes them, ``y = M v`` holds to rounding; computed in
    float64 from what passed the layer's taps, by ``mixing_matrix`` in the reference of its operation.

    A layer that reads both ways has the channels of both readings one behind the other, each in the order of events.
    A learner's own module, with none of our layers inside, comes out as its Jacobian (`linearised`): ``exact`` is then
    False.

    module, inputs, named: the module and what its ``forward`` takes.
    layer: path inside the module; needed where several layers have a matrix. "layers.0.ssd@2" is its second call.
    channels: heads or channels to compute, all otherwise; in a Mamba each costs b·n·l², and memory b·l² of them all.
    Errors: `NoMixingMatrix`, with the layers that have one; those of the module.
    """
    if not isinstance(module, nn.Module):
        raise NoMixingMatrix(f"{type(module).__name__} is no nn.Module: a baseline counts, it mixes no vectors")
    module = getattr(module, "_orig_mod", module)
    if layer is None and _is_own(module) and not layers_with_matrix(module):
        picked = None if channels is None else _picked(channels, None).tolist()
        return linearised(module, *inputs, channels=picked, **named)
    path, call = resolve(module, layer)
    found = record(module, *inputs, only=READ, **named)
    chosen = module.get_submodule(path)
    kind = kind_of(chosen)
    values = kind.matrix(chosen, _reader(found, path, call), _picked(channels, kind.size(chosen)))
    label = f"{layer or path} ({type(chosen).__name__})" if layer or path else type(chosen).__name__
    return MixingMatrix(
        values,
        f"b {kind.channel} l l",
        label,
        kind.mixes,
        True,
        _length(found, path, values),
        _newest(chosen, kind, channels),
    )


def layers_with_matrix(module: nn.Module) -> list[str]:
    """Paths of the layers that have a mixing matrix, the outermost of each; "" where it is the module itself."""
    paths: list[str] = []
    for path, each in module.named_modules():
        inside = any(not outer or path.startswith(f"{outer}.") for outer in paths)
        if kind_of(each) is not None and not inside:
            paths.append(path)
    return paths


def heads_with_matrix(module: nn.Module, layer: str) -> tuple[str, int]:
    """ "head" or "channel", and how many of a layer's matrices to offer: of one per channel, the first 16."""
    chosen = module.get_submodule(layer.partition("@")[0])
    kind = kind_of(chosen)
    return ("head", kind.size(chosen)) if kind.channel == "h" else ("channel", min(CHANNELS, kind.size(chosen)))


def resolve(module: nn.Module, layer: str | None) -> tuple[str, int]:
    """Path and call of the layer meant. Errors: `NoMixingMatrix`."""
    name, there = type(module).__name__, layers_with_matrix(module)
    if layer is None:
        if len(there) == 1:
            return there[0], 1
        if not there:
            kinds = ", ".join(each.__name__ for each in KINDS if not each.__name__.startswith("_"))
            raise NoMixingMatrix(
                f"{name} has no mixing matrix: it mixes nothing over time, or not linearly. These have one: {kinds}. "
                "lens.linearised gives the Jacobian of anything"
            )
        raise NoMixingMatrix(
            f"{name} has {len(there)} layers with a mixing matrix: give layer=, one of {', '.join(there)}"
        )
    path, _, call = layer.partition("@")
    paths = dict(module.named_modules())
    if path not in paths:
        close = difflib.get_close_matches(path, list(paths), n=3)
        hint = f" (close: {', '.join(close)})" if close else ""
        raise NoMixingMatrix(f"{name} has no layer {path!r}{hint}; a mixing matrix have {', '.join(there) or 'none'}")
    if kind_of(paths[path]) is None:
        inside = [other for other in there if other.startswith(f"{path}.")]
        raise NoMixingMatrix(
            f"{path} of {name}, a {type(paths[path]).__name__}, has no mixing matrix; "
            f"these have one: {', '.join(inside or there) or 'none'}"
        )
    return path, int(call or 1)


def _is_own(module: nn.Module) -> bool:
    """Whether a module is a learner's and not of this package."""
    return not type(module).__module__.startswith("seqrec_edu.")


def _picked(channels: int | Sequence[int] | None, size: int | None) -> Tensor:
    if channels is None:
        return torch.arange(size)
    picked = torch.as_tensor([channels] if isinstance(channels, int) else list(channels))
    if size is not None and (len(picked) == 0 or int(picked.min()) < 0 or int(picked.max()) >= size):
        raise ValueError(f"channels must be among 0…{size - 1}, got {picked.tolist()}")
    return picked


def _reader(found: Record, path: str, call: int):
    """Recorded tensors of a module inside the layer, floating ones in float64."""

    def at(inner: str = "", again: int = 1) -> dict[str, Tensor]:
        whole = ".".join(part for part in (path, inner) if part)
        taps = found.of(whole, again if inner else call)
        if not taps:
            raise NoMixingMatrix(f"{whole or 'the module'} did not run for this input, call {again if inner else call}")
        return {name: _wide(tensor) for name, tensor in taps.items()}

    return at


def _wide(tensor: Tensor) -> Tensor:
    if tensor.is_complex():
        return tensor.to(torch.complex128)
    return tensor.double() if tensor.is_floating_point() else tensor


def _length(found: Record, path: str, values: Tensor) -> Tensor | None:
    """Real events of each history: by the layer's mask, else by the batch."""
    mask = found.of(path).get("mask")
    if mask is not None:
        return mask.sum(1)
    batch = found.batch
    return None if batch is None or values.shape[0] != len(batch) else batch.length.cpu()


def _newest(module: nn.Module, kind: Kind, channels: int | Sequence[int] | None) -> tuple[bool, ...]:
    if not kind.both_ways:
        return ()
    size = kind.size(module)
    both = not hasattr(module, "beta") or bool(module.beta)
    return tuple(both and int(c) >= size // 2 for c in _picked(channels, size))
