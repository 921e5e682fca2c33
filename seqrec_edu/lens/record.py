"""What a model computes on its way, by name."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from seqrec_edu.data.batches import Batch
from seqrec_edu.lens.table import as_html, as_text
from seqrec_edu.taps import Tap, recording
from seqrec_edu.training.evaluate import inference

HEAD = ("tap", "axes", "shape", "range")


class UnknownTap(KeyError, ValueError):
    """No tensor is recorded under this name; the message lists close ones."""

    def __str__(self) -> str:  # that of KeyError shows the message in quotes
        return str(self.args[0])


class Record(Mapping[str, Tap]):
    """The tensors of one forward pass: ``found["ssds.0.dt"]`` is a `Tap` with ``tensor``, ``axes`` and ``module``.

    Iterates in the order of the pass; shown as a table. ``batch`` is what the model was given, where that was a
    `Batch`, so that a reader can put times and items beside it.
    """

    def __init__(self, subject: str, taps: Mapping[str, Tap], batch: Batch | None = None):
        self.subject, self.batch, self._taps = subject, batch, dict(taps)

    def __getitem__(self, name: str) -> Tap:
        if name not in self._taps:
            raise self._unknown(name)
        return self._taps[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._taps)

    def __len__(self) -> int:
        return len(self._taps)

    def find(self, name: str) -> list[Tap]:
        """All taps called so, in the order of the pass: ``find("decay")`` is that of every layer.

        A path may be given from its end: ``find("0.ssd.decay")``. Errors: `UnknownTap`.
        """
        found = [tap for key, tap in self._taps.items() if f".{key.partition('@')[0]}".endswith(f".{name}")]
        found = found or [tap for key, tap in self._taps.items() if f".{key}".endswith(f".{name}")]
        if not found:
            raise self._unknown(name)
        return found

    def of(self, module: str, call: int = 1) -> dict[str, Tensor]:
        """The tensors of one module by the taps' own names; ``call`` counts from 1 where it runs more than once."""
        counted = "" if call == 1 else f"@{call}"
        return {
            tap.own_name: tap.tensor
            for key, tap in self._taps.items()
            if tap.module == module and key.partition("@")[2] == counted[1:]
        }

    @property
    def modules(self) -> tuple[str, ...]:
        """Paths of the modules that recorded something, in the order of the pass; "" is the model itself."""
        return tuple(dict.fromkeys(tap.module for tap in self._taps.values()))

    def __repr__(self) -> str:
        return as_text(self._title, HEAD, self._rows())

    def _repr_html_(self) -> str:
        return as_html(self._title, HEAD, self._rows())

    @property
    def _title(self) -> str:
        return f"Record of {self.subject}: {len(self)} taps"

    def _rows(self) -> list[tuple[str, str, str, str]]:
        return [
            (key, tap.axes, " × ".join(map(str, tap.tensor.shape)), value_range(tap.tensor))
            for key, tap in self._taps.items()
        ]

    def _unknown(self, name: str) -> UnknownTap:
        if not self._taps:
            return UnknownTap(f"{self.subject} has no taps, so {name!r} is not recorded; put tap(…) into its forward")
        own = dict.fromkeys(tap.own_name for tap in self._taps.values())
        close = difflib.get_close_matches(name, [*self._taps, *own], n=6, cutoff=0.5)
        hint = f"close: {', '.join(close)}" if close else f"there are {', '.join(own)}"
        return UnknownTap(f"{self.subject} records no tap {name!r}; {hint}")


def record(model: nn.Module, *inputs: Any, only: Sequence[str] | None = None, **named: Any) -> Record:
    """Run a model once and keep what passes its taps: ``record(model, batch).find("decay")``.

    Evaluation mode, no gradient; the model's own mode comes back. What the taps are called stands in
    ``seqrec_edu.taps``; a learner's module records what it taps itself, and what our layers inside it do.

    model: any ``nn.Module``; ``inputs`` and ``named`` are what its ``forward`` takes.
    only: the taps' own names to keep, ``only=["decay", "gate"]``; for large batches, as everything else is copied.
    Cost: the forward pass and a copy of what is recorded.
    Errors: those of the module; ``ValueError`` for a model that is no ``nn.Module``, which has no taps.
    """
    if not isinstance(model, nn.Module):
        raise ValueError(f"record needs an nn.Module with taps, got {type(model).__name__}: it computes nothing inside")
    with inference(model), recording(model, only=only) as recorder:
        model(*inputs, **named)
    batch = inputs[0] if inputs and isinstance(inputs[0], Batch) else None
    return Record(type(getattr(model, "_orig_mod", model)).__name__, recorder.taps, batch)


def value_range(tensor: Tensor) -> str:
    """Smallest and largest number in a few characters; of complex ones the sizes."""
    if tensor.numel() == 0:
        return "empty"
    if tensor.dtype == torch.bool:
        return f"{int(tensor.sum())} of {tensor.numel()} true"
    shown, sign = (tensor.abs(), "|·| ") if tensor.is_complex() else (tensor, "")
    low, high = torch.aminmax(shown)
    whole = not tensor.is_floating_point() and not tensor.is_complex()
    return sign + (f"{int(low)} … {int(high)}" if whole else f"{float(low):.3g} … {float(high):.3g}")
