"""Lines that several figures share: up to seven that an eye can tell apart, each with its colour, dash and marker."""

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go

from .arrays import checked
from .template import CATEGORIES, DASHES, SYMBOLS

MARKED = 60  # points up to which each has its own marker


def named(what: str, given: object, axis: str = "l", **sizes: int) -> dict[str, np.ndarray]:
    """One array, rows of an array, or name → array, as name → checked array.

    Raises:
        ValueError: none, more lines than there are colours, or an array that is not finite or has other axes.
    """
    if not isinstance(given, Mapping):
        array = np.asarray(given, dtype=np.float64)
        given = {what: array} if array.ndim == 1 else {f"head {n}": row for n, row in enumerate(array, 1)}
    if not given:
        raise ValueError(f"{what} is empty; there is nothing to draw.")
    if len(given) > len(CATEGORIES):
        raise ValueError(f"{what} has {len(given)} lines; an eye can tell up to {len(CATEGORIES)} apart: choose some.")
    return {
        str(name): checked(f'{what} of "{name}"' if len(given) > 1 else what, values, axis, **sizes)
        for name, values in given.items()
    }


def curve(x: np.ndarray, y: np.ndarray, name: str, n: int, hover: str, *, legend: bool = False) -> go.Scatter:
    """Line `n` of a figure: its values in few bytes, markers while there are few points; NaN leaves a gap."""
    few = len(x) <= MARKED
    return go.Scatter(
        x=np.asarray(x, np.float32), y=np.asarray(y, np.float32), name=name, legendgroup=name, showlegend=legend,
        mode="lines+markers" if few else "lines", line={"color": CATEGORIES[n], "width": 2, "dash": DASHES[n]},
        marker={"color": CATEGORIES[n], "symbol": SYMBOLS[n], "size": 6},
        hovertemplate=f"{name}, {hover}<extra></extra>",
    )  # fmt: skip


def ring(x: float, y: float, n: int, hover: str) -> go.Scatter:
    """A ring on line `n`, where a reader should look."""
    return go.Scatter(
        x=[x], y=[y], mode="markers", showlegend=False, name="ring", hovertemplate=f"{hover}<extra></extra>",
        marker={"symbol": "circle-open", "size": 14, "color": CATEGORIES[n], "line": {"width": 2}}, cliponaxis=False,
    )  # fmt: skip
