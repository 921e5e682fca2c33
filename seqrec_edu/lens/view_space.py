"""One head of a state space on one history, as a model computed it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from seqrec_edu.layers import BidirectionalMamba
from seqrec_edu.lens.record import Record
from seqrec_edu.lens.state import layer_with_state, states
from seqrec_edu.lens.view_costs import SCAN, SSD

READ = ("x", "dt", "A", "B", "C", "decay", "decay_scale")  # the taps that a state space is made of


@dataclass(frozen=True, eq=False, repr=False)
class StateSpace:
    """One head of an SSD layer, or one channel of a Mamba, on one history.

    Attributes:
        operation: "ssd" or "selective_scan".
        arguments: of that operation, for one history and one head or channel; without skip and gate, which act on each
            event by itself and are the same in every view.
        state: "l p n", what it holds after each step, float64; p = 1 in a Mamba.
        events: int64 "l", which event each step reads; -1 is a pad.
        layer, head: where it was found.
    """

    operation: str
    arguments: dict[str, Tensor]
    state: Tensor
    events: np.ndarray
    layer: str
    head: int

    def __len__(self) -> int:
        return len(self.events)

    def __repr__(self) -> str:
        p, n = self.state.shape[1:]
        return f"StateSpace({self.operation} of {self.layer}, head {self.head}: {len(self)} steps, state {p} × {n})"

    @property
    def oldest_first(self) -> bool:
        """Whether it reads the events in the order in which they happened."""
        return bool((self.events == np.arange(len(self))).all())

    def rounded(self, dtype: torch.dtype, device: str = "cpu") -> dict[str, Tensor]:
        """The arguments in another precision."""
        return {name: value.to(device, dtype) for name, value in self.arguments.items()}

    @cached_property
    def reach(self) -> float:
        """Size that all but half a percent of the numbers of the state stay below, over all steps."""
        return float(np.quantile(self.state.abs().numpy(), 0.995))


def state_space(found: Record, model: nn.Module, *, layer: str | None = None, head: int = 0) -> StateSpace:
    """What one head or channel of a layer computed, out of a record of one history.

    found: ``record(model, batch)``, at least its taps ``only=views.READ``, of a batch of one.
    layer: as `layers_with_state` lists them; needed where there are several.
    head: head of an SSD layer, channel of a Mamba. Cost l·p·n.
    Errors: ``ValueError`` on a record of several histories, a layer without state, a head there is not.
    """
    batch = found.batch
    if batch is None or len(batch) != 1:
        raise ValueError("state_space: the record must be of a Batch with one history: record(model, Batch.of(…))")
    layer = layer_with_state("state_space", found, layer)
    path, _, call = layer.partition("@")
    state = states(found, layer=layer, channel=head)[0]
    taps, operation = found.of(path, int(call or 1)), SCAN if state.dim() == 2 else SSD
    arguments = {name: taps[name][:, :, [head]] for name in ("x", "dt", "decay_scale") if name in taps}
    arguments |= {"A": taps["A"][[head]], "B": taps["B"], "C": taps["C"]}
    if operation == SSD:
        arguments |= {name: taps[name].unsqueeze(2) for name in ("B", "C")}
    events = _reading(model, layer, int(batch.length[0]), len(state))
    arguments = {name: v if name == "A" else v[:, : len(events)] for name, v in arguments.items()}
    state = state[: len(events)]
    return StateSpace(operation, arguments, state if operation == SSD else state[:, None], events, layer, head)


def _reading(model: nn.Module, layer: str, events: int, places: int) -> np.ndarray:
    """Which event each step reads. Read oldest first, what follows the last event is left out: nothing reads it."""
    path, _, call = layer.partition("@")
    around, _, which = path.rpartition("mambas.")
    around = model.get_submodule(around.rstrip("."))
    both = isinstance(around, BidirectionalMamba)
    if not (call == "2" or (both and which == "1")):
        return np.arange(events)
    pads = places - events if both and around.config.flip == "axis" else 0
    return np.concatenate([np.full(pads, -1), np.arange(events)[::-1]])
