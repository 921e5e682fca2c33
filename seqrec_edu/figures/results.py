"""Measured numbers with their intervals: beside what papers print, and below the ceiling of planted data."""

import math
from collections.abc import Collection, Mapping, Sequence

import plotly.graph_objects as go

from .template import BETTER, FAINT, INK, MUTED, QUIET, WORSE, new_figure
from .text import aligned, short

Measured = float | tuple[float, float, float]  # a value, or (value, low, high)


def published_versus_ours(
    published: Mapping[str, float | Mapping[str, float]],
    ours: Mapping[str, Measured],
    *,
    metric: str = "NDCG@10",
    title: str = "Published and ours",
) -> go.Figure:
    """Draw what papers print and what we measured, one row per model; our dot has its interval.

    Args:
        published: model → number, or model → {source: number} where several papers print one.
        ours: model → number or (number, low, high). A model may be missing on either side.
        metric: title of the axis.
        title: what stands above the figure.

    Raises:
        ValueError: nothing at all, a number that is not finite, or one outside its own interval.
    """
    sources = {m: {k: _number(m, v) for k, v in _by_source(given).items()} for m, given in published.items()}
    measured = {m: _measured(m, value) for m, value in ours.items()}
    models = list(dict.fromkeys([*measured, *sources]))
    if not models:
        raise ValueError("published_versus_ours needs at least one model, got none.")
    figure = new_figure(title, _agreement(sources, measured), height=170 + 36 * len(models))
    figure.add_trace(_published(models, sources, metric))
    figure.add_trace(_ours(models, measured, metric))
    ends = [v for m in models for v in (*sources.get(m, {}).values(), *measured.get(m, ()))]
    low, high = min(ends), max(ends)
    room = 0.08 * (high - low or abs(high) or 1)
    changes = {m: _change(measured[m], sources[m]) for m in models if m in measured and sources.get(m)}
    for row, model in enumerate(models, 1):
        if model in changes:
            _at_the_end(figure, row, changes[model])
    _rows(figure, models)
    figure.update_xaxes(title_text=metric, range=[low - room, high + room], zeroline=False)
    figure.update_layout(
        legend={"y": -64 / (figure.layout.height - 132)}, margin={"r": 24 + 8 * max([4, *map(len, changes.values())])}
    )
    return figure


def published_table(
    published: Mapping[str, float | Mapping[str, float]], ours: Mapping[str, Measured], *, metric: str = "NDCG@10"
) -> str:
    """Write the same comparison as text: model, source, published, ours, its interval, difference.

    Args:
        published, ours, metric: as `published_versus_ours`.
    """
    rows = []
    for model in dict.fromkeys([*ours, *published]):
        value, low, high = _measured(model, ours[model]) if model in ours else (None, None, None)
        interval = "–" if low is None or low == high else f"{low:.4f} to {high:.4f}"
        for source, number in (_by_source(published.get(model, {})) or {"–": None}).items():
            change = None if number in (None, 0) or value is None else f"{value / number - 1:+.1%}"
            rows.append((model, source, number, value, interval, change or "–"))
    return aligned(("model", "source", f"published {metric}", "ours", "interval", "difference"), rows)


def ceiling_bars(
    values: Mapping[str, Measured],
    ceiling: Measured,
    *,
    blind: Collection[str] = (),
    metric: str = "NDCG@10",
    title: str = "How much of what can be known is found",
) -> go.Figure:
    """Draw models as bars below the ceiling of a planted world, the best that any predictor can reach there.

    Args:
        values: predictor → number or (number, low, high).
        ceiling: the ceiling, with its interval if it was sampled.
        blind: predictors that see only part of the truth, drawn grey: what is reached without the planted mechanism.
        metric: title of the axis.
        title: what stands above the figure.

    Raises:
        ValueError: no predictor, numbers that are not finite or outside their interval, a blind name not among them,
            a ceiling not above zero.
    """
    if not values:
        raise ValueError("ceiling_bars needs at least one predictor, got none.")
    if set(blind) - set(values):
        raise ValueError(f"blind names {sorted(set(blind) - set(values))}, but the predictors are {list(values)}.")
    top, low, high = _measured("the ceiling", ceiling)
    if top <= 0:
        raise ValueError(f"the ceiling must be above zero, got {top}.")
    bars = {name: _measured(name, value) for name, value in values.items()}
    names = sorted(bars, key=lambda name: -bars[name][0])
    # Above is who lies above all that the ceiling may be, where it was sampled.
    above = [name for name in names if bars[name][1] > high]
    figure = new_figure(title, _ceiling_summary(bars, names, blind, top, above), height=170 + 36 * len(names))
    figure.add_trace(_bars(names, bars, blind, above, metric))
    for row, name in enumerate(names, 1):
        _at_the_end(figure, row, f"{bars[name][0] / top:.0%}")
    if high > low:
        figure.add_vrect(low, high, fillcolor=FAINT, line_width=0, layer="below")
    figure.add_vline(top, line={"color": INK, "width": 2, "dash": "dash"})
    figure.add_annotation(
        x=top, y=1, yref="paper", yanchor="bottom", text=f"ceiling {top:.4f}", showarrow=False,
        font={"size": 12, "color": INK},
    )  # fmt: skip
    _rows(figure, names)
    figure.update_xaxes(title_text=metric, range=[0, max(top, high, *(b[2] for b in bars.values())) * 1.16])
    figure.update_layout(showlegend=False, margin={"t": 104, "r": 60})
    return figure


