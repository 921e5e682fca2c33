"""The time between events on every scale that a model reads it on, one below the other over one axis of events."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from .arrays import checked
from .events import Events
from .heat import colour_axis, diagonal, future, heat_trace, plane
from .template import BETTER, FAINT, INK, LINE, MUTED, QUIET, WORSE, dressed
from .text import Table, aligned, number, span

_LOOK = {  # form → colour, dash, symbol
    "without times": (QUIET, "dot", "diamond"),
    "official": (WORSE, "dash", "square"),
    "corrected": (BETTER, "solid", "circle"),
}
_ITSELF = (INK, "solid", "circle")  # alone on its scale, whose title says what it is
_MARKED = 60  # events up to which a line has markers
_HEIGHT, _SPACE = 126, 26  # pixels of one scale, and between two
_SECONDS = {1: "1 s", 60: "1 min", 3600: "1 h", 86400: "1 day", 30 * 86400: "30 days", 365 * 86400: "1 year"}
_FLOOR = 0.1  # where a gap of 0 s is drawn, on an axis of powers


def gap_scales(
    gaps: np.ndarray,
    coarse: np.ndarray,
    scaled: Mapping[str, np.ndarray],
    buckets: np.ndarray,
    kept: Mapping[str, np.ndarray],
    names: Sequence[str] | None = None,
    times: Sequence[int] | None = None,
    *,
    most: int = 256,
    event: int | None = None,
    title: str = "The time between events, as models read it",
) -> go.Figure:
    """Draw the gaps of one history on four scales, one below the other.

    Seconds on a logarithmic axis, with what float32 makes of them where that differs; TiM4Rec's scaled gaps, each form
    less its own median, so that flat is flat; the last row of TiSASRec's relations; what a state keeps of each event
    until the last.

    Args:
        gaps: "l", seconds since the event before, 0 at the first.
        coarse: "l", the same in float32 seconds.
        scaled: form → "l"; forms are "official" and "corrected".
        buckets: "l", how many units each event lies before the last, at most ``most``.
        kept: form → "l", the share of each event that is left at the last; "without times" too.
        names: "l", what to call each event.
        times: "l", Unix seconds, for the dates on hover.
        most: the last bucket.
        event: the event to mark, from 0.
        title: what stands above the figure.

    Raises:
        ValueError: arrays whose axes disagree or are not finite, a negative gap, names or times of another length.
    """
    gaps, coarse, buckets, scaled, kept = _checked(gaps, coarse, buckets, scaled, kept)
    events = Events(len(gaps), names, times)
    dress = dressed(title, _summary(gaps, scaled), height=4 * _HEIGHT + 3 * _SPACE + 172)
    flat = {form: values - np.median(values[1:] if len(values) > 1 else values) for form, values in scaled.items()}
    traces = [
        *_seconds(gaps, coarse, events),
        *(_line(form, values, 2, "%{y:.4f} from the median") for form, values in flat.items()),
        _line("TiSASRec's bucket", buckets, 3, "bucket %{y:d}", look=_ITSELF, legend=False),
        *(_line(form, values, 4, "%{y:.1%} kept", legend=form not in scaled) for form, values in kept.items()),
    ]
    layout = _axes(events, gaps, most)
    layout["shapes"] = _marks(event, most)
    return go.Figure(data=traces, layout={**dress, **layout})


def gap_table(
    gaps: np.ndarray,
    coarse: np.ndarray,
    scaled: Mapping[str, np.ndarray],
    buckets: np.ndarray,
    kept: Mapping[str, np.ndarray],
    names: Sequence[str] | None = None,
) -> Table:
    """Write the same as text, one event a row.

    Args:
        gaps, coarse, scaled, buckets, kept, names: as `gap_scales`.
    """
    gaps, coarse, buckets, scaled, kept = _checked(gaps, coarse, buckets, scaled, kept)
    events = Events(len(gaps), names)
    head = ("event", "seconds before", "in float32", *(f"{f}" for f in scaled), "bucket", *(f"kept, {f}" for f in kept))
    rows = [
        (
            events.called(i), int(gaps[i]), int(coarse[i]), *(values[i] for values in scaled.values()), int(buckets[i]),
            *(values[i] for values in kept.values()),
        )
        for i in range(len(gaps))
    ]  # fmt: skip
    return aligned(head, rows)


def relation_map(
    buckets: np.ndarray,
    names: Sequence[str] | None = None,
    times: Sequence[int] | None = None,
    *,
    most: int = 256,
    title: str = "TiSASRec's relations",
) -> go.Figure:
    """Draw how far apart every two events are in buckets, at most ``most``; later events, which none reads, hatched.

    Args:
        buckets: "l l", reader × read.
        names, times, title: as `gap_scales`.
        most: the last bucket, into which all that is further apart falls.

    Raises:
        ValueError: as `gap_scales`, or a matrix that is not square.
    """
    buckets = np.tril(checked("buckets", buckets, "l l"))
    events, cells = Events(len(buckets), names, times), len(buckets)
    pairs = buckets[np.tril_indices(cells, -1)]
    clipped = f"{int((pairs == most).sum())} of {len(pairs)} pairs lie in the last bucket, {most}"
    dress = dressed(title, clipped if len(pairs) else "a single event, which is no pair", height=620)
    hover = "from event <b>%{y}</b><br>to event <b>%{x}</b><br>bucket <b>{value}</b>"
    trace = heat_trace(buckets, events.labels, events.labels, hover)
    unit = trace.meta["unit"]
    layout = {
        "coloraxis": colour_axis(buckets, unit, title="bucket", bar=_whole_buckets(buckets, unit)),
        "shapes": [*future(cells), *diagonal(cells)],
        **plane(
            cells,
            across={"title": {"text": "event that is read"}, **events.ticks()},
            down={"title": {"text": None if events.are_named else "event that reads"}, **events.ticks(named=True)},
        ),
    }
    return go.Figure(data=[trace], layout={**dress, **layout})


def _whole_buckets(buckets: np.ndarray, unit: float) -> dict:
    top = int(buckets.max()) or 1
    at = sorted({0, top // 2, top})
    return {"tickvals": [bucket / unit for bucket in at], "ticktext": [str(bucket) for bucket in at]}


def _checked(gaps, coarse, buckets, scaled, kept) -> tuple:
    gaps = checked("gaps", gaps, "l")
    length = len(gaps)
    if (gaps < 0).any():
        raise ValueError(
            f"gaps must not be negative, but event {int((gaps < 0).argmax()) + 1} is before the one it follows"
        )
    forms = [{form: checked(form, v, "l", l=length) for form, v in each.items()} for each in (scaled, kept)]
    for form in (*scaled, *kept):
        if form not in _LOOK:
            raise ValueError(f"forms are {', '.join(_LOOK)}, got {form!r}")
    return gaps, checked("coarse", coarse, "l", l=length), checked("buckets", buckets, "l", l=length), *forms


def _summary(gaps: np.ndarray, scaled: Mapping[str, np.ndarray]) -> str:
    if len(gaps) < 2:
        return "a single event: there is no gap"
    rest = {form: np.delete(values, [0, int(gaps.argmax())]) for form, values in scaled.items()}
    widths = [f"{number(float(np.ptp(values)), 2)} ({form})" for form, values in rest.items() if len(values)]
    return f"all gaps but the longest lie within {', '.join(widths)}" if widths else f"one gap, {span(gaps[1])}"


def _seconds(gaps: np.ndarray, coarse: np.ndarray, events: Events) -> list[go.Scatter]:
    """The gaps themselves; a gap of 0 stands on the floor of the axis, where a logarithm has no place for it."""
    exact = _line("seconds", np.maximum(gaps, _FLOOR), 1, "", look=_ITSELF, legend=False)
    said = [f"{label}<br>{span(gap)} after the one before" for label, gap in zip(events.labels, gaps, strict=True)]
    exact.update(customdata=said, hovertemplate="event %{customdata}<extra></extra>")
    wrong = np.flatnonzero(coarse != gaps)
    rounded, look = np.maximum(coarse, _FLOOR)[wrong], (WORSE, "solid", "square-open")
    float32 = _line("float32 seconds, where they differ", rounded, 1, "%{y:,.0f} s", look=look)
    return [exact, float32.update(x=wrong + 1, mode="markers", marker={"size": 9, "line": {"width": 1.5}})]


def _line(name: str, values: np.ndarray, row: int, hover: str, *, look=None, legend: bool = True) -> go.Scatter:
    colour, dash, symbol = look or _LOOK[name]
    return go.Scatter(
        x=np.arange(1, len(values) + 1), y=values.astype(np.float32), yaxis="y" if row == 1 else f"y{row}", name=name,
        mode="lines+markers" if len(values) <= _MARKED else "lines",
        line={"color": colour, "dash": dash, "width": 1.75},
        marker={"color": colour, "symbol": symbol, "size": 6}, hovertemplate=f"{name}: {hover}<extra></extra>",
        legendgroup=name, showlegend=legend,
    )  # fmt: skip


def _axes(events: Events, gaps: np.ndarray, most: int) -> dict:
    whole = 4 * _HEIGHT + 3 * _SPACE
    ticks = events.ticks()
    seconds = {at: text for at, text in _SECONDS.items() if at <= max(60.0, 1.5 * gaps.max())}
    low, high = np.log10(_FLOOR) - 0.6, np.log10(max(60.0, gaps.max())) + 0.3
    rows = [
        ("gap before", {"type": "log", "range": [low, high], "tickvals": [_FLOOR, *seconds],
                        "ticktext": ["0", *seconds.values()]}),
        ("TiM4Rec,<br>scaled gap", {"nticks": 4}),
        ("TiSASRec,<br>from the last", {"range": [-0.05 * most, 1.12 * most], "tickvals": [0, most // 2, most]}),
        ("kept until<br>the last", {"range": [-0.04, 1.08], "tickvals": [0, 0.5, 1], "tickformat": ".0%"}),
    ]  # fmt: skip
    layout: dict = {
        "xaxis": {
            "range": [0.4, events.length + 0.6], "anchor": "y4", "showgrid": False, "zeroline": False,
            "title": {"text": "event"}, "tickvals": [round(at) + 1 for at in ticks["tickvals"]],
            "ticktext": ticks["ticktext"],
        },
        "margin": {"l": 92, "b": 92},
        "showlegend": True,
        "legend": {"y": -58 / whole, "groupclick": "togglegroup"},
    }  # fmt: skip
    for row, (name, more) in enumerate(rows):
        top = 1 - row * (_HEIGHT + _SPACE) / whole
        axis = {"domain": [max(0.0, top - _HEIGHT / whole), top], "title": {"text": name}, "zeroline": False, **more}
        layout["yaxis" if not row else f"yaxis{row + 1}"] = axis
    return layout


def _marks(event: int | None, most: int) -> list[dict]:
    """The chosen event through all scales, and the bucket beyond which all times are one."""
    last = {"type": "line", "x0": 0, "x1": 1, "xref": "x domain", "y0": most, "y1": most, "yref": "y3"}
    shapes = [{**last, "line": {"color": MUTED, "width": 1, "dash": "dot"}}]
    if event is not None:
        band = {"x0": event + 0.6, "x1": event + 1.4, "y0": 0, "y1": 1, "yref": "paper", "layer": "below"}
        shapes.append({"type": "rect", "fillcolor": FAINT, "line": {"color": LINE, "width": 1}, **band})
    return shapes
