"""The recurrence in log2(l) steps instead of l: an inclusive scan by doubling (Hillis and Steele 1986).

One step of the recurrence is the map ``h → a h + u``. Two steps in a row are again such a map,
``h → (a₂ a₁) h + (a₂ u₁ + u₂)``, so after combining every position with the one 1, 2, 4, … events before it, position t
holds the map of the whole history up to t. Stable, because only products of numbers below one are formed.
It does log2(l) passes over a tensor n times the size of the input: good on a GPU, slower than a plain loop on a laptop.
"""

import torch
import torch.nn.functional as F
from einops import einsum


def selective_scan(x, dt, A, B, C, initial_state=None):
    """Same contract as the reference: ``y "b l e"`` and the last state ``"b e n"``."""
    a = torch.exp(dt[..., None] * A)
    u = (dt * x)[..., None] * B[:, :, None, :]
    if initial_state is not None:
        u = torch.cat([u[:, :1] + a[:, :1] * initial_state[:, None], u[:, 1:]], dim=1)
    reach = 1
    while reach < x.shape[1]:
        u = u + a * _delay(u, reach, 0.0)
        a = a * _delay(a, reach, 1.0)
        reach *= 2
    return einsum(u, C, "b l e n, b l n -> b l e"), u[:, -1]


def _delay(tensor, steps, fill):
    """Shift along time by ``steps`` events, filling the beginning with ``fill``."""
    return F.pad(tensor[:, :-steps], (0, 0, 0, 0, steps, 0), value=fill)
