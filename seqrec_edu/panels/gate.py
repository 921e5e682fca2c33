"""What a Mamba proposed, what the gate let through of it, and the interests that decided."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go

from seqrec_edu import lens
from seqrec_edu.data.histories import Histories
from seqrec_edu.data.person import Person
from seqrec_edu.figures.interests import interest_table, low_rank_interests
from seqrec_edu.figures.proposal import framed, gate_proposal, proposal_table
from seqrec_edu.figures.text import Table, number, short
from seqrec_edu.lens.proposal import NoGate, Proposal, pooled_layers, proposal, share_of_pads

from .panel import FULL, Panel
from .subjects import People, batch_of, models_of, named

if TYPE_CHECKING:  # panels compute nothing
    from torch import nn

_INTERESTS, _GATE = "interests", "gate"
_HINTS = ("Which events feed an interest, and who reads it", "What Mamba proposed, and what the gate let through")


class GateAndInterests(Panel):
    """Pools and reads of a low-rank attention, and the gate between it and a Mamba: MLSA4Rec, or LightSANs without one.

    Args:
        models: a model, or name → model.
        people: a `Person` (`data.user(7)`), or `Histories` to choose from.
        user: who is shown first.
        layer: path of a low-rank attention; with several models "name: path".
        head: which head reads, from 0.
        event: which event is looked at, from 1; None is the last.
        show: "interests" or "gate"; None shows the gate where there is one.

    Raises:
        ValueError: no such layer, head, event or view; a model without interests; people or items that do not fit.
    """

    name, title = "gate", "Gate and interests"

    def __init__(
        self,
        models: nn.Module | Mapping[str, nn.Module],
        people: Person | Histories,
        *,
        user: int = 0,
        layer: str | None = None,
        head: int = 0,
        event: int | None = None,
        show: str | None = None,
    ) -> None:
        super().__init__()
        self._people, self._layers = People(people, user=user), _layers(models_of(models))
        names = list(self._layers)
        if layer is not None and layer not in self._layers:
            raise ValueError(f"there is no layer {layer!r} with interests; there are {', '.join(names)}")
        self._layer = widgets.Dropdown(options=names, value=layer or names[0], description="layer", layout=FULL)
        heads = self._layers[self._layer.value][2]
        if not 0 <= head < heads:
            raise ValueError(f"head must be within 0…{heads - 1} for this layer, got {head}")
        self._head = widgets.IntSlider(value=head, max=heads - 1, description="head", layout=FULL)
        self._event = widgets.IntSlider(value=1, min=1, max=1, description="event", layout=FULL)
        self._view = widgets.ToggleButtons(
            options=[(_INTERESTS.capitalize(), _INTERESTS), (_GATE.capitalize(), _GATE)], tooltips=_HINTS,
            style={"button_width": "6em"},
        )  # fmt: skip
        self.follow(self._fit, *self._people.controls, self._layer)
        with self.quietly():
            self._fit()
        self._event.value = self._last_or(event)
        self._view.value = self._known_view(show)
        self.start([*self._people.controls, self._layer, self._head, self._event, self._view])

    # --- what is looked at -----------------------------------------------------------------------------------------

    @property
    def interests(self) -> tuple[np.ndarray, np.ndarray, float]:
        """Pools "l r" and reads "h l r" of the layer at the person's events, and what share of the pools is of pads."""
        model, path, _ = self._layers[self._layer.value]

        def make() -> tuple[np.ndarray, np.ndarray, float]:
            batch = batch_of(model, self._people.now)
            found, events = lens.interests(model, batch, layer=path), int(batch.length[0])
            pads = share_of_pads(found.feeds[0], events)
            return found.feeds[0, :events].numpy(), found.reads[0, :, :events].numpy(), pads

        return self.remember(("interests", self._layer.value, self._people.key), make)

    @property
    def proposal(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray] | None:
        """What was proposed, gate, result "l d", and the share let through "l"; None where there is no gate."""
        model, *_ = self._layers[self._layer.value]

        def make():
            batch = batch_of(model, self._people.now)
            try:
                found: Proposal = proposal(model, batch)
            except NoGate:
                return None
            events = int(batch.length[0])
            streams = (found.proposed, found.gate, found.result, found.share)
            return tuple(stream[0, :events].numpy() for stream in streams)

        return self.remember(("proposal", id(model), self._people.key), make)

    @property
    def figure(self) -> go.Figure:
        person, at = self._read, self._event.value - 1
        if self._view.value == _GATE and self.proposal is not None:
            proposed, gate, result, _ = self.proposal
            title = "What Mamba proposed, what the gate let through"
            return gate_proposal(proposed, gate, result, person.labels, person.times, event=at, title=title)
        feeds, reads, _ = self.interests
        layer, head = self._layer.value, self._head.value

        def make() -> go.Figure:
            title = f"Interests in {short(layer, 30)}, head {head}"
            return low_rank_interests(feeds, reads[head], person.labels, person.times, title=title)

        drawn = self.remember(("figure", layer, self._people.key, head), make)
        return framed(drawn, at, length=feeds.shape[0], columns=feeds.shape[1])

    @property
    def sentence(self) -> str:
        at, head = self._event.value - 1, self._head.value
        feeds, reads, pads = self.interests
        fed, read = int(feeds[at].argmax()), int(reads[head, at].argmax())
        said = (
            f"Event {at + 1} of {len(feeds)} ({short(self._read.labels[at])}) gives most to interest {fed + 1}, "
            f"{number(float(feeds[at, fed]), 2)} of it; head {head} reads most of interest {read + 1} there, "
            f"{number(float(reads[head, at, read]), 2)}. "
        )
        if pads > 1e-6:
            said += f"Pads are pooled like events: {number(pads, 2)} of an interest is of pads. "
        return said + self._of_the_gate(at)

    @property
    def table(self) -> Table:
        labels = self._read.labels
        if self._view.value == _GATE and self.proposal is not None:
            return proposal_table(*self.proposal[:3], labels)
        feeds, reads, _ = self.interests
        return interest_table(feeds, reads[self._head.value], labels)

    # --- how it is found -------------------------------------------------------------------------------------------

    def _of_the_gate(self, at: int) -> str:
        if self.proposal is None:
            kind = type(self._layers[self._layer.value][0]).__name__
            return f"{kind} has no gate: there is no Mamba whose proposal its attention could let through."
        _, gate, _, share = self.proposal
        turned = int((gate[at] < 0).sum())
        return (
            f"The gate lets through {number(float(share[at]), 2)} of what Mamba proposed, by a factor from "
            f"{number(float(gate[at].min()), 2)} to {number(float(gate[at].max()), 2)} per channel; "
            f"{turned} of {gate.shape[1]} channels are turned round."
        )

    @property
    def _read(self) -> Person:
        """The person, as far back as the model reads."""
        return self._people.now.last(len(self.interests[0]))

    def _fit(self) -> None:
        """Sliders that go as far as the layer has heads and the person has events; no gate view without a gate."""
        with suppress(ValueError):  # a person without events, for instance: drawing will say so
            last = self._event.value == self._event.max
            self._head.max = self._layers[self._layer.value][2] - 1
            self._event.max = len(self.interests[0])
            self._event.value = self._event.max if last else self._event.value
            self._view.disabled = self.proposal is None
            self._view.value = _INTERESTS if self.proposal is None else self._view.value

    def _last_or(self, event: int | None) -> int:
        length = len(self.interests[0])
        if event is not None and not 1 <= event <= length:
            raise ValueError(f"event must be within 1…{length} for this person, got {event}")
        return event or length

    def _known_view(self, show: str | None) -> str:
        if show not in (None, _INTERESTS, _GATE):
            raise ValueError(f'show must be "{_INTERESTS}" or "{_GATE}", got {show!r}')
        if show == _GATE and self.proposal is None:
            raise ValueError(self._of_the_gate(0))
        return show or (_INTERESTS if self.proposal is None else _GATE)


def _layers(models: Mapping[str, nn.Module]) -> dict[str, tuple[nn.Module, str, int]]:
    """Name → model, path, heads of every low-rank attention."""
    found = {}
    for name, model in models.items():
        for path, heads in pooled_layers(model).items():
            found[named(models, name, path)] = (model, path, heads)
    if not found:
        raise ValueError(f'{", ".join(models)}: no layer pools interests; mlsa4rec does, unless built with '
                         'attention="off", and lightsans')  # fmt: skip
    return found
