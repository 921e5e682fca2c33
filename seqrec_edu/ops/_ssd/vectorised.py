"""The chunked form: the masked matrix inside chunks, the recurrence between them (Mamba-2, section 6).

With Q events a chunk, a history of l events needs l/Q steps of recurrence and l·Q entries of matrix, and almost all of
the arithmetic is matrix products. ``C Bᵀ`` is formed once per group and shared by its heads.

Axes: c chunk, q (or t and s) event in it, g group, i head in its group; u = dt x is what is written.
"""

import torch
import torch.nn.functional as F
from einops import einsum, rearrange

from seqrec_edu.ops._ssd.reference import log_decay
from seqrec_edu.ops.decays import segment_sum


def ssd(x, dt, A, B, C, decay_scale=None, initial_state=None, *, chunk_size=64):
    """Same contract as the reference: ``y "b l h p"`` and the last state ``"b h p n"``."""
    length, groups = x.shape[1], B.shape[2]
    q = min(chunk_size, length)
    # Sums of many small logarithms: eight bits of mantissa would lose them.
    log_a = log_decay(dt.float() if dt.dtype in (torch.bfloat16, torch.float16) else dt, A, decay_scale)
    # The last chunk is filled up with events of log-decay 0, so decay 1, that write nothing: the state after them is
    # the state after the last real event.
    into_chunks = lambda v: rearrange(_pad(v, -length % q), "b (c q) ... -> b c q ...", q=q)  # noqa: E731
    u = rearrange(into_chunks(x * dt[..., None]), "b c q (g i) p -> b c g i q p", g=groups)
    log_a = rearrange(into_chunks(log_a), "b c q (g i) -> b c g i q", g=groups)
    B = rearrange(into_chunks(B), "b c q g n -> b c g q n")
    C = rearrange(into_chunks(C), "b c q g n -> b c g q n")

    # 1. Inside a chunk: the masked matrix.
    mask = torch.exp(segment_sum(log_a)).to(x.dtype)
    scores = einsum(C, B, "b c g t n, b c g s n -> b c g t s")
    y = (scores[:, :, :, None] * mask) @ u

    # 2. What each chunk leaves behind at its end. An event's decay acts on the state it finds, not on what it writes:
    # the sum since the start includes it, the sum until the end does not.
    since_start = log_a.cumsum(-1)
    until_end = torch.exp(since_start[..., -1:] - since_start).to(x.dtype)
    left_behind = einsum(u * until_end[..., None], B, "b c g i s p, b c g s n -> b c g i p n")

    # 3. From chunk to chunk: the recurrence, with the decay of whole chunks.
    states, last = _carry(left_behind, torch.exp(since_start[..., -1]).to(x.dtype), initial_state)

    # 4. What the state at the start of its chunk still adds to each event.
    from_before = einsum(C, states, "b c g t n, b c g i p n -> b c g i t p")
    y = y + from_before * torch.exp(since_start).to(x.dtype)[..., None]
    y = rearrange(y, "b c g i q p -> b (c q) (g i) p")
    return y[:, :length], rearrange(last, "b g i p n -> b (g i) p n")


def _carry(left_behind, decay, initial_state):
    """State at the start of every chunk ``"b c g i p n"`` and after the last: l/Q steps of recurrence."""
    state = torch.zeros_like(left_behind[:, 0])
    if initial_state is not None:
        state = rearrange(initial_state, "b (g i) p n -> b g i p n", g=left_behind.shape[2])
    starts = []
    for left_c, decay_c in zip(left_behind.unbind(1), decay.unbind(1), strict=True):
        starts.append(state)
        state = decay_c[..., None, None] * state + left_c
    return torch.stack(starts, dim=1), state


def _pad(tensor, extra):
    """Append ``extra`` zero events along time (axis 1)."""
    return F.pad(tensor, (0, 0) * (tensor.dim() - 2) + (0, extra)) if extra else tensor
