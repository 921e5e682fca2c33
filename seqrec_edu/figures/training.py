"""How a training went: loss and a ranking metric per epoch, for one run or several side by side."""

import math
from collections.abc import Mapping, Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from .template import CATEGORIES, DASHES, MUTED, QUIET, SYMBOLS, dress
from .text import number

Log = Sequence[Mapping[str, float]]


def training_curves(
    log: Log | Mapping[str, Log],
    *,
    metric: str = "NDCG@10",
    references: Mapping[str, float] | None = None,
    title: str = "Training",
) -> go.Figure:
    """Draw the loss and a validation metric over epochs; a ring marks each run's best epoch.

    Args:
        log: one record per epoch, `{"epoch": 1, "loss": 5.2, "NDCG@10": 0.11}`, or run name → such a list.
            `epoch` may be missing (then 1, 2, …), and so may any value (then the line has a gap).
        metric: the key drawn on the right; higher is better.
        references: name → value of the metric, drawn as horizontal lines: what a baseline reaches.
        title: what stands above the figure.

    Raises:
        ValueError: a log that is neither form, or more runs than there are colours.
    """
    runs = _runs(log)
    figure = make_subplots(1, 2, horizontal_spacing=0.12)
    dress(figure, title, _summary(runs, metric), height=360)
    for n, (name, records) in enumerate(runs.items()):
        epochs = [record.get("epoch", i) for i, record in enumerate(records, 1)]
        for column, key in ((1, "loss"), (2, metric)):
            figure.add_trace(_line(name, epochs, [_value(r, key) for r in records], key, n, column == 1), 1, column)
        _mark_best(figure, epochs, [_value(r, metric) for r in records], metric, n, len(runs) == 1)
    _draw_references(figure, references or {})
    longest = max(len(records) for records in runs.values())
    figure.update_xaxes(title_text="epoch", tickformat="d", dtick=1 if longest <= 15 else None)
    figure.update_yaxes(title_text="loss (nats per target)", row=1, col=1)
    figure.update_yaxes(title_text=f"validation {metric}", rangemode="tozero", row=1, col=2)
    figure.update_layout(showlegend=len(runs) > 1, legend={"y": -0.2}, hovermode="x unified")
    return figure


def _runs(log: Log | Mapping[str, Log]) -> dict[str, Log]:
    runs = dict(log) if isinstance(log, Mapping) else {"run": log}
    for name, records in runs.items():
        is_list = isinstance(records, Sequence) and not isinstance(records, str)
        if not is_list or not all(isinstance(record, Mapping) for record in records):
            raise ValueError(
                f'the log of "{name}" must be a list with one record per epoch, such as '
                f'[{{"epoch": 1, "loss": 5.2, "NDCG@10": 0.11}}]; for several runs pass {{name: list}}.'
            )
    if len(runs) > len(CATEGORIES):
        raise ValueError(
            f"training_curves shows up to {len(CATEGORIES)} runs that an eye can tell apart, got {len(runs)}."
        )
    return runs


def _value(record: Mapping[str, float], key: str) -> float | None:
    value = record.get(key)
    return None if value is None or not math.isfinite(value) else float(value)


def _summary(runs: Mapping[str, Log], metric: str) -> str:
    if not any(runs.values()):
        return "no epoch has ended yet"
    values = {name: [v for r in records if (v := _value(r, metric)) is not None] for name, records in runs.items()}
    best = [f"{name} {max(seen):.4f}" for name, seen in values.items() if seen]
    if not best:
        return f"{metric} is not measured yet"
    # Labels at the rings of several runs would overlap where their curves meet, so their values stand here.
    return "the ring marks the best epoch" if len(runs) == 1 else f"best {metric} (ringed): {', '.join(best)}"


def _line(name: str, epochs: list, values: list, key: str, n: int, legend: bool) -> go.Scatter:
    colour = CATEGORIES[n]
    return go.Scatter(
        x=epochs, y=values, name=name, legendgroup=name, showlegend=legend,
        mode="lines+markers" if len(epochs) <= 40 else "lines",
        line={"color": colour, "width": 2, "dash": DASHES[n]},
        marker={"color": colour, "symbol": SYMBOLS[n], "size": 6},
        hovertemplate=f"{name}: {key} %{{y:.4f}}<extra></extra>",
    )  # fmt: skip


def _mark_best(figure: go.Figure, epochs: list, values: list, metric: str, n: int, alone: bool) -> None:
    measured = [(value, -i) for i, value in enumerate(values) if value is not None]
    if not measured:
        return
    value, i = max(measured)  # of equals the earliest, which is the one that early stopping keeps
    figure.add_trace(
        go.Scatter(
            x=[epochs[-i]], y=[value], mode="markers+text" if alone else "markers",
            text=[f"{value:.4f}"] if alone else None, textposition="top center",
            textfont={"color": CATEGORIES[n], "size": 12}, name="best", showlegend=False, cliponaxis=False,
            marker={"symbol": "circle-open", "size": 13, "color": CATEGORIES[n], "line": {"width": 2}},
            hovertemplate=f"best {metric} {number(value, 4)} in epoch {epochs[-i]}<extra></extra>",
        ), 1, 2,
    )  # fmt: skip


def _draw_references(figure: go.Figure, references: Mapping[str, float]) -> None:
    for name, value in references.items():
        figure.add_hline(value, line={"color": QUIET, "width": 1.5, "dash": "dot"}, row=1, col=2)
        figure.add_annotation(
            x=1, xref="x2 domain", y=value, yref="y2", text=f"{name} {value:.4f}", showarrow=False,
            xanchor="right", yanchor="bottom", font={"size": 11, "color": MUTED},
        )  # fmt: skip
