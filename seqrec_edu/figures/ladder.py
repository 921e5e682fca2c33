"""The views of one operation and how far they are from each other: equal to rounding, or not equal."""

import math
from collections.abc import Mapping

import plotly.graph_objects as go

from .template import BETTER, INK, MUTED, QUIET, WORSE, new_figure
from .text import aligned, number


def equality_ladder(
    differences: Mapping[tuple[str, str], float],
    tolerance: float,
    *,
    unit: str = "largest difference",
    title: str = "Five views, one result",
) -> go.Figure:
    """Draw the largest difference of each pair of views on a logarithmic axis, with the tolerance as a line.

    Pairs that agree to the last bit have no place on such an axis; they stand at its left end, hollow.

    Args:
        differences: (view, view) → largest absolute or relative difference, not negative.
        tolerance: up to where two views count as equal.
        unit: title of the axis.
        title: what stands above the figure.

    Raises:
        ValueError: no pair, a difference that is negative or not finite, a tolerance not above zero, a key that is
            no pair.
    """
    _check(differences, tolerance)
    pairs = sorted(differences, key=lambda pair: differences[pair])
    figure = new_figure(title, _summary(differences, tolerance), height=214 + 26 * len(pairs))
    above = [value for value in differences.values() if value > 0]
    low = min([*above, tolerance]) / 10
    high = max([*above, tolerance]) * 5
    groups = (
        ("equal to the last bit", "circle-open", BETTER, lambda d: d == 0),
        ("within the tolerance", "circle", BETTER, lambda d: 0 < d <= tolerance),
        ("beyond the tolerance", "x", WORSE, lambda d: d > tolerance),
    )
    figure.add_trace(_rungs(pairs, differences, low))
    for name, symbol, colour, belongs in groups:
        rows = [(row, pair) for row, pair in enumerate(pairs, 1) if belongs(differences[pair])]
        if rows:
            figure.add_trace(_group(rows, differences, low, name, symbol, colour))
    figure.add_vline(tolerance, line={"color": INK, "width": 1.5, "dash": "dash"})
    figure.add_annotation(
        x=math.log10(tolerance), y=1, yref="paper", yanchor="bottom", text=f"tolerance {tolerance:.1g}",
        showarrow=False, font={"size": 12, "color": MUTED},
    )  # fmt: skip
    figure.update_xaxes(title_text=unit, type="log", range=[math.log10(low) - 0.15, math.log10(high)])
    figure.update_xaxes(**_ticks(low, high, zero=not all(differences.values())))
    names = [f"{a} = {b}" if differences[a, b] <= tolerance else f"{a} ≠ {b}" for a, b in pairs]
    figure.update_yaxes(
        range=[len(pairs) + 0.6, 0.4], tickvals=list(range(1, len(pairs) + 1)), ticktext=names, showgrid=False,
        tickfont={"color": INK, "size": 12}, zeroline=False,
    )  # fmt: skip
    figure.update_layout(legend={"y": -62 / (26 * len(pairs) + 14)}, margin={"t": 104, "b": 96})
    return figure


def ladder_table(differences: Mapping[tuple[str, str], float], tolerance: float) -> str:
    """Write the same as text: every pair, its largest difference, and whether it counts as equal.

    Args:
        differences, tolerance: as `equality_ladder`.
    """
    _check(differences, tolerance)
    rows = [(a, b, float(d), "equal" if d <= tolerance else "NOT equal") for (a, b), d in differences.items()]
    return aligned(("view", "view", "largest difference", f"up to {tolerance:.1g}"), rows)


def _check(differences: Mapping[tuple[str, str], float], tolerance: float) -> None:
    if not differences:
        raise ValueError("equality_ladder needs at least one pair of views, got none.")
    if not (math.isfinite(tolerance) and tolerance > 0):
        raise ValueError(f"tolerance must be finite and above zero, got {tolerance}.")
    for pair, value in differences.items():
        if isinstance(pair, str) or len(pair) != 2:
            raise ValueError(f"differences must be keyed by pairs (view, view), got {pair!r}.")
        if not (math.isfinite(value) and value >= 0):
            raise ValueError(f"the difference of {pair[0]} and {pair[1]} must be finite and not negative, got {value}.")


def _ticks(low: float, high: float, *, zero: bool) -> dict:
    """Powers of ten, and a 0 at the left end where pairs without any difference stand."""
    powers = range(math.ceil(math.log10(low * (3 if zero else 1))), math.floor(math.log10(high)) + 1)
    powers = powers[:: max(1, round(len(powers) / 8))]
    values, texts = [10.0**power for power in powers], [f"10<sup>{power}</sup>" for power in powers]
    return {"tickvals": [low, *values], "ticktext": ["0", *texts]} if zero else {"tickvals": values, "ticktext": texts}


def _rungs(pairs: list[tuple[str, str]], differences: Mapping[tuple[str, str], float], low: float) -> go.Scatter:
    """A thin line from the left end to each dot, so that the eye finds the row."""
    x, y = [], []
    for row, pair in enumerate(pairs, 1):
        x, y = [*x, low / 2, max(differences[pair], low), None], [*y, row, row, None]
    return go.Scatter(
        x=x, y=y, mode="lines", name="rungs", showlegend=False, hoverinfo="skip", line={"color": QUIET, "width": 1}
    )


def _group(rows: list, differences: Mapping, low: float, name: str, symbol: str, colour: str) -> go.Scatter:
    values = [differences[pair] for _, pair in rows]
    texts = [
        f"{a} and {b}: {number(v, 3) if v else 'no difference'}" for (_, (a, b)), v in zip(rows, values, strict=True)
    ]
    return go.Scatter(
        x=[value or low for value in values], y=[row for row, _ in rows], mode="markers", name=name, hoverinfo="text",
        hovertext=texts,
        marker={"symbol": symbol, "size": 11, "color": colour, "line": {"width": 2 if "open" in symbol else 0}},
    )  # fmt: skip


def _summary(differences: Mapping[tuple[str, str], float], tolerance: float) -> str:
    views = len({view for pair in differences for view in pair})
    beyond = [pair for pair, value in differences.items() if value > tolerance]
    (a, b), most = max(differences.items(), key=lambda pair: pair[1])
    if not most:
        return "the views agree to the last bit"
    furthest = f"furthest apart: {a} and {b}, {number(most, 2)}"
    if beyond:
        return f"<b>{len(beyond)} of {len(differences)} pairs differ by more than the tolerance</b>; {furthest}"
    return f"{views} views agree; {furthest}"
