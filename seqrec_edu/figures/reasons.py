"""Why an item is recommended: what each event adds to its score, beside how much a row of a mixing matrix reads it."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from .arrays import checked
from .events import Events
from .template import BETTER, INK, QUIET, WORSE, dress
from .text import Table, aligned, drawn, number, short

_SHORT = 18  # characters of a name in the line below the title
_NAMED = 40  # events up to which they stand below each other with their names


def reason_bars(
    effects: np.ndarray,
    row: np.ndarray | None = None,
    names: Sequence[str] | None = None,
    times: Sequence[int] | None = None,
    *,
    unit: str = "score",
    target: str = "",
    reader: str = "a row of the mixing matrix",
) -> go.Figure:
    """Draw what each event does to one recommendation, and beside it how much the last event reads of each.

    Blue spoke for the item, rust against it.

    Args:
        effects: "l", score with the event minus score without it.
        row: "l", the last row of a mixing matrix; None leaves it out.
        names, times: "l", what the events are called, and when they were.
        unit: what the effects are differences of.
        target: the recommended item.
        reader: whose row it is.

    Raises:
        ValueError: arrays that are not "l" or not finite, names or times of another length.
    """
    effects = checked("effects", effects, "l")
    row = None if row is None else checked("row", row, "l", l=len(effects))
    events, upright = Events(len(effects), names, times), len(effects) > _NAMED
    parts = [(effects, [BETTER if e >= 0 else WORSE for e in effects], unit, f"adds to the {unit}")]
    parts += [] if row is None else [(row, QUIET, "weight", f"weight in {short(reader, 34)}")]
    place, traces, layout = np.arange(1, len(effects) + 1), [], {"showlegend": False, "bargap": 0.32}
    labels = [f"event {label}" for label in events.labels]
    for n, (values, colours, what, title) in enumerate(parts):
        axis, ends = str(n + 1) if n else "", _part(n, len(parts), upright)
        values = values.astype(np.float32)
        traces.append({
            "type": "bar", "x": place if upright else values, "y": values if upright else place, "name": what,
            "orientation": "v" if upright else "h", "marker": {"color": colours}, "customdata": labels,
            "xaxis": f"x{axis}", "yaxis": f"y{axis}",
            "hovertemplate": f"%{{customdata}}<br>{what} <b>%{{{'y' if upright else 'x'}:+.3~g}}</b><extra></extra>",
        })  # fmt: skip
        across = (
            {"title": {"text": title}, "nticks": 6, "exponentformat": "power"}
            if not upright
            else _numbers(len(effects), n == len(parts) - 1)
        )
        down = {"title": {"text": title}, "exponentformat": "power"} if upright else _names(events, first=n == 0)
        layout[f"xaxis{axis}"] = {**across, "anchor": f"y{axis}", **({} if upright else {"domain": ends})}
        layout[f"yaxis{axis}"] = {**down, "anchor": f"x{axis}", **({"domain": ends} if upright else {})}
    title = f"What speaks for {drawn(target, 50)}" if target else "What each event contributes"
    height = 280 + 180 * len(parts) - 100 if upright else 150 + 22 * len(effects)
    return dress(go.Figure(traces, layout), title, _summary(effects, row, events, unit), height=max(260, height))


def reason_table(
    effects: np.ndarray, row: np.ndarray | None = None, names: Sequence[str] | None = None, *, unit: str = "score"
) -> Table:
    """Write the same as text, the event that counts most first.

    Args:
        effects, row, names, unit: as `reason_bars`.
    """
    effects = checked("effects", effects, "l")
    row = None if row is None else checked("row", row, "l", l=len(effects))
    events = Events(len(effects), names)
    order = np.argsort(-np.abs(effects), kind="stable")
    more = [] if row is None else [row]
    rows = [(events.called(i), float(effects[i]), *(float(values[i]) for values in more)) for i in order]
    return aligned(("event", f"adds to the {unit}", *["weight in the row"][: len(more)]), rows)


def _part(n: int, parts: int, upright: bool) -> list[float]:
    """Where one of the plots stands: the first on top, or on the left."""
    if parts == 1:
        return [0.0, 1.0]
    if upright:
        return [0.56, 1.0] if n == 0 else [0.0, 0.4]
    return [0.0, 0.54] if n == 0 else [0.6, 1.0]


def _numbers(length: int, titled: bool) -> dict:
    title = {"title": {"text": "event"}} if titled else {}
    return {"tickformat": "d", "range": [0.4, length + 0.6], "showgrid": False, **title}


def _names(events: Events, *, first: bool) -> dict:
    place = list(range(1, events.length + 1))
    texts = [f"{drawn(name, 26)}  {i}" for i, name in zip(place, events.names or [""] * len(place), strict=True)]
    shown = {"tickvals": place, "ticktext": texts, "tickfont": {"color": INK, "size": 12}}
    hidden = {"tickvals": place, "showticklabels": False}
    return {"range": [events.length + 0.6, 0.4], "showgrid": False, "zeroline": False, **(shown if first else hidden)}


def _summary(effects: np.ndarray, row: np.ndarray | None, events: Events, unit: str) -> str:
    if not effects.any():
        return f"no event changes the {unit}"
    counts = int(np.abs(effects).argmax())
    sign = "+" if effects[counts] > 0 else ""
    found = f"counts most: {events.called(counts, _SHORT)}, {sign}{number(float(effects[counts]), 3)}"
    if row is None or not row.any():
        return found
    most = int(np.abs(row).argmax())
    return f"{found}; read most: {events.called(most, _SHORT)}, {number(float(row[most]), 3)}"
