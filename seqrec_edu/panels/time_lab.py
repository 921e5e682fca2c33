"""Move an event in time and see what becomes of it on the way into a model: buckets, scaled gaps, and the mask."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go

from seqrec_edu.data.histories import Histories
from seqrec_edu.data.person import Person
from seqrec_edu.figures.mixing import heads_grid, mixing_heatmap, mixing_table
from seqrec_edu.figures.text import Table, number, short, span
from seqrec_edu.figures.time_scales import gap_scales, gap_table, relation_map
from seqrec_edu.lens.time_scales import (
    CORRECTED,
    OFFICIAL,
    WITHOUT,
    TimeMasks,
    TimeScales,
    at_the_same_second,
    paused,
    places_in_time,
    time_masks,
    time_setting,
)

from .panel import FULL, Panel
from .subjects import MOST, People, batch_of

if TYPE_CHECKING:
    from torch import nn

_HOUR, _DAY = 3600, 86400
_STEPS = (0, 60, 600, *(n * _HOUR for n in (1, 6)), *(n * _DAY for n in (1, 3, 7, 14, 30, 60)))
_PAUSE = 30 * _DAY
_SCALES, _RELATIONS, _MASKS = "scales", "relations", "masks"
_VIEWS = (("One axis", _SCALES), ("Relations", _RELATIONS), ("Masks", _MASKS))
_UNITS = (("whole history", "user"), ("so far", "running"), ("1 s", "raw"))
_BY = (("the gap itself", "plain"), ("the layer", "layer"))


class TimeMaskLab(Panel):
    """Edit the times of one history, and see each scale that a model reads them on, down to what its state keeps.

    Args:
        people: a `Person` (`data.user(7)`), or `Histories` to choose from.
        models: a TiM4Rec, a TiSASRec, or name → model with one of each; what is not given is built small, with the
            formulas of its layers at their first weights.
        user: who is shown first.
        event: which event is chosen first, from 1; by default the one after the longest gap.
        pads: empty places behind the events, where no parameters ask for a row of one length.
        scale: unit of TiSASRec's buckets, "user", "running" or "raw"; None takes the model's own.
        by: what turns gaps into τ: "plain", nothing learned, or "layer", TiM4Rec's map; None takes the layer's where a
            TiM4Rec was given.
        head: of TiM4Rec's first layer, from 0.
        show: "scales", "relations" or "masks".
        events: newest events that are shown.

    Raises:
        ValueError: no such event, head, unit or view; models that are no TiM4Rec that reads times and no TiSASRec, or
            that know other items.
    """

    name, title = "time-lab", "Time mask lab"

    def __init__(
        self,
        people: Person | Histories,
        models: nn.Module | Mapping[str, nn.Module] | None = None,
        *,
        user: int = 0,
        event: int | None = None,
        pads: int = 0,
        scale: str | None = None,
        by: str | None = None,
        head: int = 0,
        show: str = _SCALES,
        events: int = 48,
    ) -> None:
        super().__init__()
        self._people = People(people, user=user, most=events)
        self._setting = time_setting(people, models, places=MOST)
        if self._setting.places < events:
            self._people = People(people, user=user, most=self._setting.places)
        batch_of(self._setting.tim4rec, self._people.now)  # raises where the person's items are not the model's
        if not 0 <= head < self._setting.heads:
            raise ValueError(f"head must be within 0…{self._setting.heads - 1} of this layer, got {head}")
        self._build(scale or self._setting.scale, by or ("layer" if self._setting.given else "plain"), head, show)
        self._start_again()
        if event is not None and not 1 <= event <= self._event.max:
            raise ValueError(f"event must be within 1…{self._event.max} of what is shown, got {event}")
        self._event.value = event or int(np.diff(self._times, prepend=self._times[0]).argmax()) + 1
        if not 0 <= pads <= MOST:
            raise ValueError(f"pads must be within 0…{MOST}, got {pads}")
        self._pads.value = pads
        self._fit()
        buttons = widgets.HBox([self._pause, self._same, self._reset], layout={"flex_flow": "row wrap"})
        edits = [self._event, self._move, buttons]
        self.start([*self._people.controls, *edits, self._pads, self._unit, self._by, self._head, self._view])

    def _build(self, scale: str, by: str, head: int, show: str) -> None:
        steps = [*(-s for s in reversed(_STEPS[1:])), *_STEPS]
        self._event = widgets.IntSlider(value=1, min=1, max=1, description="event", layout=FULL)
        self._move = widgets.SelectionSlider(
            options=[(_moved(step), step) for step in steps], value=0, description="move it", layout=FULL
        )
        self._pause = _button("30 days' pause", "This event and all later ones 30 days later")
        self._same = _button("same second", "Put this event at the second of the one before")
        self._reset = _button("reset", "The times as they were")
        self._pads = widgets.IntSlider(value=0, min=0, max=MOST, description="pads", layout=FULL)
        self._unit = _buttons("bucket unit", _UNITS, scale=scale)
        self._by = _buttons("τ from", _BY, by=by)
        self._head = widgets.IntSlider(value=head, min=0, max=self._setting.heads - 1, description="head", layout=FULL)
        self._view = _buttons("show", _VIEWS, show=show)
        self.follow(self._start_again, *self._people.controls)
        self._event.observe(self._keep, names="value")
        self.follow(self._fit, self._by)
        self._pause.on_click(lambda _: self._edit(lambda times, event: paused(times, event, _PAUSE)))
        self._same.on_click(lambda _: self._edit(at_the_same_second))
        self._reset.on_click(lambda _: self._edit(lambda *_: self._people.now.times.copy()))

    # --- what is looked at -----------------------------------------------------------------------------------------

    @property
    def figure(self) -> go.Figure:
        person = self._person
        if not person.timed:
            kept = self._masks.kept[WITHOUT][self._head.value]
            return mixing_heatmap(kept, person.labels, person.times, weight="kept", title="The mask without times")
        if self._view.value == _RELATIONS:
            scales, title = self._scales, f"How far apart TiSASRec sees the events of {short(person.name, 40)}"
            return relation_map(scales.buckets, person.labels, person.times, most=scales.span, title=title)
        if self._view.value == _MASKS:
            kept = np.stack([each[self._head.value] for each in self._masks.kept.values()])
            title = f"What the state keeps of each event, head {self._head.value}"
            forms = list(self._masks.kept)
            return heads_grid(kept, person.labels, person.times, heads=forms, weight="kept", title=title)
        return gap_scales(
            *self._columns, person.labels, person.times, most=self._scales.span, event=self._place,
            title=f"The times of {short(person.name, 40)}, as models read them",
        )  # fmt: skip

    @property
    def sentence(self) -> str:
        if self._person.timed:
            return " ".join([self._of_seconds, self._of_scaling, self._of_buckets, self._of_mask])
        return f"All events happened at the same second: there is nothing to normalise. {self._of_mask}"

    @property
    def table(self) -> Table:
        person = self._person
        if not person.timed:
            return mixing_table(self._masks.kept[WITHOUT][self._head.value], person.labels)
        return gap_table(*self._columns, person.labels)

    @property
    def _columns(self) -> tuple:
        """What one axis of events shows."""
        scales, kept = self._scales, self._masks.kept
        scaled = {OFFICIAL: scales.official, CORRECTED: scales.corrected}
        last = {form: each[self._head.value, -1] for form, each in kept.items()}
        return scales.gaps, scales.coarse, scaled, scales.buckets[-1], last

    @property
    def _of_seconds(self) -> str:
        gaps, coarse, wrong = self._scales.gaps, self._scales.coarse, int(self._scales.wrong.sum())
        if not wrong:
            return "Float32 happens to hold all of these gaps."
        worst = self._scales.worst
        became = f"{gaps[worst]} s become {coarse[worst]:.0f} s"
        return f"In float32 seconds {wrong} of {len(gaps) - 1} gaps are wrong: {became} before event {worst + 1}."

    @property
    def _of_scaling(self) -> str:
        scales, pads = self._scales, self._used_pads
        beside = f"the longest, {span(int(scales.gaps[scales.longest]))}"
        beside = f"the first of {pads} pads, whose gap is minus a date" if pads else beside
        official, corrected = (number(scales.spread(form), 2) for form in (OFFICIAL, CORRECTED))
        return f"Beside {beside}, the other gaps lie within {official} in official form, {corrected} in corrected form."

    @property
    def _of_buckets(self) -> str:
        clipped, pairs = self._scales.clipped
        unit = span(int(self._scales.unit[-1]))
        return f"TiSASRec counts in units of {unit}: {clipped} of {pairs} pairs fall into the last bucket."

    @property
    def _of_mask(self) -> str:
        """What is left of the chosen event at the last."""
        forms = self._masks.kept if self._person.timed else {WITHOUT: self._masks.kept[WITHOUT]}
        kept = {form: 100 * float(each[self._head.value, -1, self._place]) for form, each in forms.items()}
        said = ", ".join(f"{number(share, 3)} % {form}" for form, share in kept.items())
        weights = "" if self._by.value == "plain" else f" The layer's map: {self._setting.weights}."
        return f"Of event {self._place + 1} the last state keeps {said}.{weights}"

    # --- how it is found -------------------------------------------------------------------------------------------

    @property
    def _edited(self) -> np.ndarray:
        """The times now, of the events in their first order."""
        times = self._times.copy()
        times[self._event.value - 1] += self._move.value
        return times

    @property
    def _person(self) -> Person:
        return self._people.now.edited(self._people.now.items, self._edited)

    @property
    def _place(self) -> int:
        """Where the chosen event stands now, from 0."""
        return int(places_in_time(self._edited)[self._event.value - 1])

    @property
    def _scales(self) -> TimeScales:
        how = {"pads": self._used_pads, "scale": self._unit.value}
        key = ("scales", self._key, *how.values())
        return self.remember(key, lambda: self._setting.scales(self._person.times, **how))

    @property
    def _masks(self) -> TimeMasks:
        person, by = self._person, self._by.value
        key, model = ("masks", self._key, self._used_pads, by), self._setting.tim4rec
        return self.remember(key, lambda: time_masks(model, person.items, person.times, self._scales, by=by))

    @property
    def _key(self) -> tuple[int, bytes]:
        return self._people.key, self._edited.tobytes()

    @property
    def _used_pads(self) -> int:
        """As chosen, or as many as a whole row leaves."""
        return max(0, self._setting.places - len(self._times)) if self._fixed else self._pads.value

    @property
    def _fixed(self) -> str:
        """Why the number of pads cannot be chosen, if so."""
        if self._setting.row_gap is not None:
            return "This TiM4Rec reads rows of one length"
        return "The layer's map reads rows of one length" if self._by.value == "layer" else ""

    # --- controls that follow others -------------------------------------------------------------------------------

    def _edit(self, change: Callable[[np.ndarray, int], np.ndarray]) -> None:
        """What a button does to the times, and one new drawing."""
        with self.together():
            self._times = np.asarray(change(self._edited, self._event.value - 1), dtype=np.int64)
            self._move.value = 0

    def _keep(self, change: dict) -> None:
        """Another event was chosen: what was done to the one before stays."""
        if self._move.value:
            self._times[change["old"] - 1] += self._move.value
            with self.quietly():
                self._move.value = 0

    def _start_again(self) -> None:
        self._move.value = 0
        self._times = self._people.now.times.copy()
        self._event.max = len(self._times)

    def _fit(self) -> None:
        """Pads can be chosen where nothing has parameters for one length of row."""
        self._pads.disabled, self._pads.tooltip = bool(self._fixed), self._fixed
        self._pads.value = self._used_pads


def _buttons(description: str, options: tuple, **chosen: str) -> widgets.ToggleButtons:
    """Buttons with one chosen by the caller's argument, which must be one of them."""
    ((name, value),), words = chosen.items(), [word for _, word in options]
    if value not in words:
        raise ValueError(f"{name} must be one of {', '.join(words)}, got {value!r}")
    return widgets.ToggleButtons(options=options, value=value, description=description, style={"button_width": "auto"})


def _button(description: str, tooltip: str) -> widgets.Button:
    return widgets.Button(description=description, tooltip=tooltip, layout={"width": "auto", "flex": "0 0 auto"})


def _moved(seconds: int) -> str:
    return "not moved" if not seconds else f"{'+' if seconds > 0 else '−'}{span(abs(seconds))}"
