"""Where the item that really came next stood in the ranking: for every user, not only as one mean."""

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from .arrays import checked
from .curves import named
from .template import CATEGORIES, DASHES, FAINT, QUIET, dress
from .text import aligned

_POINTS = 160  # of the curve: more would not be seen


def rank_histogram(
    ranks: np.ndarray | Mapping[str, np.ndarray],
    n_items: int,
    *,
    k: int = 10,
    title: str = "Rank of the item that came next",
) -> go.Figure:
    """Draw how often the target had which rank, and beside it HR@K for every K at once.

    On the left each bin is twice as wide as the one before (1, 2, 3–4, 5–8, …), so they look equally wide on the
    logarithmic axis; on the right is the share of users whose target is among the first K. Guessing at random gives
    the grey line.

    Args:
        ranks: "u", 1 = best, or name → "u" (numbers of users may differ). Half ranks from ties are welcome.
        n_items: how many items were ranked.
        k: the cut-off that is marked.
        title: what stands above the figure.

    Raises:
        ValueError: a rank below 1 or above n_items, k outside 1…n_items, no rank, more than seven lines.
    """
    given = _checked(ranks, n_items, k)
    edges = _edges(n_items)
    figure = make_subplots(1, 2, horizontal_spacing=0.12)
    dress(figure, title, _summary(given, k), height=400)
    figure.add_trace(_chance(n_items), 1, 2)
    for n, (name, found) in enumerate(given.items()):
        figure.add_trace(_bins(found, edges, name, n), 1, 1)
        figure.add_trace(_hits(found, n_items, name, n), 1, 2)
    for col, first in ((1, 0.5), (2, 1.0)):
        figure.add_vrect(
            first, k + (0.5 if col == 1 else 0), fillcolor=FAINT, line_width=0, layer="below", row=1, col=col
        )
    ends = np.log10([0.5, n_items + 0.5]), np.log10([1, max(n_items, 2)])
    ticks = [10**i for i in range(len(str(n_items)))]
    for col, words in ((1, "rank"), (2, "K")):
        axis = {"type": "log", "tickvals": ticks, "ticktext": [f"{t:,}" for t in ticks]}
        figure.update_xaxes(title_text=words, range=list(ends[col - 1]), row=1, col=col, **axis)
    figure.update_yaxes(title_text="share of users", tickformat=".0%", rangemode="tozero", row=1, col=1)
    figure.update_yaxes(title_text="HR@K", tickformat=".0%", range=[0, 1.03], row=1, col=2)
    figure.update_layout(legend={"y": -0.24}, margin={"t": 84})
    return figure


def rank_table(
    ranks: np.ndarray | Mapping[str, np.ndarray], n_items: int, *, cutoffs: tuple[int, ...] = (1, 5, 10, 50)
) -> str:
    """Write ranks as text: the median, and the share of users whose target is among the first K.

    Args:
        ranks, n_items: as `rank_histogram`.
        cutoffs: the K of the columns.
    """
    rows = [
        (name, float(np.median(found)), *(f"{(found <= k).mean():.1%}" for k in cutoffs))
        for name, found in _checked(ranks, n_items, 1).items()
    ]
    return aligned(("ranking", "median rank", *(f"HR@{k}" for k in cutoffs)), rows)


def _checked(ranks: np.ndarray | Mapping[str, np.ndarray], n_items: int, k: int) -> dict[str, np.ndarray]:
    given = named("ranks", ranks if isinstance(ranks, Mapping) else checked("ranks", ranks, "u"), "u")
    if not 1 <= k <= n_items:
        raise ValueError(f"k must lie within 1…{n_items}, the number of items, got {k}.")
    for name, found in given.items():
        if found.min() < 1 or found.max() > n_items:
            raise ValueError(f'"{name}" has ranks {found.min():g}…{found.max():g}; they must lie within 1…{n_items}.')
    return given


def _edges(n_items: int) -> np.ndarray:
    """Borders half-way between whole ranks: 0.5, 1.5, 2.5, 4.5, 8.5, … and the end of the ranking."""
    powers = 2 ** np.arange(int(np.ceil(np.log2(n_items))) + 1)
    return np.concatenate([[0.5], np.minimum(powers, n_items) + 0.5])


def _bins(found: np.ndarray, edges: np.ndarray, name: str, n: int) -> go.Scatter:
    share = np.histogram(found, edges)[0] / len(found)
    low, high = np.ceil(edges[:-1]).astype(int), np.floor(edges[1:]).astype(int)
    texts = [f"rank {a}" if a == b else f"ranks {a} to {b}" for a, b in zip(low.tolist(), high.tolist(), strict=True)]
    return go.Scatter(
        x=edges.astype(np.float32), y=np.append(share, share[-1]).astype(np.float32), name=name, legendgroup=name,
        mode="lines", line={"shape": "hv", "color": CATEGORIES[n], "width": 2, "dash": DASHES[n]},
        text=[*texts, texts[-1]], hovertemplate=f"{name}, %{{text}}: <b>%{{y:.2%}}</b> of the users<extra></extra>",
    )  # fmt: skip


def _hits(found: np.ndarray, n_items: int, name: str, n: int) -> go.Scatter:
    cutoffs = _cutoffs(n_items)
    share = np.searchsorted(np.sort(found), cutoffs, side="right") / len(found)
    return go.Scatter(
        x=cutoffs, y=share.astype(np.float32), name=name, legendgroup=name, showlegend=False,
        mode="lines" if n_items > 1 else "lines+markers",
        line={"shape": "hv", "color": CATEGORIES[n], "width": 2, "dash": DASHES[n]},
        hovertemplate=f"{name}, HR@%{{x}} <b>%{{y:.2%}}</b><extra></extra>",
    )  # fmt: skip


def _chance(n_items: int) -> go.Scatter:
    cutoffs = _cutoffs(n_items)
    return go.Scatter(
        x=cutoffs, y=(cutoffs / n_items).astype(np.float32), name="guessing", mode="lines",
        line={"color": QUIET, "width": 1.5, "dash": "dot"}, hovertemplate="guessing, HR@%{x} %{y:.2%}<extra></extra>",
    )  # fmt: skip


def _cutoffs(n_items: int) -> np.ndarray:
    return np.unique(np.round(np.logspace(0, np.log10(n_items), _POINTS))).astype(np.int32)


def _summary(given: Mapping[str, np.ndarray], k: int) -> str:
    parts = [f"{name} {(found <= k).mean():.1%}" for name, found in given.items()]
    users = {len(found) for found in given.values()}
    people = "" if len(users) > 1 else f" of {min(users):,} user{'' if users == {1} else 's'}"
    return f"HR@{k} (shaded){people}: " + ", ".join(parts[:4]) + (", …" if len(parts) > 4 else "")
