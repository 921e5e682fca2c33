"""The log of a training: reading values off it, and the lines and bands that draw it."""

import math
from collections.abc import Mapping, Sequence

from .template import CATEGORIES, DASHES, SYMBOLS

Log = Sequence[Mapping[str, float]]

LOW, HIGH = " low", " high"  # behind a key of a record: the ends of its interval, or of 90 % of what it sums up
LOWER, UPPER = " q25", " q75"  # the same of the middle half
STEP_SIZE = "dt "  # before the path of a layer
_MARKED = 40  # epochs up to which each has its own marker


def value(record: Mapping[str, float], key: str) -> float | None:
    """A number of a record; None where there is none, or none that is finite."""
    found = record.get(key)
    known = isinstance(found, (int, float)) and not isinstance(found, bool) and math.isfinite(found)
    return float(found) if known else None


def values(log: Log, key: str) -> list[float | None]:
    """One key over all records; records without the number of their epoch count from 1."""
    if key == "epoch":
        return [record.get(key, i) for i, record in enumerate(log, 1)]
    return [value(record, key) for record in log]


def best(log: Log, metric: str) -> int | None:
    """Place of the record with the highest value; of equals the earliest, which is the one early stopping keeps."""
    measured = [(found, -i) for i, found in enumerate(values(log, metric)) if found is not None]
    return -max(measured)[1] if measured else None


def first_at(log: Log, metric: str, level: float) -> int | None:
    """Place of the first record whose value is at least ``level``; nothing is read in between two records."""
    return next((i for i, found in enumerate(values(log, metric)) if found is not None and found >= level), None)


def layers(log: Log) -> list[str]:
    """Paths of the layers whose step sizes are in the log, in its order."""
    keys = dict.fromkeys(key for record in log for key in record if key.startswith(STEP_SIZE))
    return [key.removeprefix(STEP_SIZE) for key in keys if not key.endswith((LOW, HIGH, LOWER, UPPER))]


def step_key(log: Log, layer: int) -> str:
    """Key of the step sizes of one layer, from 1, in the order of the log; of a layer there is not it finds nothing."""
    found = layers(log)
    return STEP_SIZE + (found[layer - 1] if 1 <= layer <= len(found) else "")


def smoothed(given: Sequence[float | None], weight: float) -> list[float | None]:
    """Exponential moving average, y_t = Σ_s w^(t-s) x_s / Σ_s w^(t-s) over measured s ≤ t; gaps stay gaps.

    The division keeps the first values from being pulled towards zero. ``weight`` 0 gives the values themselves.
    """
    total = norm = 0.0
    out = []
    for each in given:
        if each is not None:
            total, norm = weight * total + each, weight * norm + 1.0
        out.append(None if each is None else total / norm)
    return out


def line(name: str, x: Sequence, y: Sequence, key: str, n: int, legend: bool, **style: object) -> dict:
    """Line `n` of a figure as a Plotly trace, with its colour, dash and marker; `style` overrides."""
    colour = CATEGORIES[n]
    given = {
        "type": "scatter", "x": x, "y": y, "name": name, "legendgroup": name, "showlegend": legend,
        "mode": "lines+markers" if len(x) <= _MARKED else "lines",
        "line": {"color": colour, "width": 2, "dash": DASHES[n]},
        "marker": {"color": colour, "symbol": SYMBOLS[n], "size": 6},
        "hovertemplate": f"{name}: {key} %{{y:.4~g}}<extra></extra>",
    }  # fmt: skip
    return {**given, **style}


def band(
    name: str, x: Sequence, log: Log, key: str, n: int, *, ends: tuple[str, str] = (LOW, HIGH), **style: object
) -> list[dict]:
    """The area between two ends of one line, where its records have them and they are apart."""
    found = [(at, value(r, key + ends[0]), value(r, key + ends[1])) for at, r in zip(x, log, strict=True)]
    found = [(at, low, high) for at, low, high in found if None not in (at, low, high)]
    if not any(low < high for _, low, high in found):
        return []
    around = [(at, high) for at, _, high in found] + [(at, low) for at, low, _ in reversed(found)]
    across, up = zip(*around, strict=True)
    given = {
        "type": "scatter", "x": across, "y": up, "name": f"{name}, interval", "legendgroup": name, "showlegend": False,
        "mode": "lines", "fill": "toself", "fillcolor": CATEGORIES[n], "line": {"width": 0, "color": CATEGORIES[n]},
        "opacity": 0.2, "hoverinfo": "skip",
    }  # fmt: skip
    return [{**given, **style}]
