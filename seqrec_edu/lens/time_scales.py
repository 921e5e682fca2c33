"""What becomes of the time between events on its way into a model: TiSASRec's buckets, TiM4Rec's gaps and its mask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqrec_edu.data.batches import Batch
from seqrec_edu.data.histories import Histories
from seqrec_edu.data.person import Person
from seqrec_edu.layers import LogGap, RowGap, time_buckets
from seqrec_edu.layers.time import ONE_BEFORE_SOFTPLUS, differences
from seqrec_edu.lens.record import record
from seqrec_edu.lens.variants import rewired, small_models
from seqrec_edu.models import TiM4Rec, TiSASRec
from seqrec_edu.ops._ssd.reference import log_decay, semiseparable_mask
from seqrec_edu.training.evaluate import inference

WITHOUT, OFFICIAL, CORRECTED = "without times", "official", "corrected"
MAPS = ("plain", "layer")


@dataclass(frozen=True, eq=False)
class TimeScales:
    """The times of one history as models read them.

    Attributes:
        gaps: int64 "l": seconds since the event before, 0 at the first.
        coarse: float "l": the same, had the times been float32 before they were subtracted.
        corrected: "l": TiM4Rec's gaps as here: `layers.LogGap`.
        official: "l": TiM4Rec's gaps as its authors scale them: `layers.RowGap`, over the padded row.
        jump: what the official form makes of the first pad, whose gap is minus a Unix time; None without pads.
        buckets: int64 "l l": TiSASRec's relation of every two events: `layers.time_buckets`.
        unit: int64 "l": seconds of a bucket in each row.
        span: the last bucket.
    """

    gaps: np.ndarray
    coarse: np.ndarray
    corrected: np.ndarray
    official: np.ndarray
    jump: float | None
    buckets: np.ndarray
    unit: np.ndarray
    span: int

    @property
    def wrong(self) -> np.ndarray:
        """bool "l": gaps that float32 changes."""
        return self.coarse != self.gaps

    @property
    def worst(self) -> int:
        """The event, from 0, whose gap float32 changes most for its size."""
        return int((np.abs(self.coarse - self.gaps) / np.maximum(self.gaps, 1)).argmax())

    @property
    def longest(self) -> int:
        """The event, from 0, before which the longest gap lies."""
        return int(self.gaps.argmax())

    def spread(self, form: str) -> float:
        """How far apart all gaps but the longest lie in one form ("official" or "corrected"): largest less smallest."""
        values = np.delete({OFFICIAL: self.official, CORRECTED: self.corrected}[form], [0, self.longest])
        return float(np.ptp(values)) if len(values) else 0.0

    @property
    def clipped(self) -> tuple[int, int]:
        """Pairs of an event and an earlier one that fall into the last bucket, and all such pairs."""
        pairs = self.buckets[np.tril_indices(len(self.gaps), -1)]
        return int((pairs == self.span).sum()), len(pairs)


def time_scales(
    times: Sequence[int],
    *,
    log_gap: LogGap | None = None,
    row_gap: RowGap | None = None,
    pads: int = 0,
    span: int = 256,
    scale: str = "user",
) -> TimeScales:
    """Put the times of one history on every scale that the models here read them on, by the layers themselves.

    ``gaps[i] = t[i] - t[i-1]``;  ``corrected = (log(1 + gaps) - mean) / std``;  ``official = LN_l(gaps)`` over the
    events and ``pads`` behind them, in float32 seconds;  ``buckets = min(span, ⌊|t[i] - t[j]| / unit⌋)``.

    times: int64 "l" Unix seconds, never decreasing.
    log_gap: whose mean and standard deviation to use (a trained model's ``gap``, or `log_scale`); none if left out.
    row_gap: whose gains to use; its length is then that of the row, and ``pads`` must fill it. Fresh if left out.
    span, scale: of the buckets, see `layers.time_buckets`.
    Cost l². Errors: ``ValueError`` on no event or times that decrease; those of the layers.
    TiM4Rec, arXiv 2409.16182; TiSASRec, doi 10.1145/3336191.3371786.
    """
    time = torch.as_tensor(np.asarray(times, dtype=np.int64))[None]
    length = time.shape[1]
    if not length or bool((time.diff() < 0).any()):
        raise ValueError("time_scales needs the times 'l' of at least one event, never decreasing")
    log_gap, row_gap = log_gap or LogGap(), row_gap or RowGap(length + pads)
    with inference(log_gap), inference(row_gap):
        corrected = log_gap(time, torch.ones_like(time, dtype=torch.bool))[0]
        official = row_gap(F.pad(time, (0, pads)))[0]
    exact = differences(time)[0].numpy()
    return TimeScales(
        exact,
        differences(time, in_float32=True)[0].double().numpy(),
        corrected.double().numpy(),
        official[:length].double().numpy(),
        float(official[length]) if pads else None,
        time_buckets(time, span=span, scale=scale)[0].numpy(),
        _units(exact, scale),
        span,
    )


def _units(gaps: np.ndarray, scale: str) -> np.ndarray:
    """Seconds of a bucket in each row; in order of time the smallest difference of all is one between neighbours."""
    none = np.iinfo(np.int64).max
    smallest = np.minimum.accumulate(np.where(gaps > 0, gaps, none))
    smallest = {"user": np.full_like(smallest, smallest[-1]), "running": smallest}.get(scale, np.ones_like(smallest))
    return np.where(smallest == none, 1, smallest)


def log_scale(people: Person | Histories) -> LogGap:
    """A `LogGap` with the mean and deviation of all gaps there are; the one it starts with where none differ."""
    gaps = np.diff(people.times)
    if isinstance(people, Histories):
        gaps = np.delete(gaps, people.offsets[1:-1] - 1)  # between two people there is no gap
    found = LogGap()
    if len(gaps) > 1 and np.ptp(gaps) > 0:
        found.measure(torch.from_numpy(gaps))
    return found


@dataclass(frozen=True, eq=False)
class TimeSetting:
    """By whose parameters times are scaled: those of models that were given, or of layers as they start.

    Attributes:
        tim4rec: the model whose first layer makes the mask; ``given``, or built small.
        log_gap, row_gap: of the corrected and the official form; row_gap None is a fresh one of any length.
        span, scale: of TiSASRec's buckets.
        places: of a whole row.
    """

    tim4rec: TiM4Rec
    given: bool
    log_gap: LogGap
    row_gap: RowGap | None
    span: int
    scale: str
    places: int

    @property
    def weights(self) -> str:
        """Which weights turn gaps into τ, in words."""
        if not self.given:
            return "first weights in both forms"
        forms = (OFFICIAL, CORRECTED) if self.row_gap is not None else (CORRECTED, OFFICIAL)
        return "{} as given, {} at first weights".format(*forms)

    @property
    def heads(self) -> int:
        """Heads of the layer that makes the mask."""
        return self.tim4rec.ssds[0].config.heads

    def scales(self, times: Sequence[int], *, pads: int, scale: str) -> TimeScales:
        """`time_scales` with these parameters."""
        return time_scales(
            times, log_gap=self.log_gap, row_gap=self.row_gap, pads=pads, span=self.span, scale=scale
        )  # fmt: skip


def time_setting(
    people: Person | Histories, models: nn.Module | Mapping[str, nn.Module] | None = None, *, places: int = 200
) -> TimeSetting:
    """Find a TiM4Rec and a TiSASRec among models, and put layers at their first weights where one is missing.

    Where no trained scale of gaps is given, the gaps of these people make one. ``places``: of a row without a model.
    Errors: ``ValueError`` on other models, two of a kind, or a TiM4Rec that reads no times.
    """
    given = list(models.values()) if isinstance(models, Mapping) else [models] if models is not None else []
    ours = [model for model in given if isinstance(model, TiM4Rec)]
    rivals = [model for model in given if isinstance(model, TiSASRec)]
    if len(ours) > 1 or len(rivals) > 1 or len(ours) + len(rivals) < len(given):
        found = ", ".join(type(model).__name__ for model in given)
        raise ValueError(f"only a TiM4Rec and a TiSASRec read times that are shown here, one of each; got {found}")
    if ours and ours[0].config.time == "off":
        raise ValueError('this TiM4Rec has time="off": it reads no times; give one with time "step" or "decay"')
    model = ours[0] if ours else small_models(people.n_items, places)["TiM4Rec"]
    gap = model.gap
    trained = isinstance(gap, LogGap) and not (gap.mean == 0 and gap.std == 1)  # as it starts: nothing was measured
    released = isinstance(gap, RowGap) and gap.pads_in_norm and gap.raw_seconds
    span, scale = (rivals[0].config.span, rivals[0].config.scale) if rivals else (256, "user")
    return TimeSetting(
        model, bool(ours), gap if trained else log_scale(people), gap if released else None,
        span, scale, model.config.history_length,
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class TimeMasks:
    """What the first state of a TiM4Rec keeps of each event, without times and with each form of them.

    Attributes:
        kept: form → "h l l": ``L[t, s] = a[s+1] ⋯ a[t]``, the share of event s that the state still holds at event t.
        factors: form → "l h": τ, by which time acts on the step; of ones without times.
    """

    kept: dict[str, np.ndarray]
    factors: dict[str, np.ndarray]


def time_masks(
    model: TiM4Rec, items: Sequence[int], times: Sequence[int], scales: TimeScales, *, by: str = "plain", seed: int = 0
) -> TimeMasks:
    """The mask of a model's first layer without times, and with the gaps of `time_scales` in both forms.

    The SSD layer, its input and its steps are the same in all three; only τ differs. ``by="plain"`` puts nothing
    learned between gap and mask: ``τ = softplus(gap)``, shifted to 1 at gap 0, on the decay, ``a = exp(τ dt A)``: what
    the scale alone does. ``by="layer"`` takes the model's own map from gaps to τ, where the model has it, and for the
    other form that of a twin with the first weights of ``seed``; it acts where the model has it act.

    Cost: three passes of one SSD layer and h l². Errors: ``ValueError`` on a model without times or an unknown map.
    Mamba-2, arXiv 2405.21060, section 3; TiM4Rec, arXiv 2409.16182.
    """
    if not isinstance(model, TiM4Rec) or model.config.time == "off":
        raise ValueError(f"time_masks needs a TiM4Rec that reads times, got {type(model).__name__} without")
    if by not in MAPS:
        raise ValueError(f"by must be one of {', '.join(MAPS)}, got {by!r}")
    batch = Batch.of(items, times)
    heads, placement = model.ssds[0].config.heads, "decay" if by == "plain" else model.config.time
    factors: dict[str, Tensor | None] = {WITHOUT: None}
    with inference(model):
        x = model.embed(batch.item)
        for form, gaps in ((OFFICIAL, scales.official), (CORRECTED, scales.corrected)):
            if by == "plain":
                gap = torch.from_numpy(gaps).to(x.dtype)
                factors[form] = F.softplus(gap + ONE_BEFORE_SOFTPLUS)[None, :, None].expand(-1, -1, heads)
            else:
                factors[form] = _learned(rewired(model, {"mode": form}, seed=seed), batch, scales, form)
    kept = {form: _kept(model.ssds[0], x, factor, placement) for form, factor in factors.items()}
    shown = {form: np.ones_like(kept[form][:, 0].T) if f is None else f[0].numpy() for form, f in factors.items()}
    return TimeMasks(kept, shown)


def _learned(model: TiM4Rec, batch: Batch, scales: TimeScales, form: str) -> Tensor:
    """τ of the first layer, "b l h"."""
    with inference(model):
        if form == CORRECTED:
            return model.time_maps[0](torch.from_numpy(scales.corrected)[None].to(model.item_embedding.weight.dtype))[0]
        missing = model.config.history_length - batch.item.shape[1]
        gap = model.gap(F.pad(batch.time, (0, missing)))
        return model.time_maps[0](gap)[0][:, : batch.item.shape[1]]


def _kept(layer: nn.Module, x: Tensor, factor: Tensor | None, placement: str) -> np.ndarray:
    """The mask of an SSD layer, from the steps that it shows."""
    taps = record(layer, x, time_factor=factor, placement=placement, only=("dt", "A", "decay_scale"))
    found = taps.of("")
    scale = found.get("decay_scale")
    log_a = log_decay(found["dt"].double(), found["A"].double(), None if scale is None else scale.double())
    return semiseparable_mask(log_a)[0].numpy()


def places_in_time(times: np.ndarray) -> np.ndarray:
    """Where each event stands once all are in order of time, from 0; ties keep their order. int "l" to int "l"."""
    places = np.empty(len(times), dtype=np.int64)
    places[np.argsort(times, kind="stable")] = np.arange(len(times))
    return places


def paused(times: np.ndarray, event: int, seconds: int) -> np.ndarray:
    """A pause before one event: it and all that follow it, later. int64 "l" seconds to the same."""
    places = places_in_time(times)
    return times + seconds * (places >= places[event])


def at_the_same_second(times: np.ndarray, event: int) -> np.ndarray:
    """One event at the time of the one before it; the first one stays. int64 "l" seconds to the same."""
    places = places_in_time(times)
    before = np.flatnonzero(places == places[event] - 1)
    return np.where(np.arange(len(times)) == event, times[before[0] if len(before) else event], times)
