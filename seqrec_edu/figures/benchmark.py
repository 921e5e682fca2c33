"""Time against length: one line per way to compute the same, and the floor that the machine sets."""

import math
from collections.abc import Collection, Mapping, Sequence

import plotly.graph_objects as go

from .template import CATEGORIES, DASHES, INK, QUIET, SYMBOLS, new_figure
from .text import number

COLOURS = CATEGORIES[:-1]  # the last one is nearly as dark as the ink of the thick lines


def benchmark_curves(
    x: Sequence[float] | Sequence[str],
    times: Mapping[str, Sequence[float | None]],
    floor: Sequence[float] | None = None,
    *,
    ours: Collection[str] = (),
    title: str = "Time",
    unit: str = "seconds",
    x_title: str = "events per history",
) -> go.Figure:
    """Draw times on a logarithmic axis over lengths (numbers, logarithmic too) or over cases (words).

    Args:
        x: "c", lengths in increasing order or names of cases.
        times: variant → "c" times above zero, None where one was not measured. Slowest lines are named first.
        floor: "c", what this machine could do at best; drawn dotted, with everything below it shaded.
        ours: variants drawn thick.
        title: what stands above the figure.
        unit: unit of the times, on the axis.
        x_title: title of the axis of lengths.

    Raises:
        ValueError: no times at all, sequences of another length than x, or a time that is not above zero.
    """
    _check(x, times, floor)
    by_length = not isinstance(x[0], str)
    figure = new_figure(title, _summary(times, floor, ours), height=470 + 10 * len(times))
    if floor is not None:
        figure.add_trace(_floor(x, floor, unit))
    order = sorted(times, key=lambda label: -max((t for t in times[label] if t is not None), default=0.0))
    for n, label in enumerate(order):
        figure.add_trace(_line(x, label, times[label], n, label in ours, unit))
    axis = {"title_text": x_title, "type": "log", "tickvals": list(x)} if by_length else {"title_text": None}
    figure.update_xaxes(**axis)
    shown = [t for line in (*times.values(), () if floor is None else floor) for t in line if t is not None]
    decades = math.log10(max(shown) / min(shown)) if shown else 0.0
    figure.update_yaxes(title_text=unit, type="log", dtick=1 if decades > 1.5 else "D2")  # D2 labels 1, 2 and 5
    figure.update_layout(legend={"orientation": "v", "y": -0.16, "traceorder": "normal"}, hovermode="x unified")
    return figure


def _check(x: Sequence, times: Mapping[str, Sequence[float | None]], floor: Sequence[float] | None) -> None:
    if not len(x) or not times:
        raise ValueError("benchmark_curves needs at least one length and one variant, got none.")
    for label, line in {**times, **({} if floor is None else {"floor": floor})}.items():
        if len(line) != len(x):
            raise ValueError(f'"{label}" has {len(line)} times for {len(x)} lengths; give None where one is missing.')
        if any(t is not None and not (math.isfinite(t) and t > 0) for t in line):
            raise ValueError(f'"{label}" has a time that is not above zero, which a logarithmic axis cannot show.')


def _summary(times: Mapping, floor: Sequence[float] | None, ours: Collection[str]) -> str:
    """What to look at: how far the thick line is from the floor and from the slowest, where both end."""
    found = []
    for label in ours:
        last = times[label][-1] if label in times else None
        others = [line[-1] for line in times.values() if line[-1] is not None]
        if last is None:
            continue
        share = "" if floor is None else f", {floor[-1] / last:.0%} of the floor (dotted)"
        found.append(f"thick: {max(others) / last:.3g}× faster than the slowest at the right{share}")
    return "; ".join([*found, "in brackets: last times"])


def _floor(x: Sequence, floor: Sequence[float], unit: str) -> go.Scatter:
    return go.Scatter(
        x=list(x), y=list(floor), name="floor of this machine", mode="lines+markers" if len(x) == 1 else "lines",
        line={"color": QUIET, "width": 2, "dash": "dot"}, marker={"color": QUIET, "symbol": "line-ew-open", "size": 14},
        fill="tozeroy", fillcolor="rgba(139, 148, 158, 0.12)",
        hovertemplate=f"floor %{{y:.3g}} {unit}<extra></extra>",
    )  # fmt: skip


def _line(x: Sequence, label: str, line: Sequence[float | None], n: int, thick: bool, unit: str) -> go.Scatter:
    """Six colours go round against seven markers: no pair comes twice among 42 lines."""
    colour = INK if thick else COLOURS[n % len(COLOURS)]
    shown = [t for t in line if t is not None]
    ends = f" ({number(shown[-1], 3)})" if shown else ""
    return go.Scatter(
        x=list(x), y=list(line), name=f"{label}{ends}", mode="lines+markers",
        line={"color": colour, "width": 4 if thick else 2, "dash": "solid" if thick else DASHES[n % len(DASHES)]},
        marker={"color": colour, "symbol": SYMBOLS[n % len(SYMBOLS)], "size": 10 if thick else 8},
        hovertemplate=f"{label} %{{y:.3g}} {unit}<extra></extra>",
    )  # fmt: skip
