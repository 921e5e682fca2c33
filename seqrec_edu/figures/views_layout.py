"""Where everything stands in the figure of the five views: five small pictures in a row, work and equality below."""

import math
from collections.abc import Mapping

import numpy as np

from .template import INK, MUTED

VIEWS = ("recurrence", "sum", "matrix", "chunks", "kernel")
_HIGH, _TOP, _BOTTOM, _SMALL = 584, 134, 54, 132  # pixels: the figure, its margins, a small picture
_INNER = _HIGH - _TOP - _BOTTOM
_GAP = 0.036
_WIDE = (1 - 4 * _GAP) / 5
# As narrow as a page beside a column of controls leaves it, some 560 pixels, names and words must not meet.
_BARS, _LADDER, _LOW = (0.138, 0.5), (0.755, 1.0), (0.0, 1 - (_SMALL + 84) / _INNER)
_BARE = {"showgrid": False, "zeroline": False, "showticklabels": False}


def heading(title: str, subtitle: str) -> dict:
    """Title, size and template. In a dict, which makes a figure at once: updating one costs ten times as long."""
    return {
        "template": "seqrec", "height": _HIGH, "margin": {"t": _TOP, "b": _BOTTOM, "l": 34}, "barmode": "stack",
        "bargap": 0.35, "title": {"text": f"<b>{title}</b>", "subtitle": {"text": subtitle}},
    }  # fmt: skip


def merged(*layouts: dict) -> dict:
    """Layouts as one, their notes behind each other."""
    notes = [note for layout in layouts for note in layout.get("annotations", ())]
    return {key: value for layout in layouts for key, value in layout.items()} | {"annotations": notes}


def smalls(
    state: tuple[int, int],
    weights: np.ndarray,
    length: int,
    chunk: int,
    kernel: tuple[str, int] | None,
    moments: Mapping[str, tuple[int, int, int]],
) -> dict:
    """Axes and titles of the row of five."""
    n, p = state
    down = {**_BARE, "range": [length + 0.5, 0.5]}
    low, high = min(0.0, float(weights.min())), max(0.0, float(weights.max()))
    room, end = 0.16 * (high - low) or 1.0, high if high >= -low else low
    height = {
        **_BARE, "range": [low - room * (end == low), high + room * (end == high)], "zeroline": True,
        "showticklabels": True, "tickvals": [end], "ticktext": [f"{end:.2g}"], "ticklabelstandoff": 0,
        "ticklabelposition": "inside top" if end == high else "inside bottom", "tickfont": {"size": 10, "color": MUTED},
    }  # fmt: skip
    axes = [
        (_ends(0, p - 1, "one channel" if p == 1 else "head width p"), {**_BARE, "title": f"state n = {n}"}),
        (_ends(1, length, "past event s"), height),
        (_ends(1, length, "reads event s"), down),
        (_ends(1, length, f"chunks of {chunk}"), down),
        (_ends(1, length, "event"), {**_BARE, "range": [0, 1]}),
    ]
    layout, notes = {}, []
    for place, (view, (across, up)) in enumerate(zip(VIEWS, axes, strict=True)):
        left = place * (_WIDE + _GAP)
        layout |= _axis(place + 1, across, up, (left, left + _WIDE), (1 - _SMALL / _INNER, 1.0))
        held = f"holds {moments[view][2]:,}" if view in moments else "\u00a0"
        notes.append(_note(f"<b>{view}</b><br>{held}", left + _WIDE / 2, 1, "center", lift=4))
    if kernel is not None:
        name, together = kernel
        said = f"<b>{name}</b><br>{'event by event' if together == 1 else f'{together} events at once'}"
        notes.append({**_note(said, left + _WIDE / 2, 1 - 0.33 * _SMALL / _INNER, "center"), "yanchor": "middle"})
    return layout | {"annotations": notes}


def _ends(first: int, last: int, title: str) -> dict:
    """An axis that names its two ends only."""
    return {
        **_BARE, "range": [first - 0.5, last + 0.5], "showticklabels": True, "tickangle": 0, "title": title,
        "tickfont": {"size": 11}, "tickvals": sorted({first, last}),
        "ticktext": [str(at + 1 - first) for at in sorted({first, last})],
    }  # fmt: skip


