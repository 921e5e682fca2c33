"""Any block as the matrix that mixes a history: choose block, head and person, and put a second one beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go

from seqrec_edu import lens
from seqrec_edu.data.histories import Histories
from seqrec_edu.data.person import Person
from seqrec_edu.figures.memory import memory_curves
from seqrec_edu.figures.mixing import heads_grid, mixing_heatmap, mixing_table
from seqrec_edu.figures.spectrum import singular_spectrum, spectrum_table
from seqrec_edu.figures.text import Table, aligned, number
from seqrec_edu.lens.mixing import heads_with_matrix

from .panel import FULL, Panel
from .subjects import People, batch_of, models_of, named

if TYPE_CHECKING:
    from torch import nn

_MATRIX, _SPECTRUM, _MEMORY = "matrix", "spectrum", "memory"
_NONE = "–"
_HINTS = ("Who reads whom", "How many directions it uses", "How far back it reads")


class Mixer(Panel):
    """The mixing matrix of one block on one history, its spectrum, and how fast it forgets; two blocks if wanted.

    Args:
        models: a model, or name → model.
        people: a `Person` (`data.user(7)`), or `Histories` to choose from.
        user: who is shown first.
        block: path of a layer, as `lens.layers_with_matrix` lists them; with several models "name: path".
        beside: a second block, or None.
        head: which head or channel, from 0.
        show: "matrix", "spectrum" or "memory".

    Raises:
        ValueError: no such block, head or view; a model without mixing matrices; people or items that do not fit.
    """

    name, title = "mixer", "Mixer explorer"

    def __init__(
        self,
        models: nn.Module | Mapping[str, nn.Module],
        people: Person | Histories,
        *,
        user: int = 0,
        block: str | None = None,
        beside: str | None = None,
        head: int = 0,
        show: str = _MATRIX,
    ) -> None:
        super().__init__()
        self._people, self._blocks = People(people, user=user), _blocks(models_of(models))
        names = list(self._blocks)
        for given in filter(None, (block, beside)):
            if given not in self._blocks:
                raise ValueError(f"there is no block {given!r}; there are {', '.join(names)}")
        self._block = widgets.Dropdown(options=names, value=block or names[0], description="block", layout=FULL)
        self._head = _head_slider("head", self._heads(self._block.value)[1], head)
        self._beside = widgets.Dropdown(
            options=[_NONE, *names], value=beside or _NONE, description="beside it", layout=FULL
        )
        self._other = _head_slider("its head", self._heads(self._beside.value)[1], 0)
        self._other.disabled = beside is None
        self._view = widgets.ToggleButtons(
            options=[(name.capitalize(), name) for name in (_MATRIX, _SPECTRUM, _MEMORY)], value=_known_view(show),
            style={"button_width": "6.6em"}, tooltips=_HINTS,
        )  # fmt: skip
        for choice, slider in ((self._block, self._head), (self._beside, self._other)):
            choice.observe(lambda _, choice=choice, slider=slider: self._fit(choice, slider), names="value")
        self.start([*self._people.controls, self._block, self._head, self._beside, self._other, self._view])

    # --- what is looked at -----------------------------------------------------------------------------------------

    @property
    def chosen(self) -> dict[str, np.ndarray]:
        """Name → matrix "l l" of the head of each block that is looked at."""
        pairs = [(self._block.value, self._head.value), (self._beside.value, self._other.value)]
        return {
            f"{block}, {self._heads(block)[0]} {head}": self._matrices(block)[head]
            for block, head in pairs
            if block != _NONE
        }

    @property
    def figure(self) -> go.Figure:
        found = self.chosen
        if self._view.value == _SPECTRUM:
            values = {name: lens.spectrum(matrix) for name, matrix in found.items()}
            return singular_spectrum(values, {name: float(lens.effective_rank(m)) for name, m in found.items()})
        if self._view.value == _MEMORY:
            return memory_curves(*self._fading(), title="What the last event reads, by age")
        newest = min(map(len, found.values()))  # one model may read fewer events than the other
        shown = {name: matrix[-newest:, -newest:] for name, matrix in found.items()}
        person = self._people.now.last(newest)
        if len(shown) > 1:
            pair = np.stack(list(shown.values()))
            return heads_grid(pair, person.labels, person.times, heads=list(shown), title="Two blocks, one history")
        ((name, matrix),) = shown.items()
        return mixing_heatmap(matrix, person.labels, person.times, title=f"How {name} mixes {person.name}")

    @property
    def sentence(self) -> str:
        parts = []
        for name, matrix in self.chosen.items():
            future = np.abs(np.triu(matrix, 1)).max(initial=0.0) > 1e-6 * np.abs(matrix).max()
            rank, age = float(lens.effective_rank(matrix)), float(lens.mean_age(matrix)[-1])
            parts.append(
                f"{name} on {len(matrix)} events uses {number(rank, 3)} directions in effect; the last event reads "
                f"{number(age, 3)} events back on average; {'later events are' if future else 'no later event is'} read"
            )
        return "; ".join(parts) + "."

    @property
    def table(self) -> Table:
        found = self.chosen
        if self._view.value == _SPECTRUM:
            return spectrum_table({name: lens.spectrum(matrix) for name, matrix in found.items()})
        if self._view.value == _MEMORY:
            ages, weights = self._fading()
            return aligned(("age (events)", *weights), list(zip(ages, *weights.values(), strict=True)))
        tables = {name: mixing_table(m, self._people.now.last(len(m)).labels) for name, m in found.items()}
        if len(tables) == 1:
            return next(iter(tables.values()))
        rows = [(name, *row) for name, each in tables.items() for row in each.cells]
        return aligned(("block", *next(iter(tables.values())).header), rows)

    def _fading(self) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Ages "l" and, by block, what the last event reads of each; as far back as all blocks go."""
        found = self.chosen
        ages = np.arange(min(len(matrix) for matrix in found.values()))
        return ages, {name: lens.fading(matrix)[: len(ages)] for name, matrix in found.items()}

    # --- how it is found -------------------------------------------------------------------------------------------

    def _matrices(self, block: str) -> np.ndarray:
        """All heads of a block on the person looked at, "h l l"."""
        (model, path), (what, count) = self._blocks[block], self._heads(block)

        def make() -> np.ndarray:
            batch = batch_of(model, self._people.now)
            channels = range(count) if what == "channel" else None
            return lens.mixing_matrix(model, batch, layer=path, channels=channels).history()

        return self.remember(("matrices", block, self._people.key), make)

    def _heads(self, block: str) -> tuple[str, int]:
        """What a block has one matrix of, and how many; nothing chosen has one, to leave a slider something."""
        return ("head", 1) if block == _NONE else heads_with_matrix(*self._blocks[block])

    def _fit(self, choice: widgets.Dropdown, slider: widgets.IntSlider) -> None:
        """A head slider that goes as far as its block has heads."""
        slider.max = self._heads(choice.value)[1] - 1
        slider.disabled = choice.value == _NONE


def _blocks(models: Mapping[str, nn.Module]) -> dict[str, tuple[nn.Module, str]]:
    found = {}
    for name, model in models.items():
        for path in lens.layers_with_matrix(model):
            found[named(models, name, path)] = (model, path)
    if not found:
        raise lens.NoMixingMatrix(f"{', '.join(models)}: no layer has a mixing matrix; lens.linearised opens anything")
    return found


def _head_slider(name: str, size: int, value: int) -> widgets.IntSlider:
    if not 0 <= value < size:
        raise ValueError(f"head must be within 0…{size - 1} for this block, got {value}")
    return widgets.IntSlider(value=value, min=0, max=size - 1, description=name, layout=FULL)


def _known_view(show: str) -> str:
    if show not in (_MATRIX, _SPECTRUM, _MEMORY):
        raise ValueError(f'show must be "{_MATRIX}", "{_SPECTRUM}" or "{_MEMORY}", got {show!r}')
    return show
