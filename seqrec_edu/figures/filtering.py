"""A history before and after a filter, and the gain of a filter at every period beside what the history holds there."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from .arrays import checked
from .events import Events
from .template import CATEGORIES, FAINT, INK, LINE, QUIET, dress
from .text import Table, aligned, number

CIRCULAR, CAUSAL = "circular", "causal"
_LINES = {CAUSAL: (CATEGORIES[0], "solid"), CIRCULAR: (CATEGORIES[1], "dash")}
_PERIODS = (2, 3, 4, 5, 7, 10, 14, 20, 30, 50, 100, 200, 500, 1000)  # events per wave, where ticks may stand
_MARKED = 60  # events up to which each has a marker
_ROOM = 1.35  # steps of a logarithmic axis between two ticks at least, as a ratio


def filtered_signal(
    before: np.ndarray,
    after: Mapping[str, np.ndarray],
    gain: np.ndarray,
    power: np.ndarray | None = None,
    names: Sequence[str] | None = None,
    times: Sequence[int] | None = None,
    *,
    places: int | None = None,
    shown: Sequence[str] = (CAUSAL, CIRCULAR),
    what: str = "signal",
    title: str = "Before and after the filter",
) -> go.Figure:
    """Draw a signal before and after a filter, and below it the gain at every period.

    What the circular output has from later events is shaded: the area between it and the causal one.

    Args:
        before: "n".
        after: "circular" and "causal" → "n".
        gain: "f", from the constant part to the shortest wave.
        power: "f", the share of the signal's variation that each wave holds.
        names, times: "n", for hover.
        places: events of the circle that the waves fit; None: n.
        shown: which of the two outputs are drawn.
        what: what is filtered, for the axis.
        title: what stands above the figure.

    Raises:
        ValueError: axes that disagree, numbers that are not finite, an output of another name.
    """
    before, after, gain, power, places = _checked(before, after, gain, power, places)
    if set(shown) - {CIRCULAR, CAUSAL}:
        raise ValueError(f"shown may hold {CIRCULAR!r} and {CAUSAL!r}, got {list(shown)}.")
    events = Events(len(before), names, times)
    traces = [_signal("before", before, events, QUIET, "solid", 1.5)]
    leaks = CIRCULAR in shown and _leak(after) > 0
    if leaks:
        traces += _shade(after)
    traces += [_signal(name, after[name], events, *_LINES[name], 2) for name in (CAUSAL, CIRCULAR) if name in shown]
    traces += [] if power is None else [_power_trace("share of the signal", power, places, "x2", "y3")]
    traces += _gain_traces({"gain": gain}, places, "x2", "y2", legend=False)
    place = {"title": {"text": "event"}, "range": [0.4, len(before) + 0.6], "tickformat": "d", "showgrid": False,
             "dtick": 1 if len(before) <= 16 else None, "anchor": "y"}  # fmt: skip
    low = [0.0, 0.34]
    layout = {
        "xaxis": place, "yaxis": {"title": {"text": what}, "domain": [0.5, 1.0]},
        "xaxis2": _period_axis(places, anchor="y2"), "yaxis2": _gain_axis(low, anchor="x2"),
        "legend": {"y": 1.01, "yanchor": "bottom"}, "margin": {"t": 104},
    }  # fmt: skip
    if power is not None:  # below the gain, so that its area hides no line
        layout["yaxis3"] = _share_axis("signal", power, low, side="right", showgrid=False, anchor="x2")
        layout["yaxis2"] |= {"overlaying": "y3", "tickmode": "auto", "side": "left"}
        layout["xaxis2"]["anchor"] = "y3"
    found = _leak_summary(after) if CIRCULAR in shown else "each output reads this event and earlier ones"
    return dress(go.Figure(traces, layout), title, found, height=580)


def filtered_table(before: np.ndarray, after: Mapping[str, np.ndarray], names: Sequence[str] | None = None) -> Table:
    """Write the same as text: every event before and after, and what the circular output has from later events.

    Args:
        before, after, names: as `filtered_signal`.
    """
    before = checked("before", before, "n")
    circular, causal = (checked(name, after[name], "n", n=len(before)) for name in (CIRCULAR, CAUSAL))
    events = Events(len(before), names)
    rows = [
        (events.called(i), float(x), float(y), float(z), float(y - z))
        for i, (x, y, z) in enumerate(zip(before, circular, causal, strict=True))
    ]
    return aligned(("event", "before", CIRCULAR, CAUSAL, "from later events"), rows)


def kept_periods(
    gains: np.ndarray,
    first: np.ndarray | None = None,
    power: np.ndarray | None = None,
    *,
    places: int,
    title: str = "Which periods the filter kept",
) -> go.Figure:
    """Draw the gain of a trained filter at every period, averaged over channels, with four fifths of them around it.

    Args:
        gains: "f d", not negative.
        first: "f d", the gains before training.
        power: "f", the share of one history's variation that each wave holds.
        places: events of the circle that the waves fit.
        title: what stands above the figure.

    Raises:
        ValueError: axes that disagree, numbers that are negative or not finite.
    """
    gains, first, power = _checked_gains(gains, first, power, places)
    x = _turns(places)
    low, high = np.quantile(gains, (0.1, 0.9), axis=1)
    spread = {"x": x, "mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "legendgroup": "spread"}
    traces: list[Any] = [
        {**spread, "y": _small(low), "showlegend": False, "name": "tenth of the channels"},
        {**spread, "y": _small(high), "fill": "tonexty", "fillcolor": LINE, "name": "four fifths of the channels"},
    ]
    lines = {"after training" if first is not None else "mean over channels": gains.mean(1)}
    if first is not None:
        lines["before training"] = first.mean(1)
    traces += _gain_traces(lines, places, "x", "y", legend=True)
    layout = {"xaxis": _period_axis(places, anchor="y"), "yaxis": _gain_axis([0.0, 1.0], anchor="x")}
    if power is not None:
        traces.append(_power_trace("share of the history", power, places, "x2", "y2"))
        layout["yaxis"]["domain"] = [0.46, 1.0]
        del layout["xaxis"]["title"]  # the plot below has it
        layout |= {
            "xaxis2": _period_axis(places, anchor="y2"),
            "yaxis2": _share_axis("history", power, [0.0, 0.34], anchor="x2"),
        }
    layout |= {"legend": {"y": 1.01, "yanchor": "bottom"}, "margin": {"t": 104}}
    found = _kept_summary(gains.mean(1), first, places)
    return dress(go.Figure(traces, layout), title, found, height=440 if power is None else 580)


def kept_table(
    gains: np.ndarray, first: np.ndarray | None = None, power: np.ndarray | None = None, *, places: int
) -> Table:
    """Write the same as text: of every wave the mean gain, four fifths of the channels, and what else is given.

    Args:
        gains, first, power, places: as `kept_periods`.
    """
    gains, first, power = _checked_gains(gains, first, power, places)
    low, high = np.quantile(gains, (0.1, 0.9), axis=1)
    columns = [("gain", gains.mean(1)), ("lowest tenth below", low), ("highest tenth above", high)]
    columns += [] if first is None else [("before training", first.mean(1))]
    columns += [] if power is None else [("share of this history", power)]
    rows = [(_period(places, f), *(float(values[f]) for _, values in columns)) for f in range(len(gains))]
    return aligned(("period", *(name for name, _ in columns)), rows)


# --- the parts -------------------------------------------------------------------------------------------------------


def _signal(name: str, values: np.ndarray, events: Events, colour: str, dash: str, width: float) -> dict:
    few = len(values) <= _MARKED
    return {
        "type": "scatter", "x": np.arange(1, len(values) + 1), "y": _small(values), "name": name,
        "mode": "lines+markers" if few else "lines", "line": {"color": colour, "width": width, "dash": dash},
        "marker": {"color": colour, "size": 5}, "customdata": events.labels,
        "hovertemplate": f"event %{{customdata}}<br>{name} <b>%{{y:.3~g}}</b><extra></extra>",
    }  # fmt: skip


def _shade(after: Mapping[str, np.ndarray]) -> list[dict]:
    """The area between the two outputs, from a line that is not seen to another."""
    unseen = {"type": "scatter", "x": np.arange(1, len(after[CAUSAL]) + 1), "mode": "lines", "line": {"width": 0},
              "hoverinfo": "skip", "legendgroup": "later"}  # fmt: skip
    return [
        {**unseen, "y": _small(after[CAUSAL]), "showlegend": False, "name": "edge of the shade"},
        {**unseen, "y": _small(after[CIRCULAR]), "fill": "tonexty", "fillcolor": LINE, "name": "from later events"},
    ]


def _gain_traces(lines: Mapping[str, np.ndarray], places: int, x: str, y: str, *, legend: bool) -> list[dict]:
    on = {"type": "scatter", "x": _turns(places), "xaxis": x, "yaxis": y, "text": _periods(places)}
    mode = "lines+markers" if places // 2 < _MARKED else "lines"
    colours = ((INK, "solid"), (CATEGORIES[1], "dash"))
    return [
        {**on, "y": _small(values), "mode": mode, "name": name, "showlegend": legend,
         "line": {"color": colour, "width": 2, "dash": dash}, "marker": {"color": colour, "size": 5},
         "hovertemplate": f"%{{text}}: {name} <b>%{{y:.3~g}}</b><extra></extra>"}
        for (name, values), (colour, dash) in zip(lines.items(), colours, strict=False)
    ]  # fmt: skip


def _power_trace(name: str, power: np.ndarray, places: int, x: str, y: str) -> dict:
    return {
        "type": "scatter", "x": _turns(places), "y": _small(100 * power), "xaxis": x, "yaxis": y, "mode": "lines",
        "fill": "tozeroy", "fillcolor": FAINT, "line": {"color": QUIET, "width": 1}, "name": name,
        "text": _periods(places), "showlegend": False,
        "hovertemplate": "%{text}: <b>%{y:.3~g} %</b> of the variation<extra></extra>",
    }  # fmt: skip


def _period_axis(places: int, *, anchor: str) -> dict:
    """Logarithmic, the longest period on the left, ticks at whole periods as long as there is room."""
    texts = {0: "∞"}
    for period in sorted({p for p in _PERIODS if p < 0.75 * places} | {places}, reverse=True):
        last = max(texts)
        if period >= 2 and (last == 0 or places / period >= _ROOM * last):
            texts[places / period] = str(period)
    return {
        "title": {"text": "period (events per wave)"}, "type": "log", "showgrid": False, "anchor": anchor,
        "tickvals": [max(f, 0.5) / places for f in texts], "ticktext": list(texts.values()),
        "range": [np.log10(0.45 / places), np.log10(0.53)],
    }  # fmt: skip


def _gain_axis(domain: list[float], **more: Any) -> dict:
    return {"title": {"text": "gain"}, "rangemode": "tozero", "domain": domain, **more}


def _share_axis(of: str, power: np.ndarray, domain: list[float], **more: Any) -> dict:
    top = max(105 * float(power.max()), 1.0)
    return {"title": {"text": f"share of {of} (%)"}, "range": [0, top], "nticks": 4, "domain": domain, **more}


def _turns(places: int) -> np.ndarray:
    """Waves per event; the constant part, which a logarithmic axis has no place for, stands an octave before."""
    return (np.maximum(np.arange(places // 2 + 1), 0.5) / places).astype(np.float32)


def _period(places: int, f: int) -> str:
    return "constant part" if f == 0 else f"period {number(places / f, 3).removesuffix('.0')}"


def _periods(places: int) -> list[str]:
    return [_period(places, f) for f in range(places // 2 + 1)]


def _small(values: np.ndarray) -> np.ndarray:
    return np.asarray(values, np.float32)


def _leak(after: Mapping[str, np.ndarray]) -> float:
    """Largest part from later events, as a share of the largest output; zero where it is rounding."""
    later, top = np.abs(after[CIRCULAR] - after[CAUSAL]).max(), max(np.abs(v).max() for v in after.values())
    return float(later / top) if later > 1e-9 * top else 0.0


def _leak_summary(after: Mapping[str, np.ndarray]) -> str:
    share = _leak(after)
    if not share:
        return "the circular output takes nothing from later events here"
    at = int(np.abs(after[CIRCULAR] - after[CAUSAL]).argmax()) + 1
    return f"shaded: from later events, most at event {at} ({share:.0%} of the largest output)"


def _kept_summary(mean: np.ndarray, first: np.ndarray | None, places: int) -> str:
    f = int(mean.argmax())
    found = (
        f"strongest at {'the ' * (f == 0)}{_period(places, f)}"
        if np.ptp(mean) > 1e-6 * mean.max()
        else "the same for every wave"
    )
    grown = "" if first is None else f"; {number(mean.mean() / first.mean(), 2)} times the gain it started with"
    return f"{found}{grown}"


def _checked(before, after, gain, power, places):
    before = checked("before", before, "n")
    if set(after) != {CIRCULAR, CAUSAL}:
        raise ValueError(f"after must hold {CIRCULAR!r} and {CAUSAL!r}, got {sorted(after)}.")
    after = {name: checked(name, values, "n", n=len(before)) for name, values in after.items()}
    places = len(before) if places is None else places
    gain = checked("gain", gain, "f", f=places // 2 + 1)
    power = None if power is None else checked("power", power, "f", f=len(gain))
    return before, after, gain, power, places


def _checked_gains(gains, first, power, places):
    gains = checked("gains", gains, "f d", f=places // 2 + 1)
    first = None if first is None else checked("first", first, "f d", f=len(gains))
    power = None if power is None else checked("power", power, "f", f=len(gains))
    for name, values in (("gains", gains), ("first", first), ("power", power)):
        if values is not None and values.min() < 0:
            raise ValueError(f"{name} holds {values.min():.3g}; a gain or share is never negative (take the size).")
    return gains, first, power
