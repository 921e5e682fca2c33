"""A figure's lines and points as a few kilobytes of SVG, to be redrawn while something runs; needs no browser."""

from collections.abc import Iterable
from html import escape

import numpy as np
import plotly.graph_objects as go

from .template import CARD, GRID, INK, MUTED, QUIET, WIDTH
from .text import plain

_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 20, 98, 48  # pixels around and between the plots


def sketch(figure: go.Figure) -> str:
    """Draw the scatter traces and horizontal lines of a figure with linear axes as SVG, side by side by subplot.

    Bars, text on points and legends are left out: it stands in while the real figure is being made.

    Raises:
        ValueError: an axis of dates or words.
    """
    height = int(figure.layout.height or 360)
    plots = list(_plots(figure))
    width = (WIDTH - _RIGHT) / max(len(plots), 1)
    title, subtitle = plain(figure.layout.title.text), plain(figure.layout.title.subtitle.text)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" role="img" '
        f"style=\"max-width:100%;background:{CARD};font-family:system-ui,'DejaVu Sans',sans-serif\">",
        f"<title>{escape(title)}: {escape(subtitle)}</title>",
        _text(20, 30, title, INK, 16, "start", "bold"),
        _text(20, 56, subtitle, MUTED, 12),
    ]
    for n, plot in enumerate(plots):
        box = (n * width + _LEFT, _TOP, (n + 1) * width, height - _BOTTOM)
        parts += _plot(plot, box)
    return "".join(parts) + "</svg>"


def _plots(figure: go.Figure) -> Iterable[dict]:
    for yaxis in figure.select_yaxes():
        name = yaxis.plotly_name.replace("axis", "")  # y, y2
        traces = [trace for trace in figure.data if _is_line(trace) and (trace.yaxis or "y") == name]
        levels = [shape.y0 for shape in figure.layout.shapes if shape.yref == name and shape.y0 == shape.y1]
        xaxis = figure.layout[yaxis.plotly_name.replace("y", "x", 1)]
        low = 0.0 if yaxis.rangemode == "tozero" else None
        notes = [(note.y, plain(note.text)) for note in figure.layout.annotations if note.yref == name]
        names = {"x": plain(xaxis.title.text), "y": plain(yaxis.title.text), "notes": notes}
        yield {"traces": traces, "levels": levels, "low": low, **names}


def _is_line(trace: go.Figure) -> bool:
    """Whether a trace is a line or points; the area of an interval is left to the real figure."""
    return trace.type == "scatter" and trace.fill is None


def _plot(plot: dict, box: tuple[float, float, float, float]) -> list[str]:
    left, top, right, bottom = box
    lines = [(trace, _points(trace)) for trace in plot["traces"]]
    xs = [x for _, points in lines for x, _ in points] or [0.0, 1.0]
    ys = [y for _, points in lines for _, y in points] + plot["levels"] or [0.0, 1.0]
    (x0, x1), (y0, y1) = _widened(min(xs), max(xs)), _widened(min(ys) if plot["low"] is None else plot["low"], max(ys))

    def across(x: float) -> float:
        return left + (x - x0) / (x1 - x0) * (right - left)

    def down(y: float) -> float:
        return bottom - (y - y0) / (y1 - y0) * (bottom - top)

    parts = [
        _text(left - 44, top - 14, plot["y"], MUTED, 12),
        _text((left + right) / 2, bottom + 36, plot["x"], MUTED, 12, "middle"),
    ]
    for value in _round_values(y0, y1):
        parts.append(_rule(left, right, down(value), GRID))
        parts.append(_text(left - 8, down(value) + 4, f"{value:.6g}", MUTED, 11, "end"))
    parts += [_text(across(x), bottom + 18, f"{x:g}", MUTED, 11, "middle") for x in sorted({min(xs), max(xs)})]
    parts += [_rule(left, right, down(level), QUIET, "3 3") for level in plot["levels"]]
    parts += [_text(right, down(y) - 4, note, MUTED, 11, "end") for y, note in plot["notes"]]
    drawn = [(trace, [(across(x), down(y)) for x, y in points]) for trace, points in lines if points]
    parts += [_line(trace, points) for trace, points in drawn]
    named = [(trace, points[-1]) for trace, points in drawn if "lines" in trace.mode]
    if len(named) > 1:
        parts += [_text(x, y - 8, trace.name, trace.line.color, 11, "end") for trace, (x, y) in named]
    return parts


def _round_values(low: float, high: float) -> list[float]:
    """Three to eight multiples of 1, 2 or 5 times a power of ten that lie in a range."""
    rough = (high - low) / 4
    power = 10.0 ** np.floor(np.log10(rough))
    step = power * min((1, 2, 5, 10), key=lambda multiple: abs(multiple * power - rough))
    return [float(n * step) for n in range(int(np.ceil(low / step - 1e-9)), int(np.floor(high / step + 1e-9)) + 1)]


def _line(trace: go.Scatter, points: list[tuple[float, float]]) -> str:
    """One trace in pixels: its line, and its points while there are few."""
    colour, drawn = trace.line.color or trace.marker.color or INK, ""
    if "lines" in (trace.mode or "lines"):
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        drawn = f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
    hollow = "open" in str(trace.marker.symbol)
    look = f'fill="none" stroke="{colour}" stroke-width="2" r="6.5"' if hollow else f'fill="{colour}" r="3"'
    few = points if len(points) <= 40 else []
    return drawn + "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" {look}/>' for x, y in few)


def _points(trace: go.Scatter) -> list[tuple[float, float]]:
    pairs = [(x, y) for x, y in zip(trace.x, trace.y, strict=True) if x is not None and y is not None]
    try:
        return [(float(x), float(y)) for x, y in pairs if np.isfinite(float(y))]
    except TypeError:
        raise ValueError(f'a sketch needs numbers on both axes, but trace "{trace.name}" has others.') from None


def _widened(low: float, high: float) -> tuple[float, float]:
    """A range that is never empty, with a little air above."""
    return (low, high + 0.06 * (high - low)) if high > low else (low - 0.5, high + 0.5)


def _text(
    x: float, y: float, text: str, colour: str, size: float, anchor: str = "start", weight: str = "normal"
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" font-size="{size}" font-weight="{weight}" '
        f'text-anchor="{anchor}">{escape(text)}</text>'
    )


def _rule(left: float, right: float, y: float, colour: str, dash: str = "none") -> str:
    return f'<path d="M{left:.1f} {y:.1f}H{right:.1f}" stroke="{colour}" stroke-dasharray="{dash}"/>'
