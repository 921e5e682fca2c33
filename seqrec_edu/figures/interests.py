"""Low-rank attention in its two steps: which events feed each interest, and which interests each event reads."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from .arrays import checked
from .events import Events
from .heat import colour_axis, heat_trace
from .template import MUTED, dress
from .text import aligned, number

_BAR = {"orientation": "h", "thickness": 10, "yanchor": "top", "len": 0.4}


def low_rank_interests(
    pool: np.ndarray,
    reading: np.ndarray,
    names: Sequence[str] | None = None,
    times: Sequence[int] | None = None,
    *,
    interests: Sequence[str] | None = None,
    title: str = "Interests",
) -> go.Figure:
    """Draw the two factors of `M = W P_vᵀ`: the pools `P_v` on the left, the weights `W` on the right.

    Interests are sorted so that those fed by early events come first; hover keeps their own numbers.

    Args:
        pool: "l r", the share of each event in each interest; a column sums to 1.
        reading: "l r", how much each event reads of each interest, of one head.
        names: "l", what to call each event.
        times: "l", Unix seconds, for the dates on hover.
        interests: "r", what to call each; None numbers them from 1.
        title: what stands above the figure.

    Raises:
        ValueError: arrays that are not "l r" of one size or not finite, or names of another length.
    """
    pool = checked("pool", pool, "l r")
    length, count = pool.shape
    reading = checked("reading", reading, "l r", l=length, r=count)
    called = _called(interests, count)
    events = Events(length, names, times)
    order = np.argsort(np.abs(pool).T @ np.arange(length) / np.maximum(np.abs(pool).sum(0), 1e-30), kind="stable")
    figure = make_subplots(
        1, 2, shared_yaxes=True, horizontal_spacing=0.05,
        subplot_titles=["who feeds an interest", "what an event reads"],
    )  # fmt: skip
    inner = min(max(length * 20, 110), 420) if length <= 24 else 440
    dress(figure, title, _summary(pool, reading, called), height=inner + 212)
    columns = [called[r] for r in order]
    for col, (values, hover) in enumerate(((pool, "feeds"), (reading, "reads")), 1):
        colours = f"coloraxis{col if col > 1 else ''}"
        text = f"event <b>%{{y}}</b><br>{hover} <b>%{{x}}</b>: <b>{{value}}</b>"
        trace = heat_trace(values[:, order], events.labels, columns, text, colours=colours)
        figure.add_trace(trace.update(name=hover), 1, col)
        bar = {**_BAR, "x": (0.2375, 0.7625)[col - 1], "y": -64 / inner}
        title_text = ("share of the event", "share of the interest")[col - 1]
        figure.update_layout({colours: colour_axis(values, trace.meta["unit"], title=title_text, bar=bar)})
    _axes(figure, events, columns, order)
    return figure


def interest_table(pool: np.ndarray, reading: np.ndarray, names: Sequence[str] | None = None, *, k: int = 3) -> str:
    """Write low-rank attention as text: each interest with the events that feed it most and how much it is read.

    Args:
        pool, reading, names: as `low_rank_interests`.
        k: events per interest.
    """
    pool = checked("pool", pool, "l r")
    length, count = pool.shape
    reading = checked("reading", reading, "l r", l=length, r=count)
    events = Events(length, names)
    rows = []
    for r in range(count):
        strongest = np.argsort(-np.abs(pool[:, r]), kind="stable")[:k]
        fed = ", ".join(f"{events.called(s)} ({number(pool[s, r], 3)})" for s in strongest)
        rows.append((f"{r + 1}", fed, float(reading[:, r].mean())))
    return aligned(("interest", f"fed most by (up to {k})", "read on average"), rows)


def _called(interests: Sequence[str] | None, count: int) -> list[str]:
    if interests is not None and len(interests) != count:
        raise ValueError(f'interests must be "r", one name each: {count} are expected, got {len(interests)}.')
    return [f"interest {r}: {name}" if interests is not None else f"interest {r}"
            for r, name in enumerate(interests or [""] * count, 1)]  # fmt: skip


def _axes(figure: go.Figure, events: Events, columns: list[str], order: np.ndarray) -> None:
    size = len(columns)
    every = 1 if size <= 16 else 4 if size <= 40 else 16
    hair = 5e-4 * size
    ticks = {
        "tickvals": [i + hair for i in range(0, size, every)],
        "ticktext": [str(order[i] + 1) for i in range(0, size, every)],
    }
    figure.update_xaxes(title_text="interest (early first)", type="category", showgrid=False, **ticks)
    figure.update_yaxes(type="category", range=[events.length - 0.5, -0.5], showgrid=False, zeroline=False)
    figure.update_yaxes(**events.ticks(named=True), row=1, col=1)
    figure.update_yaxes(title_text=None if events.are_named else "event", row=1, col=1)
    figure.update_layout(margin={"t": 108, "b": 104})
    figure.update_annotations(font={"size": 12.5, "color": MUTED})


def _summary(pool: np.ndarray, reading: np.ndarray, called: list[str]) -> str:
    if len(pool) == 1:
        return "a single event feeds every interest"
    share = np.abs(pool) / np.maximum(np.abs(pool).sum(0), 1e-30)
    effective = 1 / (share**2).sum(0)  # the number of equal shares that would be as concentrated
    read = reading.mean(0)
    fed = max(1, round(float(np.median(effective))))
    return f"an interest is fed by about {fed} of {len(pool)} events; read most: {called[int(read.argmax())]}"
