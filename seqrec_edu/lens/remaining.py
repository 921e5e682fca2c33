"""What single events do to a state: how large their step is, what it lets fade, and what is left of them later."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor

from seqrec_edu.lens.record import Record
from seqrec_edu.lens.state import layer_with_state, layers_with_state, reads_newest_first

READ = ("x", "dt", "A", "B", "decay", "decay_scale", "gate", "newest_first")  # taps that this file and `states` read


@dataclass(frozen=True)
class EventSteps:
    """One head of an SSD layer, or one channel of a Mamba, event by event; "b l" each, float64.

    Attributes:
        dt: the step Δ with which the event is written.
        decay: ``exp(τ dt A)``, what is kept of the state before it; of a Mamba the mean over the state numbers n.
        gate: ``silu(z)``, what the layer's output is multiplied with; of a head the mean over its width p. None where
            the layer has no gate.
    """

    dt: Tensor
    decay: Tensor
    gate: Tensor | None


def event_steps(found: Record, *, layer: str | None = None, channel: int = 0) -> EventSteps:
    """Step, decay and gate of every event in one head, from what passed the taps dt, decay and gate.

    layer, channel and errors: as `lens.states`. Cost b·l·n.
    """
    taps = _taps_of("event_steps", found, layer, channel)
    dt, decay, gate = taps["dt"].double(), taps["decay"][:, :, channel].double(), taps.get("gate")
    if gate is not None:
        gate = rearrange(gate.double(), "b l (h p) -> b l h p", h=dt.shape[2])[:, :, channel].mean(-1)
    return EventSteps(dt[:, :, channel], decay if decay.dim() == 2 else decay.mean(-1), gate)


def remaining(found: Record, *, layer: str | None = None, channel: int = 0) -> Tensor:
    """How much of what event s wrote is still in the state at event t: "b l l", row t, column s; float64.

    ``W[t, s] = ‖ exp(Σ_{r=s+1}^{t} log a[r]) ∘ B[s] ‖ / ‖ B[s] ‖`` for s ≤ t, else 0, with a = exp(τ dt A) the decays
    and s = t giving 1. In an SSD head one number decays everything, so W is the semiseparable mask itself; in a
    channel of a Mamba each state number n fades at a speed of its own, and W is the part of the norm that is left.
    Computed from sums of dt·A, not from products of decays, so nothing underflows on the way.

    layer, channel and errors: as `lens.states`. Cost b·l²·n, memory b·l².
    Mamba, arXiv 2312.00752, section 3.2; Mamba-2, arXiv 2405.21060, section 3.
    """
    taps = _taps_of("remaining", found, layer, channel)
    dt, A = taps["dt"][:, :, channel].double(), taps["A"][channel].double()
    scale = taps.get("decay_scale")
    faded = (dt if scale is None else dt * scale[:, :, channel].double()).cumsum(1)
    since = faded[:, :, None] - faded[:, None, :]
    since = torch.tril(since)  # later events: 0 here, for the exponential of a growing one would overflow
    if A.dim() == 0:
        return torch.tril(torch.exp(since * A))
    share = taps["B"].double().square()
    total = share.sum(-1, keepdim=True)
    share = torch.where(total > 0, share / total, 1 / len(A))
    left = torch.zeros_like(since)
    for n, a in enumerate(A.tolist()):
        left += torch.exp(since * (2 * a)) * share[:, None, :, n]
    return torch.tril(left.sqrt())


def layers_in_time(found: Record) -> list[str]:
    """Layers whose state reads the history oldest first, in the order of the pass; the record needs the tap dt.

    The half of a two-way layer that begins with the newest event is left out: its states are no story told in time.
    """
    return [path for path in layers_with_state(found) if not reads_newest_first(found, path)]


def heads_of(found: Record, layer: str) -> tuple[str, int]:
    """ "head" or "channel", and how many of them a layer with a state has."""
    dt = found.of(layer)["dt"]
    return ("channel" if found.of(layer)["x"].dim() == 3 else "head"), dt.shape[2]


def _taps_of(asked: str, found: Record, layer: str | None, channel: int) -> dict[str, Tensor]:
    path, _, call = layer_with_state(asked, found, layer).partition("@")
    taps = found.of(path, int(call or 1))
    count = taps["dt"].shape[2]
    if not 0 <= channel < count:
        raise ValueError(f"{asked}: channel must be among 0…{count - 1}, got {channel}")
    return taps
