"""Change one event and see which outputs move: causality and padding, for every wiring that a model can have."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, NamedTuple

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go

from seqrec_edu import lens
from seqrec_edu.data.histories import Histories
from seqrec_edu.data.person import Person
from seqrec_edu.figures.poke import poke_response
from seqrec_edu.figures.poke_text import poke_sentence, poke_table
from seqrec_edu.figures.text import Table, number, short
from seqrec_edu.lens.audit import declares
from seqrec_edu.lens.poke import Poked, Poker
from seqrec_edu.lens.variants import AXES, filled_to, reads_ahead, rewired, small_models, why_not, wiring

from .panel import FULL, Panel
from .subjects import MOST, People, batch_of, models_of, places_of

if TYPE_CHECKING:
    from torch import nn

_PADS = 12  # at most; so many places of a model are left to them
_AT_ONCE = 64  # places up to which the whole map is measured unasked
_PAD = "both"  # a pad is changed in all that it holds
_STREAMS = (("item", "item"), ("time", "time"), ("a pad", _PAD))
_WORDS = {"none": "none", "forward": "forward", "both": "both ways"}
_NOT_HERE = "not here"


class _Bench(NamedTuple):
    """One row in front of one model, and the pokes done so far, by stream and place; place None is all."""

    model: nn.Module
    poker: Poker
    done: dict[tuple[str, int | None], Poked]


class Probe(Panel):
    """Poke one event, see which outputs move, and so what each output reads; then rewire the model and look again.

    Args:
        models: a model, or name → model; None builds small ones, at random weights.
        people: a `Person` (`data.user(7)`), or `Histories` to choose from. `Probe(data.user(7))` does as well.
        user: who is shown first.
        model: which model first, by its name.
        event: which event is changed first, from 1; by default one in the middle.
        poke: what of it: "item", "time", or "pad" for a pad instead.
        pads: empty places in the row, 0…12.
        side: where they stand, "right" as everywhere here, or "left" as in many implementations.
        filter, direction, mode: the wiring, in the words of `lens.variants.AXES`; None leaves the model's own.
        events: newest events that are shown.

    Raises:
        ValueError: no such model, event or side; a wiring that the model cannot have; no pad to poke; people or items
            that do not fit; a module that reads no items.
    """

    name, title = "probe", "Causality and padding probe"

    def __init__(
        self,
        models: nn.Module | Mapping[str, nn.Module] | Person | Histories | None = None,
        people: Person | Histories | None = None,
        *,
        user: int = 0,
        model: str | None = None,
        event: int | None = None,
        poke: str = "item",
        pads: int = 6,
        side: str = "right",
        filter: str | None = None,
        direction: str | None = None,
        mode: str | None = None,
        events: int = 48,
    ) -> None:
        super().__init__()
        if people is None and isinstance(models, (Person, Histories)):
            models, people = None, models
        if people is None:
            raise ValueError("whose history? Give a person (data.user(7)) or histories: Probe(model, data.user(7))")
        if not 1 <= events <= MOST or not 0 <= pads <= _PADS:
            raise ValueError(f"shows 1…{MOST} events and 0…{_PADS} pads, got {events=} and {pads=}")
        self._people = People(people, user=user, most=events)
        self._built = models is None
        self._models = small_models(self._people.now.n_items, events + _PADS) if self._built else models_of(models)
        self._build(model, poke, pads, side)
        wanted = {"filter": filter, "direction": direction, "mode": mode}
        rewired(self._base, wanted)  # raises with the reason, before anything is drawn
        for axis, word in wanted.items():
            self._axes[axis].value = word or self._axes[axis].value
        self._fit()
        self._place.value = self._checked(event)
        column = [self._model, *self._axes.values(), self._notes, self._poke, self._place, self._pads, self._side]
        self.start([*self._people.controls, *column, self._map])

    def _build(self, model: str | None, poke: str, pads: int, side: str) -> None:
        names = list(self._models)
        if model is not None and model not in names:
            raise ValueError(f"there is no model {model!r}; there are {', '.join(names)}")
        if poke not in ("item", "time", "pad") or side not in ("right", "left") or (poke == "pad" and not pads):
            allowed = 'poke must be "item", "time" or, where there are pads, "pad", and side "right" or "left"'
            raise ValueError(f"{allowed}; got {poke!r}, {side!r} and {pads} pads")
        self._model = widgets.Dropdown(options=names, value=model or names[0], description="model", layout=FULL)
        self._axes = {axis: _buttons(axis) for axis in AXES}
        self._notes = widgets.HTML()
        self._poke = _buttons("change", *_STREAMS)
        self._poke.value = _PAD if poke == "pad" else poke
        self._place = widgets.IntSlider(value=1, min=1, max=1, description="event", layout=FULL)
        self._pads = widgets.IntSlider(value=pads, min=0, max=_PADS, description="pads", layout=FULL)
        self._pads.continuous_update = False
        self._side = _buttons("pads stand", ("right", "right"), ("left", "left"))
        self._side.value = side
        self._map = widgets.Checkbox(value=self._width <= _AT_ONCE, description="map of all changes", indent=False)
        self._rewire()
        self.follow(self._rewire, self._model)
        self.follow(self._fit, self._model, self._poke, self._pads, self._map, *self._people.controls)

    # --- what is looked at -----------------------------------------------------------------------------------------

    @property
    def figure(self) -> go.Figure:
        person, whole = self._person, self._done(None).change if self._map.value else None
        return poke_response(
            self._row, self._at, person.labels, person.times, whole=whole, tolerance=self._bench.poker.tolerance,
            title=f"What {self._model.value} reads of {short(person.name, 40)}", **self._padding,
        )  # fmt: skip

    @property
    def sentence(self) -> str:
        moves = poke_sentence(self._row, self._at, tolerance=self._bench.poker.tolerance, **self._padding)
        weights = "At random weights." if self._built or self._bench.model is not self._base else ""
        said = [f"{self._what}: {moves}.", self._who_reads_ahead, self._of_pads, weights]
        return " ".join(filter(None, said))

    @property
    def table(self) -> Table:
        person, tolerance = self._person, self._bench.poker.tolerance
        return poke_table(self._row, self._at, person.labels, person.times, tolerance=tolerance, **self._padding)

    @property
    def _what(self) -> str:
        """What was done, in words."""
        person, n = self._person, self._place.value
        other = short(person.label(self._bench.poker.instead(self._at)), 40)
        if self._poke.value == _PAD:
            return f"Pad {n} of {self._pads.value} holds {other} instead of nothing"
        which = f"event {n} of {len(person)}, {short(person.labels[n - 1], 40)},"
        return f"E{which[1:]} becomes {other}" if self._poke.value == "item" else f"The time of {which} is changed"

    @property
    def _who_reads_ahead(self) -> str:
        """Which part does it, how much of it, and whether the model says so; nothing where no earlier output moved."""
        model, earlier = self._bench.model, self._row[self._events.start : self._at]
        if self._poke.value == _PAD or not (earlier > self._bench.poker.tolerance).any():
            return ""
        parts, told = reads_ahead(model, self._poke.value), declares(model)
        who = " and ".join(parts) if parts else f"the {type(model).__name__}"
        said = f"{who[0].upper()}{who[1:]} read{'s' if len(parts) < 2 else ''} later events"
        if self._map.value:
            ahead, n = self._done(None).ahead, len(self._person)
            said += f", up to {ahead.sum(0).max()} for one output, {ahead.sum()} of {n * (n - 1) // 2} pairs in all"
        return said + {True: ", though it declares that it is causal.", False: ", as it declares.", None: "."}[told]

    @property
    def _of_pads(self) -> str:
        """What the number of pads does, in words."""
        pads, fills = self._pads.value, filled_to(self._bench.model)
        own = f" This wiring fills every row to {fills} places with pads of its own." if fills else ""
        if not pads:
            return own.strip()
        where = "behind" if self._side.value == "right" else "in front of"
        apart = self._bench.poker.apart(self._in_front_of(pads=0, side="right").poker)
        told = "change no output" if apart <= self._bench.poker.tolerance else f"change outputs by {number(apart, 2)}"
        return f"{pads} pad{'s' if pads > 1 else ''} {where} the history {told}.{own}"

    # --- how it is found -------------------------------------------------------------------------------------------

    @property
    def _base(self) -> nn.Module:
        return self._models[self._model.value]

    @property
    def _person(self) -> Person:
        """The newest events, as many as the model has places for beside the pads."""
        person, places = self._people.now, places_of(self._base)
        return person.last(max(1, places - _PADS) if places else len(person))

    @property
    def _padding(self) -> dict:
        return {"pads": self._pads.value, "side": self._side.value}

    @property
    def _width(self) -> int:
        return len(self._person) + self._pads.value

    @property
    def _events(self) -> slice:
        """Places of the events in the row."""
        first = self._pads.value if self._side.value == "left" else 0
        return slice(first, first + len(self._person))

    @property
    def _at(self) -> int:
        """The place changed, counted from 0 along the row."""
        if self._poke.value == _PAD:
            return self._place.value - 1 + (self._events.stop if self._side.value == "right" else 0)
        return self._place.value - 1 + self._events.start

    @property
    def _row(self) -> np.ndarray:
        """How far each output moved, "t"."""
        if self._map.value:
            return self._done(None).change[self._at]
        return self._done(self._at).change[0]

    @property
    def _bench(self) -> _Bench:
        return self._in_front_of(**self._padding)

    def _in_front_of(self, pads: int, side: str) -> _Bench:
        wired = tuple(control.value for control in self._axes.values())
        key = (self._model.value, wired, self._people.key)
        model, subject = self.remember(("model", *key), self._wired)

        def make() -> _Bench:
            person = self._person
            return _Bench(model, Poker(subject, person.items, person.times, pads=pads, side=side), {})

        return self.remember(("row", *key, pads, side), make)

    def _wired(self) -> tuple[nn.Module, lens.Subject]:
        """The model as the controls wire it. What was not trained is moved a little, as the audit does: a weight that
        starts near zero hides what will flow through it."""
        model = rewired(self._base, {axis: control.value for axis, control in self._axes.items()})
        batch_of(model, self._person)  # raises where the person's items are not the model's
        subject = lens.subject(model)
        return model, subject if model is self._base and not self._built else subject.moved()

    def _done(self, place: int | None) -> Poked:
        """One poke, or all; a pad is changed in all that it holds."""
        bench, stream = self._bench, self._poke.value
        if (stream, place) not in bench.done:
            bench.done[stream, place] = bench.poker.poke(*([] if place is None else [place]), stream=stream)
        return bench.done[stream, place]

    def _checked(self, event: int | None) -> int:
        event = round(0.4 * self._place.max) or 1 if event is None else event
        if not 1 <= event <= self._place.max:
            raise ValueError(f"event must be within 1…{self._place.max} of what is shown, got {event}")
        return event

    # --- controls that follow others -------------------------------------------------------------------------------

    def _rewire(self) -> None:
        """The wirings that this model can have, and why it has no others."""
        now, missing = wiring(self._base), []
        for axis, control in self._axes.items():
            reasons = {word: why_not(self._base, axis, word) for word in AXES[axis]}
            can = [(_WORDS.get(word, word), word) for word, reason in reasons.items() if not reason]
            control.options = can or [(_NOT_HERE, None)]
            control.value = now[axis]
            control.disabled = len(can) < 2
            control.tooltip = next(filter(None, reasons.values()), "")
            missing += [reason for reason in reasons.values() if reason]
        self._notes.value = "".join(f"<div style='line-height:1.3'>{escape(m)}.</div>" for m in dict.fromkeys(missing))

    def _fit(self) -> None:
        """A slider that goes as far as there is something to change."""
        pad, pads = self._poke.value == _PAD, self._pads.value
        if pad and not pads:
            self._poke.value, pad = "item", False
        streams = _STREAMS if pads else _STREAMS[:2]
        if len(streams) != len(self._poke.options):
            now = self._poke.value
            self._poke.options, self._poke.value = streams, now
        self._place.max = pads if pad else len(self._person)
        self._place.description = "pad" if pad else "event"
        self._place.continuous_update = self._map.value  # what has been measured can follow the hand


def _buttons(description: str, *options: tuple[str, str]) -> widgets.ToggleButtons:
    return widgets.ToggleButtons(options=options, description=description, style={"button_width": "auto"})
