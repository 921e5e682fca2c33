"""Five views of one state space at one moment: what each holds or touches, how far it is, and that all agree."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from .arrays import checked, compact, pooled
from .events import Events
from .heat import colour_axis
from .template import BETTER, FAINT, INK, LINE, MUTED, QUIET, SIGNED, WORSE
from .text import Table, aligned, short
from .views_layout import VIEWS, bars, heading, ladder, lowest, merged, smalls

_CELLS = 100  # along a side of the matrix


def five_views(
    state: np.ndarray,
    matrix: np.ndarray,
    moments: Mapping[str, tuple[int, int, int]],
    *,
    step: int,
    chunk: int,
    limit: float | None = None,
    kernel: tuple[str, int] | None = None,
    names: Sequence[str] | None = None,
    differences: Mapping[tuple[str, str], float] | None = None,
    tolerance: float = 0.0,
    milliseconds: Mapping[str, float] | None = None,
    title: str = "Five views of one computation",
) -> go.Figure:
    """Draw what recurrence, sum, matrix, chunks and kernel do at one step; below, what it takes, and how far they are
    from each other.

    Args:
        state: "n p", what the recurrence holds after the step.
        matrix: "l l", of ``y = M x``; its row ``step`` holds the weights of the sum.
        moments: view → multiply-adds done so far, multiply-adds of the whole, numbers held now. A view may be missing.
        step: which event has just been read, from 0.
        chunk: events a chunk.
        limit: end of the colours of the state, so that they mean the same at every step; None takes this state's.
        kernel: what runs as kernel, and how many events it takes together; None says nothing of it.
        names: "l", what to call each event.
        differences: (view, view) → largest difference, not negative; None leaves that part out.
        tolerance: up to where two views count as equal; above zero where there are differences.
        milliseconds: view → measured time, written at the bars.
        title: what stands above the figure.

    Raises:
        ValueError: arrays of other axes or not finite, a step or a view there is not, a chunk below 1.
    """
    matrix, state = checked("matrix", matrix, "l l"), checked("state", state, "n p")
    length = len(matrix)
    _check(length, step, chunk, moments, differences, tolerance)
    events = Events(length, names)
    traces = [
        _state(state, limit or float(np.abs(state).max()) or 1.0),
        _weights(matrix[step, : step + 1], events),
        *_matrix(matrix, step),
        *_chunks(length, step, chunk),
        *_tiles(length, step, kernel),
        *_bars(moments, milliseconds),
        *([] if differences is None else _pairs(differences, tolerance)),
    ]
    now = f"after event {step + 1} of {length}"
    head = heading(title, f"{now}: {short(events.names[step], 60)}" if events.names else now)
    small = smalls(state.shape, matrix[step, : step + 1], length, chunk, kernel, moments)
    below = [bars(moments, milliseconds is not None)]
    below += [] if differences is None else [ladder(differences, tolerance)]
    return go.Figure(traces, merged(head, small, *below))


def views_table(
    moments: Mapping[str, tuple[int, int, int]],
    formulas: Mapping[str, tuple[str, str]],
    milliseconds: Mapping[str, float] | None = None,
) -> Table:
    """Write the same as text: what each view has done, what it has to do, and what it holds.

    Args:
        moments, milliseconds: as `five_views`. A view that is missing in ``moments`` has dashes.
        formulas: view → formula of the multiply-adds, formula of the numbers held at most.
    """
    rows = []
    for view, (work, held) in formulas.items():
        found = moments.get(view)
        counts = (None, None, None) if found is None else found
        time = () if milliseconds is None else (float(milliseconds[view]),)
        known = (work, held) if found is not None else (None, None)
        rows.append((view, counts[2], counts[0], counts[1], *known, *time))
    head = ("view", "numbers held now", "multiply-adds so far", "in all", "which is", "held at most")
    return aligned((*head, *(() if milliseconds is None else ("ms, measured here",))), rows)


def _check(length, step, chunk, moments, differences, tolerance) -> None:
    if not 0 <= step < length:
        raise ValueError(f"step must be within 0…{length - 1}, got {step}.")
    if chunk < 1:
        raise ValueError(f"chunk must be at least 1, got {chunk}.")
    for view in (*moments, *(each for pair in differences or () for each in pair)):
        if view not in VIEWS:
            raise ValueError(f"there is no view {view!r}; there are {', '.join(VIEWS)}.")
    if differences is not None and not (math.isfinite(tolerance) and tolerance > 0):
        raise ValueError(f"tolerance must be finite and above zero, got {tolerance}.")
    for (one, other), value in (differences or {}).items():
        if not (math.isfinite(value) and value >= 0):
            raise ValueError(f"the difference of {one} and {other} must be finite and not negative, got {value}.")


# --- the five pictures ------------------------------------------------------------------------------------------------


def _state(state: np.ndarray, limit: float) -> go.Heatmap:
    return go.Heatmap(
        z=state.astype(np.float32), zmin=-limit, zmax=limit, colorscale=SIGNED, showscale=False, name="state",
        xaxis="x", yaxis="y", hovertemplate="state n = %{y}, p = %{x}: <b>%{z:.3g}</b><extra></extra>",
    )  # fmt: skip


def _weights(weights: np.ndarray, events: Events) -> go.Bar:
    return go.Bar(
        x=np.arange(1, len(weights) + 1), y=weights.astype(np.float32), marker={"color": BETTER, "line": {"width": 0}},
        name="weights of past events", xaxis="x2", yaxis="y2", width=1, customdata=events.labels[: len(weights)],
        hovertemplate="event %{customdata}<br>has weight <b>%{y:.3g}</b><extra></extra>", showlegend=False,
    )  # fmt: skip


def _matrix(matrix: np.ndarray, step: int) -> list[go.Heatmap | go.Scatter]:
    cells, every = pooled(matrix, _CELLS)
    stored, unit = compact(cells)
    scale = colour_axis(cells, unit, signed=True)
    around = "" if every == 1 else f"<br>strongest of {every} × {every} events"
    heat = go.Heatmap(
        z=stored, x0=1 + (every - 1) / 2, dx=every, y0=1 + (every - 1) / 2, dy=every, name="matrix", xaxis="x3",
        yaxis="y3", colorscale=SIGNED, zmin=scale["cmin"], zmax=scale["cmax"], showscale=False,
        meta={"unit": unit, "range": [float(cells.min()), float(cells.max()), float(cells.mean())]},
        hovertemplate=f"output %{{y:.0f}} reads event %{{x:.0f}}{around}<extra></extra>",
    )  # fmt: skip
    # The row is pointed at from the empty side, so that nothing lies over its weights.
    length, at = len(matrix), step + 1
    row = go.Scatter(
        x=[at + 0.5, length + 0.5], y=[at, at], mode="lines+markers", xaxis="x3", yaxis="y3", cliponaxis=False,
        line={"color": INK, "width": 1.5}, marker={"symbol": "triangle-left", "size": [0, 9], "color": INK},
        name="row of this event", hoverinfo="skip", showlegend=False,
    )  # fmt: skip
    return [heat, row]


def _chunks(length: int, step: int, chunk: int) -> list[go.Scatter]:
    """Blocks on the diagonal; what lies to the left of the lit one comes through the state, as one number per entry."""
    starts, now = range(0, length, chunk), step // chunk
    boxes = [(first, min(first + chunk, length)) for first in starts]
    first, last = boxes[now]
    parts = [
        ("done", boxes[:now], {"fillcolor": BETTER, "opacity": 0.4}),
        ("to come", boxes[now + 1 :], {"fillcolor": FAINT}),
        (f"chunk {now + 1} of {len(boxes)}", [boxes[now]], {"fillcolor": BETTER}),
    ]
    traces = [_boxes(name, [(*box, *box) for box in part], **style) for name, part, style in parts if part]
    if first:
        hatch = {"shape": "/", "size": 5, "fgcolor": QUIET, "bgcolor": FAINT, "solidity": 0.2}
        traces.append(_boxes("read through the state", [(0, first, first, last)], fillpattern=hatch))
    return traces


def _boxes(name: str, boxes: list[tuple[int, int, int, int]], **style: object) -> go.Scatter:
    """Rectangles (left, right, top, bottom) in steps from 0, as one filled trace."""
    x, y = [], []
    for left, right, top, bottom in boxes:
        x += [left + 0.5, right + 0.5, right + 0.5, left + 0.5, left + 0.5, None]
        y += [top + 0.5, top + 0.5, bottom + 0.5, bottom + 0.5, top + 0.5, None]
    return go.Scatter(
        x=x, y=y, mode="lines", fill="toself", name=name, line={"color": LINE, "width": 1}, hoveron="fills",
        hoverinfo="name", xaxis="x4", yaxis="y4", showlegend=False, **style,
    )  # fmt: skip


def _tiles(length: int, step: int, kernel: tuple[str, int] | None) -> list[go.Scatter]:
    """The history as a band: what the kernel has behind it, and the tile it is in."""
    if kernel is None:
        return []
    size = kernel[1]
    first = step // size * size
    parts = [("done", 0, first, BETTER, 0.4), ("to come", min(first + size, length), length, FAINT, 1.0)]
    parts.append(("tile at work", first, min(first + size, length), BETTER, 1.0))
    return [
        go.Scatter(
            x=[left + 0.5, right + 0.5, right + 0.5, left + 0.5, left + 0.5], y=[0.08, 0.08, 0.3, 0.3, 0.08],
            mode="lines", fill="toself", fillcolor=colour, opacity=opacity, line={"color": LINE, "width": 1}, name=name,
            hoveron="fills", hoverinfo="name", xaxis="x5", yaxis="y5", showlegend=False,
        )
        for name, left, right, colour, opacity in parts if right > left
    ]  # fmt: skip


# --- cost and equality ------------------------------------------------------------------------------------------------


def _bars(moments: Mapping[str, tuple[int, int, int]], milliseconds: Mapping[str, float] | None) -> list[go.Bar]:
    views = [view for view in VIEWS if view in moments]
    done, work = ([moments[view][i] for view in views] for i in (0, 1))
    text = [f" {big(total)}" for total in work]
    if milliseconds is not None:
        text = [f"{said}, {milliseconds[view]:.2g} ms" for view, said in zip(views, text, strict=True)]
    common = {"y": views, "orientation": "h", "xaxis": "x6", "yaxis": "y6", "showlegend": False}
    hover = "%{y}: <b>%{x:,}</b> multiply-adds "
    return [
        go.Bar(x=done, name="done", marker={"color": BETTER}, hovertemplate=f"{hover}done<extra></extra>", **common),
        go.Bar(
            x=[total - part for part, total in zip(done, work, strict=True)], name="to do", text=text,
            marker={"color": FAINT, "line": {"color": QUIET, "width": 1}}, textposition="outside", cliponaxis=False,
            textfont={"size": 11, "color": MUTED}, hovertemplate=f"{hover}to do<extra></extra>", **common,
        ),
    ]  # fmt: skip


def _pairs(differences: Mapping[tuple[str, str], float], tolerance: float) -> list[go.Scatter]:
    low = lowest(differences, tolerance)
    groups = (
        ("equal to the last bit", "circle-open", BETTER, lambda d: d == 0),
        ("equal up to rounding", "circle", BETTER, lambda d: 0 < d <= tolerance),
        ("NOT equal", "x", WORSE, lambda d: d > tolerance),
    )
    traces = []
    for name, symbol, colour, belongs in groups:
        rows = [(row, pair, value) for row, (pair, value) in enumerate(differences.items(), 1) if belongs(value)]
        if rows:
            traces.append(go.Scatter(
                x=[value or low for *_, value in rows], y=[row for row, *_ in rows], mode="markers", name=name,
                marker={"symbol": symbol, "size": 9, "color": colour}, xaxis="x7", yaxis="y7", showlegend=False,
                hovertext=[f"{a} and {b}: <b>{value:.2g}</b>, {name}" for _, (a, b), value in rows], hoverinfo="text",
            ))  # fmt: skip
    return traces


def big(count: int) -> str:
    """A count in few characters: 614 k, 1.3 M."""
    for size, unit in ((10**9, " G"), (10**6, " M"), (10**3, " k")):
        if count >= size:
            return f"{count / size:.3g}{unit}"
    return str(count)
