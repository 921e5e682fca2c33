"""The state of one head as a history flows past: step sizes, what fades, and what a moved event changes."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go

from seqrec_edu import lens
from seqrec_edu.data.histories import Histories
from seqrec_edu.data.person import Person
from seqrec_edu.figures.ranking import RankChange, change_summary, rank_changes
from seqrec_edu.figures.state import state_animation
from seqrec_edu.figures.text import Table, aligned, number, short, span
from seqrec_edu.lens.recommending import recommend
from seqrec_edu.lens.remaining import READ, heads_of, layers_in_time

from .panel import Panel
from .stage import Clock, Play, Stage, scene
from .still import still
from .subjects import People, batch_of, models_of, named

if TYPE_CHECKING:
    from torch import nn

_DEEP = 100  # ranks that are asked for, to say how far a newcomer came
_CHOICE = {"width": "auto", "flex": "1 1 200px"}


class _Place(NamedTuple):
    """A layer whose state can be followed: its model and path, what its states are called, and how many there are."""

    model: nn.Module
    path: str
    letter: str
    count: int


class Theatre(Panel):
    """Items flow past and the state of a head fills and fades; an event that is dragged in time changes all of it.

    Args:
        models: a model with states (Mamba, SSD), or name → model.
        people: a `Person` (`data.user(7)`), or `Histories` to choose from.
        user: who is shown first.
        layer: path of a layer with a state; with several models "name: path".
        head: which head, of a Mamba which channel, from 0.
        k: how many ranks count as the list.

    Raises:
        ValueError: models without a state, no such layer or head, k below 1; people or items that do not fit.
    """

    name, title = "theatre", "State theatre"

    def __init__(
        self,
        models: nn.Module | Mapping[str, nn.Module],
        people: Person | Histories,
        *,
        user: int = 0,
        layer: str | None = None,
        head: int = 0,
        k: int = 10,
    ) -> None:
        super().__init__()
        self._people, self._k, self._latest = People(people, user=user), _counted(k), {}
        self._layers = _layers(models_of(models), self._people.now)
        names = list(self._layers)
        if layer is not None and layer not in self._layers:
            raise ValueError(f"there is no state {layer!r}; there are {', '.join(names)}")
        self._layer = widgets.Dropdown(options=names, value=layer or names[0], description="state of", layout=_CHOICE)
        if not 0 <= head < self._place.count:
            raise ValueError(f"head must be within 0…{self._place.count - 1} for {self._layer.value}, got {head}")
        self._head = widgets.IntSlider(
            value=head, min=0, max=self._place.count - 1, description=self._place.letter, layout=_CHOICE
        )
        self._back = widgets.Button(description="Put all back", disabled=True, tooltip="Undo all that was moved")
        self._back.on_click(lambda _: self.put_back())
        for control in self._people.controls:
            control.layout = _CHOICE
        self._cast = None
        controls = [*self._people.controls, self._layer, self._head, self._back]
        row = widgets.HBox(controls, layout={"flex_flow": "row wrap", "align_items": "center"})
        stage = Stage(layout={"width": "100%", "min_width": "0"})
        self.start([], wide=[row], plot=stage)
        self.watch(*controls)
        self.watch(stage, trait="moved")

    def move(self, event: int, days: float) -> None:
        """Move an event in time, as a reader does by dragging.

        Args:
            event: counted from 0 in the order before anything was moved.
            days: how far from where it was first; negative is earlier, 0 puts it back.

        Raises:
            ValueError: no such event, no timestamps, or farther than a tenth beyond the history's ends.
        """
        person, seconds = self._whole, round(days * 86_400)
        if not 0 <= event < len(person):
            raise ValueError(f"event must be within 0…{len(person) - 1} for this history, got {event}")
        if not person.timed:
            raise ValueError(f"all events of {person.name} carry the same time: none can be moved in time")
        low, high = (edge - (person.times[event] - person.times[0]) for edge in Clock(person).edges)
        if not low <= seconds <= high:
            within = f"{low / 86_400:.3g}…{high / 86_400:.3g}"
            raise ValueError(f"event {event} can be moved by {within} days, a tenth beyond the history, got {days}")
        others = {key: by for key, by in self.plot.moved.items() if key != str(event)}
        self.plot.moved = {**others, str(event): seconds} if seconds else others

    def put_back(self) -> None:
        """All events where they were."""
        self.plot.moved = {}

    # --- what is looked at -----------------------------------------------------------------------------------------

    @property
    def figure(self) -> go.Figure:
        play, letter = self._play(), self._place.letter
        title = f"State of {self._layer.value}, {letter} {self._head.value}: {play.person.name}"
        figure = state_animation(play.states, play.person.labels, play.person.times, title=title)
        return _at_the_end(figure)

    @property
    def sentence(self) -> str:
        play, letter = self._play(), self._place.letter
        person, most = play.person, int(play.size.argmax())
        since = f" in {span(int(person.times[-1] - person.times[0]))}" if person.timed else ""
        parts = [
            f"{person.name}: {len(person)} event{'s' if len(person) > 1 else ''}{since}",
            f"{self._layer.value}, {letter} {self._head.value}: the state is largest after event {most + 1} "
            f"({short(person.labels[most])})",
        ]
        if len(person) > 1:
            first, before = (number(float(play.left[-1, s]), 3) for s in (0, -2))
            parts.append(f"at the last event {first} of the first one is left and {before} of the one before it")
        if not person.timed:
            parts.append("all events carry the same time, so none can be moved in time for lack of timestamps")
        return "; ".join(parts) + f". {self._told()}"

    @property
    def table(self) -> Table:
        play, clock = self._play(), Clock(self._whole)
        gates = [None] * len(play.person) if play.gate is None else play.gate
        rows = [
            (i + 1, label, float(at / clock.seconds), *map(float, values), gate)
            for i, (label, at, *values, gate) in enumerate(zip(
                play.person.labels, play.person.times - self._whole.times[0], play.dt, play.decay, play.left[-1],
                play.size, gates, strict=True,
            ))
        ]  # fmt: skip
        return aligned(
            ("event", "item", f"{clock.unit}s", "dt", "decay", "left at the end", "size of the state", "gate"), rows
        )

    def draw(self) -> None:
        self._fit()
        super().draw()

    def paint(self, label: str) -> None:
        play, before, place = self._play(), self._play(moved=False), self._place
        self._back.disabled = not self.plot.moved
        note = "The gate is silu(z)" + (", the mean over the width of the head." if place.letter == "head" else ".")
        words = {
            "label": label,
            "cast": f"{self._people.key} {len(play.person)} {play.person.name}",
            "title": f"{play.person.name}, state of {self._layer.value}",
            "head": f"{place.letter} {self._head.value}",
            "k": self._k,
            "note": "This layer has no gate." if play.gate is None else note,
        }
        self.plot.draw(*scene(play, before, self._whole, self._changes(), **words))

    def bundle(self) -> tuple[dict[str, Any], dict[str, Any]]:
        data, _ = super().bundle()
        picture = data.pop("image/png", None)  # in the page instead, until its script takes over
        return {**data, "text/html": still(self.plot, picture=picture, words=self.sentence)}, {}

    # --- how it is found -------------------------------------------------------------------------------------------

    def _fit(self) -> None:
        """Another person or layer: a slider as long as there are heads, and nothing moved of somebody else."""
        cast = self._people.key, len(self._whole)
        with self.quietly():
            self._head.max, self._head.description = self._place.count - 1, self._place.letter
            if self._cast not in (None, cast):
                self.plot.moved = {}
            self._cast = cast

    @property
    def _place(self) -> _Place:
        return self._layers[self._layer.value]

    @property
    def _whole(self) -> Person:
        """Who is looked at, before anything was moved: as many events as the model reads."""
        person = self._people.now
        return person.last(int(batch_of(self._place.model, person).length))

    def _edited(self, moved: bool) -> tuple[Person, np.ndarray]:
        """The history with its moved events, and which event of the first order stands where."""
        person = self._whole
        times = person.times.copy()
        for event, seconds in self.plot.moved.items() if moved else ():
            times[int(event)] += int(seconds)
        return person.edited(person.items, times), np.argsort(times, kind="stable")

    def _play(self, moved: bool = True) -> Play:
        """What passed in the head looked at, with or without what the reader moved."""

        def make() -> Play:
            return Play.of(self._record(moved), self._place.path, self._head.value, *self._edited(moved))

        return self._kept("play", (self._layer.value, self._head.value), moved, make)

    def _record(self, moved: bool) -> lens.Record:
        """One run of the model, from which all its layers and heads are shown."""
        model = self._place.model
        return self._kept(
            "record", id(model), moved, lambda: lens.record(model, batch_of(model, self._edited(moved)[0]), only=READ)
        )

    def _ranked(self, moved: bool) -> list[tuple[int, float]]:
        model, (person, _) = self._place.model, self._edited(moved)
        depth = max(self._k, _DEEP)
        return self._kept(
            "ranked", id(model), moved,
            lambda: recommend(model, person.items, person.times, k=depth, history_length=len(person)),
        )  # fmt: skip

    def _kept(self, what: str, which: Hashable, moved: bool, make: Callable[[], Any]) -> Any:
        """As `remember`; of records, which are large, and of edited histories, of which a drag passes a hundred that
        nobody comes back to, only the last."""
        edits = tuple(sorted(self.plot.moved.items())) if moved else ()
        key, slot = (what, which, self._people.key, edits), (what, bool(edits))
        if not edits and what != "record":
            return self.remember(key, make)
        if self._latest.get(slot, (None,))[0] != key:
            self._latest[slot] = key, make()
        return self._latest[slot][1]

    def _changes(self) -> list[RankChange]:
        return rank_changes(self._ranked(False), self._ranked(True), k=self._k)

    def _told(self) -> str:
        """What was moved and what came of it, or who leads the list."""
        whole, changes, moved = self._whole, self._changes(), self.plot.moved
        if not moved:
            return f"On top of the list: {', '.join(short(whole.label(c.item)) for c in changes[:3])}."
        if len(moved) > 1:
            what = f"{len(moved)} events moved"
        else:
            ((event, seconds),) = ((int(key), by) for key, by in moved.items())
            clock = Clock(whole)
            place = int(np.flatnonzero(self._play().order == event)[0])
            passed = abs(place - event)
            past = f" past {passed} other{'s' if passed > 1 else ''}, now event {place + 1}" if passed else ""
            name, by = short(whole.labels[event]), f"{seconds / clock.seconds:+.3g} {clock.unit}s"
            what = f"Event {event + 1} ({name}) moved by {by}{past}"
        return f"{what}: {change_summary(changes)} in the top {self._k}."


def _layers(models: Mapping[str, nn.Module], person: Person) -> dict[str, _Place]:
    """Every layer whose state can be followed, by the name that the reader chooses it by."""
    found = {}
    for name, model in models.items():
        record = lens.record(model, batch_of(model, person), only=("x", "dt", "newest_first"))
        for path in layers_in_time(record):
            found[named(models, name, path)] = _Place(model, path, *heads_of(record, path))
    if not found:
        raise ValueError(
            f"{', '.join(models)}: no layer carries a state with decays (Mamba, SSD) from event to event; an "
            "attention or a filter looks at all events at once: open it with the mixer explorer"
        )
    return found


def _counted(k: int) -> int:
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    return k


def _at_the_end(figure: go.Figure) -> go.Figure:
    """An animation that stands at its last event, since a stored picture does not play."""
    if figure.frames:
        heat, here = figure.frames[-1].data
        figure.data[0].z = heat.z
        figure.data[2].update(x=here.x, y=here.y)
    for slider in figure.layout.sliders:
        slider.active = len(slider.steps) - 1
    return figure
