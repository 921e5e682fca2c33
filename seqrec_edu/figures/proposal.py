"""A gate on a stream: what was proposed, what was let through, and what came of it, by event and by channel."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from .arrays import checked
from .events import Events
from .template import BETTER, CATEGORIES, INK, MUTED, QUIET, WORSE
from .text import Table, aligned, number, short

_HIGH, _TOP, _BOTTOM = 560, 112, 92
_LEFT, _RIGHT, _UPPER, _LOWER = (0.0, 0.46), (0.54, 1.0), (0.54, 1.0), (0.0, 0.42)
_LINES = (  # what, colour, marker, dash
    ("proposed", QUIET, "circle", "solid"),
    ("let through", BETTER, "square", "solid"),
    ("result", CATEGORIES[4], "diamond", "dot"),
)


def gate_proposal(
    proposed: np.ndarray,
    gate: np.ndarray,
    result: np.ndarray,
    names: Sequence[str] | None = None,
    times: Sequence[int] | None = None,
    *,
    event: int = -1,
    title: str = "What was proposed, what the gate let through",
) -> go.Figure:
    """Draw a gated stream: on the left its size at every event, on the right its channels at one event; the gate below.

    What is let through is ``gate ⊙ proposed``. Sizes are roots of the mean square over the channels. A gate of 1 lets
    pass, 0 blocks, below 0 turns round.

    Args:
        proposed: "l d", the stream before the gate.
        gate: "l d", the factor on each channel.
        result: "l d", what the block hands on.
        names: "l", what to call each event.
        times: "l", Unix seconds, for the dates on hover.
        event: whose channels are drawn, from 0; negative counts from the end.
        title: what stands above the figure.

    Raises:
        ValueError: arrays that are not "l d" of one size or not finite, an event there is not, names or times of
            another length.
    """
    proposed, gate, result = _checked(proposed, gate, result)
    length, width = proposed.shape
    if not -length <= event < length:
        raise ValueError(f"event must be within {-length}…{length - 1}, got {event}.")
    at, events = event % length, Events(length, names, times)
    passed = gate * proposed
    traces = [
        *_sizes((proposed, passed, result), events),
        *_gates(gate, events),
        *_channels(proposed[at], passed[at], result[at]),
        *_openings(gate[at]),
    ]
    share = size(passed[at]) / max(size(proposed[at]), 1e-30)
    subtitle = f"event {at + 1}: {number(float(share), 2)} of what was proposed is let through"
    subtitle += f"; {short(events.names[at], 50)}" if events.names else ""
    return go.Figure(traces, _layout(title, subtitle, gate, at, length, width))


def proposal_table(
    proposed: np.ndarray,
    gate: np.ndarray,
    result: np.ndarray,
    names: Sequence[str] | None = None,
) -> Table:
    """Write the same as text: sizes of each event's vectors, the share let through, and the range of its gate.

    Args:
        proposed, gate, result, names: as `gate_proposal`.
    """
    proposed, gate, result = _checked(proposed, gate, result)
    events, passed = Events(len(proposed), names), gate * proposed
    before, after = size(proposed), size(passed)
    share = after / np.maximum(before, 1e-30)
    columns = (before, after, share, gate.min(1), gate.mean(1), gate.max(1), size(result))
    rows = [
        (events.called(i), *map(float, values))
        for i, values in enumerate(zip(*columns, strict=True))
    ]  # fmt: skip
    head = ("event", "proposed", "let through", "share", "least gate", "mean gate", "most gate", "result")
    return aligned(head, rows)


def framed(figure: go.Figure, event: int, *, length: int, columns: int) -> go.Figure:
    """A copy of `low_rank_interests` with the row of one event framed in both halves.

    Args:
        figure: what `low_rank_interests` drew.
        event: the row, from 0; negative counts from the end.
        length, columns: events and interests that it shows.

    Raises:
        ValueError: an event there is not.
    """
    if not -length <= event < length:
        raise ValueError(f"event must be within {-length}…{length - 1}, got {event}.")
    at = event % length
    # A row of a long history is thinner than a line: the frame stays at least some pixels high, outside of the row.
    room = 0.5 + max(0.0, 0.008 * length - 0.3)
    box = {"type": "rect", "x0": -0.5, "x1": columns - 0.5, "y0": at - room, "y1": at + room}
    copy = go.Figure(figure)
    copy.layout.shapes = [
        {**box, "xref": f"x{n}", "yref": f"y{n}", "line": {"color": WORSE, "width": 2}} for n in ("", "2")
    ]
    return copy


def size(values: np.ndarray) -> np.ndarray:
    """Root of the mean square over the last axis."""
    return np.sqrt((values**2).mean(-1))


def _checked(proposed, gate, result) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    proposed = checked("proposed", proposed, "l d")
    length, width = proposed.shape
    return proposed, *(
        checked(name, value, "l d", l=length, d=width) for name, value in (("gate", gate), ("result", result))
    )


def _sizes(streams: tuple[np.ndarray, ...], events: Events) -> list[go.Scatter]:
    at, few = np.arange(1, events.length + 1), events.length <= 40
    return [
        go.Scatter(
            x=at, y=size(values).astype(np.float32), name=name, mode="lines+markers" if few else "lines",
            line={"color": colour, "width": 2, "dash": dash}, marker={"color": colour, "symbol": symbol, "size": 5},
            customdata=events.labels, hovertemplate=f"event %{{customdata}}<br>{name} <b>%{{y:.3g}}</b><extra></extra>",
            xaxis="x", yaxis="y", legendgroup=name,
        )
        for (name, colour, symbol, dash), values in zip(_LINES, streams, strict=True)
    ]  # fmt: skip


def _gates(gate: np.ndarray, events: Events) -> list[go.Scatter]:
    """The mean over the channels, in the band from the lowest tenth to the highest."""
    at = np.arange(1, events.length + 1)
    low, high = np.quantile(gate, [0.1, 0.9], axis=1).astype(np.float32)
    common = {"x": at, "mode": "lines", "xaxis": "x2", "yaxis": "y2", "showlegend": False}
    none = {"width": 0, "color": CATEGORIES[1]}
    return [
        go.Scatter(y=low, line=none, name="gate, lowest tenth", hoverinfo="skip", **common),
        go.Scatter(y=high, line=none, name="gate, highest tenth", hoverinfo="skip", fill="tonexty", opacity=0.5,
                   fillpattern={"shape": "/", "size": 5, "fgcolor": CATEGORIES[1], "solidity": 0.12}, **common),
        go.Scatter(y=gate.mean(1).astype(np.float32), line={"width": 2, "color": CATEGORIES[1]}, name="gate, mean",
                   customdata=events.labels, **common,
                   hovertemplate="event %{customdata}<br>mean gate <b>%{y:.3g}</b><extra></extra>"),
    ]  # fmt: skip


def _channels(proposed: np.ndarray, passed: np.ndarray, result: np.ndarray) -> list[go.Bar | go.Scatter]:
    at = np.arange(1, len(proposed) + 1)
    common = {"x": at, "xaxis": "x3", "yaxis": "y3", "showlegend": False}
    hover = "channel %{x}: {name} <b>%{y:.3g}</b><extra></extra>"
    (before, grey, *_), (after, blue, *_), (last, purple, symbol, _) = _LINES
    return [
        go.Bar(y=proposed.astype(np.float32), name=before, width=0.9, marker={"color": grey}, opacity=0.45,
               hovertemplate=hover.replace("{name}", before), **common),
        go.Bar(y=passed.astype(np.float32), name=after, width=0.5, marker={"color": blue},
               hovertemplate=hover.replace("{name}", after), **common),
        go.Scatter(y=result.astype(np.float32), name=last, mode="markers", hovertemplate=hover.replace("{name}", last),
                   marker={"color": purple, "symbol": symbol, "size": 5}, **common),
    ]  # fmt: skip


def _openings(gate: np.ndarray) -> list[go.Bar]:
    return [go.Bar(
        x=np.arange(1, len(gate) + 1), y=gate.astype(np.float32), name="gate by channel", width=0.8, showlegend=False,
        marker={"color": CATEGORIES[1]}, xaxis="x4", yaxis="y4",
        hovertemplate="channel %{x}: gate <b>%{y:.3g}</b><extra></extra>",
    )]  # fmt: skip


def _layout(title: str, subtitle: str, gate: np.ndarray, at: int, length: int, width: int) -> dict:
    low, high = min(0.0, float(gate.min())), max(1.0, float(gate.max()))
    gates = {"title": "gate", "range": [low - 0.05 * (high - low), high + 0.05 * (high - low)], "zeroline": True}
    over, through = {"range": [0.5, length + 0.5], "nticks": 8}, {"range": [0.5, width + 0.5], "nticks": 8}
    sizes, bare = {"title": "root mean square", "rangemode": "tozero"}, {"showticklabels": False}
    layout = {
        **_axis(1, {**over, **bare}, sizes, _LEFT, _UPPER),
        **_axis(2, {**over, "title": "event"}, gates, _LEFT, _LOWER),
        **_axis(3, {**through, **bare}, {"title": "value", "zeroline": True}, _RIGHT, _UPPER),
        **_axis(4, {**through, "title": "channel"}, gates, _RIGHT, _LOWER),
    }
    here = {
        "type": "line",
        "x0": at + 1,
        "x1": at + 1,
        "y0": 0,
        "y1": 1,
        "line": {"color": INK, "width": 1, "dash": "dot"},
    }
    one = {"type": "line", "x0": 0, "x1": 1, "y0": 1, "y1": 1, "line": {"color": QUIET, "width": 1, "dash": "dash"}}
    shapes = [{**here, "xref": f"x{n}", "yref": f"y{n} domain"} for n in ("", "2")]
    shapes += [{**one, "xref": f"x{n} domain", "yref": f"y{n}"} for n in ("2", "4")]
    notes = [
        _note("size at every event", _LEFT[0], _UPPER[1]),
        _note(f"channels at event {at + 1}", _RIGHT[0], _UPPER[1]),
        _note("gate: mean, and 8 of 10 channels", _LEFT[0], _LOWER[1]),
        _note(f"gate by channel at event {at + 1}", _RIGHT[0], _LOWER[1]),
    ]
    return layout | {
        "template": "seqrec", "height": _HIGH, "margin": {"t": _TOP, "b": _BOTTOM}, "barmode": "overlay",
        "title": {"text": f"<b>{title}</b>", "subtitle": {"text": subtitle}}, "shapes": shapes, "annotations": notes,
        "legend": {"y": -56 / (_HIGH - _TOP - _BOTTOM)},
    }  # fmt: skip


def _axis(number: int, across: dict, up: dict, x: tuple[float, float], y: tuple[float, float]) -> dict:
    n = "" if number == 1 else str(number)
    titled = [{**axis, "title": {"text": axis["title"]}} if "title" in axis else axis for axis in (across, up)]
    return {
        f"xaxis{n}": {"anchor": f"y{n}", "domain": x, "showgrid": False, "zeroline": False, **titled[0]},
        f"yaxis{n}": {"anchor": f"x{n}", "domain": y, **titled[1]},
    }


def _note(text: str, x: float, y: float) -> dict:
    return {
        "text": text, "x": x, "y": y, "xref": "paper", "yref": "paper", "xanchor": "left", "yanchor": "bottom",
        "yshift": 4, "showarrow": False, "font": {"size": 12.5, "color": MUTED},
    }  # fmt: skip
