"""The mixing matrix of a block as a picture: which event each output is made of, for one head or for all."""

import math
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from .arrays import checked, compact, pooled
from .events import Events
from .heat import above_diagonal, colour_axis, diagonal, future, heat_trace, plane
from .template import MUTED, dress, new_figure
from .text import aligned, number

MOST = 200  # cells along a side of one matrix
_MOST_IN_ALL = 40_000  # cells of all heads together: 107 kB
_COLUMNS = 4
_HOVER = "output at event <b>%{y}</b><br>reads event <b>%{x}</b><br>with weight <b>{value}</b>"


def mixing_heatmap(
    matrix: np.ndarray,
    names: Sequence[str] | None = None,
    times: Sequence[int] | None = None,
    *,
    causal: bool | None = None,
    tolerance: float = 1e-6,
    weight: str = "weight",
    title: str = "Mixing matrix",
) -> go.Figure:
    """Draw `M` of `y = M v`: row t is the output at event t, column s says how much of event s is in it.

    Magnitudes run through cividis from 0; a matrix with negative entries is drawn around a quiet 0, from blue to rust.
    Where nothing above the diagonal is read, that triangle is hatched. Beyond 200 events one cell stands for a block
    of events and shows its entry of largest magnitude.

    Args:
        matrix: "l l", outputs × inputs, of one head or channel.
        names: "l", what to call each event.
        times: "l", Unix seconds, for the dates on hover.
        causal: what the block claims. True draws a rust border where it reads the future after all; False never
            hatches; None reports what is found.
        tolerance: an entry above the diagonal counts as zero up to this share of the largest; a Fourier transform
            leaves rounding there.
        weight: title of the colour bar.
        title: what stands above the figure.

    Raises:
        ValueError: a matrix that is not square or not finite, names or times of another length.
    """
    matrix = checked("matrix", matrix, "l l")
    length = len(matrix)
    Events(length, names, times)
    drawn, step = pooled(matrix, MOST)
    events, cells = Events(length, names, times, step=step), len(drawn)
    leaks = above_diagonal(matrix, tolerance)
    figure = new_figure(title, _summary(matrix, leaks, causal, step), height=_height(length, names))
    trace = heat_trace(drawn, events.labels, events.labels, _HOVER)
    figure.add_trace(trace)
    across = {"title_text": "reads event s", **events.ticks()}
    down = {"title_text": None if events.are_named else "output at event t", **events.ticks(named=True)}
    return figure.update_layout(
        coloraxis=colour_axis(drawn, trace.meta["unit"], title=weight),
        shapes=_marks(cells, leaks, causal),
        **plane(cells, across=across, down=down),
    )


