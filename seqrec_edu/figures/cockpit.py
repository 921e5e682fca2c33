"""A training as its pilot sees it: what it learns, how hard it pulls, how long its steps are, and how fast it goes."""

from collections.abc import Mapping, Sequence
from functools import cache

import plotly.graph_objects as go
import plotly.io as pio

from .cockpit_layout import ACROSS, PARTS, UNITS, Places, axes_of, headings, height, on, places_of, scale
from .log import LOWER, UPPER, Log, band, best, first_at, line, smoothed, step_key, values
from .template import CATEGORIES, QUIET, dressed
from .text import number


def cockpit(
    runs: Mapping[str, Log],
    *,
    parts: Sequence[str] = PARTS,
    metric: str = "NDCG@10",
    across: str = "epochs",
    layer: int = 1,
    smoothing: float = 0.0,
    log_scale: bool = False,
    level: float | None = None,
    stopped: Sequence[str] = (),
    clip: float | None = None,
    trails: Mapping[str, Log] | None = None,
    title: str = "Training cockpit",
) -> go.Figure:
    """Draw up to seven trainings in small multiples over a common axis; what was not recorded is said in its place.

    Loss; a validation metric with its interval, a ring where the weights were kept and a cross where patience ended;
    gradient norm before clipping, median within least and greatest of an epoch; step sizes Δ of one layer, median
    within the middle 50 and 90 %; events per second on the wall, thin: of processor time; learning rate.

    Args:
        runs: name → records per epoch with the keys that `training.Callback` lists, behind them " low" and " high" (of
            step sizes also " q25", " q75"); none has to be there.
        parts: which of `PARTS`, in this order; one alone is drawn large.
        metric: key of the quality; higher is better.
        across: "epochs", "steps", "seconds" or "events".
        layer: whose step sizes, from 1.
        smoothing: weight of the past in a moving average of the lines, in [0, 1); the values stay as faint dots.
        log_scale: all parts in log scale, not only gradient and step sizes.
        level: of the metric; a diamond marks the first validation that reached it.
        stopped: runs that patience ended.
        clip: gradient norm above which steps were shortened.
        trails: name → records of single steps, drawn thin behind loss and gradient.
        title: what stands above the figure.

    Raises:
        ValueError: more runs than an eye can tell apart; a part, an axis or a smoothing there is not.
    """
    _check(runs, parts, across, smoothing)
    key, places = ACROSS[across][0], places_of(parts)
    traces: list[dict] = []
    for n, (name, log) in enumerate(runs.items()):
        for part in parts:
            x = values(log, key)
            drawn = _trail(part, name, (trails or {}).get(name, ()), key, n)
            drawn += _lines(part, name, x, log, n, metric, layer, smoothing)
            if part == "quality":
                drawn += _marks(name, x, log, n, metric, level, name in stopped)
            traces += [{**trace, **on(places[part])} for trace in drawn]
    _legend(traces, len(runs) > 1)
    empty = _empty(traces, places, runs, across)
    traces += [{"type": "scatter", "x": [None], "y": [None], "showlegend": False, **on(places[part])} for part in empty]
    words = _subtitle(runs, parts, metric, level, stopped) + _left_out(traces, runs, parts)
    layout = (
        dressed(title, words, height=height(parts, runs))
        | axes_of(places, runs, across)
        | {"shapes": _levels(places, level, clip), "template": _template()}
    )
    for part, (_, y) in places.items():
        drawn = [trace for trace in traces if trace["yaxis"] == y]
        unit = {"title": {"text": metric if part == "quality" else UNITS[part]}}
        layout["yaxis" + y[1:]] |= unit | ({"visible": False} if part in empty else scale(part, log_scale, drawn))
    layout["annotations"] = headings(places, layer, empty)
    # At once, as every later change costs milliseconds; and unchecked, as checking takes two thirds of a redraw. A test
    # has it checked.
    return go.Figure({"data": traces, "layout": layout}, _validate=False)


@cache
def _template() -> dict:
    """Ours by value: its name means nothing to plotly.js, and only a check would put the one in place of the other."""
    return pio.templates["seqrec"].to_plotly_json()


# --- one part ----------------------------------------------------------------------------------------------------


def _lines(
    part: str, name: str, x: Sequence, log: Log, n: int, metric: str, layer: int, smoothing: float
) -> list[dict]:
    """Bands and lines of one run in one part."""
    dt = step_key(log, layer)
    key = {"quality": metric, "gradient": "gradient_norm", "step size": dt, "speed": "events_per_second"}.get(part)
    key = key or part.replace(" ", "_")
    y = values(log, key)
    if not any(a is not None and b is not None for a, b in zip(x, y, strict=True)):
        return []
    drawn = band(name, x, log, key, n, opacity=0.14)
    if part == "step size":
        drawn += band(name, x, log, key, n, ends=(LOWER, UPPER), opacity=0.24)
    if part == "speed":
        cpu = values(log, "events_per_cpu_second")
        drawn.append(_thin(name, x, cpu, n, "events per second of processor time", opacity=0.75))
    if smoothing > 0 and part != "learning rate":
        drawn.append(line(name, x, y, key, n, False, mode="markers", opacity=0.35, hoverinfo="skip", hovertemplate=""))
        return [*drawn, line(name, x, smoothed(y, smoothing), f"{key}, smoothed", n, False, mode="lines")]
    return [*drawn, line(name, x, y, _spoken(part, key), n, False)]


