"""What a filter over a history does: to one signal, to each period, and in bands that a hand can set."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import nn

from seqrec_edu import ops
from seqrec_edu.data.batches import Batch
from seqrec_edu.layers import SpectralFilter
from seqrec_edu.layers.spectral_filter import START
from seqrec_edu.lens.reading import named

_ROUNDING = 1e-13  # of the largest number


class NoFilter(ValueError):
    """This model has no spectral filter under that path; the message says where there is one."""


def filter_layers(model: nn.Module) -> list[str]:
    """Paths of the spectral filters inside a model, in the order in which they were built."""
    return [path for path, module in model.named_modules() if isinstance(module, SpectralFilter)]


def filter_gains(model: nn.Module, layer: str) -> np.ndarray:
    """The complex factor of every wave and channel of one layer, ``W "f d"`` with f = 0 … l//2 turns per l events.

    ``rfft(y) = W ⊙ rfft(x)`` for the part that the layer adds to its input. Of a causal filter, kept as a weight per
    lag, ``W = rfft(w)``. Cost d·l·log l. Errors: `NoFilter`. FMLP-Rec, arXiv 2202.13556, section 4.
    """
    there = filter_layers(model)
    if layer not in there:
        raise NoFilter(
            f"{type(model).__name__} has no spectral filter {layer!r}; there is {', '.join(there) or 'none in it'}"
        )
    module = model.get_submodule(layer)
    weight = module.weight.detach().cpu().double()
    if module.config.causal:
        return torch.fft.rfft(weight, dim=0).numpy()
    return torch.view_as_complex(weight.contiguous()).numpy()


@dataclass(frozen=True)
class TrainedFilter:
    """One spectral filter of a model.

    Attributes:
        gains: `filter_gains`, complex "f d".
        first: the same before training, or None.
        places: l of its circle.
    """

    gains: np.ndarray
    first: np.ndarray | None
    places: int


def trained_filters(
    models: Mapping[str, nn.Module], untrained: Mapping[str, nn.Module] | None = None
) -> dict[str, TrainedFilter]:
    """Every spectral filter of these models by its path, with several models "name: path".

    untrained: the same models before training, by the same names; one alone goes with one alone.
    Errors: `NoFilter` where no model has any; ``ValueError`` for untrained ones of other sizes.
    """
    untrained = dict(untrained or {})
    if len(untrained) == len(models) == 1:
        untrained = dict(zip(models, untrained.values(), strict=True))
    found = {}
    for name, model in models.items():
        for path in filter_layers(model):
            gains = filter_gains(model, path)
            first = filter_gains(untrained[name], path) if name in untrained else None
            if first is not None and first.shape != gains.shape:
                raise ValueError(f"{path} of {name} has gains 'f d' {gains.shape}, before training {first.shape}")
            places = model.get_submodule(path).config.history_length
            found[named(models, name, path)] = TrainedFilter(gains, first, places)
    if models and not found:
        raise NoFilter(f"{', '.join(models)}: no layer is a spectral filter; fmlprec and echomamba4rec have them")
    return found


def filter_at_start(places: int, *, seed: int = 0) -> np.ndarray:
    """The factors "f" that one channel of a circular filter over ``places`` events may start from: normal(0, 0.02)."""
    draw = np.random.default_rng(seed)
    return START * (draw.normal(size=places // 2 + 1) + 1j * draw.normal(size=places // 2 + 1))


@dataclass(frozen=True)
class Filtered:
    """A signal after one filter, applied in two ways.

    Attributes:
        circular: "n", what comes with the histories laid round a circle of l places.
        causal: "n", the same weights on the same or earlier events only, zeros before the first.
    """

    circular: np.ndarray
    causal: np.ndarray

    @property
    def later(self) -> np.ndarray:
        """What the circular output owes to later events: ``circular - causal``, "n"."""
        return self.circular - self.causal

    @property
    def leak(self) -> float:
        """``Σ later² / (Σ later² + Σ causal²)``, from 0 to 1; 0 where both are zero."""
        later, causal = float((self.later**2).sum()), float((self.causal**2).sum())
        return later / (later + causal) if later + causal > 0 else 0.0


def filtered(signal: Any, gains: Any, *, places: int | None = None) -> Filtered:
    """One signal through one filter, circular and causal.

    With ``w = irfft(W)``, the weight of each lag: ``circular[t] = Σ_s w[(t-s) mod l] x[s]`` and
    ``causal[t] = Σ_{s≤t} w[t-s] x[s]``. They differ by what lags below zero contribute, the later events.

    signal: real "n".
    gains: "f", one factor W per wave, f = 0 … l//2; real ones shift no wave.
    places: l, at least n; the signal is extended with zeros to it. None: n.
    What is smaller than 1e-13 of the largest output is rounding of the FFT and becomes zero: what a filter does not
    read shows as nothing. Cost l·log l. Errors: ``ValueError`` on axes that do not fit, or numbers that are not finite.
    """
    x = _signal(signal)
    places = len(x) if places is None else places
    W = np.asarray(gains, dtype=np.complex128)
    if places < len(x) or W.shape != (places // 2 + 1,):
        raise ValueError(
            f"filtered: {len(x)} events on {places} places need places ≥ events and gains 'f' with "
            f"{places // 2 + 1} factors, got {W.shape}"
        )
    if not np.isfinite(W).all():
        raise ValueError("filtered: gains hold numbers that are not finite")
    wide = torch.from_numpy(np.pad(x, (0, places - len(x))))[None, :, None]
    lags = torch.fft.irfft(torch.from_numpy(W), n=places)[:, None]
    circular = ops.spectral_filter(wide, torch.from_numpy(W)[:, None])[0, : len(x), 0].numpy()
    causal = ops.spectral_filter(wide, lags, causal=True)[0, : len(x), 0].numpy()
    top = max(np.abs(circular).max(), np.abs(causal).max())
    circular, causal = (np.where(np.abs(y) > _ROUNDING * top, y, 0.0) for y in (circular, causal))
    return Filtered(np.where(np.abs(circular - causal) > _ROUNDING * top, circular, causal), causal)


def wave_power(signal: Any, *, places: int | None = None) -> np.ndarray:
    """How much of a signal's variation each wave holds: ``P[f] ∝ Σ_c |rfft(x_c - mean)[f]|²`` with ``Σ P = 1``; "f".

    signal: "n", or "n c" for several at once, which add up.
    places: l of the circle, f = 0 … l//2; the signal minus its mean is extended with zeros. None: n.
    A signal that never changes has no power: zeros. Cost c·l·log l. Errors: ``ValueError`` as `filtered`.
    """
    x = np.asarray(signal, dtype=np.float64)
    x = _signal(x)[:, None] if x.ndim == 1 else x
    places = len(x) if places is None else places
    if x.ndim != 2 or places < len(x) or not np.isfinite(x).all():
        raise ValueError(f"wave_power: signal must be finite, 'n' or 'n c' with n ≤ {places} places, got {x.shape}")
    power = (np.abs(np.fft.rfft(x - x.mean(0), n=places, axis=0)) ** 2).sum(1)
    f = np.arange(len(power))
    power = power * np.where((2 * f) % places == 0, 1, 2)  # the others stand for their mirror images, too
    total = power.sum()
    power = np.where(power > _ROUNDING**2 * total, power, 0.0)
    return power / total if total > 1e-12 * max(1.0, (x**2).sum()) else np.zeros_like(power)


def impulse(events: int, at: int) -> np.ndarray:
    """A signal "n" that is 1 at one event, counted from 0, and 0 elsewhere: a filter answers with its lags."""
    if not 0 <= at < events:
        raise ValueError(f"at must be within 0…{events - 1}, got {at}")
    return (np.arange(events) == at).astype(np.float64)


def wave(events: int, period: float) -> np.ndarray:
    """A cosine "n" that comes round every ``period`` events, 1 at the first."""
    if not period > 0:
        raise ValueError(f"period must be above 0 events, got {period}")
    return np.cos(2 * np.pi * np.arange(events) / period)


def indicators(codes: Sequence[Any]) -> np.ndarray:
    """Which of its values a sequence has at each event: 0 or 1, "n c", the values in sorted order.

    `wave_power` of it tells at which periods a history repeats itself, whatever the items are: its sum over items is
    the spectrum of "the same again after k events".
    """
    _, place = np.unique(np.asarray(codes), return_inverse=True)
    return np.eye(int(place.max()) + 1)[place]


def embedding_coordinate(model: nn.Module, batch: Batch) -> np.ndarray:
    """A history as one number per event: its item embeddings along the direction in which they vary most; "n".

    ``x[t] = (e[t] - mean) · v`` with v the first right singular vector of the centred rows, scaled to deviation 1. Its
    sign is chosen so that the largest value is positive. Items that are all alike give zeros. Cost n·d·min(n, d).
    Errors: ``ValueError`` for a model without ``item_embedding``.
    """
    table = getattr(model, "item_embedding", None)
    if table is None:
        raise ValueError(f"{type(model).__name__} has no item_embedding to take a coordinate from")
    item = batch.item[0, : int(batch.length[0])].to(table.weight.device)
    rows = table.weight.detach()[item].cpu().double().numpy()
    rows = rows - rows.mean(0)
    _, sigma, directions = np.linalg.svd(rows, full_matrices=False)
    along = rows @ directions[0]
    if sigma[0] <= 1e-9 * max(1.0, np.abs(rows).max()):
        return np.zeros(len(along))
    return along * np.sign(along[np.abs(along).argmax()]) / along.std()


@dataclass(frozen=True)
class Bands:
    """Neighbouring waves that are turned up or down together, narrow at long periods: an equaliser's bands.

    Attributes:
        places: l, events of the circle that the waves fit.
        most: bands at most; a circle with no more waves has a band for each.
    """

    places: int
    most: int = 24

    def __post_init__(self) -> None:
        if self.places < 1 or self.most < 2:
            raise ValueError(f"Bands needs places ≥ 1 and most ≥ 2, got {self.places} and {self.most}")

    @cached_property
    def edges(self) -> np.ndarray:
        """ "k + 1": band i holds the waves ``edges[i] ≤ f < edges[i + 1]``; the constant part is the first, alone."""
        top = self.places // 2
        if top < self.most:
            return np.arange(top + 2)
        chosen = np.array([1, top + 1])
        for finer in range(2, 4 * self.most):  # rounding merges the narrow ones, so the number is found by trying
            tried = np.unique(np.rint(np.geomspace(1, top + 1, finer + 1)).astype(int))
            chosen = tried if len(tried) <= self.most else chosen
        return np.concatenate([[0], chosen])

    def __len__(self) -> int:
        return len(self.edges) - 1

    @property
    def periods(self) -> list[tuple[float, float]]:
        """The longest and the shortest period of each band, in events; infinite for the constant part."""
        return [
            (math.inf if low == 0 else self.places / low, math.inf if high == 1 else self.places / (high - 1))
            for low, high in zip(self.edges[:-1].tolist(), self.edges[1:].tolist(), strict=True)
        ]

    def of(self, gains: Any) -> np.ndarray:
        """Mean of ``|W|`` over the waves of each band: "f" to "k"."""
        size = np.abs(np.asarray(gains))
        if size.shape != (self.places // 2 + 1,):
            raise ValueError(f"Bands over {self.places} places take {self.places // 2 + 1} factors, got {size.shape}")
        return np.add.reduceat(size, self.edges[:-1]) / np.diff(self.edges)

    def holding(self, period: float) -> int:
        """The band of the wave whose period comes closest. Errors: ``ValueError`` for a period below 2 events."""
        if not period >= 2:
            raise ValueError(f"a wave needs at least 2 events, got a period of {period}")
        wave = min(self.places // 2, round(self.places / period))
        return int(np.searchsorted(self.edges, wave, side="right")) - 1

    def low_pass(self, period: float) -> np.ndarray:
        """Gains "k" of 1 for this period and longer ones, 0 for shorter; `keep` has 1 for its band alone."""
        return (np.arange(len(self)) <= self.holding(period)).astype(np.float64)

    def keep(self, period: float) -> np.ndarray:
        """Gains "k" of 1 for the band of this period, 0 elsewhere."""
        return (np.arange(len(self)) == self.holding(period)).astype(np.float64)

    def turned(self, gains: Any, wanted: Any) -> np.ndarray:
        """The factors "f" with the mean of each band brought to ``wanted`` "k"; phases, and shapes in a band, stay.

        A band that was silent gets the wanted gain at every wave, with no phase.
        """
        W = np.asarray(gains, dtype=np.complex128)
        now, wanted = self.of(W), np.asarray(wanted, dtype=np.float64)
        if wanted.shape != now.shape:
            raise ValueError(f"there are {len(now)} bands, got {wanted.shape} gains")
        factor = np.divide(wanted, now, out=np.ones_like(now), where=now > 0)
        width = np.diff(self.edges)
        return np.where(np.repeat(now > 0, width), W * np.repeat(factor, width), np.repeat(wanted, width))


def _signal(signal: Any) -> np.ndarray:
    x = np.asarray(signal, dtype=np.float64)
    if x.ndim != 1 or not len(x) or not np.isfinite(x).all():
        raise ValueError(f"a signal must be finite numbers 'n', one per event, at least one; got shape {x.shape}")
    return x