def ceiling_table(
    values: Mapping[str, Measured], ceiling: Measured, *, blind: Collection[str] = (), metric: str = "NDCG@10"
) -> str:
    """Write the same as text: predictor, number, interval, share of the ceiling.

    Args:
        values, ceiling, blind, metric: as `ceiling_bars`.
    """
    top = _measured("the ceiling", ceiling)
    rows = []
    for name, value in [*values.items(), ("ceiling", ceiling)]:
        found, low, high = _measured(name, value)
        interval = "–" if low == high else f"{low:.4f} to {high:.4f}"
        rows.append((name + (" (blind)" if name in blind else ""), found, interval, f"{found / top[0]:.0%}"))
    return aligned(("predictor", metric, "interval", "of the ceiling"), rows)


def _by_source(given: float | Mapping[str, float]) -> dict[str, float]:
    return dict(given) if isinstance(given, Mapping) else {"paper": given}


def _number(name: str, value: float) -> float:
    if not math.isfinite(value):
        raise ValueError(f'the number of "{name}" is {value}; leave out what is not known.')
    return float(value)


def _measured(name: str, value: Measured) -> tuple[float, float, float]:
    value, low, high = (_number(name, v) for v in (value if isinstance(value, (tuple, list)) else (value,) * 3))
    if not low <= value <= high:
        raise ValueError(f'"{name}" is {value}, outside its own interval {low}…{high}; give (value, low, high).')
    return value, low, high


def _change(ours: tuple[float, float, float], sources: Mapping[str, float]) -> str:
    return " / ".join(f"{ours[0] / number - 1:+.1%}" if number else "–" for number in sources.values())


def _published(models: list[str], sources: Mapping[str, Mapping[str, float]], metric: str) -> go.Scatter:
    points = [(v, row, f"{m}, {s}") for row, m in enumerate(models, 1) for s, v in sources.get(m, {}).items()]
    x, y, text = zip(*points, strict=True) if points else ((), (), ())
    return go.Scatter(
        x=x, y=y, text=text, mode="markers", name="published",
        marker={"symbol": "diamond-open", "size": 12, "color": WORSE, "line": {"width": 2}},
        hovertemplate=f"%{{text}}: {metric} <b>%{{x:.4f}}</b><extra></extra>",
    )  # fmt: skip


def _ours(models: list[str], measured: Mapping[str, tuple[float, float, float]], metric: str) -> go.Scatter:
    rows = [(row, m, *measured[m]) for row, m in enumerate(models, 1) if m in measured]
    y, text, x, low, high = zip(*rows, strict=True) if rows else ((),) * 5
    spans = [f"{a:.4f} to {b:.4f}" if a < b else "no interval" for a, b in zip(low, high, strict=True)]
    return go.Scatter(
        x=x, y=y, text=text, customdata=spans, mode="markers", name="ours, with its interval",
        marker={"symbol": "circle", "size": 9, "color": BETTER}, error_x=_whiskers(x, low, high, BETTER),
        hovertemplate=f"%{{text}}: {metric} <b>%{{x:.4f}}</b><br>%{{customdata}}<extra></extra>",
    )  # fmt: skip


def _whiskers(x: tuple, low: tuple, high: tuple, colour: str) -> dict:
    up, down = [b - v for v, b in zip(x, high, strict=True)], [v - a for v, a in zip(x, low, strict=True)]
    return {
        "type": "data",
        "symmetric": False,
        "array": up,
        "arrayminus": down,
        "color": colour,
        "thickness": 2,
        "width": 5,
    }


def _bars(
    names: list[str], bars: Mapping[str, tuple], blind: Collection[str], above: Collection[str], metric: str
) -> go.Bar:
    values, low, high = zip(*(bars[name] for name in names), strict=True)
    return go.Bar(
        x=values, y=list(range(1, len(names) + 1)), orientation="h", name=metric,
        error_x=_whiskers(values, low, high, INK),
        marker={"color": [QUIET if name in blind else WORSE if name in above else BETTER for name in names]},
        customdata=[f"{name}{' (blind)' if name in blind else ''}" for name in names],
        hovertemplate=f"%{{customdata}}<br>{metric} <b>%{{x:.4f}}</b><extra></extra>",
    )  # fmt: skip


def _at_the_end(figure: go.Figure, row: int, text: str) -> None:
    """A word at the right end of a row, outside the axes, where no whisker can run through it."""
    figure.add_annotation(
        x=1, xref="paper", xanchor="left", xshift=8, y=row, text=text, showarrow=False,
        font={"size": 12, "color": MUTED},
    )  # fmt: skip


def _rows(figure: go.Figure, names: list[str]) -> None:
    figure.update_yaxes(
        range=[len(names) + 0.6, 0.4], tickvals=list(range(1, len(names) + 1)),
        ticktext=[short(name, 30) for name in names], tickfont={"color": INK, "size": 12.5}, zeroline=False,
    )  # fmt: skip


def _agreement(sources: Mapping[str, Mapping], measured: Mapping[str, tuple]) -> str:
    both = [m for m in measured if sources.get(m)]
    if not both:
        return "no model stands on both sides"
    inside = sum(any(measured[m][1] <= v <= measured[m][2] for v in sources[m].values()) for m in both)
    return (
        f"for {inside} of {len(both)} models a published number lies within our interval; right: ours against published"
    )


def _ceiling_summary(
    bars: Mapping[str, tuple], names: list[str], blind: Collection[str], top: float, above: Sequence[str]
) -> str:
    seeing = [name for name in names if name not in blind]
    if above:
        return f"<b>{short(above[0], 30)} lies above the ceiling with its whole interval: look for a leak</b>"
    if not seeing:
        return "blind predictors only"
    best = f"{short(seeing[0], 30)} reaches {bars[seeing[0]][0] / top:.0%} of the ceiling"
    floor = [name for name in names if name in blind]
    return best + (f", the best blind predictor (grey) {bars[floor[0]][0] / top:.0%}" if floor else "")
