"""What each past event did to a recommendation: how a score changes when the event is taken away."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from .arrays import checked
from .events import Events
from .template import BETTER, INK, WORSE, new_figure
from .text import aligned, number, short

_NAMED = 40


def attribution_bars(
    effects: np.ndarray,
    names: Sequence[str] | None = None,
    times: Sequence[int] | None = None,
    *,
    unit: str = "score",
    target: str = "",
    title: str | None = None,
) -> go.Figure:
    """Draw the effect of every event on one recommendation as bars around zero: blue spoke for it, rust against it.

    Args:
        effects: "l", score with the event minus score without it.
        names: "l", what to call each event.
        times: "l", Unix seconds, for the dates on hover.
        unit: what the effects are differences of: "score", "log-probability".
        target: the recommended item, for the title.
        title: what stands above the figure.

    Raises:
        ValueError: effects that are not "l" or not finite, names or times of another length.
    """
    effects = checked("effects", effects, "l")
    events = Events(len(effects), names, times)
    long = len(effects) > _NAMED
    default = f"What speaks for {short(target, 50)}" if target else "What each event contributes"
    figure = new_figure(
        title or default, _summary(effects, events, unit), height=420 if long else 150 + 22 * len(effects)
    )
    place = np.arange(1, len(effects) + 1)
    colours = [BETTER if effect >= 0 else WORSE for effect in effects]
    shown = f"%{{customdata}}<br>{unit} <b>%{{{'y' if long else 'x'}:+.3~g}}</b><extra></extra>"
    values = effects.astype(np.float32)
    figure.add_bar(
        x=place if long else values, y=values if long else place, orientation="v" if long else "h", name="effect",
        marker={"color": colours}, customdata=[f"event {label}" for label in events.labels], hovertemplate=shown,
    )  # fmt: skip
    change = f"change of the {unit} by the event"
    if long:
        figure.update_xaxes(title_text="event", tickformat="d", range=[0.4, len(effects) + 0.6], showgrid=False)
        figure.update_yaxes(title_text=change)
        return figure
    texts = [f"{short(name, 30)}  {i}" for i, name in enumerate(events.names, 1)] if events.names else place
    figure.update_yaxes(
        range=[len(effects) + 0.6, 0.4], tickvals=place, ticktext=texts, tickfont={"color": INK, "size": 12},
        showgrid=False, zeroline=False, title_text=None if events.names else "event",
    )  # fmt: skip
    figure.update_xaxes(title_text=change)
    return figure


def attribution_table(effects: np.ndarray, names: Sequence[str] | None = None, *, unit: str = "score") -> str:
    """Write the same as text, the strongest event first.

    Args:
        effects, names, unit: as `attribution_bars`.
    """
    effects = checked("effects", effects, "l")
    events = Events(len(effects), names)
    order = np.argsort(-np.abs(effects), kind="stable")
    return aligned(("event", f"change of the {unit}"), [(events.called(i), f"{effects[i]:+.4g}") for i in order])


def _summary(effects: np.ndarray, events: Events, unit: str) -> str:
    if not effects.any():
        return f"no event changes the {unit}"
    most = int(np.abs(effects).argmax())
    return (
        f"strongest: event {events.called(most)}, {'+' if effects[most] > 0 else ''}{number(float(effects[most]), 3)}"
    )