def bars(moments: Mapping[str, tuple[int, int, int]], timed: bool) -> dict:
    """Axes of the work; on its right there is room for the words at the bars."""
    top = max((work for _, work, _ in moments.values()), default=1)
    every = 10.0 ** math.floor(math.log10(top))
    every *= 1 if top < 2 * every else 2 if top < 4 * every else 4
    across = {
        "title": "multiply-adds", "range": [0, 2.5 * top], "tickvals": np.arange(0, top * 1.01, every).tolist(),
        "tickformat": "~s", "tickangle": 0,
    }  # fmt: skip
    up = {
        "showgrid": False, "autorange": "reversed", "type": "category", "tickfont": {"color": INK, "size": 12},
        "tickvals": [view for view in VIEWS if view in moments],
    }  # fmt: skip
    note = _note(f"<b>work</b>, done and to do{'; ms here' if timed else ''}", 0, _LOW[1], "left", lift=6)
    return _axis(6, across, up, _BARS, _LOW) | {"annotations": [note]}


def ladder(differences: Mapping[tuple[str, str], float], tolerance: float) -> dict:
    """Axes of the differences, and the tolerance as a line; pairs without any difference stand at the left end."""
    low, high = lowest(differences, tolerance), max([*differences.values(), tolerance]) * 5
    powers = range(math.ceil(math.log10(low * 3)), math.floor(math.log10(high)) + 1)
    powers = powers[:: max(1, math.ceil(len(powers) / 5))]
    names = [f"{a} {'=' if value <= tolerance else '≠'} {b}" for (a, b), value in differences.items()]
    exact = [low] if not all(differences.values()) else []
    across = {
        "title": "share of the largest output", "type": "log", "range": [math.log10(low) - 0.3, math.log10(high)],
        "tickvals": [*exact, *(10.0**power for power in powers)],
        "ticktext": [*("0" for _ in exact), *(f"10<sup>{power}</sup>" for power in powers)],
    }  # fmt: skip
    up = {
        "range": [len(names) + 0.6, 0.4], "tickvals": list(range(1, len(names) + 1)), "ticktext": names,
        "zeroline": False, "tickfont": {"color": INK, "size": 11},
    }  # fmt: skip
    line = {"type": "line", "xref": "x7", "yref": "y7 domain", "x0": tolerance, "x1": tolerance, "y0": 0, "y1": 1}
    said, far = f"tolerance {tolerance:.2g}", math.log10(tolerance / low) > 0.5 * math.log10(high / low)
    bar = {**_note(said, math.log10(tolerance), _LOW[1], "right" if far else "center"), "xref": "x7"}
    notes = [
        _note("<b>largest difference</b>", _LADDER[0] - 0.21, _LOW[1], "left", lift=6),
        bar | {"xshift": 24 if far else 0},
    ]
    return _axis(7, across, up, _LADDER, _LOW) | {
        "annotations": notes,
        "shapes": [{**line, "line": {"color": INK, "width": 1.5, "dash": "dash"}}],
    }


def lowest(differences: Mapping[tuple[str, str], float], tolerance: float) -> float:
    """Left end of the axis of differences."""
    return min([*(value for value in differences.values() if value > 0), tolerance]) / 10


def _axis(number: int, across: dict, up: dict, x: tuple[float, float], y: tuple[float, float]) -> dict:
    n = "" if number == 1 else str(number)
    small = {"font": {"size": 11}, "standoff": 6}
    titled = [{**axis, "title": {"text": axis["title"], **small}} if "title" in axis else axis for axis in (across, up)]
    return {
        f"xaxis{n}": {"anchor": f"y{n}", "domain": x, "automargin": False, **titled[0]},
        f"yaxis{n}": {"anchor": f"x{n}", "domain": y, "automargin": False, **titled[1]},
    }


def _note(text: str, x: float, y: float, side: str, *, lift: int = 0) -> dict:
    return {
        "text": text, "x": x, "y": y, "xref": "paper", "yref": "paper", "xanchor": side, "yanchor": "bottom",
        "yshift": lift, "showarrow": False, "align": side, "font": {"size": 12, "color": MUTED},
    }  # fmt: skip
