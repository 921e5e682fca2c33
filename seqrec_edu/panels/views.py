"""One state space in five ways: scrub through a history and see what each holds, and that all give the same."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from html import escape
from typing import TYPE_CHECKING

import ipywidgets as widgets
import plotly.graph_objects as go

from seqrec_edu import lens
from seqrec_edu.data.histories import Histories
from seqrec_edu.data.person import Person
from seqrec_edu.figures.digest import digest
from seqrec_edu.figures.text import Table, number, short
from seqrec_edu.figures.views import five_views, views_table
from seqrec_edu.lens.state import layers_with_state
from seqrec_edu.lens.view_space import READ, StateSpace, state_space
from seqrec_edu.lens.views import TOLERANCES, Views
from seqrec_edu.lens.views import five_views as compute

from .panel import FULL, Panel
from .subjects import People, batch_of, models_of, named

if TYPE_CHECKING:  # panels compute nothing
    from torch import nn

_CHUNKS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_PRECISIONS = {str(dtype).removeprefix("torch."): dtype for dtype in TOLERANCES}
_ROWS = 12


class FiveViews(Panel):
    """Recurrence, sum, matrix, chunks and kernel of one head of an SSD or Mamba layer, on one history.

    What is measured on this machine (milliseconds, differences of rounding, which kernel runs) is in the live panel and
    its picture; the digest leaves it out.

    Args:
        models: a model, or name → model.
        people: a `Person` (`data.user(7)`), or `Histories` to choose from.
        user: who is shown first.
        block: path of a layer with a state, "ssds.0"; with several models "name: path".
        head: head of an SSD layer, channel of a Mamba, from 0.
        event: which event has just been read, from 1; None is the last.
        chunk: events a chunk, a power of two up to 256.
        precision: "float64", "float32" or "bfloat16", in which all five are computed.

    Raises:
        ValueError: no such block, head, event, chunk or precision; a model without a state; people or items that do
            not fit.
    """

    name, title = "views", "Five views"

    def __init__(
        self,
        models: nn.Module | Mapping[str, nn.Module],
        people: Person | Histories,
        *,
        user: int = 0,
        block: str | None = None,
        head: int = 0,
        event: int | None = None,
        chunk: int = 16,
        precision: str = "float32",
    ) -> None:
        super().__init__()
        self._people = People(people, user=user)
        self._blocks = _blocks(models_of(models), self._people.now)
        names = list(self._blocks)
        _among("block", names, block or names[0])
        _among("chunk", _CHUNKS, chunk)
        _among("precision", list(_PRECISIONS), precision)
        self._block = widgets.Dropdown(options=names, value=block or names[0], description="block", layout=FULL)
        size = self._blocks[self._block.value][2]
        if not 0 <= head < size:
            raise ValueError(f"head must be within 0…{size - 1} for this block, got {head}")
        self._head = widgets.IntSlider(value=head, max=size - 1, continuous_update=False, layout=FULL)
        self._event = widgets.IntSlider(value=1, min=1, max=1, description="event", layout=FULL)
        self._chunk = widgets.Dropdown(options=_CHUNKS, value=chunk, description="chunk", layout=FULL)
        self._precision = widgets.Dropdown(
            options=list(_PRECISIONS), value=precision, description="precision", layout=FULL
        )
        self._note = widgets.HTML()
        self.follow(self._fit, *self._people.controls, self._block)
        with self.quietly():
            self._fit()
        self._event.value = self._last_or(event)
        chosen = [self._block, self._head, self._event, self._chunk, self._precision]
        self.start([*self._people.controls, *chosen, self._note])

    # --- what is looked at -----------------------------------------------------------------------------------------

    @property
    def space(self) -> StateSpace:
        """The head or channel that is looked at."""
        model, path, size = self._blocks[self._block.value]
        block, who, head = self._block.value, self._people.key, min(self._head.value, size - 1)

        def recorded():
            return lens.record(model, batch_of(model, self._people.now), only=READ)

        def make() -> StateSpace:
            found = self.remember(("record", id(model), who), recorded)
            return state_space(found, model, layer=path, head=head)

        return self.remember(("space", block, who, head), make)

    @property
    def views(self) -> Views:
        """Its output in five ways, computed once: moving along the events asks for no more."""
        space, chunk, precision = self.space, self._chunk.value, self._precision.value
        key = ("views", space.layer, self._block.value, self._people.key, space.head, chunk, precision)
        return self.remember(key, lambda: compute(space, dtype=_PRECISIONS[precision], chunk=chunk))

    @property
    def figure(self) -> go.Figure:
        return self._drawn(here=True)

    @property
    def sentence(self) -> str:
        space, views, step = self.space, self.views, self._event.value - 1
        moments, length = views.at(step), len(space)
        letter = "head" if space.operation == "ssd" else "channel"
        chunks = (moments["chunks"].first // views.chunk + 1, -(-length // views.chunk))
        return (
            f"{self._where(step)}, {letter} {space.head} of {space.layer}: the recurrence holds "
            f"{moments['recurrence'].held:,} numbers, the sum weighs {_counted(step + 1, 'event')}, the matrix has all "
            f"its {_counted(length * length, 'weight')} at hand, chunk {chunks[0]} of {chunks[1]} is at work. "
            f"{_agreement(views)}."
        )

    @property
    def table(self) -> Table:
        return self._rows(here=True)

    def digest(self, *, values: bool = True) -> str:
        """As any panel's, without what another machine would measure otherwise."""
        if not values:
            return super().digest(values=False)
        return f"{self.sentence}\n{digest(self._drawn(here=False))}\n{self._rows(here=False).head(_ROWS)}"

    def draw(self) -> None:
        super().draw()
        self._note.value = f'<p style="line-height:1.4;margin:8px 0">{escape(self.views.words)}.</p>'

    # --- how it is shown -------------------------------------------------------------------------------------------

    def _drawn(self, *, here: bool) -> go.Figure:
        space, views, step = self.space, self.views, self._event.value - 1
        measured = {
            "kernel": (views.backend, views.tile), "differences": views.differences, "tolerance": views.tolerance,
            "milliseconds": views.milliseconds,
        }  # fmt: skip
        return five_views(
            space.state[step].T, views.matrix, self._moments(here=here), step=step, chunk=views.chunk,
            limit=space.reach, names=self._names, title=f"{short(self._block.value, 40)} in five ways",
            **(measured if here else {}),
        )  # fmt: skip

    def _rows(self, *, here: bool) -> Table:
        views = self.views
        formulas = {view: (cost.work_formula, cost.held_formula) for view, cost in views.costs.items()}
        return views_table(self._moments(here=here), formulas, views.milliseconds if here else None)

    def _moments(self, *, here: bool) -> dict[str, tuple[int, int, int]]:
        """What each view has done, has to do, and holds; of the kernel only where it may be said what that is here."""
        found = self.views.at(self._event.value - 1)
        return {view: (at.done, at.work, at.held) for view, at in found.items() if here or view != "kernel"}

    @property
    def _names(self) -> list[str]:
        labels = self._read.labels
        return [labels[event] if event >= 0 else "pad" for event in self.space.events]

    @property
    def _read(self) -> Person:
        """The person, as far back as the model reads."""
        return self._people.now.last(int(self.space.events.max()) + 1)

    def _where(self, step: int) -> str:
        event, length = int(self.space.events[step]), len(self.space)
        name = short(self._names[step])
        if self.space.oldest_first:
            return f"After event {step + 1} of {length} ({name})"
        which = "a pad" if event < 0 else f"event {event + 1}, {name}"
        return f"After step {step + 1} of {length} of the reading newest first ({which})"

    def _fit(self) -> None:
        """Sliders that go as far as the block has heads and the person has events."""
        with suppress(ValueError):  # a person without events, for instance: drawing will say so
            size, last = self._blocks[self._block.value][2], self._event.value == self._event.max
            self._head.max = size - 1
            self._head.description = "head" if self.space.operation == "ssd" else "channel"
            self._event.max = len(self.space)
            self._event.value = self._event.max if last else self._event.value

    def _last_or(self, event: int | None) -> int:
        length = len(self.space)
        if event is not None and not 1 <= event <= length:
            raise ValueError(f"event must be within 1…{length} for this person, got {event}")
        return event or length


