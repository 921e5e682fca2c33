"""What is done with a person's events: the cards, the edit that the controls say, and the edits that were kept."""

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from html import escape

import ipywidgets as widgets

from seqrec_edu.data.person import Person
from seqrec_edu.figures.text import span

from .cards import Cards, Catalogue
from .panel import FULL

KEEP, REMOVE, MOVE, ADD = "keep", "remove", "move", "add"
ACTIONS = {KEEP: "Leave the history as it is", REMOVE: "Take this event out", MOVE: "Move this event in time",
           ADD: "Put one more item in"}  # fmt: skip
_SPARE = 14.0  # days after the last event at which one can be added
_BUTTONS = (
    ("Keep edit", "Make it a part of the history and go on from there"),
    ("Undo", "Take the last kept edit back"),
    ("As it was", "Take all edits back"),
)


class Edits:
    """Controls to choose an event and what becomes of it.

    Args:
        action: what is done first.
        quietly: a context in which controls may be changed without an answer.
        changed: called when a button made another history.
    """

    def __init__(
        self, action: str, *, quietly: Callable[[], AbstractContextManager], changed: Callable[[], None]
    ) -> None:
        self._quietly, self._changed, self._catalogue = quietly, changed, None
        late = {"continuous_update": False, "layout": dict(FULL)}
        self.heading = widgets.HTML()
        self.event = widgets.Select(rows=10, layout=dict(FULL), tooltip="Event to edit")
        self.place = widgets.IntSlider(value=1, min=1, max=1, description="event", **late)
        self.action = widgets.ToggleButtons(
            options=[(name.capitalize(), name) for name in ACTIONS], value=action, tooltips=list(ACTIONS.values()),
            style={"button_width": "auto"},
        )  # fmt: skip
        self.days = widgets.FloatSlider(step=0.5, description="days", readout_format="+.1f", **late)
        self.item = widgets.Combobox(
            placeholder="type a part of its name", description="item", continuous_update=True, layout=dict(FULL)
        )
        self.day = widgets.FloatSlider(step=0.5, description="on day", readout_format=".1f", **late)
        self.take, self.undo, self.reset = (
            widgets.Button(description=name, tooltip=said, layout={"width": "auto"}) for name, said in _BUTTONS
        )
        self.take.on_click(lambda _: self._go([*self.steps, self.edited()]))
        self.undo.on_click(lambda _: self._go(self.steps[:-1] or self.steps))
        self.reset.on_click(lambda _: self._go(self.steps[:1]))
        # JupyterLab keeps the up and down keys of a list for itself, so the keyboard chooses with a slider.
        self.event.observe(lambda change: self._choose(change["new"]), names="value")
        self.place.observe(lambda change: self._choose(change["new"] - 1), names="value")
        self.item.observe(lambda _: self._search(), names="value")

    @property
    def controls(self) -> list[widgets.Widget]:
        """All of them, in the order of a page."""
        buttons = widgets.HBox([self.take, self.undo, self.reset])
        return [self.heading, self.event, self.place, self.action, self.days, self.item, self.day, buttons]

    def meet(self, person: Person, event: int | None = None, days: float = -7.0) -> None:
        """Lay out the cards of a person, untouched, and choose one, the last if not said otherwise."""
        cards = Cards.of(person)
        self._person, self.steps = person, [cards]
        last, reach = float(cards.days[-1]), max(7.0, math.ceil(cards.days[-1]))
        with self._quietly():
            self.days.max, self.days.min = reach, -reach
            self.days.value = min(max(days, -reach), reach)
            self.day.max, self.day.value = math.ceil(last) + _SPARE, math.ceil(2 * last) / 2
            self._lay_out(len(cards) - 1 if event is None else event)

    def edited(self) -> Cards:
        """The history after the edits that were kept and the one that the controls say."""
        cards, event = self.steps[-1], self.event.value
        if self.action.value == REMOVE and len(cards) > 1:
            return cards.without(event)
        if self.action.value == MOVE:
            return cards.moved(event, self.days.value)
        if self.action.value == ADD and self.added is not None:
            return cards.with_item(self.added, self.day.value)
        return cards

    @property
    def added(self) -> int | None:
        """The item to add, once its name says which."""
        return self._items.find(self.item.value) if self.item.value else None

    def said(self) -> str:
        """The edits in words."""
        cards, event = self.steps[-1], self.event.value
        name = f"event {event + 1} ({self._person.label(int(cards.items[event]))})"
        shift = f"moved by {self.days.value:+.1f} days" if self.days.value else "not moved"
        removed = f"without {name}" if len(cards) > 1 else "the only event stays: nothing can be said of none"
        done = {KEEP: "nothing edited", REMOVE: removed, MOVE: f"{name} {shift}", ADD: self._addition()}
        kept = len(self.steps) - 1
        if not kept:
            return done[self.action.value]
        start = f"after {kept} edit{'s' * (kept > 1)}"
        return start if self.action.value == KEEP else f"{start}, {done[self.action.value]}"

    def _addition(self) -> str:
        if self.added is not None:
            return f"with {self._person.label(self.added)} added on day {self.day.value:.1f}"
        if not self.item.value.strip():
            return "nothing added yet, type a part of the name of an item"
        fits = len(self._items.offered(self.item.value, most=None))
        return f'{fits or "no"} items fit "{self.item.value}"{", choose one of the list" if fits else ""}'

    def follow(self) -> None:
        """Show the controls that have a meaning now."""
        action = self.action.value
        if action == ADD and not self.item.options:
            self._search()
        self.take.disabled = self.edited().key == self.steps[-1].key
        self.undo.disabled = self.reset.disabled = len(self.steps) == 1
        for control, wanted in ((self.days, MOVE), (self.item, ADD), (self.day, ADD)):
            control.layout.display = None if action == wanted else "none"

    def _choose(self, event: int | None) -> None:
        """List and slider are one choice."""
        with self._quietly():
            if event is not None:
                self.place.value, self.event.value = event + 1, event

    def _lay_out(self, event: int) -> None:
        """The cards as they are now, with one chosen."""
        cards = self.steps[-1]
        rows = cards.rows(self._person.catalogue)
        self.event.options, self.event.rows = rows, min(10, len(rows))
        self.place.max = len(rows)
        self._choose(min(event, len(rows) - 1))
        events = f"{len(rows)} events in {span(int(cards.times[-1] - cards.times[0]))}"
        name = escape(self._person.name)
        self.heading.value = f'<p style="line-height:1.35;margin:2px 0">History of <b>{name}</b>, {events}</p>'

    def _go(self, steps: list[Cards]) -> None:
        """Another history to go on from, with nothing edited yet."""
        event, self.steps = self.event.value, steps
        with self._quietly():
            self.action.value, self.item.value = KEEP, ""
            self._lay_out(event)
        self._changed()

    def _search(self) -> None:
        """Offer the items whose name contains what was typed."""
        self.item.options = self._items.offered(self.item.value)

    @property
    def _items(self) -> Catalogue:
        self._catalogue = self._catalogue or Catalogue(self._person.catalogue)
        return self._catalogue
