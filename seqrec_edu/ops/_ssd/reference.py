"""The recurrence line by line, and the masked matrix it is dual to."""

import torch
from einops import einsum, rearrange, repeat


def ssd(x, dt, A, B, C, decay_scale=None, initial_state=None):
    """Loop over time. Returns ``y "b l h p"`` (before the skip) and the last state ``"b h p n"``."""
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
    """``M "b h l l"`` with ``y = M x`` per head: ``M = L ⊙ (C Bᵀ) diag(dt)``, L the 1-semiseparable mask."""
    B, C = per_head(B, dt.shape[2]), per_head(C, dt.shape[2])
    L = semiseparable_mask(log_decay(dt, A, decay_scale))
    return einsum(L, C, B, dt, "b h t s, b t h n, b s h n, b s h -> b h t s")


def semiseparable_mask(log_a):
    """``L "b h l l"`` from log-decays ``"b l h"``: ``L[t, s] = exp(log_a[s+1] + … + log_a[t])`` for s ≤ t, else 0."""
    return torch.exp(segment_sum(rearrange(log_a, "b l h -> b h l")))


def segment_sum(log_a):
    """``Σ_{r=s+1}^{t} log_a[r]`` for every pair over the last axis, -inf for s > t.

    Masked before anyone takes an exponential: above the diagonal the difference is positive and exp would overflow.
    """
    length = log_a.shape[-1]
    total = log_a.cumsum(-1)
    difference = total[..., :, None] - total[..., None, :]
    causal = torch.ones(length, length, dtype=torch.bool, device=log_a.device).tril()
    return difference.masked_fill(~causal, -torch.inf)


def log_decay(dt, A, decay_scale=None):
    """``τ dt A``, the logarithm of what the state keeps over one step: ``"b l h"``."""
    return dt * A if decay_scale is None else decay_scale * dt * A


def per_head(groups, heads):
    """Give every head its group's B or C: ``"b l g n"`` to ``"b l h n"``."""
    return repeat(groups, "b l g n -> b l (g share) n", share=heads // groups.shape[2])
