"""What a state holds after each event."""

from __future__ import annotations

import torch
from einops import einsum
from torch import Tensor

from seqrec_edu.lens.record import Record


def states(found: Record, *, layer: str | None = None, channel: int = 0) -> Tensor:
    """The state of one head, or one channel of a Mamba, after every event: "b l p n", or "b l n" of a Mamba; float64.

    ``S[t] = exp(τ dt A) S[t-1] + dt x[t] ⊗ B[t]`` from zero, event by event, with what passed the taps x, dt, decay and
    B; what the layer reads of it is ``C[t] · S[t]``. At pads it goes on and means nothing.

    layer: path of the layer, where the record has several states; "layers.0.ssd@2" for a second call.
    channel: head of an SSD layer, channel of a Mamba. Cost b·l·p·n.
    Errors: ``ValueError`` on a record without states, several layers and no choice, or a channel there is not.
    Mamba, arXiv 2312.00752, section 3.2; Mamba-2, arXiv 2405.21060, section 3.
    """
    path, _, call = layer_with_state("states", found, layer).partition("@")
    taps = found.of(path, int(call or 1))
    count = taps["dt"].shape[2]
    if not 0 <= channel < count:
        raise ValueError(f"states: channel must be among 0…{count - 1}, got {channel}")
    x, dt, decay = (taps[name][:, :, channel].double() for name in ("x", "dt", "decay"))
    B, heads = taps["B"].double(), x.dim() == 3
    written = einsum(dt, x, B, "b l, b l p, b l n -> b l p n" if heads else "b l, b l, b l n -> b l n")
    decay = decay[..., None, None] if heads else decay
    state, after = torch.zeros_like(written[:, 0]), []
    for kept, added in zip(decay.unbind(1), written.unbind(1), strict=True):
        state = kept * state + added
        after.append(state)
    return torch.stack(after, dim=1)


def layers_with_state(found: Record) -> list[str]:
    """Paths of the layers of a record that have a state; "layers.0.ssd@2" is the second reading of one."""
    paths = []
    for key, tap in found.items():
        if tap.own_name == "dt":
            call = key.partition("@")[2]
            paths.append(f"{tap.module}@{call}" if call else tap.module)
    return paths


def reads_newest_first(found: Record, layer: str) -> bool:
    """Whether this layer is the half of another that reads the history from its end."""
    halves = [f"{tap.module}.mambas.1".lstrip(".") for tap in found.values() if tap.own_name == "newest_first"]
    return "@" in layer or layer in halves


def layer_with_state(asked: str, source: Record, layer: str | None) -> str:
    """Path and call of the layer whose state is meant. Errors: ``ValueError`` naming those there are."""
    there = layers_with_state(source)
    if not there:
        raise ValueError(
            f"{asked}: {source.subject} has no decays, no layer of it has the taps dt and A; for an attention or a "
            "filter take mean_age(mixing_matrix(…))"
        )
    if layer is None and len(there) > 1:
        raise ValueError(f"{asked}: {source.subject} has {len(there)} states; give layer=, one of {', '.join(there)}")
    if layer is not None and layer not in there:
        raise ValueError(f"{asked}: {layer!r} of {source.subject} has no decays; these have: {', '.join(there)}")
    return there[0] if layer is None else layer
