"""A filter in time and in frequency: which lags it reads, and which waves it turns up, down or shifts."""

from collections.abc import Collection, Mapping

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from .arrays import checked
from .curves import curve, named
from .template import FAINT, MUTED, dress
from .text import aligned, number

_PERIODS = (2, 3, 4, 5, 7, 10, 20)  # events per wave, on the axis of frequency
_SMALL = 1e-9  # of the largest: below it a phase is rounding


def filter_response(
    taps: np.ndarray | Mapping[str, np.ndarray],
    *,
    circular: bool | Collection[str] = (),
    title: str = "What the filter does",
) -> go.Figure:
    """Draw a filter in time (its weight on each lag) and in frequency (gain and phase over the period of a wave).

    `y[t] = Σ_s taps[t - s] x[s]`. A circular filter wraps round: its lag `l - k` is the event k steps *later*, so it is
    drawn at lag -k, in the shaded part that no causal filter reads. The period counts events per wave.

    Args:
        taps: "l", the filter's answer to a single 1, or name → "l" (lengths may differ). Real.
        circular: the names of those that wrap round; True for all.
        title: what stands above the figure.

    Raises:
        ValueError: no filter, more than seven, taps that are not "l" or not finite, or a circular name not among them.
    """
    filters = named("taps", taps, "l")
    wraps = set(filters) if circular is True else set(circular or ())
    if wraps - set(filters):
        raise ValueError(f"circular names {sorted(wraps - set(filters))}, but the filters are {list(filters)}.")
    figure = make_subplots(
        2, 2, specs=[[{"colspan": 2}, None], [{}, {}]], horizontal_spacing=0.11, vertical_spacing=0.2
    )
    dress(figure, title, _filter_summary(filters, wraps), height=560)
    for n, (name, h) in enumerate(filters.items()):
        lag, weight = _lags(h, name in wraps)
        figure.add_trace(curve(lag, weight, name, n, "lag %{x}: <b>%{y:.3g}</b>", legend=True), 1, 1)
        turns, gain, phase = _frequencies(h, name in wraps)
        for col, values, what in ((1, gain, "gain <b>%{y:.3g}</b>"), (2, phase, "phase <b>%{y:.0f}°</b>")):
            x, y = (turns, values) if col == 1 else _cut(turns, values)
            period = ["∞" if f == 0 else f"{1 / f:.3g}" for f in x]
            figure.add_trace(curve(x, y, name, n, f"period %{{text}} events: {what}").update(text=period), 2, col)
    _filter_axes(figure, filters, wraps)
    return figure


def filter_table(taps: np.ndarray | Mapping[str, np.ndarray], *, circular: bool | Collection[str] = ()) -> str:
    """Write a filter's response as text: gain and phase (degrees) of every wave that fits a whole number of times.

    Args:
        taps, circular: as `filter_response`; several filters of one length stand side by side.
    """
    filters = named("taps", taps, "l")
    length = len(next(iter(filters.values())))
    columns = []
    for name, h in filters.items():
        response = np.fft.rfft(checked("taps", h, "l", l=length))
        columns += [(f"{name} gain", np.abs(response)), (f"{name} phase", _degrees(response))]
    turns = np.arange(length // 2 + 1)
    period = ["constant" if f == 0 else f"{length / f:.3g} events" for f in turns]
    rows = zip(period, *([None if v is None or np.isnan(v) else float(v) for v in c] for _, c in columns), strict=True)
    return aligned(["period", *(name for name, _ in columns)], list(rows))


def _lags(h: np.ndarray, wraps: bool) -> tuple[np.ndarray, np.ndarray]:
    """Lags in increasing order with their weights; what wraps round half-way or further reads later events."""
    lag = np.arange(len(h))
    if not wraps:
        return lag, h
    lag = np.where(lag > len(h) // 2, lag - len(h), lag)
    order = np.argsort(lag)
    return lag[order], h[order]


def _frequencies(h: np.ndarray, wraps: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Waves per event from 0 to 1/2, gain and phase; a causal filter is seen between its own waves, too."""
    points = len(h) if wraps else max(2 * len(h), 128)
    response = np.fft.rfft(h, points)
    return np.arange(len(response)) / points, np.abs(response), _degrees(response)


def _degrees(response: np.ndarray) -> np.ndarray:
    """Phase from -180 to 180, NaN where the gain is nothing but rounding."""
    size = np.abs(response)
    phase = np.degrees(np.angle(np.where(size > 0, response, 1)))
    phase[np.abs(phase) < 1e-6] = 0.0
    turned = np.flatnonzero(np.abs(phase) > 180 - 1e-6)  # -180 and 180 are one; the sign of the neighbour draws no jump
    phase[turned] = np.copysign(180.0, np.where(turned > 0, phase[turned - 1], 1.0))
    phase[size <= _SMALL * size.max()] = np.nan
    return phase


def _cut(turns: np.ndarray, phase: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A gap where the phase leaves at one end and comes back at the other: it has not been in between."""
    jumps = np.flatnonzero(np.abs(np.diff(phase)) > 180) + 1
    return np.insert(turns, jumps, turns[jumps]), np.insert(phase, jumps, np.nan)


def _filter_axes(figure: go.Figure, filters: Mapping[str, np.ndarray], wraps: set[str]) -> None:
    longest = max(map(len, filters.values()))
    earliest = -max([(len(filters[name]) - 1) // 2 for name in wraps], default=0)
    if earliest < 0:
        figure.add_vrect(earliest - 0.6, -0.5, fillcolor=FAINT, line_width=0, layer="below", row=1, col=1)
        figure.add_annotation(
            x=earliest - 0.5, y=1, yref="y domain", text="later events", showarrow=False, xanchor="left", yanchor="top",
            font={"size": 11, "color": MUTED}, row=1, col=1,
        )  # fmt: skip
    last = max([len(h) // 2 if name in wraps else len(h) - 1 for name, h in filters.items()])
    figure.update_xaxes(title_text="lag (events back)", range=[earliest - 0.6, last + 0.6], row=1, col=1)
    figure.update_xaxes(dtick=1 if last - earliest <= 16 else None, row=1, col=1)
    figure.update_yaxes(title_text="weight", row=1, col=1)
    periods = [p for p in _PERIODS if p <= longest]
    ticks = {"tickvals": [*(1 / p for p in periods), 0], "ticktext": [*map(str, periods), "∞"]}
    for col, title in ((1, "gain"), (2, "phase (degrees)")):
        figure.update_xaxes(title_text="period (events per wave)", range=[-0.02, 0.52], row=2, col=col, **ticks)
        figure.update_yaxes(title_text=title, row=2, col=col)
    figure.update_yaxes(rangemode="tozero", row=2, col=1)
    figure.update_yaxes(range=[-190, 190], tickvals=[-180, -90, 0, 90, 180], row=2, col=2)
    figure.update_layout(showlegend=len(filters) > 1, legend={"y": -64 / (figure.layout.height - 132)})


def _filter_summary(filters: Mapping[str, np.ndarray], wraps: set[str]) -> str:
    parts = []
    for name, h in filters.items():
        turns, gain, _ = _frequencies(h, name in wraps)
        strongest = float(turns[gain.argmax()])
        wave = "the constant part" if strongest == 0 else f"period {number(1 / strongest, 2).removesuffix('.0')}"
        found = f"strongest at {wave}" if np.ptp(gain) > 1e-6 * gain.max() else "the same gain for every wave"
        parts.append(f"{name} ({'circular' if name in wraps else 'causal'}): {found}")
    return "; ".join(parts[:3]) + ("; …" if len(parts) > 3 else "")
