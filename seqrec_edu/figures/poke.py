"""One place of a history changed: how far every output moves, before and after it, and the same for every place."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.colors import sample_colorscale

from .arrays import checked
from .poke_text import EXACT, ROUNDING, Row
from .template import BETTER, CARD, FAINT, INK, LINE, MAGNITUDE, MUTED, QUIET, WORSE, dressed

_BARS, _MAP = 300, 320  # pixels
_TOP = 0.31  # the power of ten of 2: an output that turned to its opposite
_EXACT = 4096  # changes up to which the map keeps fractions of a power
_SHARES = np.linspace(0, 1, 9)
_CIVIDIS = sample_colorscale(MAGNITUDE, _SHARES)
_SUPER = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def poke_response(
    change: np.ndarray,
    place: int,
    names: Sequence[str] | None = None,
    times: Sequence[int] | None = None,
    *,
    pads: int = 0,
    side: str = "right",
    whole: np.ndarray | None = None,
    tolerance: float = 1e-12,
    title: str = "What one changed event moves",
) -> go.Figure:
    """Draw how far each output moved when one place of the row was changed, and below it the same for every place.

    Bars on a logarithmic scale: rust for outputs before the change, which must stand still where no later event is
    read; blue from it on; grey what is rounding; a ring on the floor what is 0 to the last bit. Pads are hatched. The
    map has one row per changed place, over the same axis of outputs; the row above it is framed.

    Args:
        change: "t", how far the output at each place of the row moved, as a share of the largest output.
        place: the place changed, counted from 0 at the start of the row, pads in front included.
        names: "l", what to call each event; l + pads = t.
        times: "l", Unix seconds, for the dates on hover.
        pads: places without an event, and ``side`` "right" or "left" of the events.
        whole: "t t", the same for every changed place (rows); None leaves the map out.
        tolerance: a change up to here is rounding.
        title: what stands above the figure.

    Raises:
        ValueError: arrays whose axes disagree or are not finite, a negative change, a place outside the row.
    """
    row = Row(change, place, names, times, pads=pads, side=side, tolerance=tolerance)
    traces, layout = _bars(row), _bar_axes(row, whole is not None)
    if whole is not None:
        whole = checked("whole", whole, "s t", s=len(row.change), t=len(row.change))
        traces.append(_heat(row, whole))
        layout = {**layout, **_map_axes(row), "shapes": [*layout["shapes"], *_map_shapes(row)]}
    dress = dressed(title, row.summary, height=_BARS + 130 + (_MAP if whole is not None else 0))
    # Built at once: a slider would feel the milliseconds of an update.
    return go.Figure(data=traces, layout={**dress, **layout})


def _floor(row: Row) -> float:
    """What is drawn as the bottom, where a bar of exactly 0 would stand."""
    return 1e-6 * row.tolerance


def _bars(row: Row) -> list[go.Bar | go.Scatter]:
    moved, before, zero = row.moved, row.before, row.inside == 0
    late = f"output before event {row.poked}: reads a later event"
    groups = [(late, WORSE, moved & before), (f"output from event {row.poked} on", BETTER, moved & ~before)]
    if row.is_pad:
        groups = [("output that reads the pad", WORSE, moved)]
    groups.append((ROUNDING, QUIET, ~moved & ~zero))
    hover = "output at event <b>%{customdata}</b><br>moved by <b>%{y:.2e}</b> of the largest output<extra></extra>"
    full = row.events.labels
    traces = [
        go.Bar(
            x=row.number[which], y=row.inside[which].astype(np.float32), name=name, marker={"color": colour},
            customdata=[full[e - 1] for e in row.number[which]], hovertemplate=hover, offset=-0.4, width=0.8,
        )
        for name, colour, which in groups
    ]  # fmt: skip
    still = row.number[zero]
    size = 7 if row.length <= 60 else 4
    ring = {"symbol": "circle-open", "size": size, "color": MUTED, "line": {"width": 1.25}}
    traces.append(
        go.Scatter(
            x=still, y=np.full(len(still), _floor(row) * 3), mode="markers", name=EXACT, marker=ring,
            customdata=[full[e - 1] for e in still],
            hovertemplate="output at event <b>%{customdata}</b><br>did not move: <b>0 exactly</b><extra></extra>",
        )
    )  # fmt: skip
    return traces


def _heat(row: Row, whole: np.ndarray) -> go.Heatmap:
    """The powers of ten of all changes; two bands below the smallest stand for rounding and for 0.

    A large map keeps whole powers, in a byte each: 200 × 200 of them are 53 kB.
    """
    moved, large = whole > row.tolerance, whole.size > _EXACT
    low = min(-2, int(np.floor(np.log10(whole[moved].min())))) if moved.any() else -2
    power = np.log10(np.where(moved, whole, 1.0)).clip(low, _TOP)
    power = np.floor(power).astype(np.int8) if large else power.astype(np.float32)
    z = np.where(moved, power, np.where(whole == 0, low - 2, low - 1).astype(power.dtype))
    return go.Heatmap(
        z=z, x0=row.first, dx=1, y0=row.first, dy=1, yaxis="y2", name="every place", **_colours(low),
        hovertemplate="changing event <b>%{y}</b> moves<br>the output at event <b>%{x}</b><br>by about "
        f"10<sup>%{{z{'' if large else ':.1f'}}}</sup> ({low - 1}: {ROUNDING}, {low - 2}: {EXACT})<extra></extra>",
    )  # fmt: skip


def _colours(low: int) -> dict:
    """A scale of powers of ten from ``low`` up, with a band each for 0 and for rounding below it."""
    bottom, span = low - 2.5, _TOP - (low - 2.5)
    bands = [(0, CARD), (1, CARD), (1, LINE), (2, LINE)]
    smooth = [(2 + share * (span - 2), colour) for share, colour in zip(_SHARES, _CIVIDIS, strict=True)]
    powers = range(0, low - 1, -1 if low > -7 else -3)
    ticks = {low - 2: EXACT, low - 1: ROUNDING, **{p: f"10{str(p).translate(_SUPER)}" if p else "1" for p in powers}}
    bar = {
        "thickness": 12, "outlinewidth": 1, "outlinecolor": LINE, "ticks": "", "tickfont": {"size": 11},
        "tickvals": list(ticks), "ticktext": list(ticks.values()), "lenmode": "pixels", "len": _MAP - 30, "y": 0,
        "title": {"text": "moved by<br>\u00a0", "side": "top", "font": {"size": 12}}, "yanchor": "bottom",
    }  # fmt: skip
    scale = [[at / span, colour] for at, colour in (*bands, *smooth)]
    return {"colorscale": scale, "colorbar": bar, "zmin": bottom, "zmax": _TOP}


def _ticks(row: Row) -> dict:
    """Event numbers; the pads have a word of their own."""
    ticks = row.events.ticks()
    at = [round(place) + 1 for place in ticks["tickvals"]]
    return {"tickvals": at, "ticktext": ticks["ticktext"]}


def _bar_axes(row: Row, with_map: bool) -> dict:
    powers = [p for p in range(-30, 1, 3) if 10.0**p >= row.tolerance * 0.99]
    share = _MAP / (_MAP + _BARS + 20)
    across = {"range": [row.first - 0.7, row.last + 0.7], "showgrid": False, "zeroline": False, **_ticks(row)}
    up = {
        "type": "log", "range": [float(np.log10(_floor(row))), 0.45], "domain": [share + 0.07 if with_map else 0, 1],
        "title": {"text": "how far the output moved"}, "zeroline": False,
        "tickvals": [_floor(row) * 3, *(10.0**p for p in powers)],
        "ticktext": ["0", *("1" if p == 0 else f"10{str(p).translate(_SUPER)}" for p in powers)],
    }  # fmt: skip
    return {
        "xaxis": {"title": {"text": "output at event t"}, "anchor": "y2" if with_map else "y", **across},
        "yaxis": up,
        "barmode": "overlay",
        "bargap": 0.2,
        "margin": {"l": 70, "b": 96},
        "showlegend": True,
        "legend": {"y": -52 / (_BARS + (_MAP if with_map else 0))},
        "shapes": [*_rounding_band(row), *_pad_shapes(row, "y domain"), *_border(row)],
        "annotations": _notes(row),
    }


def _rounding_band(row: Row) -> list[dict]:
    """Everything under the tolerance is one quiet area."""
    band = {"x0": 0, "x1": 1, "xref": "x domain", "y0": _floor(row), "y1": row.tolerance, "yref": "y"}
    return [{"type": "rect", "fillcolor": FAINT, "line": {"width": 0}, "layer": "below", **band}]


def _border(row: Row) -> list[dict]:
    """Between the outputs that came before the change and those that may know of it."""
    if row.is_pad:
        return []
    at = {"x0": row.poked - 0.5, "x1": row.poked - 0.5, "y0": 0, "y1": 1, "yref": "y domain"}
    return [{"type": "line", "line": {"color": INK, "width": 1.5, "dash": "dot"}, **at}]


def _notes(row: Row) -> list[dict]:
    plain = {
        "showarrow": False,
        "font": {"size": 11, "color": MUTED},
        "yref": "y domain",
        "y": 1.0,
        "yanchor": "bottom",
    }
    notes = []
    if not row.is_pad:
        right = row.poked > 0.7 * row.last
        words = f"← past | event {row.poked} is changed" if right else f"event {row.poked} is changed | later →"
        notes.append({"x": row.poked - 0.5, "text": words, "xanchor": "right" if right else "left", **plain})
    if row.pads:
        middle = sum(row.pad_range) / 2
        word = "pads" if row.pads > 1 else "pad"
        notes.append({**plain, "x": middle, "text": word, "y": 0.5, "yanchor": "middle", "bgcolor": CARD})
    return notes


def _pad_shapes(row: Row, ref: str) -> list[dict]:
    """The places that hold no event, hatched over the height of one plot."""
    if not row.pads:
        return []
    left, right = row.pad_range
    area = {"x0": left, "x1": right, "y0": 0, "y1": 1, "yref": ref, "fillcolor": FAINT, "layer": "above"}
    lean = 0.06 * len(row.change)
    lines = []
    for start in np.arange(left - lean, right, max(0.4, lean / 3)):
        low, high = max(start, left), min(start + lean, right)
        lines.append(f"M {low:.2f} {(low - start) / lean:.3f} L {high:.2f} {(high - start) / lean:.3f}")
    hatch = {"type": "path", "path": " ".join(lines), "yref": ref, "line": {"color": LINE, "width": 0.75}}
    return [{"type": "rect", "line": {"width": 0}, **area}, hatch]


def _map_axes(row: Row) -> dict:
    share = _MAP / (_MAP + _BARS + 20)
    ticks = row.events.ticks(named=True)
    at, texts = [round(place) + 1 for place in ticks["tickvals"]], list(ticks["ticktext"])
    if row.pads:
        at, texts = [*at, sum(row.pad_range) / 2], [*texts, "pads" if row.pads > 1 else "pad"]
    down = {"tickvals": at, "ticktext": texts}
    title = None if row.events.are_named else "changed event s"
    return {
        "yaxis2": {
            "domain": [0, share], "range": [row.last + 0.5, row.first - 0.5], "anchor": "x", "showgrid": False,
            "zeroline": False, "title": {"text": title}, **down,
        }
    }  # fmt: skip


def _map_shapes(row: Row) -> list[dict]:
    """The pads, the border between past and future, and a frame round the row that the bars show."""
    ends = {"x0": 0.5, "y0": 0.5, "x1": row.length + 0.5, "y1": row.length + 0.5, "yref": "y2"}
    edge = {"type": "line", "line": {"color": QUIET, "width": 1, "dash": "dot"}, **ends}
    across = {"x0": row.first - 0.5, "x1": row.last + 0.5, "y0": row.poked - 0.5, "y1": row.poked + 0.5, "yref": "y2"}
    frame = {"type": "rect", "line": {"color": INK, "width": 1.5}, **across}
    return [edge, *_pad_shapes(row, "y2 domain"), frame]
