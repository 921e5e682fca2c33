"""What a recommender puts on top: one list as bars, two lists as a ladder whose rungs cross."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import plotly.graph_objects as go

from .template import BETTER, CATEGORIES, INK, MUTED, QUIET, WORSE, new_figure
from .text import Table, drawn

Ranked = Sequence[tuple[int, float]]  # (item, score), best first
Names = Sequence[str] | Mapping[int, str] | None  # item → name


def top_k_bars(
    names: Sequence[str],
    scores: Sequence[float],
    *,
    highlight: Collection[str] = (),
    note: str = "",
    score_name: str = "score",
    title: str | None = None,
) -> go.Figure:
    """Draw a recommendation list as horizontal bars from zero, best on top.

    Args:
        names: what to call each item, "k", best first.
        scores: "k", not increasing; probabilities or counts. A bar starts at zero, so only the ratio of scores that
            have a true zero is meaningful: turn logits into probabilities first.
        highlight: names drawn in a second colour and marked with an arrow, such as the item that really came next.
        note: what the arrow says, such as "came next".
        score_name: title of the axis, with the unit.

    Raises:
        ValueError: an empty list, lengths that differ, scores that are not finite or not sorted.
    """
    scores = _checked(names, scores)
    figure = new_figure(title or f"Top {len(names)}", height=130 + 30 * len(names))
    marked = [name in highlight for name in names]
    rows = list(range(1, len(names) + 1))
    listed = list(zip(rows, names, scores, marked, strict=True))
    figure.add_bar(
        x=scores, y=rows, orientation="h", name=score_name, hoverinfo="text", cliponaxis=False,
        text=[_written(score, scores) + (f"  ◀ {note}" if hit else "") for _, _, score, hit in listed],
        textposition="outside", textfont={"color": MUTED, "size": 12},
        marker={"color": [WORSE if hit else BETTER for hit in marked]},
        hovertext=[f"<b>{name}</b><br>rank {row}<br>{score_name} {score:.4g}" for row, name, score, _ in listed],
    )  # fmt: skip
    low, high = min(0.0, scores[-1]), max(0.0, scores[0])
    room = 0.12 + (0.02 * (len(note) + 3) if any(marked) else 0)  # for the text behind the longest bar
    figure.update_xaxes(title_text=score_name, range=[low * 1.12, high * (1 + room) or 1.0])
    texts = [f"<b>{drawn(name)}</b>" if hit else drawn(name) for _, name, _, hit in listed]
    figure.update_yaxes(
        range=[len(rows) + 0.6, 0.4], tickvals=rows, tickfont={"color": INK, "size": 12.5}, showgrid=False,
        zeroline=False, ticktext=[f"{text}  {_digits(row)}" for row, text in zip(rows, texts, strict=True)],
    )  # fmt: skip
    return figure


def _checked(names: Sequence[str], scores: Sequence[float]) -> list[float]:
    scores = [float(score) for score in scores]
    if len(names) != len(scores) or not scores:
        raise ValueError(
            f"top_k_bars needs one score for each of at least one name, got {len(names)} and {len(scores)}."
        )
    if not all(map(math.isfinite, scores)) or any(a < b for a, b in pairwise(scores)):
        raise ValueError("scores must be finite and sorted, best first; sort names and scores together.")
    return scores


def _written(score: float, scores: Sequence[float]) -> str:
    """Three significant digits, zeros kept, so that the numbers of one figure look alike; counts stay whole."""
    if all(other == round(other) for other in scores) or abs(score) >= 1000:
        return f"{score:,.0f}"
    return f"{score:#.3g}".rstrip(".")


@dataclass(frozen=True)
class RankChange:
    """One item of the first or the second list: its ranks and scores (None where the list does not hold it)."""

    item: int
    before: int | None
    after: int | None
    score_before: float | None
    score_after: float | None
    k: int

    @property
    def kind(self) -> str:
        """`same`, `up`, `down` inside the top k; `enters` or `leaves` across its edge."""
        was, now = _inside(self.before, self.k), _inside(self.after, self.k)
        if was and now:
            return "same" if self.before == self.after else ("up" if self.after < self.before else "down")
        return "enters" if now else "leaves"

    @property
    def mark(self) -> str:
        """The change in a few characters: `=`, `▲ 2`, `▼ 1`, `new`, `was 23`, `out`, `now 14`."""
        if self.kind in ("up", "down"):
            return f"{'▲' if self.kind == 'up' else '▼'} {abs(self.before - self.after)}"
        if self.kind == "enters":
            return "new" if self.before is None else f"was {self.before}"
        if self.kind == "leaves":
            return "out" if self.after is None else f"now {self.after}"
        return "="


def rank_changes(before: Ranked, after: Ranked, *, k: int = 10) -> list[RankChange]:
    """Compare two ranked lists of (item, score): every item in either top k, in the new order, leavers last.

    Raises:
        ValueError: an empty list, an item that occurs twice in one list, k below 1.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}.")
    places = []
    for which, ranked in (("before", before), ("after", after)):
        place = {int(item): (rank, float(score)) for rank, (item, score) in enumerate(ranked, 1)}
        if not place:
            raise ValueError(f'the list "{which}" is empty; a recommender must return at least one (item, score).')
        if len(place) != len(ranked):
            raise ValueError(f'the list "{which}" holds an item twice; each item has one rank.')
        places.append(place)
    first, second = places
    order = [item for item, (rank, _) in second.items() if rank <= k]
    order += [item for item, (rank, _) in first.items() if rank <= k and item not in order]
    none = (None, None)
    return [
        RankChange(item, first.get(item, none)[0], second.get(item, none)[0], first.get(item, none)[1],
                   second.get(item, none)[1], k)
        for item in order
    ]  # fmt: skip


