"""How a training went: loss and a ranking metric per epoch, for one run or several side by side."""

import math
from collections.abc import Mapping, Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from .template import CATEGORIES, DASHES, MUTED, QUIET, SYMBOLS, dress
from .text import aligned, number

Log = Sequence[Mapping[str, float]]

LOW, HIGH = " low", " high"  # behind a key of a record: the ends of its interval


def training_curves(
    log: Log | Sequence[Log] | Mapping[str, Log | Sequence[Log]],
    *,
    metric: str = "NDCG@10",
    also: Sequence[str] = (),
    references: Mapping[str, float] | None = None,
    title: str = "Training",
) -> go.Figure:
    """Draw the loss and a validation metric over epochs; a ring marks each run's best epoch.

    Intervals are bands: of a record that also has `"NDCG@10 low"` and `"NDCG@10 high"` those, of several seeds from the
    lowest to the highest around their mean.

    Args:
        log: one record per epoch, `{"epoch": 1, "loss": 5.2, "NDCG@10": 0.11}`; or a list of such lists, one per seed;
            or run name → one of the two. `epoch` may be missing (then 1, 2, …), and so may any value (then the line
            has a gap).
        metric: the key drawn on the right; higher is better.
        also: more keys, drawn below, two to a row: `"learning_rate"`, `"gradient_norm"`, `"targets_per_second"`.
        references: name → value of the metric, drawn as horizontal lines: what a baseline reaches.
        title: what stands above the figure.

    Raises:
        ValueError: a log of another form, or more runs than there are colours.
    """
    runs, seeds = _runs(log)
    keys = ["loss", metric, *also]
    rows = -(-len(keys) // 2)
    figure = make_subplots(rows, 2, horizontal_spacing=0.12, vertical_spacing=0.3 / rows)
    dress(figure, title, _summary(runs, metric, seeds), height=360 + 200 * (rows - 1))
    for n, (name, records) in enumerate(runs.items()):
        epochs = [record.get("epoch", i) for i, record in enumerate(records, 1)]
        for i, key in enumerate(keys):
            place = i // 2 + 1, i % 2 + 1
            for band in _band(name, epochs, records, key, n):
                figure.add_trace(band, *place)
            figure.add_trace(_line(name, epochs, [_value(r, key) for r in records], key, n, i == 0), *place)
        _mark_best(figure, epochs, [_value(r, metric) for r in records], metric, n, len(runs) == 1)
    _draw_references(figure, references or {})
    longest = max(len(records) for records in runs.values())
    figure.update_xaxes(title_text="epoch", tickformat="d", dtick=1 if longest <= 15 else None)
    figure.update_yaxes(title_text="loss (nats per target)", row=1, col=1)
    figure.update_yaxes(title_text=f"validation {metric}", rangemode="tozero", row=1, col=2)
    for i, key in enumerate(also, 2):
        figure.update_yaxes(title_text=key.replace("_", " "), row=i // 2 + 1, col=i % 2 + 1)
    figure.update_layout(showlegend=len(runs) > 1, legend={"y": -0.2 / rows}, hovermode="x unified")
    return figure


def training_table(log: Log | Sequence[Log] | Mapping[str, Log | Sequence[Log]], *, metric: str = "NDCG@10") -> str:
    """Write the same as text: per run its epochs, first and last loss, best metric and the epoch of it.

    Args:
        log, metric: as `training_curves`.
    """
    rows = []
    for name, records in _runs(log)[0].items():
        losses = [v for r in records if (v := _value(r, "loss")) is not None]
        best = max(((v, -i) for i, r in enumerate(records) if (v := _value(r, metric)) is not None), default=(None, 0))
        at = None if best[0] is None else int(records[-best[1]].get("epoch", 1 - best[1]))
        ends = (losses[0], losses[-1]) if losses else (None, None)
        rows.append((name, len(records), *ends, best[0], at))
    return aligned(("run", "epochs", "first loss", "last loss", f"best {metric}", "in epoch"), rows)


def _runs(log: Log | Mapping) -> tuple[dict[str, Log], int]:
    """Run name → records, with several seeds made one, and how many seeds the run with most of them has."""
    runs, most = dict(log) if isinstance(log, Mapping) else {"run": log}, 1
    for name, given in runs.items():
        is_list = isinstance(given, Sequence) and not isinstance(given, str)
        if is_list and len(given) and all(_is_log(one) for one in given):
            runs[name], most = _together(given), max(most, len(given))
        elif not _is_log(given):
            raise ValueError(
                f'the log of "{name}" must be a list with one record per epoch, such as '
                f'[{{"epoch": 1, "loss": 5.2, "NDCG@10": 0.11}}]; for several runs pass {{name: list}}.'
            )
    if len(runs) > len(CATEGORIES):
        raise ValueError(
            f"training_curves shows up to {len(CATEGORIES)} runs that an eye can tell apart, got {len(runs)}."
        )
    return runs, most


def _is_log(given: object) -> bool:
    is_list = isinstance(given, Sequence) and not isinstance(given, str)
    return is_list and all(isinstance(record, Mapping) for record in given)


def _together(logs: Sequence[Log]) -> Log:
    """Several seeds as one run: per epoch the mean of those that got so far, with the lowest and the highest."""
    epochs: dict[int, list[Mapping[str, float]]] = {}
    for log in logs:
        for i, record in enumerate(log, 1):
            epochs.setdefault(record.get("epoch", i), []).append(record)
    merged = []
    for epoch, records in sorted(epochs.items()):
        record = {"epoch": epoch}
        for key in dict.fromkeys(key for one in records for key in one if key != "epoch"):
            values = [v for one in records if (v := _value(one, key)) is not None]
            if values:
                record |= {key: sum(values) / len(values), key + LOW: min(values), key + HIGH: max(values)}
        merged.append(record)
    return merged


def _value(record: Mapping[str, float], key: str) -> float | None:
    value = record.get(key)
    known = isinstance(value, (int, float)) and math.isfinite(value)
    return float(value) if known else None


def _summary(runs: Mapping[str, Log], metric: str, seeds: int) -> str:
    if not any(runs.values()):
        return "no epoch has ended yet"
    values = {name: [v for r in records if (v := _value(r, metric)) is not None] for name, records in runs.items()}
    best = [f"{name} {max(seen):.4f}" for name, seen in values.items() if seen]
    if not best:
        return f"{metric} is not measured yet"
    # Labels at the rings of several runs would overlap where their curves meet, so their values stand here.
    text = "the ring marks the best epoch" if len(runs) == 1 else f"best {metric} (ringed): {', '.join(best[:4])}"
    text += ", …" if len(best) > 4 else ""
    if seeds > 1:
        return f"{text}; bands: lowest to highest of {seeds} seeds"
    return text + ("; bands: intervals" if any(metric + LOW in r for records in runs.values() for r in records) else "")


def _line(name: str, epochs: list, values: list, key: str, n: int, legend: bool) -> go.Scatter:
    colour = CATEGORIES[n]
    return go.Scatter(
        x=epochs, y=values, name=name, legendgroup=name, showlegend=legend,
        mode="lines+markers" if len(epochs) <= 40 else "lines",
        line={"color": colour, "width": 2, "dash": DASHES[n]},
        marker={"color": colour, "symbol": SYMBOLS[n], "size": 6},
        hovertemplate=f"{name}: {key} %{{y:.4~g}}<extra></extra>",
    )  # fmt: skip


def _band(name: str, epochs: list, records: Log, key: str, n: int) -> list[go.Scatter]:
    """The interval of one line as an area, where its records have one that is wider than nothing."""
    ends = [(e, _value(r, key + LOW), _value(r, key + HIGH)) for e, r in zip(epochs, records, strict=True)]
    ends = [(e, low, high) for e, low, high in ends if low is not None and high is not None]
    if not any(low < high for _, low, high in ends):
        return []
    around = [(e, high) for e, _, high in ends] + [(e, low) for e, low, _ in reversed(ends)]
    x, y = zip(*around, strict=True)
    return [
        go.Scatter(
            x=x, y=y, name=f"{name}, interval", legendgroup=name, showlegend=False, mode="lines", fill="toself",
            fillcolor=CATEGORIES[n], line={"width": 0, "color": CATEGORIES[n]}, opacity=0.2, hoverinfo="skip",
        )
    ]  # fmt: skip


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
