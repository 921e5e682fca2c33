"""One person's history on a real time axis: every event on its own line, the waiting between them drawn to scale."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from .template import CATEGORIES, FAINT, GAP, INK, LINE, MUTED, QUIET, SYMBOLS, new_figure
from .text import short, span

_NAMED_ROWS = 60  # beyond this many events the names would overlap; hover still has them
_GAP_SHARE = 0.03  # of the whole span: a shorter wait is hardly visible on the axis
_LEGEND = 6  # genres with their own colour; rarer ones share the quiet grey


def history_timeline(
    items: np.ndarray,
    times: np.ndarray,
    names: Sequence[str] | None = None,
    genres: Sequence[str] | None = None,
    *,
    gap: float | None = None,
    title: str = "One history",
) -> go.Figure:
    """Draw a history as a staircase: each event a step down, each wait a step to the right, long waits labelled.

    Args:
        items: item indices, "l", first event first.
        times: Unix seconds (UTC), "l", not decreasing.
        names: item index → name, as `Histories.item_names`; None writes `item 17`.
        genres: item index → genre, as `Histories.item_genres`; of `Drama|War` the first part gives the colour.
        gap: a wait of at least this many seconds is marked; by default 3 % of the time between first and last event.
        title: what stands above the figure.

    Raises:
        ValueError: an empty history, arrays of different length, times that decrease, an item without a name.
    """
    items, times = _checked(items, times, names, genres)
    labels = [names[item] if names is not None else f"item {item}" for item in items]
    kinds = [(genres[item] if genres is not None else "") or "unknown" for item in items]
    length, total = len(items), int(times[-1] - times[0])
    figure = new_figure(title, _summary(length, total), height=_height(length))
    dates = times.astype("datetime64[s]").astype("datetime64[ms]")
    rows = np.arange(1, length + 1)
    figure.add_scatter(
        x=dates, y=rows, mode="lines", name="path", showlegend=False, hoverinfo="skip",
        line={"shape": "hv", "color": LINE, "width": 1.5},
    )  # fmt: skip
    _mark_gaps(figure, times, dates, total * _GAP_SHARE if gap is None else gap)
    hover = _hover(labels, kinds, times)
    for name, colour, symbol, chosen in _groups(kinds):
        figure.add_scatter(
            x=dates[chosen], y=rows[chosen], mode="markers", name=name, hovertext=[hover[i] for i in chosen],
            hoverinfo="text", marker={"color": colour, "symbol": symbol, "size": 9 if length <= _NAMED_ROWS else 6},
        )  # fmt: skip
    _axes(figure, labels, dates, total)
    figure.update_layout(
        showlegend=len(figure.data) > 2 or set(kinds) != {"unknown"},
        legend={"y": -64 / (figure.layout.height - 132), "traceorder": "normal"},
    )
    return figure


def _checked(items: np.ndarray, times: np.ndarray, names: Sequence | None, genres: Sequence | None) -> tuple:
    items, times = np.asarray(items), np.asarray(times)
    if items.ndim != 1 or items.shape != times.shape:
        raise ValueError(f'items and times must both be "l" arrays of one length, got {items.shape} and {times.shape}.')
    if not len(items):
        raise ValueError("This history has no event, so there is nothing to draw; choose a person with at least one.")
    if items.dtype.kind not in "iu" or times.dtype.kind not in "iu":
        raise ValueError(f"items and times must hold integers (Unix seconds), got {items.dtype} and {times.dtype}.")
    if (np.diff(times) < 0).any():
        at = int(np.flatnonzero(np.diff(times) < 0)[0])
        raise ValueError(
            f"times must not decrease, but event {at + 2} is earlier than event {at + 1}; sort by time first."
        )
    for what, table in (("names", names), ("genres", genres)):
        if table is not None and (items.min() < 0 or items.max() >= len(table)):
            raise ValueError(
                f"{what} has {len(table)} entries, but the history holds item {items.max()}; "
                f"pass {what} of the same dataset."
            )
    return items, times.astype(np.int64)


def _summary(length: int, total: int) -> str:
    if length == 1:
        return "a single event, so no waiting to show"
    return f"{length} events in {span(total)}" if total else f"{length} events, all at the same second: no gaps to show"


def _height(length: int) -> int:
    return 190 + (480 if length > _NAMED_ROWS else length * (20 if length <= 30 else 15))


def _mark_gaps(figure: go.Figure, times: np.ndarray, dates: np.ndarray, threshold: float) -> None:
    """Thicken the step of each long wait and write its length above it.

    The label starts at the left end: up and to the right of a step a staircase is empty, so no label meets a marker.
    """
    long = np.flatnonzero(np.diff(times) >= max(threshold, 1)).tolist()
    if not long:
        return
    x, y = [], []
    for i in long:
        x, y = [*x, dates[i], dates[i + 1], None], [*y, i + 1, i + 1, None]
        figure.add_annotation(
            x=dates[i], y=i + 1, text=span(int(times[i + 1] - times[i])), showarrow=False, xanchor="left", xshift=7,
            yanchor="bottom", font={"size": 11, "color": MUTED},
        )  # fmt: skip
    figure.add_scatter(
        x=x, y=y, mode="lines", name=f"wait of {span(threshold)} or more", hoverinfo="skip",
        line={"color": GAP, "width": 6},
    )  # fmt: skip


def _groups(kinds: list[str]) -> list[tuple[str, str, str, list[int]]]:
    """(legend name, colour, symbol, positions) per genre, most frequent first; the rare ones together at the end."""
    first = [kind.split("|")[0].strip() for kind in kinds]
    ranked = [kind for kind, _ in Counter(first).most_common()]
    own = [kind for kind in ranked if kind != "unknown"][:_LEGEND]
    groups = [
        (kind, CATEGORIES[n], SYMBOLS[n], [i for i, other in enumerate(first) if other == kind])
        for n, kind in enumerate(own)
    ]
    rest = [i for i, kind in enumerate(first) if kind not in own]
    if rest:
        groups.append(("unknown" if set(ranked) - set(own) == {"unknown"} else "other", QUIET, "circle", rest))
    return groups


def _hover(labels: list[str], kinds: list[str], times: np.ndarray) -> list[str]:
    stamps = np.datetime_as_string(times.astype("datetime64[s]"), unit="m")
    texts = []
    for i, (label, kind, stamp) in enumerate(zip(labels, kinds, stamps, strict=True)):
        wait = f"{span(int(times[i] - times[i - 1]))} after the event before" if i else "the first event"
        texts.append(f"<b>{label}</b><br>{kind}<br>{stamp.replace('T', ' ')} UTC<br>{wait}")
    return texts


def _axes(figure: go.Figure, labels: list[str], dates: np.ndarray, total: int) -> None:
    length = len(labels)
    pad = np.timedelta64(int((total or 86400) * 25), "ms")  # 2.5 % on the left; more on the right, for the last label
    figure.update_xaxes(title_text="date (UTC)", range=[dates[0] - pad, dates[-1] + (3 * pad if total else pad)])
    figure.update_yaxes(range=[length + 0.8, 0.2], zeroline=False, gridcolor=FAINT)
    if length <= _NAMED_ROWS:
        texts = [short(label) for label in labels]
        size = 12 if length <= 30 else 10
        figure.update_yaxes(tickvals=list(range(1, length + 1)), ticktext=texts, tickfont={"color": INK, "size": size})
    else:
        figure.update_yaxes(title_text="event number")
