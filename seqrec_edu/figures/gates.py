"""How much a recurrence keeps and lets through, event by event: the decay and the gate of each head."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from .arrays import checked
from .events import Events
from .heat import colour_axis, heat_trace
from .template import CATEGORIES, DASHES, MUTED, SYMBOLS, dress
from .text import aligned, number, short, span

_DAY = 86400
_MARKED = 60  # events up to which lines can be told apart


def decay_and_gate(
    decay: np.ndarray,
    gate: np.ndarray | None = None,
    names: Sequence[str] | None = None,
    times: Sequence[int] | None = None,
    *,
    scale: str = "events",
    heads: Sequence[str] | None = None,
    gate_name: str = "gate",
    title: str = "What is kept, and what is let through",
) -> go.Figure:
    """Draw the decay, and the gate below it, of every head over the events of a history.

    The decay `a[t] = exp(dt[t] A)` is what the state keeps on its way from event t - 1 to event t. With
    `scale="time"` events stand at their dates and the decay is as wide as the wait that it acts over. Up to seven heads
    and 60 events are lines; more are rows of a heat map.

    Args:
        decay: "l h", from 0 (forgets all) to 1 (keeps all).
        gate: "l h" or "l 1", any range; None leaves the lower part out.
        names: "l", what to call each event.
        times: "l", Unix seconds; needed for `scale="time"`.
        scale: "events", one place per event, or "time", days since the first event.
        heads: "h", what to call each; None numbers them from 1.
        gate_name: title of the lower axis.
        title: what stands above the figure.

    Raises:
        ValueError: a decay outside 0…1, arrays whose axes disagree or are not finite, another scale, no times for it.
    """
    decay, gate = _checked(decay, gate)
    events = Events(len(decay), names, times)
    called = _called(heads, decay.shape[1])
    parts = [("decay (share kept)", decay), *([] if gate is None else [(gate_name, gate)])]
    many = len(decay) > _MARKED or decay.shape[1] > len(CATEGORIES)
    x, axis = _scale(events, scale, many)
    figure = make_subplots(len(parts), 1, shared_xaxes=True, vertical_spacing=0.09 if not many else 0.06)
    dress(figure, title, _summary(decay, called), height=(340, 500)[len(parts) - 1])
    if many:
        _as_heat(figure, parts, x, called, events, scale)
    else:
        _as_lines(figure, parts, x, called, events, scale)
    figure.update_xaxes(**axis)
    figure.update_xaxes(title_text=None, row=1, col=1) if gate is not None else None
    return figure


def decay_table(
    decay: np.ndarray,
    gate: np.ndarray | None = None,
    names: Sequence[str] | None = None,
    times: Sequence[int] | None = None,
) -> str:
    """Write decay and gate as text: per event the lowest, mean and highest decay of the heads, and the mean gate.

    Args:
        decay, gate, names, times: as `decay_and_gate`.
    """
    decay, gate = _checked(decay, gate)
    events = Events(len(decay), names, times)
    waits = [] if times is None else [("waited", [None, *(span(int(w)) for w in np.diff(events.times))])]
    columns = [
        ("event", [events.called(i) for i in range(events.length)]), *waits,
        ("least kept", decay.min(1)), ("mean kept", decay.mean(1)), ("most kept", decay.max(1)),
        *([] if gate is None else [("mean gate", gate.mean(1))]),
    ]  # fmt: skip
    return aligned([name for name, _ in columns], list(zip(*(values for _, values in columns), strict=True)))


def _checked(decay: np.ndarray, gate: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
    decay = checked("decay", decay, "l h")
    if decay.min() < 0 or decay.max() > 1:
        raise ValueError(
            f"decay must lie within 0…1, got {decay.min():.4g}…{decay.max():.4g}; pass exp(dt·A), not dt·A."
        )
    if gate is None:
        return decay, None
    gate = checked("gate", gate, "l h", l=len(decay))
    if gate.shape[1] not in (1, decay.shape[1]):
        raise ValueError(f'gate "l h" must have 1 head or {decay.shape[1]} as the decay has, got {gate.shape[1]}.')
    return decay, gate


def _scale(events: Events, scale: str, many: bool) -> tuple[np.ndarray, dict]:
    if scale not in ("events", "time"):
        raise ValueError(f'scale must be "events" or "time", got {scale!r}.')
    if scale == "events":
        ticks = events.ticks(most=16)
        if many:
            return np.arange(events.length), {"title_text": "event", **ticks}
        side = 0.5 if events.length > 1 else 1.0
        places = {"tickvals": [round(at) + 1 for at in ticks["tickvals"]], "ticktext": ticks["ticktext"]}
        return np.arange(1, events.length + 1), {
            "title_text": "event",
            "range": [1 - side, events.length + side],
            **places,
        }
    if events.times is None:
        raise ValueError('scale="time" needs the times of the events, "l" in Unix seconds.')
    days = (events.times - events.times[0]) / _DAY
    room = 0.025 * (days[-1] or 1.0)
    return days, {"title_text": "days since the first event", "range": [-room, days[-1] + room]}


def _called(heads: Sequence[str] | None, count: int) -> list[str]:
    if heads is not None and len(heads) != count:
        raise ValueError(f'heads must be "h", one name per head: {count} are expected, got {len(heads)}.')
    return [str(head) for head in heads] if heads is not None else [f"head {n + 1}" for n in range(count)]


def _as_lines(figure: go.Figure, parts: list, x: np.ndarray, called: list[str], events: Events, scale: str) -> None:
    count = parts[0][1].shape[1]
    for row, (what, values) in enumerate(parts, 1):
        shared = values.shape[1] < count  # one gate for all heads
        for h in range(values.shape[1]):
            stepped = scale == "time" and row == 1
            trace = _line(x, values[:, h], what if shared else called[h], events, what, None if shared else h, stepped)
            figure.add_trace(trace.update(showlegend=row == 1), row, 1)
        figure.update_yaxes(title_text=what, row=row, col=1)
    figure.update_yaxes(range=[-0.04, 1.06], row=1, col=1)
    figure.update_layout(showlegend=count > 1, legend={"y": -58 / (figure.layout.height - 132)})


def _line(
    x: np.ndarray, y: np.ndarray, name: str, events: Events, what: str, head: int | None, stepped: bool
) -> go.Scatter:
    colour = MUTED if head is None else CATEGORIES[head]
    return go.Scatter(
        x=np.asarray(x, np.float32), y=y.astype(np.float32), name=name, legendgroup=name, mode="lines+markers",
        line={"color": colour, "width": 2, "dash": DASHES[head or 0], "shape": "vh" if stepped else "linear"},
        marker={"color": colour, "symbol": SYMBOLS[head or 0], "size": 6 if len(x) <= 30 else 4},
        customdata=events.labels,
        hovertemplate=f"<b>{name}</b>, {what} <b>%{{y:.3g}}</b><br>at event %{{customdata}}<extra></extra>",
    )  # fmt: skip


def _as_heat(figure: go.Figure, parts: list, x: np.ndarray, called: list[str], events: Events, scale: str) -> None:
    """Heads as rows: lines of many heads or over many events would hide each other.

    On the axis of time a cell is as wide as the wait before its event.
    """
    columns = events.labels if scale == "events" else np.concatenate([x[:1] - 1e-3 * (x[-1] - x[0] or 1), x])
    for row, (what, values) in enumerate(parts, 1):
        names = called if values.shape[1] == len(called) else [what]
        hover = f"%{{y}}, {what} <b>{{value}}</b><br>at {'event %{x}' if scale == 'events' else 'day %{x:.4~g}'}"
        trace = heat_trace(values.T, names, columns, hover, colours=f"coloraxis{row if row > 1 else ''}")
        figure.add_trace(trace, row, 1)
        share = 1 / len(parts)
        bar = {"len": 0.8 * share, "y": 1 - (row - 0.5) * share, "yanchor": "middle"}
        axis = colour_axis(values, trace.meta["unit"], title=what.split(" (")[0], bar=bar, full=row == 1)
        figure.update_layout({f"coloraxis{row if row > 1 else ''}": axis})
        ticks = {"tickvals": names, "ticktext": [short(name, 16) for name in names]} if len(names) <= 16 else {}
        figure.update_yaxes(type="category", autorange="reversed", showgrid=False, row=row, col=1, **ticks)
    if scale == "events":
        figure.update_xaxes(type="category", showgrid=False)


def _summary(decay: np.ndarray, called: list[str]) -> str:
    mean = decay.mean(0)
    most, least = int(mean.argmax()), int(mean.argmin())
    if len(mean) == 1:
        return f"on average {number(float(mean[0]), 3)} is kept from one event to the next"
    return (
        f"from one event to the next {called[most]} keeps most, {number(float(mean[most]), 3)} on average, "
        f"{called[least]} least, {number(float(mean[least]), 3)}"
    )
