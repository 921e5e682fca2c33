"""Heat maps: one trace and one colour axis for every matrix, and the shade over what a causal matrix cannot read."""

import numpy as np
import plotly.graph_objects as go

from .arrays import compact
from .template import FAINT, LINE, MAGNITUDE, SIGNED, WORSE

_MANY = 400  # entries from which a few large ones may not take the whole scale
_SUPER = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def heat_trace(
    values: np.ndarray,
    rows: list[str],
    columns: list[str],
    hover: str,
    *,
    colours: str = "coloraxis",
    unit: float | None = None,
) -> go.Heatmap:
    """One matrix as a heat map.

    Args:
        values: "rows columns".
        rows, columns: unique labels, shown on hover.
        hover: what a cell says, with `{value}` where the number goes, `%{y}` for the row and `%{x}` for the column.
        colours: the colour axis of the layout; it counts in the unit that `colour_axis` was given.
        unit: of the stored numbers, where several heat maps share a colour axis (`arrays.compact` of all together).
    """
    stored, unit = compact(values, unit)
    # A whole number of small units is written as such: Plotly's hover cannot multiply.
    shown = "%{z:.4~g}" if unit == 1 else f"%{{z:d}} × 10{str(round(np.log10(unit))).translate(_SUPER)}"
    return go.Heatmap(
        z=stored, x=columns, y=rows, coloraxis=colours,
        hovertemplate=hover.replace("{value}", shown) + "<extra></extra>",
        meta={"unit": unit, "range": [float(values.min()), float(values.max()), float(values.mean())]},
    )  # fmt: skip


def values_of(trace: go.Heatmap) -> np.ndarray:
    """The numbers that a heat map shows, whatever unit it stores them in."""
    return np.asarray(trace.z, dtype=np.float64) * (trace.meta or {}).get("unit", 1.0)


def colour_axis(
    values: np.ndarray,
    unit: float = 1.0,
    *,
    title: str = "",
    signed: bool | None = None,
    bar: dict | None = None,
    full: bool = False,
) -> dict:
    """A colour axis for `values`: cividis from 0 for magnitudes, blue through grey to rust around 0 for signed ones.

    In a large matrix the scale ends where all but half a percent of the entries that are not zero do, if the largest
    is more than three times that: otherwise a bright diagonal leaves the rest black. The bar then says `≥`.

    Args:
        values: all numbers that share this axis.
        unit: what one stored step is worth (see `arrays.compact`).
        title: of the colour bar.
        signed: None looks at the values.
        bar: more settings of the colour bar.
        full: shares, whose scale always runs from 0 to 1.
    """
    size = np.abs(values[values != 0])
    peak = float(size.max()) if size.size else 1.0
    top = float(np.quantile(size, 0.995)) if size.size > _MANY else peak
    top = 1.0 if full else (top if peak > 3 * top else peak)
    signed = bool((values < 0).any()) if signed is None else signed
    ticks = [-top, -top / 2, 0.0, top / 2, top] if signed else [0.0, top / 2, top]
    texts = ["0" if t == 0 else f"{t:.2g}" for t in ticks]
    if top < peak and not full:
        texts[-1] = f"≥ {texts[-1]}"
        texts[0] = f"≤ {texts[0]}" if signed else texts[0]
    low = -top if signed else 0.0
    upright = (bar or {}).get("orientation") != "h"
    settings = {
        "thickness": 12, "outlinewidth": 0, "tickvals": [t / unit for t in ticks], "ticktext": texts, "ticks": "",
        "title": {"text": f"{title}<br>\u00a0" if upright and title else title, "side": "top", "font": {"size": 12}},
        "tickfont": {"size": 11}, "len": 0.9,
    }  # fmt: skip
    return {
        "colorscale": SIGNED if signed else MAGNITUDE,
        "cmin": low / unit,
        "cmax": top / unit,
        "colorbar": {**settings, **(bar or {})},
    }


def above_diagonal(matrix: np.ndarray, tolerance: float) -> np.ndarray:
    """The entries above the diagonal that are not zero up to `tolerance` times the largest of all."""
    above = np.abs(np.triu(matrix, 1))
    return above > tolerance * np.abs(matrix).max()


def future(cells: int, plot: int = 1) -> list[dict]:
    """Shapes that hatch the triangle above the diagonal: what no output reads is nothing, not a small number."""
    if cells < 2:
        return []
    n, lines = cells, []
    stairs = "".join(f" H {t + 0.5:g} V {t - 0.5:g}" for t in range(n - 2, -1, -1)) if n <= 60 else " L 0.5 -0.5"
    outline = f"M 0.5 -0.5 H {n - 0.5:g} V {n - 1.5:g}{stairs} Z"
    for c in np.arange(0.5, 2 * n - 2, 2 * n / 36):  # lines x + y = c, from the diagonal up to the border
        right = min(n - 0.5, c + 0.5)
        lines.append(f"M {(c + 1) / 2:.3g} {(c - 1) / 2:.3g} L {right:.3g} {c - right:.3g}")
    return [
        {"type": "path", "path": outline, "fillcolor": FAINT, "line": {"color": FAINT, "width": 1}, **_on(plot)},
        {"type": "path", "path": " ".join(lines), "line": {"color": LINE, "width": 0.75}, **_on(plot)},
    ]


def diagonal(cells: int, plot: int = 1, *, alarm: bool = False) -> list[dict]:
    """The border between what an output may read and what comes later; in rust where it must not be crossed but is."""
    if cells < 2:
        return []
    line = {"color": WORSE if alarm else LINE, "width": 2.5 if alarm else 1, "dash": "solid" if alarm else "dot"}
    return [{"type": "path", "path": f"M 0.5 -0.5 L {cells - 0.5:g} {cells - 1.5:g}", "line": line, **_on(plot)}]


def plane(cells: int, plot: int = 1, *, across: dict, down: dict) -> dict:
    """Axes with square cells and the first row on top, as a part of the layout, for the plot of that number.

    One dict for all plots of a figure is set at once: Plotly takes milliseconds for each call, which a slider feels.

    Args:
        cells: along each side.
        plot: number of the subplot, from 1.
        across, down: more settings of the two axes: titles and ticks.
    """
    n = "" if plot == 1 else str(plot)
    common = {"type": "category", "constrain": "domain", "showgrid": False, "zeroline": False}
    return {
        f"xaxis{n}": {"range": [-0.5, cells - 0.5], **common, **across},
        f"yaxis{n}": {"range": [cells - 0.5, -0.5], "scaleanchor": f"x{n}", **common, **down},
    }


def _on(plot: int) -> dict:
    n = "" if plot == 1 else str(plot)
    return {"xref": f"x{n}", "yref": f"y{n}"}
