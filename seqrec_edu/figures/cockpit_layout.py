"""Where the parts of the cockpit stand, their axes and what is written above them."""

from collections.abc import Mapping, Sequence

from .log import Log
from .template import MUTED

PARTS = ("loss", "quality", "gradient", "step size", "speed", "learning rate")
ACROSS = {
    "epochs": ("epoch", "epoch"),
    "steps": ("steps", "training steps"),
    "seconds": ("seconds", "seconds of training and validation"),
    "events": ("events", "events read"),
}  # name → key of a record, title of the axis
UNITS = {
    "loss": "nats per target", "gradient": "norm", "step size": "Δ", "speed": "events/s", "learning rate": "per step"
}  # fmt: skip
_ALWAYS_LOG = ("gradient", "step size")  # they run over decades
_ROW, _GAP, _ALONE, _TOP, _BOTTOM, _LEGEND, _LEFT = 160, 66, 300, 104, 52, 24, 78  # pixels
_RIGHT, _WIDE = 0.56, 0.44  # where the second column begins, and how wide each is, as shares of the width

Places = Mapping[str, tuple[str, str]]  # part → names of its axes


def places_of(parts: Sequence[str]) -> Places:
    """Axes for the parts, in their order."""
    ends = ["" if i == 0 else str(i + 1) for i in range(len(parts))]
    return {part: (f"x{end}", f"y{end}") for part, end in zip(parts, ends, strict=True)}


def on(axes: tuple[str, str]) -> dict[str, str]:
    """What puts a trace on these axes."""
    return dict(zip(("xaxis", "yaxis"), axes, strict=True))


def _inner(parts: Sequence[str]) -> int:
    """Pixels from the top of the first part to the foot of the last."""
    rows = -(-len(parts) // 2)
    return _ALONE if len(parts) == 1 else rows * _ROW + (rows - 1) * _GAP


def _bottom(runs: Mapping[str, Log]) -> int:
    return _BOTTOM + (_LEGEND * -(-len(runs) // 3) if len(runs) > 1 else 0)


def height(parts: Sequence[str], runs: Mapping[str, Log]) -> int:
    """Pixels of the figure: rows of parts, and lines of the legend where there are several runs."""
    return _TOP + _inner(parts) + _bottom(runs)


def axes_of(places: Places, runs: Mapping[str, Log], across: str) -> dict:
    """Axes of every part, margins and legend."""
    parts, inner, alone = list(places), _inner(list(places)), len(places) == 1
    epochs = max(map(len, runs.values()), default=0)
    layout: dict = {
        "margin": {"t": _TOP, "b": _bottom(runs), "l": _LEFT, "r": 20}, "hovermode": "x unified",
        "legend": {"yref": "container", "y": 0.0, "yanchor": "bottom"},
    }  # fmt: skip
    for i, (x, y) in enumerate(places.values()):
        row, right = divmod(i, 2)
        top = 1 - row * (_ROW + _GAP) / inner
        lowest = i + 2 >= len(parts)  # nothing below it in its column
        # Room for titles and numbers is in the margins: where an axis may ask for more, all six are drawn twice.
        layout["xaxis" + x[1:]] = {
            "automargin": False,
            "domain": [0, 1] if alone else [_RIGHT * right, _RIGHT * right + _WIDE], "anchor": y,
            "title": {"text": ACROSS[across][1] if lowest else ""}, "nticks": 8, "hoverformat": "~g",
            "tickformat": "~s" if across == "events" else "", **({"matches": "x"} if i else {}),
            "dtick": 1 if across == "epochs" and epochs <= 8 else None,
        }  # fmt: skip
        layout["yaxis" + y[1:]] = {
            "domain": [0, 1] if len(parts) <= 2 else [max(0.0, top - _ROW / inner), top], "anchor": x, "nticks": 6,
            "automargin": False,
        }  # fmt: skip
    return layout


def scale(part: str, log_scale: bool, traces: Sequence[dict]) -> dict:
    """Range and ticks of a part's y axis, after what is drawn in it."""
    if not log_scale and part not in _ALWAYS_LOG:
        rate = part == "speed"
        return {"rangemode": "tozero" if rate or part == "quality" else "normal", "tickformat": "~s" if rate else "~g"}
    found = [y for trace in traces for y in trace["y"] if y is not None and y > 0]
    wide = bool(found) and max(found) > 100 * min(found)  # powers of ten then; below that also 2 and 5 of each
    return {"type": "log", "tickformat": "~s" if part == "speed" else "~g", "nticks": 0, "dtick": 1 if wide else "D2"}


def headings(places: Places, layer: int, empty: Mapping[str, str]) -> list[dict]:
    """What each part shows, above it, and in it why it is empty."""
    words = {
        "loss": "<b>Loss</b>",
        "quality": "<b>Validation</b>, 95 % interval",
        "gradient": "<b>Gradient norm</b>, least to greatest",
        "step size": f"<b>Step size Δ, layer {layer}</b>, 50 and 90 %",
        "speed": "<b>Speed</b>, thin: of processor time",
        "learning rate": "<b>Learning rate</b>",
    }
    notes = []
    for part, (x, y) in places.items():
        common = {"xref": f"{x} domain", "yref": f"{y} domain", "showarrow": False, "font": {"size": 12}}
        notes.append({**common, "x": 0, "y": 1, "yshift": 4, "xanchor": "left", "yanchor": "bottom",
                      "text": words[part]})  # fmt: skip
        if part in empty:
            notes.append({**common, "x": 0.5, "y": 0.5, "text": empty[part], "font": {"size": 12, "color": MUTED}})
    return notes
