"""What if one event had not happened, or had happened at another time? A history, one edit, and two top-10 lists."""

from collections.abc import Callable, Sequence
from html import escape

import ipywidgets as widgets
import numpy as np

from seqrec_edu.figures.ranking import change_summary, change_table, rank_changes, top_k_change
from seqrec_edu.figures.text import short, span

from .mime import bundle, picture_bundle

Recommend = Callable[[np.ndarray, np.ndarray], Sequence[tuple[int, float]]]

_KEEP, _REMOVE, _MOVE = "keep", "remove", "move"
_DAY = 86400
_FIGURE_SPACE = "\u2007"  # as wide as a digit; an ordinary space would collapse in a list


class WhatIf(widgets.VBox):
    """Choose an event of one person's history, remove it or move it in time, and see what becomes of the top k.

    Live it is a list to click, the same list as a slider for the arrow keys, three buttons, and a slider of days; each
    is reached with Tab. The result is compared with the one for the untouched history. Without a kernel it is the
    stored picture of its first state, and as text a table. `recommend` runs once per edit not tried before.

    Args:
        recommend: (items "l", times "l") → [(item, score), …], best first; more than k entries tell how far a
            newcomer came.
        histories: gives `history(user) -> (items, times)`, `label(item)` and `n_users`.
        user: index of the person.
        event: which event is chosen first, counted from 0; negative counts from the end.
        action: what is done with it first: "keep", "remove" or "move".
        days: how far a moved event goes; negative is earlier.
        k: how many ranks count as the list.

    Raises:
        ValueError: no such user, fewer than two events, no such event or action, an empty recommendation.
    """

    def __init__(
        self,
        recommend: Recommend,
        histories: object,
        user: int,
        *,
        event: int = -1,
        action: str = _REMOVE,
        days: float = -7.0,
        k: int = 10,
    ) -> None:
        self._items, self._times = _history_of(histories, user)
        length = len(self._items)
        if not -length <= event < length:
            raise ValueError(f"event must be within -{length}…{length - 1} for this history, got {event}.")
        if action not in (_KEEP, _REMOVE, _MOVE):
            raise ValueError(f'action must be "{_KEEP}", "{_REMOVE}" or "{_MOVE}", got {action!r}.')
        self._recommend, self._label, self._k, self._tried = recommend, histories.label, k, {}
        self._before = self._ask(self._items, self._times)
        self._build(event % length, action, days, f"user {user}")
        super().__init__([widgets.HBox([self._controls, self._output], layout=_WRAP), self._table])
        self._draw()
        # JupyterLab keeps the up and down keys of a list for itself, so the keyboard chooses with a slider.
        widgets.link((self._place, "value"), (self._event, "value"), (lambda n: n - 1, lambda i: i + 1))
        for control in (self._event, self._action, self._days):
            control.observe(self._on_change, names="value")

    # --- what the current edit gives -------------------------------------------------------------------------------

    def edited(self) -> tuple[np.ndarray, np.ndarray]:
        """The history after the current edit, sorted by time; (items, times)."""
        event, times = self._event.value, self._times.copy()
        if self._action.value == _REMOVE:
            return np.delete(self._items, event), np.delete(times, event)
        if self._action.value == _MOVE:
            times[event] += round(self._days.value * _DAY)
        order = np.argsort(times, kind="stable")
        return self._items[order], times[order]

    def after(self) -> Sequence[tuple[int, float]]:
        """The recommendation for the edited history; (item, score), best first."""
        edit = (self._action.value, self._event.value, self._days.value if self._action.value == _MOVE else 0)
        if edit[0] == _KEEP:
            return self._before
        if edit not in self._tried:
            self._tried[edit] = self._ask(*self.edited())
        return self._tried[edit]

    @property
    def sentence(self) -> str:
        """What the current edit does, and what came of it, in one sentence."""
        name = f"event {self._event.value + 1} ({self._label(int(self._items[self._event.value]))})"
        days = self._days.value
        shift = f"moved by {days:+.1f} days" if days else "not moved"
        done = {_KEEP: "nothing edited", _REMOVE: f"without {name}", _MOVE: f"{name} {shift}"}[self._action.value]
        changes = rank_changes(self._before, self.after(), k=self._k)
        return f"{done[0].upper()}{done[1:]}: {change_summary(changes)} in the top {self._k}."

    @property
    def figure(self):
        """The two lists as a Plotly figure."""
        names = self._names()
        return top_k_change(self._before, self.after(), names, k=self._k, labels=("as it was", "what if"),
                            title=short(self.sentence.split(":")[0], 70))  # fmt: skip

    def text(self) -> str:
        """The sentence and the two lists as an aligned table: the panel for a reader who sees no picture."""
        return f"{self.sentence}\n{change_table(self._before, self.after(), self._names(), k=self._k)}"

    def digest(self, *, values: bool = True) -> str:
        """What a notebook test compares and a screen reader reads: `text()`, or without values what the panel is."""
        return self.text() if values else f"[What if: one history, one edit, and the top {self._k} before and after]"

    # --- how it is shown -------------------------------------------------------------------------------------------

    def bundle(self) -> tuple[dict, dict]:
        """The mime bundle and its metadata: the live view, a picture for pages without a kernel, a title as text."""
        data, metadata = picture_bundle(self.figure)
        return {**super()._repr_mimebundle_(), **data, "text/plain": self.digest(values=False)}, metadata

    def _repr_mimebundle_(self, **_: object) -> tuple[dict, dict]:
        data, metadata = self.bundle()
        return {**data, "text/plain": self.text()}, metadata

    def _build(self, event: int, action: str, days: float, person: str) -> None:
        first = int(self._times[0])
        days_in = (self._times - first) / _DAY
        labels = [short(self._label(int(item)), 40) for item in self._items]
        rows = [(f"{i:{_FIGURE_SPACE}>3}  day {d:.1f}  {label}", i - 1)
                for i, d, label in zip(range(1, len(labels) + 1), days_in, labels, strict=True)]  # fmt: skip
        reach = max(7.0, np.ceil((self._times[-1] - first) / _DAY))
        self._event = widgets.Select(
            options=rows, value=event, rows=min(14, len(rows)), layout=_FULL, tooltip="Event to edit"
        )
        self._place = widgets.IntSlider(
            value=event + 1, min=1, max=len(rows), description="event", continuous_update=False, layout=_FULL
        )
        self._action = widgets.ToggleButtons(
            options=[("Keep", _KEEP), ("Remove", _REMOVE), ("Move", _MOVE)], value=action,
            style={"button_width": "6em"},
            tooltips=["Leave the history as it was", "Take this event out", "Move this event in time"],
        )  # fmt: skip
        self._days = widgets.FloatSlider(
            value=min(max(days, -reach), reach), min=-reach, max=reach, step=0.5, description="days",
            continuous_update=False, layout=_FULL, readout_format="+.1f",
        )  # fmt: skip
        self._status = widgets.HTML()
        events = f"{len(rows)} events in {span(int(self._times[-1] - first))}"
        heading = widgets.HTML(f"<b>History of {escape(person)}</b>, {events}")
        self._controls = widgets.VBox(
            [heading, self._event, self._place, self._action, self._days, self._status],
            layout={"width": "320px", "flex": "0 0 auto"},
        )
        self._output = widgets.Output(
            layout={"flex": "1 1 560px", "min_width": "0", "min_height": f"{200 + 27 * self._k}px"}
        )
        self._table = widgets.HTML()

    def _on_change(self, _: dict) -> None:
        try:
            self._draw()
        except Exception as error:  # the recommender is the reader's own: say what it did, keep the panel alive
            what = escape(f"{type(error).__name__}: {error}")
            self._status.value = f'<p role="alert">This edit could not be recommended for. {what}</p>'

    def _draw(self) -> None:
        self._days.disabled = self._action.value != _MOVE
        data, metadata = bundle(self.figure, with_picture=False)
        # Set as state, not captured from a display call, so that no message can land in another cell's output.
        self._output.outputs = ({"output_type": "display_data", "data": data, "metadata": metadata},)
        self._status.value = f'<p role="status" aria-live="polite" style="line-height:1.4">{escape(self.sentence)}</p>'
        self._table.value = self._as_html()

    def _as_html(self) -> str:
        cells = "".join(
            f"<tr><td>{c.after or '–'}</td><td>{c.before or '–'}</td><td>{c.mark}</td>"
            f"<td style='text-align:left'>{escape(self._label(c.item))}</td></tr>"
            for c in rank_changes(self._before, self.after(), k=self._k)
        )
        head = "".join(f'<th scope="col">{name}</th>' for name in ("now", "before", "change", "item"))
        return (
            f"<details><summary>The same as a table</summary><table style='line-height:1.5'>"
            f"<caption style='text-align:left;white-space:nowrap'>{escape(self.sentence)}</caption>"
            f"<thead><tr>{head}</tr></thead><tbody>{cells}</tbody></table></details>"
        )

    def _ask(self, items: np.ndarray, times: np.ndarray) -> list[tuple[int, float]]:
        ranked = [(int(item), float(score)) for item, score in self._recommend(items, times)]
        if not ranked:
            raise ValueError("recommend returned an empty list; it must return [(item, score), …], best first.")
        return ranked

    def _names(self) -> dict[int, str]:
        return {item: self._label(item) for item, _ in (*self._before, *self.after())}


_FULL = {"width": "99%"}
_WRAP = {"flex_flow": "row wrap", "align_items": "flex-start"}


def _history_of(histories: object, user: int) -> tuple[np.ndarray, np.ndarray]:
    count = histories.n_users
    if not 0 <= user < count:
        raise ValueError(f"user must be within 0…{count - 1} for these histories, got {user}.")
    items, times = (np.array(part) for part in histories.history(user))
    if len(items) < 2:
        raise ValueError(f"user {user} has {len(items)} events; with fewer than two there is nothing to leave out.")
    return items, times