def heads_grid(
    matrices: np.ndarray,
    names: Sequence[str] | None = None,
    times: Sequence[int] | None = None,
    *,
    heads: Sequence[str] | None = None,
    tolerance: float = 1e-6,
    weight: str = "weight",
    title: str = "Mixing matrix of each head",
) -> go.Figure:
    """Draw the mixing matrices of all heads as small multiples that share one colour scale.

    Args:
        matrices: "h l l", heads × outputs × inputs. Up to 16.
        names, times, tolerance, weight, title: as `mixing_heatmap`.
        heads: "h", what to call each; None numbers them from 1.

    Raises:
        ValueError: as `mixing_heatmap`, more than 16 heads, or `heads` of another length.
    """
    matrices = checked("matrices", matrices, "h l l")
    count, length = matrices.shape[0], matrices.shape[-1]
    called = _head_names(heads, count)
    Events(length, names, times)
    drawn, step = pooled(matrices, int(math.sqrt(_MOST_IN_ALL / count)))
    events, cells = Events(length, names, times, step=step), drawn.shape[-1]
    columns = count if count <= _COLUMNS else math.ceil(count / math.ceil(count / _COLUMNS))
    rows = math.ceil(count / columns)
    figure = make_subplots(
        rows, columns, subplot_titles=called, horizontal_spacing=0.035, vertical_spacing=min(0.2, 0.16 / rows + 0.04)
    )
    high = round((640 if length > 1 else 320) / columns)
    kind = ("head", "heads") if heads is None else ("matrix", "matrices")
    dress(figure, title, _grid_summary(matrices, tolerance, step, kind), height=int(150 + rows * (high + 34)))
    _, unit = compact(drawn)  # one unit for all, so that they can share one scale
    layout, shapes = {}, []
    for n, (head, name) in enumerate(zip(drawn, called, strict=True)):
        trace = heat_trace(head, events.labels, events.labels, f"{name}: {_HOVER}", unit=unit)
        figure.add_trace(trace.update(name=name), n // columns + 1, n % columns + 1)
        shapes += _marks(cells, above_diagonal(matrices[n], tolerance), None, n + 1)
        first, last = n % columns == 0, n + columns >= count
        across = {"title_text": "reads event s" if last else None, **events.ticks(most=5)}
        down = {"title_text": "output t" if first else None, "showticklabels": first, **events.ticks(most=5)}
        layout |= plane(cells, n + 1, across=across, down=down)
    for n in range(count, rows * columns):
        layout |= {f"xaxis{n + 1}": {"visible": False}, f"yaxis{n + 1}": {"visible": False}}
    figure.update_annotations(font={"size": 12.5, "color": MUTED})
    colours = colour_axis(drawn, unit, title=weight)
    return figure.update_layout(coloraxis=colours, margin={"t": 108}, shapes=shapes, **layout)


def mixing_table(matrix: np.ndarray, names: Sequence[str] | None = None, *, k: int = 3) -> str:
    """Write a mixing matrix as text: each output with the k events it reads most, and their weights.

    Args:
        matrix: "l l", outputs × inputs.
        names: "l", what to call each event.
        k: events per output.
    """
    matrix = checked("matrix", matrix, "l l")
    events = Events(len(matrix), names)
    rows = []
    for t, row in enumerate(matrix):
        strongest = [s for s in np.argsort(-np.abs(row), kind="stable")[:k] if row[s] != 0]
        reads = ", ".join(f"{events.called(s)} ({number(row[s], 3)})" for s in strongest)
        rows.append((events.called(t), reads or "nothing"))
    return aligned(("output at", f"reads most (up to {k})"), rows)


def _head_names(heads: Sequence[str] | None, count: int) -> list[str]:
    if count > 16:
        raise ValueError(f'matrices "h l l" has {count} heads; up to 16 can be told apart: choose some of them.')
    if heads is not None and len(heads) != count:
        raise ValueError(f'heads must be "h", one name per head: {count} are expected, got {len(heads)}.')
    return [str(head) for head in heads] if heads is not None else [f"head {n + 1}" for n in range(count)]


def _height(length: int, names: Sequence[str] | None) -> int:
    return 150 + (230 if length == 1 else 420 if names is not None and length <= 24 else 470)


def _marks(cells: int, leaks: np.ndarray, causal: bool | None, plot: int = 1) -> list[dict]:
    shade = future(cells, plot) if causal is not False and not leaks.any() else []
    return shade + diagonal(cells, plot, alarm=bool(causal and leaks.any()))


def _summary(matrix: np.ndarray, leaks: np.ndarray, causal: bool | None, step: int) -> str:
    found, length = int(leaks.sum()), len(matrix)
    blocks = f"; one cell is {step} × {step} events, its strongest weight" if step > 1 else ""
    if length == 1:
        return "a single event, which can only read itself"
    if not found:
        return f"no output reads a later event (hatched){blocks}" if causal is not False else f"{length} events{blocks}"
    largest = number(float(np.abs(np.triu(matrix, 1)).max()), 3)
    share = f"{found} of {length * (length - 1) // 2} weights on later events are not zero, the largest is {largest}"
    return f"{'<b>claims to be causal, but</b> ' if causal else ''}{share}{blocks}"


def _grid_summary(matrices: np.ndarray, tolerance: float, step: int, kind: tuple[str, str]) -> str:
    reading = sum(bool(above_diagonal(each, tolerance).any()) for each in matrices)
    blocks = f"; one cell is {step} × {step} events, its strongest weight" if step > 1 else ""
    if matrices.shape[-1] == 1:
        return "a single event, which can only read itself"
    if not reading:
        return f"no {kind[0]} reads a later event (hatched){blocks}"
    verb = "reads" if reading == 1 else "read"
    which = f"every {kind[0]} reads" if reading == len(matrices) else f"{reading} of {len(matrices)} {kind[1]} {verb}"
    return f"{which} later events{blocks}"