def top_k_change(
    before: Ranked,
    after: Ranked,
    names: Names = None,
    *,
    k: int = 10,
    labels: tuple[str, str] = ("before", "after"),
    title: str | None = None,
    width: int = 30,
) -> go.Figure:
    """Draw how two top-k lists differ: names on both sides, a line from each old rank to the new one.

    Args:
        before, after: (item, score), best first. Lists longer than k tell where a newcomer came from.
        names: item index → name; None writes `item 17`.
        k: how many ranks count as the list.
        labels: what stands above the two sides.
        title: what stands above the figure.
        width: characters of a name; hover has all of it.

    Raises:
        ValueError: as `rank_changes`, or an item without a name.
    """
    changes = rank_changes(before, after, k=k)
    called = {change.item: _name(change.item, names) for change in changes}
    figure = new_figure(title or f"Top {k}: {labels[0]} and {labels[1]}", change_summary(changes), height=170 + 27 * k)
    for kind in _STYLE:
        same_kind = [change for change in changes if change.kind == kind]
        if same_kind:
            _draw_kind(figure, kind, same_kind, called, width)
    outside = any(change.kind in ("enters", "leaves") for change in changes)
    notes = [(side, 0.25, label) for side, label in enumerate(labels)]
    notes += [(side, k + 1, f"below the top {k}") for side in (0, 1) if outside]
    for side, y, label in notes:
        figure.add_annotation(
            x=side, y=y, text=label, showarrow=False, yanchor="middle", xanchor="right" if side == 0 else "left",
            xshift=-26 if side == 0 else 26, font={"size": 12, "color": MUTED},
        )  # fmt: skip
    figure.update_xaxes(range=[-1.25, 2.35], visible=False, fixedrange=True)
    figure.update_yaxes(range=[k + 1.35, -0.2], visible=False, fixedrange=True)
    figure.update_layout(showlegend=False, margin={"l": 12, "r": 12, "b": 12, "t": 76}, hovermode="closest")
    return figure


def change_summary(changes: Sequence[RankChange]) -> str:
    """Say in one sentence how much a list changed."""
    count = {kind: sum(change.kind == kind for change in changes) for kind in _STYLE}
    if count["same"] == len(changes):
        return "nothing changed"
    return ", ".join(f"{count[kind]} {word}" for kind, word in _WORDS.items() if count[kind])


