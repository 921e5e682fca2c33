"""The state of a recurrence as it fills and fades: one frame per event, moved in the browser without a kernel."""

import math
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from .arrays import checked, compact
from .events import Events
from .heat import colour_axis
from .template import BETTER, FAINT, INK, LINE, MUTED, QUIET, dress
from .text import aligned, number, short

_CELLS = 24_000  # cells of all frames together: 64 kB


def state_animation(
    states: np.ndarray,
    names: Sequence[str] | None = None,
    times: Sequence[int] | None = None,
    *,
    frames: int = 60,
    milliseconds: int = 400,
    title: str = "The state, event by event",
) -> go.Figure:
    """Animate the state of one head or channel: a heat map per event, and below it how large each state is.

    The frames lie in the figure: slider and play button need no kernel. Each step is named by the event just read.

    Args:
        states: "l n p", the state after each event, state size × head width; of a channel of Mamba p is 1.
        names: "l", what to call each event.
        times: "l", Unix seconds, for the dates in the step names.
        frames: how many events are shown at most; of a longer history the last ones.
        milliseconds: how long a played frame stands.
        title: what stands above the figure.

    Raises:
        ValueError: states that are not "l n p" or not finite, names or times of another length, `frames` below 1.
    """
    states = checked("states", states, "l n p")
    if frames < 1:
        raise ValueError(f"frames must be at least 1, got {frames}.")
    events = Events(len(states), names, times)
    first = max(0, len(states) - frames)
    drawn, steps = _fitted(states[first:])
    stored, unit = compact(drawn)
    size = np.sqrt((states**2).mean(axis=(1, 2)))
    figure = make_subplots(2, 1, row_heights=[0.7, 0.3], vertical_spacing=0.17)
    dress(figure, title, _summary(states, first, steps), height=610 if len(states) > first + 1 else 520)
    figure.add_trace(_heat(stored[0], unit, drawn, steps), 1, 1)
    at = np.arange(1, len(states) + 1)
    figure.add_trace(_curve(at, size, events), 2, 1)
    figure.add_trace(_here(at[first], size[first]), 2, 1)
    figure.frames = [
        go.Frame(
            name=str(at[i]), traces=[0, 2], data=[go.Heatmap(z=stored[i - first]), go.Scatter(_place(at[i], size[i]))]
        )
        for i in range(first, len(states))
    ]
    figure.update_layout(
        coloraxis={**colour_axis(drawn, unit, title="state", signed=True), "colorbar_len": 0.62, "colorbar_y": 0.68},
        showlegend=False, margin={"b": 130 if len(states) > first + 1 else 48, "l": 64},
        **_controls(events, first, milliseconds),
    )  # fmt: skip
    _axes(figure, drawn, steps, size, events)
    return figure


def state_table(states: np.ndarray, names: Sequence[str] | None = None) -> str:
    """Write the animation as text: after each event the size of the state, and how much the event changed it.

    Args:
        states, names: as `state_animation`. Size is the root of the mean square; change is that of the difference
            to the state before, relative to it.
    """
    states = checked("states", states, "l n p")
    events = Events(len(states), names)
    size = np.sqrt((states**2).mean(axis=(1, 2)))
    change = np.sqrt((np.diff(states, axis=0) ** 2).mean(axis=(1, 2)))
    share = [None, *(float(c / s) if s > 0 else None for c, s in zip(change, size, strict=False))]
    rows = [(events.called(i), float(size[i]), share[i]) for i in range(len(states))]
    return aligned(("after event", "size of the state", "changed by, of the state before"), rows)


