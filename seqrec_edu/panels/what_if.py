"""What if one event had not happened, or at another time, or one more had? A history, edits, two lists, and reasons."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go

from seqrec_edu.data.histories import Histories
from seqrec_edu.data.person import Person
from seqrec_edu.figures.ranking import change_summary, change_table, rank_changes, top_k_change
from seqrec_edu.figures.reasons import reason_bars, reason_table
from seqrec_edu.figures.text import Table, number, short
from seqrec_edu.lens.reasons import shared_strongest
from seqrec_edu.lens.recommending import Recommend, Recommending

from .cards import Cards
from .edits import ACTIONS, REMOVE, Edits
from .panel import FULL, Panel
from .subjects import People

if TYPE_CHECKING:
    from torch import nn

_TOP, _REASONS = "top", "reasons"
_WIDTH = 17  # characters of a name, where a column of controls stands beside the figure
_ALL = 100_000  # events: without one of a full window an older one comes in, so none may be missing


class WhatIf(Panel):
    """Take out, move or add events of one person, see what becomes of the top k, and why an item stands in it.

    The edit that the controls say is shown at once; "Keep edit" makes it a part of the history, for the next one. The
    reasons of a recommended item are the change of its score without each event, and beside it, for a model with a
    mixing matrix, how much the last event reads of each. Nothing is recommended for twice.

    Args:
        recommender: a model; or a function (items "l", times "l") → [(item, score), …], best first, where more than k
            entries tell how far a newcomer came, and no mixing matrix can be looked at.
        people: a `Person` (`data.user(7)`), or `Histories` to choose from.
        user: who is shown first.
        event: which event is chosen first, counted from 0; negative counts from the end.
        action: what is done with it first: "keep", "remove", "move" or "add".
        days: how far a moved event goes; negative is earlier.
        k: how many ranks count as the list.
        show: "top", or "reasons".

    Raises:
        ValueError: no such user, fewer than two events, no such event, action or view, an empty recommendation, a model
            of another dataset.
    """

    name, title = "what-if", "What if"

    def __init__(
        self,
        recommender: nn.Module | Recommend,
        people: Person | Histories,
        user: int = 0,
        *,
        event: int = -1,
        action: str = REMOVE,
        days: float = -7.0,
        k: int = 10,
        show: str = _TOP,
    ) -> None:
        super().__init__()
        self._people, self._k = People(people, user=user, most=_ALL), k
        self._who, person = Recommending(recommender, k), _editable(self._people.now)
        self._who.check(person)
        length = len(person)
        if not -length <= event < length:
            raise ValueError(f"event must be within -{length}…{length - 1} for this history, got {event}.")
        for what, value, known in (("action", action, tuple(ACTIONS)), ("show", show, (_TOP, _REASONS))):
            if value not in known:
                raise ValueError(f"{what} must be one of {', '.join(known)}, got {value!r}.")
        self._edits = Edits(action, quietly=self.quietly, changed=self._on_change)
        self._view = widgets.ToggleButtons(
            options=[(f"Top {k}", _TOP), ("Reasons", _REASONS)], value=show, style={"button_width": "auto"}
        )
        self._target = widgets.Dropdown(description="why", layout=dict(FULL))
        self._layer = widgets.Dropdown(options=self._who.layers, description="row of", layout=dict(FULL))
        self._head = widgets.IntSlider(min=0, max=0, description="head", layout=dict(FULL))
        self._meet(event % length, days)
        for control in self._people.controls:
            control.observe(lambda _: self._meet(), names="value")
        self.start([
            self._view, *self._people.controls, *self._edits.controls, self._target, self._layer, self._head,
        ])  # fmt: skip

    # --- what is looked at -----------------------------------------------------------------------------------------

    def before(self) -> list[tuple[int, float]]:
        """The recommendation for the untouched history; (item, score), best first."""
        return self._recommended(self._edits.steps[0])

    def after(self) -> list[tuple[int, float]]:
        """The recommendation for the edited history."""
        return self._recommended(self._edits.edited())

    @property
    def figure(self) -> go.Figure:
        if self._view.value == _REASONS:
            person, target = self._read(), self._label(self._target.value)
            times = person.times if person.timed else None
            return reason_bars(
                self._effects()[0], self._row(), person.labels, times, target=target, reader=self._reader
            )
        return top_k_change(self.before(), self.after(), self._names(), k=self._k, labels=("as it was", "what if"),
                            title=short(_capital(self._edits.said()), 60), width=_WIDTH)  # fmt: skip

    @property
    def sentence(self) -> str:
        return self._why_sentence() if self._view.value == _REASONS else self._what_sentence()

    @property
    def table(self) -> Table:
        if self._view.value == _REASONS:
            return reason_table(self._effects()[0], self._row(), self._read().labels)
        return change_table(self.before(), self.after(), self._names(), k=self._k)

    # --- in words --------------------------------------------------------------------------------------------------

    def _what_sentence(self) -> str:
        changes = rank_changes(self.before(), self.after(), k=self._k)
        end = "" if self._person.timed else " These events have no times, so only their order can matter."
        return f"{_capital(self._edits.said())}: {change_summary(changes)} in the top {self._k}.{end}"

    def _why_sentence(self) -> str:
        (effects, least), row, names = self._effects(), self._row(), self._read().labels
        target, item = self._label(self._target.value), int(np.abs(effects).argmax())
        rank = 1 + [item for item, _ in self.after()].index(self._target.value)
        size = f"{'at least ' * bool(least[item])}{abs(effects[item]):.3g}"
        way = "lowers" if effects[item] > 0 else "raises"
        untouched = self._edits.edited() is self._edits.steps[0]
        start = f"{target} at rank {rank}, {'nothing edited' if untouched else self._edits.said()}: "
        start += f"of the last {len(effects)} events, " if len(effects) < len(self._edits.edited()) else ""
        start += "taking out "
        strongest = f"event {item + 1} ({names[item]}) {way} its score most, by {size}"
        start += strongest if effects[item] else "any one event leaves its score as it is"
        if row is None:
            return f"{start}; {self._who.closed}."
        read, (shared, of) = int(np.abs(row).argmax()), shared_strongest(effects, row)
        return (
            f"{start}. {self._reader} reads most of event {read + 1} ({names[read]}), {number(float(row[read]), 3)}: "
            f"{shared} of the {of} events that count most are among the {of} that it reads most."
        )

    # --- how it is found -------------------------------------------------------------------------------------------

    def _label(self, item: int) -> str:
        return self._person.label(int(item))

    def _names(self) -> dict[int, str]:
        return {item: self._label(item) for item, _ in (*self.before(), *self.after())}

    def _recommended(self, cards: Cards) -> list[tuple[int, float]]:
        return self.remember(("top", *cards.key), lambda: self._who.ranked(cards.items, cards.times))

    def _effects(self) -> tuple[np.ndarray, np.ndarray]:
        """What each event adds to the chosen item, "l", and where that is a lower bound."""
        cards, targets = self._edits.edited(), [item for item, _ in self.after()[: self._k]]
        found = self.remember(("effects", *cards.key), lambda: self._who.effects(cards.items, cards.times, targets))
        column = targets.index(self._target.value)
        return found[0][:, column], found[1][:, column]

    def _read(self) -> Person:
        """The edited history, as far as the model reads it."""
        cards = self._edits.edited()
        return self._person.edited(cards.items, cards.times).last(len(self._effects()[0]))

    def _row(self) -> np.ndarray | None:
        """The last row of the mixing matrix of the chosen layer and head, "l"."""
        if not self._who.layers:
            return None
        person, where = self._read(), (self._layer.value, self._head.value)
        key = ("row", *where, person.items.tobytes(), person.times.tobytes())
        return self.remember(key, lambda: self._who.row(person, *where))

    @property
    def _reader(self) -> str:
        return self._who.reader(self._layer.value, self._head.value) if self._who.layers else ""

    # --- controls that follow each other ---------------------------------------------------------------------------

    def draw(self) -> None:
        if self._wrong is not None:
            raise self._wrong
        with self.quietly():
            self._follow()
        super().draw()

    def _meet(self, event: int | None = None, days: float = -7.0) -> None:
        """Look at the chosen person; what is wrong with one is said where the picture would be drawn."""
        try:
            self._person, self._wrong = _editable(self._people.now), None
            self._edits.meet(self._person, event, days)
        except ValueError as error:
            self._wrong = error

    def _follow(self) -> None:
        """Show the controls that have a meaning now, with what there is to choose."""
        self._edits.follow()
        why = self._view.value == _REASONS
        if why:
            listed = self.after()[: self._k]
            options = [(f"{rank}  {short(self._label(item), 32)}", item) for rank, (item, _) in enumerate(listed, 1)]
            chosen = self._target.value if self._target.value in [item for _, item in options] else options[0][1]
            self._target.options, self._target.value = options, chosen
        if self._who.layers:
            self._head.max = self._who.heads(self._layer.value) - 1
        for control, wanted in (
            (self._target, why), (self._layer, why and self._who.layers), (self._head, why and self._who.layers)
        ):  # fmt: skip
            control.layout.display = None if wanted else "none"


def _editable(person: Person) -> Person:
    if len(person) < 2:
        raise ValueError(f"{person.name} has 1 event; with fewer than two there is nothing to leave out.")
    return person


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