def change_table(before: Ranked, after: Ranked, names: Names = None, *, k: int = 10) -> Table:
    """Write the same comparison as aligned text: rank now, rank before, change, item."""
    changes = rank_changes(before, after, k=k)
    header = ("now", "before", "change", "item")
    rows = [(str(c.after or "–"), str(c.before or "–"), c.mark, _name(c.item, names)) for c in changes]
    lines = (f"{now:>4}  {was:>6}  {mark:<7} {name}".rstrip() for now, was, mark, name in (header, *rows))
    table = Table("\n".join(lines))
    table.header, table.cells = list(header), [list(row) for row in rows]
    return table


_WORDS = {"enters": "new", "leaves": "out", "up": "up", "down": "down", "same": "in place"}

# kind → colour, width, dash of the line
_STYLE = {
    "same": (QUIET, 1.5, "solid"),
    "down": (WORSE, 2, "solid"),
    "up": (BETTER, 2, "solid"),
    "leaves": (WORSE, 1.5, "dot"),
    "enters": (CATEGORIES[0], 2.5, "dot"),
}


def _draw_kind(figure: go.Figure, kind: str, changes: list[RankChange], called: dict[int, str], letters: int) -> None:
    """Two traces for all items that changed in the same way: their lines, and the points and names at the ends.

    Points without a name get no place in the second trace: plotly.js loses labels beside empty ones when it redraws.
    """
    colour, width, dash = _STYLE[kind]
    x, y, ends = [], [], []
    for change in changes:
        for side, rank in enumerate((change.before, change.after)):
            inside = _inside(rank, change.k)
            x.append(side)
            y.append(rank if inside else change.k + 1)  # below the last rank: where the others come from and go to
            if inside:
                ends.append((side, rank, change))
        x, y = [*x, None], [*y, None]
    figure.add_scatter(
        x=x,
        y=y,
        mode="lines",
        name=_WORDS[kind],
        hoverinfo="skip",
        line={"color": colour, "width": width, "dash": dash},
    )
    figure.add_scatter(
        x=[side for side, _, _ in ends], y=[rank for _, rank, _ in ends], mode="markers+text", name=_WORDS[kind],
        text=[_label(change, drawn(called[change.item], letters), side) for side, _, change in ends],
        textposition=["middle right" if side else "middle left" for side, _, _ in ends],
        hovertext=[f"<b>{drawn(called[change.item], 200)}</b><br>{_spoken(change)}" for _, _, change in ends],
        hoverinfo="text",
        marker={"color": colour, "size": 8}, cliponaxis=False,
        textfont={"color": colour if kind in ("enters", "leaves") else INK, "size": 12},
    )  # fmt: skip


def _label(change: RankChange, name: str, side: int) -> str:
    if side == 0:
        return f"{name}  {_digits(change.before)}  "
    mark = "" if change.kind == "same" else f"   <b>{change.mark}</b>"
    return f"  {_digits(change.after)}  {name}{mark}"


def _digits(rank: int) -> str:
    """A rank as wide as two digits (padded with a figure space), so that ranks stand in a column."""
    return str(rank).rjust(2, "\u2007")


def _spoken(change: RankChange) -> str:
    def one(rank: int | None, score: float | None) -> str:
        return "not in the list" if rank is None else f"rank {rank}, score {score:.4g}"

    return f"before: {one(change.before, change.score_before)}<br>after: {one(change.after, change.score_after)}"


def _inside(rank: int | None, k: int) -> bool:
    return rank is not None and rank <= k


def _name(item: int, names: Names) -> str:
    if names is None:
        return f"item {item}"
    known = item in names if isinstance(names, Mapping) else 0 <= item < len(names)
    if not known:
        raise ValueError(
            f"names has {len(names)} entries, but a list holds item {item}; pass names of the same dataset."
        )
    return names[item]
