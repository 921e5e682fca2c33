"""A time mask at work: the weights of past events before it, after it, and what it changed."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from .arrays import checked, compact, pooled
from .events import Events
from .heat import above_diagonal, colour_axis, future, heat_trace, plane
from .template import MUTED, dress
from .text import aligned, number, span

_MOST = 100  # cells along a side: three matrices of it are 80 kB
_BAR = {"orientation": "h", "thickness": 10, "y": -0.24, "yanchor": "top"}


def time_mask(
    before: np.ndarray,
    after: np.ndarray,
    names: Sequence[str] | None = None,
    times: Sequence[int] | None = None,
    *,
    labels: tuple[str, str] = ("without times", "with times"),
    tolerance: float = 1e-6,
    title: str = "What the time mask does",
) -> go.Figure:
    """Draw two mixing matrices of one block on one scale, and their difference.

    Args:
        before, after: "l l", outputs × inputs, of one head: the block without and with its time factor.
        names: "l", what to call each event.
        times: "l", Unix seconds, for the dates on hover.
        labels: what stands above the first two.
        tolerance: an entry above the diagonal counts as zero up to this share of the largest.
        title: what stands above the figure.

    Raises:
        ValueError: matrices that are not square, not of one size or not finite; names or times of another length.
    """
    before = checked("before", before, "l l")
    after = checked("after", after, "l l", l=len(before))
    Events(len(before), names, times)
    both, step = pooled(np.stack([before, after]), _MOST)
    change, _ = pooled(after - before, _MOST)
    events, cells = Events(len(before), names, times, step=step), both.shape[-1]
    figure = make_subplots(1, 3, subplot_titles=[*labels, "difference"], horizontal_spacing=0.05)
    dress(figure, title, _summary(before, after, step), height=450 if len(before) > 1 else 350)
    hover = "output at event <b>%{y}</b><br>reads event <b>%{x}</b><br>"
    units, layout, shapes = [], {}, []
    causal = not above_diagonal(before, tolerance).any() and not above_diagonal(after, tolerance).any()
    for col, (label, values) in enumerate(((labels[0], both[0]), (labels[1], both[1]), ("difference", change)), 1):
        axis = "coloraxis" if col < 3 else "coloraxis2"
        trace = heat_trace(values, events.labels, events.labels, f"{hover}{label} <b>{{value}}</b>", colours=axis,
                           unit=compact(both)[1] if col < 3 else None)  # fmt: skip
        trace.name = label
        units.append(trace.meta["unit"])
        figure.add_trace(trace, 1, col)
        shapes += future(cells, col) if causal else []
        across = {"title": {"text": "reads event s", "standoff": 4}, **events.ticks(most=6)}
        down = {"title_text": "output at event t" if col == 1 else None, "showticklabels": col == 1}
        layout |= plane(cells, col, across=across, down={**down, **events.ticks(most=6)})
    figure.update_annotations(font={"size": 12.5, "color": MUTED})
    return figure.update_layout(
        coloraxis=colour_axis(both, units[0], title="weight", bar={**_BAR, "x": 0.317, "len": 0.5}),
        coloraxis2=colour_axis(change, units[2], title="change", signed=True, bar={**_BAR, "x": 0.867, "len": 0.25}),
        margin={"t": 108, "b": 92},
        shapes=shapes,
        **layout,
    )


def mask_table(
    before: np.ndarray,
    after: np.ndarray,
    names: Sequence[str] | None = None,
    times: Sequence[int] | None = None,
    *,
    output: int = -1,
) -> str:
    """Write one row of both matrices as text: how much of each event is in one output, before and after.

    Args:
        before, after, names, times: as `time_mask`.
        output: which output, counted from 0; negative counts from the end.
    """
    before = checked("before", before, "l l")
    after = checked("after", after, "l l", l=len(before))
    events = Events(len(before), names, times)
    t = range(len(before))[output]
    rows = []
    for s in range(len(before)):
        age = () if times is None else (span(abs(int(events.times[t] - events.times[s]))),)
        rows.append((events.called(s), *age, before[t, s], after[t, s], after[t, s] - before[t, s]))
    return aligned(
        (f"read by event {t + 1}", *(("age",) if times is not None else ()), "before", "after", "change"), rows
    )


def _summary(before: np.ndarray, after: np.ndarray, step: int) -> str:
    change = after - before
    if not change.any():
        return "the two are equal"
    t, s = np.unravel_index(np.abs(change).argmax(), change.shape)
    most = f"largest change: event {s + 1} in the output at event {t + 1}, "
    most += f"{number(before[t, s], 3)} → {number(after[t, s], 3)}"
    return most + (f"; one cell is {step} × {step} events" if step > 1 else "")
