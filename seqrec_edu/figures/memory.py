"""How fast a block forgets: the weight that an event still has, against its age in events or in days."""

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go

from .arrays import checked
from .curves import curve, named, ring
from .template import QUIET, new_figure
from .text import aligned, number


def memory_curves(
    ages: np.ndarray,
    weights: np.ndarray | Mapping[str, np.ndarray],
    *,
    unit: str = "events",
    level: float = 0.5,
    logarithmic: bool = False,
    title: str = "How fast the past fades",
) -> go.Figure:
    """Draw the weight that an event still has at each age; a ring marks where it first falls to `level`.

    Args:
        ages: "l", not decreasing, in `unit`; above zero for a logarithmic axis.
        weights: "l" or "h l", or name → "l": the weight at each age, for instance the product of the decays since.
        unit: "events", "days", …: the axis says it.
        level: the weight that counts as half forgotten; 1/e is the other usual choice.
        logarithmic: for ages from hours to years.
        title: what stands above the figure.

    Raises:
        ValueError: ages that decrease or are not above zero where they must be, axes that disagree, more than seven
            lines.
    """
    ages = checked("ages", ages, "l")
    if (np.diff(ages) < 0).any() or (logarithmic and ages[0] <= 0):
        raise ValueError(
            "ages must not decrease" + (", and be above zero for a logarithmic axis." if logarithmic else ".")
        )
    lines = named("weights", weights, "l", l=len(ages))
    reached = {name: _crossing(ages, w, level) for name, w in lines.items()}
    figure = new_figure(title, _memory_summary(reached, level, unit), height=400)
    for n, (name, w) in enumerate(lines.items()):
        hover = f"age %{{x:.4~g}} {unit}: <b>%{{y:.3g}}</b>"
        figure.add_trace(curve(ages, w, name, n, hover, legend=True))
        if reached[name] is not None:
            figure.add_trace(
                ring(reached[name], level, n, f"{name}: {level:.3g} after {number(reached[name], 3)} {unit}")
            )
    figure.add_hline(level, line={"color": QUIET, "width": 1.5, "dash": "dot"})
    figure.update_xaxes(title_text=f"age of the event ({unit})", type="log" if logarithmic else "linear")
    whole = not logarithmic and len(ages) <= 15 and (ages == np.round(ages)).all()
    figure.update_xaxes(dtick=1 if whole else None, range=[-1, 1] if len(ages) == 1 and whole else None)
    figure.update_yaxes(title_text="weight it still has", rangemode="tozero")
    figure.update_layout(showlegend=len(lines) > 1, legend={"y": -0.22})
    return figure


def memory_table(
    ages: np.ndarray, weights: np.ndarray | Mapping[str, np.ndarray], *, unit: str = "events", level: float = 0.5
) -> str:
    """Write a memory as text: per line the age at which the weight first falls to `level`, and the last weight."""
    ages = checked("ages", ages, "l")
    lines = named("weights", weights, "l", l=len(ages))
    rows = [(name, _crossing(ages, w, level), float(w[-1])) for name, w in lines.items()]
    rows = [(name, "never" if age is None else number(age, 3), last) for name, age, last in rows]
    return aligned(("line", f"falls to {level:.3g} after ({unit})", f"weight at {number(ages[-1], 3)}"), rows)


def _crossing(ages: np.ndarray, weights: np.ndarray, level: float) -> float | None:
    """The age at which the weight first falls to `level`, between two ages in proportion; None if it never does."""
    below = np.flatnonzero(weights <= level)
    if not len(below):
        return None
    i = int(below[0])
    if i == 0 or weights[i - 1] == weights[i]:
        return float(ages[i])
    share = (weights[i - 1] - level) / (weights[i - 1] - weights[i])
    return float(ages[i - 1] + share * (ages[i] - ages[i - 1]))


def _memory_summary(reached: Mapping[str, float | None], level: float, unit: str) -> str:
    parts = []
    for name, age in reached.items():
        start = f"{name}: " if len(reached) > 1 else ""
        parts.append(f"{start}not reached" if age is None else f"{start}{number(age, 3).removesuffix('.0')}")
    return (
        f"{unit} until the weight falls to {level:.3g} (ringed): "
        + ", ".join(parts[:4])
        + (", …" if len(parts) > 4 else "")
    )
