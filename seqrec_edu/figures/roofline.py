"""How far a kernel is from what its machine can do: operations per byte against operations per second."""

import math
from collections.abc import Collection, Mapping

import plotly.graph_objects as go

from .template import CATEGORIES, DASHES, INK, MUTED, QUIET, SYMBOLS, new_figure
from .text import aligned, number

COLOURS = CATEGORIES[:-1]  # the last one is nearly as dark as the ink of ours


def roofline(
    points: Mapping[str, tuple[float, float]],
    peak: float | Mapping[str, float],
    bandwidth: float | Mapping[str, float],
    *,
    ours: Collection[str] = (),
    title: str = "Roofline",
) -> go.Figure:
    """Draw kernels under the roof of a machine: `rate ≤ min(peak, intensity · bandwidth)`.

    Left of the ridge a kernel waits for memory, right of it for arithmetic.

    Args:
        points: kernel → (intensity in operations per byte moved, rate in operations per second).
        peak: operations per second, or name → that (for instance per number format).
        bandwidth: bytes per second, or name → that (for instance cache and memory).
        ours: kernels drawn dark and larger.
        title: what stands above the figure.

    Raises:
        ValueError: no kernel, a number that is not finite and above zero, a name in `ours` that is no kernel.
    """
    peaks, widths = _ceilings("peak", peak), _ceilings("bandwidth", bandwidth)
    _check(points, ours)
    figure = new_figure(title, _summary(points, ours, peaks, widths), height=470 + 12 * len(points))
    x = [value for value, _ in points.values()]
    ridge = max(peaks.values()) / min(widths.values())
    left, right = min(*x, ridge) / 4, max(*x, ridge) * 6
    for n, (name, rate) in enumerate(peaks.items()):
        start = rate / max(widths.values())
        figure.add_trace(_roof([start, right], [rate, rate], f"{name}: {_si(rate)}op/s", n))
        _note(figure, right, rate, f"{name}, {_si(rate)}op/s", "right")
    for n, (name, width) in enumerate(widths.items()):
        end = max(peaks.values()) / width
        figure.add_trace(_roof([left, end], [left * width, max(peaks.values())], f"{name}: {_si(width)}B/s", n))
        _note(figure, left, left * width, f"{name}, {_si(width)}B/s", "left")
    for n, (name, (intensity, rate)) in enumerate(points.items()):
        figure.add_trace(_point(name, intensity, rate, n, name in ours, _share(intensity, rate, peaks, widths)))
    rates = [*peaks.values(), *(rate for _, rate in points.values()), left * min(widths.values())]
    ticks = [10.0**i for i in range(math.floor(math.log10(min(rates))), math.ceil(math.log10(max(rates))) + 1)]
    figure.update_xaxes(
        title_text="operations per byte", type="log", dtick=1, range=[math.log10(left), math.log10(right)]
    )
    figure.update_yaxes(
        title_text="operations per second", type="log", tickvals=ticks, ticktext=[_si(t) for t in ticks]
    )
    figure.update_yaxes(range=[math.log10(min(rates)) - 0.2, math.log10(max(rates)) + 0.35])
    figure.update_layout(legend={"orientation": "v", "y": -0.16, "traceorder": "normal"})
    return figure


def roofline_table(
    points: Mapping[str, tuple[float, float]], peak: float | Mapping[str, float], bandwidth: float | Mapping[str, float]
) -> str:
    """Write the same as text: kernel, intensity, rate, what bounds it, share of that bound.

    Args:
        points, peak, bandwidth: as `roofline`; of several ceilings the highest counts.
    """
    peaks, widths = _ceilings("peak", peak), _ceilings("bandwidth", bandwidth)
    _check(points, ())
    rows = []
    for name, (intensity, rate) in points.items():
        bound = "memory" if intensity < max(peaks.values()) / max(widths.values()) else "arithmetic"
        rows.append((name, intensity, f"{_si(rate)}op/s", bound, f"{_share(intensity, rate, peaks, widths):.0%}"))
    return aligned(("kernel", "operations per byte", "rate", "bound by", "of the bound"), rows)


def _ceilings(what: str, given: float | Mapping[str, float]) -> dict[str, float]:
    found = dict(given) if isinstance(given, Mapping) else {"memory" if what == "bandwidth" else "arithmetic": given}
    for name, value in found.items():
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f'{what} "{name}" must be finite and above zero, got {value}.')
    if not found:
        raise ValueError(f"roofline needs at least one {what}.")
    return found


def _check(points: Mapping[str, tuple[float, float]], ours: Collection[str]) -> None:
    if not points:
        raise ValueError("roofline needs at least one kernel, got none.")
    if set(ours) - set(points):
        raise ValueError(f"ours names {sorted(set(ours) - set(points))}, but the kernels are {list(points)}.")
    for name, values in points.items():
        if len(values) != 2 or not all(math.isfinite(v) and v > 0 for v in values):
            raise ValueError(
                f'"{name}" must be (operations per byte, operations per second), both above zero, got {values}.'
            )


def _share(intensity: float, rate: float, peaks: Mapping[str, float], widths: Mapping[str, float]) -> float:
    return rate / min(max(peaks.values()), intensity * max(widths.values()))


def _roof(x: list[float], y: list[float], name: str, n: int) -> go.Scatter:
    return go.Scatter(
        x=x, y=y, mode="lines", name=name, showlegend=False, hoverinfo="name",
        line={"color": INK if n == 0 else QUIET, "width": 2, "dash": DASHES[n % len(DASHES)]},
    )  # fmt: skip


def _note(figure: go.Figure, x: float, y: float, text: str, side: str) -> None:
    """What a roof is: above its right end, or below its rising left end."""
    above = side == "right"
    figure.add_annotation(
        x=math.log10(x), y=math.log10(y), text=text, showarrow=False, xanchor=side,
        yanchor="bottom" if above else "top", xshift=0 if above else 14, font={"size": 11, "color": MUTED},
    )  # fmt: skip


def _point(name: str, intensity: float, rate: float, n: int, thick: bool, share: float) -> go.Scatter:
    return go.Scatter(
        x=[intensity], y=[rate], mode="markers", name=f"{name} ({share:.0%} of the roof)",
        marker={"color": INK if thick else COLOURS[n % len(COLOURS)], "symbol": SYMBOLS[n % len(SYMBOLS)],
                "size": 14 if thick else 10},
        hovertemplate=f"<b>{name}</b><br>%{{x:.3~g}} operations per byte<br>"
        f"%{{y:.3~s}}op/s, {share:.0%} of the roof<extra></extra>",
    )  # fmt: skip


def _si(value: float) -> str:
    """`3.35 T`: three digits and the prefix of a thousand."""
    power = min(max(int(math.log10(value) // 3), 0), 5)
    return f"{number(value / 1000**power, 3).removesuffix('.0')} {['', 'k', 'M', 'G', 'T', 'P'][power]}"


def _summary(points: Mapping, ours: Collection[str], peaks: Mapping[str, float], widths: Mapping[str, float]) -> str:
    ridge = max(peaks.values()) / max(widths.values())
    text = f"left of {number(ridge, 3).removesuffix('.0')} operations per byte memory decides, right of it arithmetic"
    shares = [_share(*points[name], peaks, widths) for name in points if name in ours]
    return text + (
        f"; ours (dark) reach {min(shares):.0%}" + (f" to {max(shares):.0%}" if len(shares) > 1 else "")
        if shares
        else ""
    )