def _fitted(states: np.ndarray) -> tuple[np.ndarray, tuple[int, int]]:
    """States that fit the budget: blocks of rows and columns become their entry of largest magnitude."""
    most = max(4, _CELLS // len(states))
    n, p = states.shape[1:]
    down, across = 1, 1
    while math.ceil(n / down) * math.ceil(p / across) > most:
        down, across = (down + 1, across) if n / down >= p / across else (down, across + 1)
    out = states
    for axis, step in ((1, down), (2, across)):
        out = _blocks(out, axis, step)
    return out, (down, across)


def _blocks(values: np.ndarray, axis: int, step: int) -> np.ndarray:
    if step == 1:
        return values
    size = values.shape[axis]
    starts = range(0, size, step)
    parts = [np.take(values, range(i, min(i + step, size)), axis) for i in starts]
    picks = [np.take_along_axis(part, np.expand_dims(np.abs(part).argmax(axis), axis), axis) for part in parts]
    return np.concatenate(picks, axis)


def _heat(values: np.ndarray, unit: float, drawn: np.ndarray, steps: tuple[int, int]) -> go.Heatmap:
    power = round(math.log10(unit))
    shown = "%{z:.3~g}" if unit == 1 else f"%{{z:d}}e{power}"
    return go.Heatmap(
        z=values, x0=0, dx=steps[1], y0=0, dy=steps[0], coloraxis="coloraxis", name="state",
        hovertemplate=f"state n = %{{y}}, p = %{{x}}<br><b>{shown}</b><extra></extra>",
        meta={"unit": unit, "range": [float(drawn.min()), float(drawn.max()), float(drawn.mean())]},
    )  # fmt: skip


def _curve(at: np.ndarray, size: np.ndarray, events: Events) -> go.Scatter:
    return go.Scatter(
        x=at, y=size.astype(np.float32), mode="lines+markers" if len(at) <= 60 else "lines", name="size of the state",
        line={"color": QUIET, "width": 2}, marker={"color": QUIET, "size": 4}, customdata=events.labels,
        hovertemplate="after event %{customdata}<br>size <b>%{y:.3g}</b><extra></extra>",
    )  # fmt: skip


def _here(x: int, y: float) -> go.Scatter:
    return go.Scatter(
        **_place(x, y), mode="markers", name="this event", hoverinfo="skip", cliponaxis=False,
        marker={"color": BETTER, "size": 12, "line": {"color": INK, "width": 1}},
    )  # fmt: skip


def _place(x: int, y: float) -> dict:
    return {"x": [int(x)], "y": [float(f"{y:.4g}")]}


def _controls(events: Events, first: int, milliseconds: int) -> dict:
    """Play, pause and a slider; both change frames at once, since a heat map cannot glide from one to the next."""
    still = {"mode": "immediate", "frame": {"duration": 0, "redraw": True}, "transition": {"duration": 0}}
    play = {**still, "fromcurrent": True, "frame": {"duration": milliseconds, "redraw": True}}
    steps = [
        {"label": f"{i + 1} {short(events.names[i], 22)}" if events.names else str(i + 1), "method": "animate",
         "args": [[str(i + 1)], still]}
        for i in range(first, events.length)
    ]  # fmt: skip
    buttons = [
        {"label": "▶ play", "method": "animate", "args": [None, play]},
        {"label": "❚❚ pause", "method": "animate", "args": [[None], still]},
    ]
    if len(steps) < 2:
        return {}
    return {
        "sliders": [{
            "steps": steps, "x": 0.3, "len": 0.7, "y": -0.1, "pad": {"t": 22}, "font": {"size": 10, "color": MUTED},
            "bgcolor": FAINT, "bordercolor": LINE, "activebgcolor": QUIET, "tickcolor": LINE,
            "currentvalue": {"prefix": "after event ", "font": {"size": 13, "color": INK}, "xanchor": "left"},
        }],
        "updatemenus": [{
            "type": "buttons", "direction": "left", "buttons": buttons, "x": 0, "xanchor": "left", "y": -0.18,
            "bgcolor": FAINT, "bordercolor": LINE,
            "yanchor": "top", "pad": {"t": 14}, "font": {"size": 11}, "showactive": False,
        }],
    }  # fmt: skip


def _axes(figure: go.Figure, drawn: np.ndarray, steps: tuple[int, int], size: np.ndarray, events: Events) -> None:
    _, n, p = drawn.shape
    figure.update_xaxes(
        title_text="head width p", range=[-steps[1] / 2, (p - 0.5) * steps[1]], showgrid=False, row=1, col=1
    )
    figure.update_yaxes(
        title_text="state size n",
        range=[(n - 0.5) * steps[0], -steps[0] / 2],
        showgrid=False,
        zeroline=False,
        row=1,
        col=1,
    )
    if p == 1:
        figure.update_xaxes(tickvals=[0], ticktext=["one channel"], title_text=None, row=1, col=1)
    figure.update_xaxes(
        title_text="event", range=[0.5, events.length + 0.5], dtick=1 if events.length <= 15 else None, row=2, col=1
    )
    figure.update_yaxes(title_text="size of the state", range=[0, float(size.max()) * 1.15 or 1.0], row=2, col=1)


def _summary(states: np.ndarray, first: int, steps: tuple[int, int]) -> str:
    size = np.sqrt((states**2).mean(axis=(1, 2)))
    text = f"largest after event {int(size.argmax()) + 1}: {number(float(size.max()), 3)} (root mean square)"
    text += f"; the last {len(states) - first} of {len(states)} events" if first else ""
    return text + (f"; one cell: {steps[0]} × {steps[1]} entries" if max(steps) > 1 else "")
