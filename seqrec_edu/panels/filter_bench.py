"""A filter bench: draw what each period is turned to, and watch a history go through, circular and causal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go

from seqrec_edu.data.histories import Histories
from seqrec_edu.data.person import Person
from seqrec_edu.figures.filtering import CAUSAL, CIRCULAR, filtered_signal, filtered_table, kept_periods, kept_table
from seqrec_edu.figures.text import Table, number, short
from seqrec_edu.lens import filters as lens

from .equaliser import Equaliser
from .panel import FULL, Panel
from .presets import DRAWN, HAND, HIGH, KEEP, LOW, by_hand
from .signals import IMPULSE, WAVE, Signals
from .subjects import People, models_of

if TYPE_CHECKING:
    from torch import nn

_SIGNAL, _KEPT, _BOTH = "signal", "kept", "both"
_ALIKE = 1.5  # how much more than the middle one the strongest wave must hold to be named
_HINT = "Gain by period, in events. Draw across the bands, or go to one with ← → and set it with ↑ ↓."


class FilterBench(Panel):
    """A filter drawn by hand or taken from a trained model, on one person's history: circular beside causal.

    ``FilterBench(data.user(7))`` needs no model; ``FilterBench(model, data.user(7))`` adds the model's filters.

    Args:
        models: a model, or name → model; without models the people.
        people: a `Person`, or `Histories` to choose from.
        user: who is shown first.
        preset: "all pass", "low pass", "high pass", "keep one period", "random start", or the path of a trained filter
            (with several models "name: path").
        period: of the presets, in events.
        channel: of a trained filter, from 0.
        show: "signal", or "kept" for what a trained filter kept.
        untrained: the same models before training, to compare with.
        genres: the genre of every item, entry 0 is padding; taken from `Histories` otherwise.

    Raises:
        ValueError: no such preset, view, channel or period; models none of which has a spectral filter; people or items
            that do not fit.
    """

    name, title = "filter", "Filter bench"

    def __init__(
        self,
        models: nn.Module | Mapping[str, nn.Module] | Person | Histories,
        people: Person | Histories | None = None,
        *,
        user: int = 0,
        preset: str | None = None,
        period: int = 7,
        channel: int = 0,
        show: str = _SIGNAL,
        untrained: nn.Module | Mapping[str, nn.Module] | None = None,
        genres: Sequence[str] | None = None,
    ) -> None:
        super().__init__()
        given, models = (models, {}) if people is None else (people, models_of(models))
        genres = genres if genres is not None else getattr(given, "item_genres", None)
        self._people, self._signals = People(given, user=user), Signals(models, genres)
        self._filters = lens.trained_filters(models, None if untrained is None else models_of(untrained))
        preset = _known("preset", preset or next(iter(self._filters), LOW), (*HAND, *self._filters))
        self._layer = preset if preset in self._filters else next(iter(self._filters), None)
        self._build(preset, period, channel, _known("show", show, (_SIGNAL, _KEPT) if self._filters else (_SIGNAL,)))
        self._source, self._around = preset, lens.Bands(self._places(preset))
        self._meet()
        self._load(preset)
        for control in self._people.controls:
            control.observe(self._other_person, names="value")
        for control in (self._preset, self._period, self._channel):
            control.observe(self._other_filter, names="value")
        for control in (self._signal, self._view):
            control.observe(lambda _: self._fit(), names="value")
        self._bands.observe(self._drawn, names="value")
        views = [self._view] if self._filters else []
        self.start(
            [*views, *self._people.controls, self._preset, self._period, self._channel, self._signal, self._place,
             self._wave, self._mode],
            wide=[self._bands],
        )  # fmt: skip

    def _build(self, preset: str, period: int, channel: int, show: str) -> None:
        if period < 2:
            raise ValueError(f"period must be at least 2 events, got {period}")
        size = self._filters[preset].gains.shape[1] if preset in self._filters else 1
        if not 0 <= channel < size:
            raise ValueError(f"channel must be within 0…{size - 1}, got {channel}")
        self._bands = Equaliser(description="Gain of each band of periods", hint=_HINT)
        names = [(name.capitalize(), name) for name in HAND] + [(f"trained: {name}", name) for name in self._filters]
        self._preset = widgets.Dropdown(
            options=[*names, ("drawn by hand", DRAWN)], value=preset, description="filter", layout=dict(FULL)
        )
        self._period = widgets.BoundedIntText(
            value=period, min=2, max=1000, description="period", tooltip="in events", layout=dict(FULL)
        )
        self._channel = widgets.IntSlider(value=channel, min=0, max=size - 1, description="channel", layout=dict(FULL))
        self._signal = widgets.Dropdown(description="signal", layout=dict(FULL))
        self._place = widgets.IntSlider(value=1, min=1, max=1, description="at event", layout=dict(FULL))
        self._wave = widgets.IntSlider(value=7, min=2, max=50, description="wave period", layout=dict(FULL))
        self._mode = _choice([("Both", _BOTH), ("Circular", CIRCULAR), ("Causal", CAUSAL)], _BOTH)
        self._view = _choice([("Signal", _SIGNAL), ("What it kept", _KEPT)], show)

    # --- what is looked at -----------------------------------------------------------------------------------------

    @property
    def person(self) -> Person:
        """Whom the filter sees: the newest events, as many as it has places for."""
        return self._people.now.last(self._around.places)

    @property
    def gains(self) -> np.ndarray:
        """The factor of every wave, complex "f": the chosen filter with its bands as they are set."""
        return self._around.turned(self._base, self._bands.value)

    @property
    def signal(self) -> np.ndarray:
        """What goes into the filter, "n"."""
        person, key, more = self.person, self._signal.value, self._more
        held = ("signal", key, *more.values(), self._people.key, len(person))
        return self.remember(held, lambda: self._signals.values(key, person, **more))

    @property
    def output(self) -> lens.Filtered:
        """What comes out of it."""
        signal, gains, places = self.signal, self.gains, self._around.places
        key = ("output", signal.tobytes(), gains.tobytes(), places)
        return self.remember(key, lambda: lens.filtered(signal, gains, places=places))

    @property
    def figure(self) -> go.Figure:
        if self._view.value == _KEPT:
            gains, first, power, places = self._kept
            return kept_periods(gains, first, power, places=places, title=f"What {self._layer} lets through")
        person, output, (said, unit) = self.person, self.output, self._said
        shown = (CAUSAL, CIRCULAR) if self._mode.value == _BOTH else (self._mode.value,)
        return filtered_signal(
            self.signal, {CIRCULAR: output.circular, CAUSAL: output.causal}, np.abs(self.gains), self._power,
            person.labels, person.times if person.timed else None, places=self._around.places, shown=shown, what=unit,
            title=f"{short(said, 40)}: {self._called}",
        )  # fmt: skip

    @property
    def sentence(self) -> str:
        return self._kept_sentence() if self._view.value == _KEPT else self._signal_sentence()

    @property
    def table(self) -> Table:
        if self._view.value == _KEPT:
            gains, first, power, places = self._kept
            return kept_table(gains, first, power, places=places)
        output = self.output
        return filtered_table(self.signal, {CIRCULAR: output.circular, CAUSAL: output.causal}, self.person.labels)

    # --- in words --------------------------------------------------------------------------------------------------

    def _signal_sentence(self) -> str:
        person, power, leak = self.person, self._power, self.output.leak
        read = {
            CIRCULAR: f"later events make up {leak:.1%} of the circular output's power",
            CAUSAL: "the causal output reads none of them" if self._mode.value == _BOTH else "no later event is read",
        }
        said = "; ".join(read.values()) if self._mode.value == _BOTH else read[self._mode.value]
        around = "" if self._around.places == len(person) else f" on a circle of {self._around.places}"
        start = f"{self._said[0]}, {len(person)} events of {person.name}{around}, {self._called}: {said}."
        if not power.any():
            return f"{start} The signal never changes, so it has no period."
        if power[1:].max() < _ALIKE * np.median(power[1:]):
            return f"{start} The signal holds all periods alike."
        f = int(power.argmax())
        gain, period = number(float(np.abs(self.gains[f])), 3), _events(self._around.places / f)
        return f"{start} Its strongest period is {period} ({power[f]:.1%} of its variation), turned to {gain}."

    def _kept_sentence(self) -> str:
        gains, first, power, places = self._kept
        mean = gains.mean(1)
        most, least = int(mean.argmax()), int(mean.argmin())
        end = "" if first is None else f" Before training the mean gain was {number(first.mean(), 3)}."
        if power.any():
            f = int(power.argmax())
            end = f" {self._people.now.name} repeats most every {_events(places / f)}: gain {number(mean[f], 3)}.{end}"
        return (
            f"{self._layer}, {gains.shape[1]} channels: the mean gain is {number(mean.mean(), 3)}, largest "
            f"({number(mean[most], 3)}) at {_at(places, most)}, smallest ({number(mean[least], 3)}) at "
            f"{_at(places, least)}; the layer adds its input, so what is turned to 0 still passes beside it.{end}"
        )

    @property
    def _called(self) -> str:
        drawn = self._preset.value == DRAWN
        name = {
            LOW: f"low pass from period {self._period.value}",
            HIGH: f"high pass below period {self._period.value}",
            KEEP: f"period {self._period.value} kept",
        }.get(self._source, self._source)
        name = f"trained {name}, channel {self._channel.value}" if self._source in self._filters else name
        return f"{name}, redrawn" if drawn else name

    @property
    def _said(self) -> tuple[str, str]:
        return self._signals.said(self._signal.value, self.person, **self._more)

    @property
    def _more(self) -> dict[str, int]:
        return {"place": self._place.value, "period": self._wave.value}

    # --- how it is found -------------------------------------------------------------------------------------------

    @property
    def _power(self) -> np.ndarray:
        signal, places = self.signal, self._around.places
        return self.remember(("power", signal.tobytes(), places), lambda: lens.wave_power(signal, places=places))

    @property
    def _kept(self) -> tuple[np.ndarray, np.ndarray | None, np.ndarray, int]:
        """Gains of all channels, those before training, how the person repeats, and the places of the layer."""
        trained = self._filters[self._layer]

        def make() -> tuple[np.ndarray, np.ndarray | None, np.ndarray, int]:
            first = None if trained.first is None else np.abs(trained.first)
            repeats = lens.indicators(self._people.now.last(trained.places).items)
            return np.abs(trained.gains), first, lens.wave_power(repeats, places=trained.places), trained.places

        return self.remember(("kept", self._layer, self._people.key), make)

    # --- controls that follow each other ---------------------------------------------------------------------------

    def _other_person(self, _: object) -> None:
        with suppress(ValueError):  # one without events: the drawing says so
            self._meet()
            if self._around.places != self._places(self._source):
                self._load(self._source)

    def _other_filter(self, change: Mapping) -> None:
        if not self._held and change["new"] != DRAWN:
            self._load(self._preset.value if change["owner"] is self._preset else self._source)

    def _drawn(self, _: object) -> None:
        if not self._held:
            with self.quietly():
                self._preset.value = DRAWN

    def _meet(self) -> None:
        """What can be filtered of the person looked at."""
        person, value = self._people.now, self._signal.value
        options, events = self._signals.offered(person), len(person)
        with self.quietly():
            self._signal.options = options
            self._signal.value = value if value in [key for _, key in options] else self._signals.telling(person)
            self._place.max, self._wave.max, self._place.value = events, max(2, events), events // 2 + 1
        self._fit()

    def _load(self, chosen: str) -> None:
        """Bring the bands to a filter as it is before anybody draws."""
        self._source, self._around = chosen, lens.Bands(self._places(chosen))
        with self.quietly():
            self._preset.value = chosen
            if chosen in self._filters:
                self._layer, gains = chosen, self._filters[chosen].gains
                self._channel.max = gains.shape[1] - 1
                self._base = gains[:, self._channel.value]
            else:
                self._base = by_hand(chosen, self._around, self._period.value)
            self._bands.bring(self._around.periods, self._around.of(self._base))
        self._fit()

    def _places(self, chosen: str) -> int:
        return self._filters[chosen].places if chosen in self._filters else len(self._people.now)

    def _fit(self) -> None:
        """Show the controls that have a meaning now."""
        kind, chosen = self._signal.value[0], self._source
        one = self._view.value != _KEPT  # else all channels of a trained filter are looked at, and nothing goes through
        for control, wanted in (
            (self._period, chosen in (LOW, HIGH, KEEP)), (self._channel, chosen in self._filters),
            (self._place, kind == IMPULSE), (self._wave, kind == WAVE),
            (self._signal, True), (self._mode, True), (self._bands, True),
        ):  # fmt: skip
            control.layout.display = None if wanted and one else "none"


def _choice(options: Sequence[tuple[str, str]], value: str) -> widgets.ToggleButtons:
    return widgets.ToggleButtons(options=options, value=value, style={"button_width": "auto"})


def _known(what: str, value: str, known: Sequence[str]) -> str:
    if value not in known:
        raise ValueError(f"{what} must be one of {', '.join(known)}, got {value!r}")
    return value


def _events(period: float) -> str:
    return f"{number(period, 3).removesuffix('.0')} events"


def _at(places: int, f: int) -> str:
    return "the constant part" if f == 0 else f"period {_events(places / f)}"
