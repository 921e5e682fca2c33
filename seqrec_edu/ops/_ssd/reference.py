"""The recurrence line by line, and the masked matrix that computes the same. README.md has the letters."""

import torch
from einops import einsum, rearrange, repeat

from seqrec_edu.ops.decays import floored, segment_sum


def ssd(x, dt, A, B, C, decay_scale=None, initial_state=None):
    """Loop over time. Returns ``y "b l h p"`` (the caller adds the skip D x) and the last state ``"b h p n"``."""
    B, C = per_head(B, x.shape[2]), per_head(C, x.shape[2])
    decay = torch.exp(log_decay(dt, A, decay_scale))
    state = x.new_zeros(x.shape[0], *x.shape[2:], B.shape[3]) if initial_state is None else initial_state
    outputs = []
    for x_t, dt_t, a_t, B_t, C_t in zip(*(v.unbind(1) for v in (x, dt, decay, B, C)), strict=True):
        written = einsum(dt_t, x_t, B_t, "b h, b h p, b h n -> b h p n")
        state = a_t[:, :, None, None] * state + written
        outputs.append(einsum(state, C_t, "b h p n, b h n -> b h p"))
    return torch.stack(outputs, dim=1), state


def mixing_matrix(dt, A, B, C, decay_scale=None):
    """``M "b h l l"`` with ``y = M x`` per head, from a state of zero: ``M = L ⊙ (C Bᵀ) diag(dt)``, L the mask."""
    B, C = per_head(B, dt.shape[2]), per_head(C, dt.shape[2])
    L = semiseparable_mask(log_decay(dt, A, decay_scale))
    return einsum(L, C, B, dt, "b h t s, b t h n, b s h n, b s h -> b h t s")


def semiseparable_mask(log_a):
    """``L "b h l l"`` from log-decays ``"b l h"``: ``L[t, s] = exp(log_a[s+1] + … + log_a[t])`` for s ≤ t, else 0."""
    return torch.exp(segment_sum(rearrange(log_a, "b l h -> b h l")))


def log_decay(dt, A, decay_scale=None):
    """``τ dt A``, the logarithm of what the state keeps over one step: "b l h"; τ may be "b l 1", one for all heads."""
    return floored(dt * A if decay_scale is None else decay_scale * dt * A)


def per_head(groups, heads):
    """Give every head its group's B or C, ``"b l g n"`` to ``"b l h n"``: heads side by side are a group."""
    return repeat(groups, "b l g n -> b l (g share) n", share=heads // groups.shape[2])
