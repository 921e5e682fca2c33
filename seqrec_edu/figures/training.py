"""How a training went: loss and a ranking metric per epoch, for one run or several side by side."""

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from .log import HIGH, LOW, Log, band, best, line, value, values
from .template import CATEGORIES, MUTED, QUIET, dress
from .text import aligned, number


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
        epochs = values(records, "epoch")
        for i, key in enumerate(keys):
            place = i // 2 + 1, i % 2 + 1
            for area in band(name, epochs, records, key, n):
                figure.add_trace(go.Scatter(area), *place)
            curve = line(name, epochs, values(records, key), key, n, i == 0)
            figure.add_trace(go.Scatter(curve), *place)
        _mark_best(figure, records, metric, n, len(runs) == 1)
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
        losses = [loss for loss in values(records, "loss") if loss is not None]
        at = best(records, metric)
        top = (None, None) if at is None else (value(records[at], metric), int(values(records, "epoch")[at]))
        ends = (losses[0], losses[-1]) if losses else (None, None)
        rows.append((name, len(records), *ends, *top))
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
        # What a single seed says of its own uncertainty gives way to what the seeds say together.
        keys = (key for one in records for key in one if key != "epoch" and not key.endswith((LOW, HIGH)))
        for key in dict.fromkeys(keys):
            found = [v for v in values(records, key) if v is not None]
            if found:
                record |= {key: sum(found) / len(found), key + LOW: min(found), key + HIGH: max(found)}
        merged.append(record)
    return merged


def _summary(runs: Mapping[str, Log], metric: str, seeds: int) -> str:
    if not any(runs.values()):
        return "no epoch has ended yet"
    found = {name: [v for v in values(records, metric) if v is not None] for name, records in runs.items()}
    tops = [f"{name} {max(seen):.4f}" for name, seen in found.items() if seen]
    if not tops:
        return f"{metric} is not measured yet"
    # Labels at the rings of several runs would overlap where their curves meet, so their values stand here.
    text = "the ring marks the best epoch" if len(runs) == 1 else f"best {metric} (ringed): {', '.join(tops[:4])}"
    text += ", …" if len(tops) > 4 else ""
    if seeds > 1:
        return f"{text}; bands: lowest to highest of {seeds} seeds"
    return text + ("; bands: intervals" if any(metric + LOW in r for records in runs.values() for r in records) else "")


def _mark_best(figure: go.Figure, records: Log, metric: str, n: int, alone: bool) -> None:
    at = best(records, metric)
    if at is None:
        return
    epoch, top = values(records, "epoch")[at], value(records[at], metric)
    figure.add_trace(
        go.Scatter(
            x=[epoch], y=[top], mode="markers+text" if alone else "markers",
            text=[f"{top:.4f}"] if alone else None, textposition="top center",
            textfont={"color": CATEGORIES[n], "size": 12}, name="best", showlegend=False, cliponaxis=False,
            marker={"symbol": "circle-open", "size": 13, "color": CATEGORIES[n], "line": {"width": 2}},
            hovertemplate=f"best {metric} {number(top, 4)} in epoch {epoch}<extra></extra>",
        ), 1, 2,
    )  # fmt: skip


def _draw_references(figure: go.Figure, references: Mapping[str, float]) -> None:
    for name, level in references.items():
        figure.add_hline(level, line={"color": QUIET, "width": 1.5, "dash": "dot"}, row=1, col=2)
        figure.add_annotation(
            x=1, xref="x2 domain", y=level, yref="y2", text=f"{name} {level:.4f}", showarrow=False,
            xanchor="right", yanchor="bottom", font={"size": 11, "color": MUTED},
        )  # fmt: skip
