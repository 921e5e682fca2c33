"""What the state theatre draws on: a widget that plays one head of one history, and the arrays that it is sent."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import plotly.graph_objects as go
import traitlets
from plotly.colors import sequential

from seqrec_edu import lens
from seqrec_edu.data.person import Person
from seqrec_edu.figures import template
from seqrec_edu.figures.arrays import pooled
from seqrec_edu.figures.dark import dark
from seqrec_edu.figures.ranking import RankChange
from seqrec_edu.figures.text import short

_HERE = Path(__file__).parent
_CELLS = 24_000  # of all states together: a byte each
_NAME = 40  # characters of an item's name
_UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))


class Stage(anywidget.AnyWidget):
    """One history, the states of one head and a list, drawn and played in the browser from plain arrays.

    Traits:
        scene: names, times, step sizes, the list: what `scene` below makes and theatre.js reads.
        frames: int8 "l n p", the states in units of ``scene["unit_of_state"]``.
        left, was: uint16, the lower triangle of "l l" row by row, in 65535ths: what is left of each event, now, and
            before anything was moved; nothing where nothing is.
        moved: event, counted from 0 in its first order → seconds by which the reader moved it.
    """

    _esm = "".join((_HERE / name).read_text(encoding="utf-8") for name in ("strokes.js", "stage.js", "theatre.js"))
    _css = _HERE / "theatre.css"
    scene = traitlets.Dict().tag(sync=True)
    frames = traitlets.Bytes().tag(sync=True)
    left = traitlets.Bytes().tag(sync=True)
    was = traitlets.Bytes().tag(sync=True)
    moved = traitlets.Dict().tag(sync=True)
    revision = traitlets.Int().tag(sync=True)

    def draw(self, scene: dict[str, Any], frames: bytes, left: bytes, was: bytes) -> None:
        """Show another scene."""
        with self.hold_sync():  # one message: the revision tells the browser that all of it has come
            self.scene, self.frames, self.left, self.was = scene, frames, left, was
            self.revision += 1


@dataclass(frozen=True)
class Play:
    """One history in one head: who, which event of the first order stands where ("l"), and what passed.

    ``states`` "l n p", with p = 1 for a channel of a Mamba; size, dt, decay and gate "l"; ``left`` "l l".
    """

    person: Person
    order: np.ndarray
    states: np.ndarray
    size: np.ndarray
    dt: np.ndarray
    decay: np.ndarray
    gate: np.ndarray | None
    left: np.ndarray

    @classmethod
    def of(cls, found: lens.Record, layer: str, head: int, person: Person, order: np.ndarray) -> "Play":
        """Open one head of a recorded run."""
        where = {"layer": layer, "channel": head}
        states = lens.states(found, **where)[0].numpy()
        states = states[:, :, None] if states.ndim == 2 else states.swapaxes(1, 2)
        size = np.sqrt((states**2).mean((1, 2)))
        steps, left = lens.event_steps(found, **where), lens.remaining(found, **where)
        gate = None if steps.gate is None else steps.gate[0].numpy()
        return cls(person, order, states, size, steps.dt[0].numpy(), steps.decay[0].numpy(), gate, left[0].numpy())


class Clock:
    """How time is written on the stage of one history: its unit, its ends, and how far a key moves an event."""

    def __init__(self, person: Person) -> None:
        lasts = int(person.times[-1] - person.times[0])
        self.unit, self.seconds = next((unit for unit in _UNITS if lasts >= 2 * unit[1]), _UNITS[-1])
        room = max(1, lasts // 10)
        self.edges = -room, lasts + room  # in seconds from the first event: a tenth of the history beyond each end
        coarse = next((i for i, (_, size) in enumerate(_UNITS) if lasts >= 10 * size), len(_UNITS) - 1)
        self.steps = [(f"1 {unit}", size) for unit, size in (_UNITS[coarse], _UNITS[min(coarse + 1, len(_UNITS) - 1)])]


def scene(
    play: Play, before: Play, whole: Person, changes: Sequence[RankChange], **words: Any
) -> tuple[dict[str, Any], bytes, bytes, bytes]:
    """What `Stage.draw` takes: a history as it is and as it was before anything was moved, and both lists compared.

    whole: the history before anything was moved. words: title, head, k and note, which go along as they are.
    """
    frames, told = _frames(play, before)
    content = {
        **words, **told, **_on_the_line(whole, play),
        "dt": _rounded(play.dt),
        "dt_range": _rounded(np.array([before.dt.min(), before.dt.max()])),
        "decay": _rounded(play.decay),
        "gate": None if play.gate is None else _rounded(play.gate),
        "size": _rounded(play.size),
        "size_before": _rounded(before.size),
        "moved": play.person is not before.person,
        "top": [[c.after, c.mark, c.kind, short(whole.label(c.item), _NAME)] for c in changes],
        "colours": _colours(),
    }  # fmt: skip
    was = _triangle(before.left[np.ix_(play.order, play.order)]) if content["moved"] else b""
    return content, frames, _triangle(play.left), was


def _on_the_line(whole: Person, play: Play) -> dict[str, Any]:
    """Events and their places on the line of time, or of their order where the times say nothing."""
    clock, count = Clock(whole), len(whole)
    line = {
        "person": whole.name,
        "names": [short(label, _NAME) for label in whole.labels],
        "id": play.order.tolist(),
        "timed": whole.timed,
        "unit": clock.unit,
        "seconds": clock.seconds,
        "steps": clock.steps,
        "home": list(range(1, count + 1)),
        "span": [0.5, count + 0.5],
        "axis": "order of the events",
    }
    if whole.timed:
        line["home"] = _rounded((whole.times - whole.times[0]) / clock.seconds, 8)
        line["span"] = [edge / clock.seconds for edge in clock.edges]
        line["axis"] = f"{clock.unit}s since the first event"
    return line


def _frames(play: Play, before: Play) -> tuple[bytes, dict[str, Any]]:
    """States in few bytes, in colours that stay comparable while events are moved; and how to read them."""
    length, n, p = play.states.shape
    step = 1
    while length * -(-n // step) * -(-p // step) > _CELLS and step < max(n, p):
        step += 1
    drawn, step = pooled(play.states, -(-max(n, p) // step))
    unit = float(np.abs(drawn).max()) / 127 or 1.0
    told = {"grid": list(drawn.shape[1:]), "pooled": step, "unit_of_state": unit}
    return np.rint(drawn / unit).astype(np.int8).tobytes(), {**told, "peak": float(np.abs(before.states).max()) or 1.0}


def _triangle(left: np.ndarray) -> bytes:
    return np.rint(left[np.tril_indices(len(left))] * 65_535).astype("<u2").tobytes()


def _rounded(values: np.ndarray, digits: int = 4) -> list[float]:
    return [float(f"{value:.{digits}g}") for value in values.tolist()]


@cache
def _colours() -> dict[str, Any]:
    """The house colours on a light and on a dark page."""
    names = ("ink", "muted", "quiet", "line", "faint", "card", "better", "worse")
    light = {name: getattr(template, name.upper()) for name in names}
    light |= {"much": getattr(sequential, template.MAGNITUDE), "signed": [colour for _, colour in template.SIGNED]}
    return {"light": light, "dark": dict(dark(go.Figure(layout={"meta": light})).layout.meta)}
