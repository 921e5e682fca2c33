"""The recurrence line by line, and the matrix it is."""

import torch
from einops import einsum, rearrange


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

    ``M[t, s] = Σ_n C[t, n] exp(A[n] (S[t] - S[s])) B[s, n] dt[s]`` with ``S`` the running sum of ``dt``.
    """
    S = dt.cumsum(1)
    elapsed = rearrange(S, "b t e -> b e t 1") - rearrange(S, "b s e -> b e 1 s")
    causal = torch.ones(dt.shape[1], dt.shape[1], dtype=torch.bool).tril()
    log_decay = rearrange(A, "e n -> 1 e n 1 1") * elapsed[:, :, None]
    # Before exp, which would overflow above the diagonal; after A, whose gradient an infinity there would make NaN.
    decay = torch.exp(log_decay.masked_fill(~causal, -torch.inf))
    return einsum(C, decay, B, dt, "b t n, b e n t s, b s n, b s e -> b e t s")