def _spoken(part: str, key: str) -> str:
    words = {"step size": "median Δ", "gradient": "median norm", "speed": "events per second"}
    return words.get(part, key.replace("_", " "))


def _thin(name: str, x: Sequence, y: Sequence, n: int, what: str, *, opacity: float, **more: object) -> dict:
    style = {"mode": "lines", "line": {"color": CATEGORIES[n], "width": 1}, "opacity": opacity}
    return line(name, x, y, what, n, False, **style, **more)


def _trail(part: str, name: str, steps: Log, key: str, n: int) -> list[dict]:
    """Single steps, while a run is watched."""
    what = {"loss": "loss", "gradient": "gradient_norm"}.get(part)
    if what is None or not steps:
        return []
    return [
        _thin(name, values(steps, key), values(steps, what), n, "", opacity=0.4, hoverinfo="skip", hovertemplate="")
    ]


def _marks(name: str, x: Sequence, log: Log, n: int, metric: str, level: float | None, stopped: bool) -> list[dict]:
    """A ring where the weights were kept, a diamond where the level was reached, a cross where patience ended."""
    found = values(log, metric)
    kept = best(log, "NDCG@10")  # what `fit` selects by, whatever metric is looked at
    kept = best(log, metric) if kept is None else kept
    ends = [i for i, each in enumerate(found) if each is not None]
    places = [("kept", kept, "circle-open"), ("stopped", ends[-1] if stopped and ends else None, "x-thin")]
    places.append(("reached", None if level is None else first_at(log, metric, level), "diamond-open"))
    marks = []
    for what, at, symbol in places:
        if at is not None and x[at] is not None and found[at] is not None:
            marker = {
                "symbol": symbol,
                "size": 14,
                "color": CATEGORIES[n],
                "line": {"width": 2, "color": CATEGORIES[n]},
            }
            hover = f"{name}, {what}: {number(found[at], 4)}<extra></extra>"
            marks.append({
                "type": "scatter", "x": [x[at]], "y": [found[at]], "mode": "markers", "marker": marker,
                "hovertemplate": hover, "cliponaxis": False, "name": f"{name}, {what}", "legendgroup": name,
                "showlegend": False,
            })  # fmt: skip
    return marks


# --- around them ---------------------------------------------------------------------------------------------------


def _empty(traces: Sequence[dict], places: Places, runs: Mapping[str, Log], across: str) -> dict[str, str]:
    """Part → why nothing is drawn in it."""
    filled = {trace["yaxis"] for trace in traces}
    key = ACROSS[across][0]
    known = any(at is not None for log in runs.values() for at in values(log, key))
    why = (
        ("not recorded" if known else f"{across} were not recorded") if any(runs.values()) else "no epoch has ended yet"
    )
    return {part: why for part, (_, y) in places.items() if y not in filled}


def _levels(places: Places, level: float | None, clip: float | None) -> list[dict]:
    """Horizontal lines: the level to be reached, and where gradients are clipped."""
    wanted = {"quality": level, "gradient": clip}
    return [
        {"type": "line", "xref": f"{places[part][0]} domain", "x0": 0, "x1": 1, "yref": places[part][1], "y0": at,
         "y1": at, "line": {"color": QUIET, "width": 1.5, "dash": "dot"}}
        for part, at in wanted.items() if part in places and at is not None
    ]  # fmt: skip


def _legend(traces: Sequence[dict], wanted: bool) -> None:
    """Name every run once, at the first thick line of it."""
    seen: set[str] = set()
    for trace in traces:
        if wanted and trace["name"] not in seen and trace["mode"] != "markers" and trace["line"]["width"] == 2:
            seen.add(trace["name"])
            trace["showlegend"] = True


def _subtitle(
    runs: Mapping[str, Log], parts: Sequence[str], metric: str, level: float | None, stopped: Sequence[str]
) -> str:
    if not any(runs.values()):
        return "no epoch has ended yet"
    said = [] if "quality" not in parts else ["○ weights kept"]
    if said and level is not None:
        said.append(f"◇ {metric} of {number(level, 3)} reached")
    if said and stopped:
        said.append("× patience used up")
    return "   ".join(said)


def _left_out(traces: Sequence[dict], runs: Mapping[str, Log], parts: Sequence[str]) -> str:
    """Of one part alone the runs that have nothing in it: in small multiples a gap is seen, and its run elsewhere."""
    drawn = {trace.get("legendgroup") for trace in traces}
    missing = [name for name in runs if name not in drawn]
    return f"   without {', '.join(missing)}: not recorded" if missing and drawn - {None} and len(parts) == 1 else ""


def _check(runs: Mapping[str, Log], parts: Sequence[str], across: str, smoothing: float) -> None:
    if len(runs) > len(CATEGORIES):
        raise ValueError(f"the cockpit shows up to {len(CATEGORIES)} runs that an eye can tell apart, got {len(runs)}")
    for name in parts or [""]:
        if name not in PARTS:
            raise ValueError(f"there is no part {name!r}; there are {', '.join(PARTS)}")
    if across not in ACROSS:
        raise ValueError(f"across must be {', '.join(ACROSS)}, got {across!r}")
    if not 0 <= smoothing < 1:
        raise ValueError(f"smoothing must lie in [0, 1), got {smoothing!r}")
