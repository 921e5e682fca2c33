"""The recurrence line by line, and the matrix it is."""

import torch
from einops import einsum

from seqrec_edu.ops.decays import floored, segment_sum


def selective_scan(x, dt, A, B, C, initial_state=None):
    """Loop over time. Returns ``y "b l e"`` (before skip and gate) and the last state ``"b e n"``.

    The loop runs over ``unbind(1)``: indexing ``x[:, t]`` instead would cost a whole-history gradient at every step.
    """
    state = x.new_zeros(x.shape[0], x.shape[2], A.shape[1]) if initial_state is None else initial_state
    outputs = []
    for x_t, dt_t, B_t, C_t in zip(x.unbind(1), dt.unbind(1), B.unbind(1), C.unbind(1), strict=True):
        kept = torch.exp(dt_t[:, :, None] * A) * state
        written = (dt_t * x_t)[:, :, None] * B_t[:, None, :]
        state = kept + written
        outputs.append(einsum(state, C_t, "b e n, b n -> b e"))
    return torch.stack(outputs, dim=1), state


def mixing_matrix(dt, A, B, C):
    """``M "b e l l"`` with ``y[:, e] = M[:, e] x[:, e]``: lower triangular, one matrix per channel.

    ``M[t, s] = Σ_n C[t, n] exp(Σ_{r=s+1}^{t} dt[r] A[n]) B[s, n] dt[s]``.
    """
    log_a = floored(einsum(dt, A, "b l e, e n -> b e n l"))
    return einsum(C, torch.exp(segment_sum(log_a)), B, dt, "b t n, b e n t s, b s n, b s e -> b e t s")
