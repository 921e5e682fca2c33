"""One line of text per figure, rounded to be the same on every machine: nbval compares it, and an ear can read it."""

from collections.abc import Iterable

import numpy as np
import plotly.graph_objects as go

from .text import number, plain

_DATA = ("x", "y", "z", "text")
_SHOWN_TRACES = 8
_SHOWN_WORDS = 10


def digest(figure: go.Figure, *, values: bool = True) -> str:
    """Describe a figure in one line: title, traces with sizes, ranges and means, shapes, notes, axes.

    Floats carry five significant digits and always a point, integers never one, dates become days since the
    earliest date of the figure, so that the line holds no absolute date and compares with a numeric tolerance.

    Args:
        figure: any Plotly figure.
        values: False leaves out every number and word that comes from data, for a figure whose values
            differ between machines (the end of a training run); titles, kinds and counts remain.

    Raises:
        ValueError: `figure` is not a Plotly figure.
    """
    if not isinstance(figure, go.Figure):
        raise ValueError(
            f"digest expects a plotly Figure, not {type(figure).__name__}; pass what a figures function made."
        )
    layout, origin = figure.layout, _origin(figure)
    parts = [plain(layout.title.text) or "untitled figure"]
    if values and layout.title.subtitle.text:
        parts[0] += f" ({plain(layout.title.subtitle.text)})"
    parts.append(_count(len(figure.data), "trace"))
    parts += [_trace(trace, origin, values) for trace in figure.data[:_SHOWN_TRACES]]
    if len(figure.data) > _SHOWN_TRACES:
        parts.append(f"and {len(figure.data) - _SHOWN_TRACES} more")
    if values:
        parts += _marks(layout, origin)
    if figure.frames:
        parts.append(_count(len(figure.frames), "frame"))
    axes = [_axis(axis, origin, values) for axis in (*figure.select_xaxes(), *figure.select_yaxes())]
    return " | ".join(["Figure: " + parts[0], *parts[1:], *filter(None, axes)])


def _count(amount: int, noun: str) -> str:
    return f"{amount} {noun}{'' if amount == 1 else 's'}"


def _trace(trace: go.Figure, origin: np.datetime64 | None, values: bool) -> str:
    kind = trace.type if trace.type != "scatter" else (trace.mode or "lines")
    name = f' "{plain(trace.name)}"' if trace.name else ""
    if not values:
        return kind + name
    if isinstance(trace.meta, dict) and "range" in trace.meta:  # a heat map that stores its numbers in another unit
        low, high, mean = (number(value) for value in trace.meta["range"])
        return f"{kind}{name} z [{'×'.join(map(str, np.shape(trace.z)))}] {low}…{high} mean {mean}"
    seen = [(key, trace[key]) for key in _DATA if key in trace and trace[key] is not None]
    return f"{kind}{name}" + "".join(f" {key} {_array(data, origin)}" for key, data in seen)


def _array(data: Iterable, origin: np.datetime64 | None) -> str:
    if isinstance(data, str):
        return f'"{plain(data)}"'
    array = data if isinstance(data, np.ndarray) else np.array(list(data), dtype=object)
    flat = [value for value in array.ravel().tolist() if not _missing(value)]
    size = "×".join(str(n) for n in array.shape) if array.ndim > 1 else str(len(flat))
    if not flat:
        return f"[{size}]"
    dates = _dates(array if array.dtype.kind == "M" else flat)
    if dates is not None:
        return f"[{size}] day " + _range(((dates - origin) / np.timedelta64(1, "D")).tolist())
    if any(isinstance(value, str) for value in flat):
        words = ", ".join(f'"{plain(str(word))}"' for word in flat[:_SHOWN_WORDS])
        return f"[{size}] {words}{'…' if len(flat) > _SHOWN_WORDS else ''}"
    return f"[{size}] {_range(flat)}"


def _range(flat: list[float]) -> str:
    if len(flat) == 1:
        return number(flat[0])
    # The mean moves when any single value does; the range alone would not.
    return f"{number(min(flat))}…{number(max(flat))} mean {number(float(np.mean(flat)))}"


def _marks(layout: go.Layout, origin: np.datetime64 | None) -> list[str]:
    marks = []
    if layout.shapes:
        ends = [value for shape in layout.shapes for value in (shape.x0, shape.x1) if value is not None]
        marks.append(f"{_count(len(layout.shapes), 'shape')} x {_array(ends, origin)}")
    if layout.annotations:
        marks.append(
            f"{_count(len(layout.annotations), 'note')} {_array([n.text for n in layout.annotations], origin)}"
        )
    return marks


def _axis(axis: go.layout.XAxis, origin: np.datetime64 | None, values: bool) -> str:
    letter = "x" if axis.plotly_name.startswith("x") else "y"
    title = plain(axis.title.text)
    if not values or axis.range is None:
        return f'{letter} "{title}"' if title else ""
    bounds = list(axis.range)
    dates = _dates(bounds)
    if dates is not None and origin is not None:
        bounds = ((dates - origin) / np.timedelta64(1, "D")).tolist()
    unit = "day " if dates is not None else ""
    return f'{letter} "{title}" {unit}{number(float(bounds[0]))} to {number(float(bounds[1]))}'


def _missing(value: object) -> bool:
    return value is None or value == "" or (isinstance(value, float) and np.isnan(value))


def _dates(values: Iterable) -> np.ndarray | None:
    """Values as datetime64, or None when they are not dates; a string counts as a date only in full ISO form."""
    values = values if isinstance(values, np.ndarray) else list(values)
    if isinstance(values, np.ndarray) and values.dtype.kind == "M":
        return values.astype("datetime64[ms]").ravel()
    for value in values:
        iso = isinstance(value, str) and len(value) >= 10 and value[4:5] == "-" and value[7:8] == "-"
        if not (iso or hasattr(value, "isoformat") or isinstance(value, np.datetime64)):
            return None
    try:
        return np.array([np.datetime64(value, "ms") for value in values])
    except ValueError:
        return None


def _origin(figure: go.Figure) -> np.datetime64 | None:
    """The earliest date anywhere in the traces; days are counted from it."""
    found = []
    for trace in figure.data:
        for key in ("x", "y"):
            data = trace[key] if key in trace else None  # noqa: SIM401 - a trace has no .get
            if data is None or isinstance(data, str):
                continue
            dates = _dates(data if isinstance(data, np.ndarray) else [v for v in data if not _missing(v)])
            if dates is not None and len(dates):
                found.append(dates.min())
    return min(found) if found else None