def _blocks(models: Mapping[str, nn.Module], person: Person) -> dict[str, tuple[nn.Module, str, int]]:
    """Name → model, path, heads of every layer with a state."""
    found = {}
    for name, model in models.items():
        taps = lens.record(model, batch_of(model, person), only=["dt"])
        for path, tap in zip(layers_with_state(taps), taps.values(), strict=True):
            found[named(models, name, path)] = (model, path, tap.tensor.shape[2])
    if not found:
        raise ValueError(
            f"{', '.join(models)}: no layer carries a state with decays (Mamba, SSD); tim4rec, ssd4rec, mamba4rec, "
            "echomamba4rec and mlsa4rec do"
        )
    return found


def _among(what: str, known: tuple | list, given: object) -> None:
    if given not in known:
        raise ValueError(f"there is no {what} {given!r}; there are {', '.join(map(str, known))}")


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _agreement(views: Views) -> str:
    precision, bar = str(views.dtype).removeprefix("torch."), number(views.tolerance, 2)
    if views.agree:
        return f"In {precision} all five agree within {bar} of the largest output"
    apart = views.apart
    common = sorted(set.intersection(*map(set, apart)))
    which = f", each of them with the {common[0]}" if common and len(apart) > 1 else ""
    pairs = f"{len(apart)} of {len(views.differences)} pairs"
    return f"In {precision} {pairs} differ by more than {bar} of the largest output{which}"
