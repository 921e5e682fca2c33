"""Pool first, then attend: r interests instead of l events, so that no l × l matrix is ever formed.

The running form pools the events up to t anew for every t: P_t[s] = exp(logit[s] - peak[t]) / total[t], with peak[t]
the largest logit up to t, so that no exponent is positive and nothing overflows. Inside chunks of events these shares
are written out; between chunks one average of the past per interest is carried, as the state of a recurrence.
"""

import torch
import torch.nn.functional as F
from einops import rearrange

CHUNK = 16  # events: more of them cost more shares, fewer of them more averages to carry; least time on a CPU


def low_rank_attention(q, k, v, pool_k, pool_v, *, mask=None, softmax_over="interests", keep=None):
    """Same contract as the reference, for the pools of the whole history. Cost b·l·h·r·p."""
    scores = rearrange(q, "b l h p -> b h l p") @ rearrange(_pooled(pool_k, k, mask), "b r h p -> b h p r")
    weights = _weights(scores / q.shape[-1] ** 0.5, mask, softmax_over, keep)
    y = weights @ rearrange(_pooled(pool_v, v, mask), "b r h p -> b h r p")
    return _real(rearrange(y, "b h l p -> b l h p"), mask)


def running_low_rank_attention(q, k, v, pool_k, pool_v, *, mask=None, keep=None):
    """Same contract as the reference with ``causal=True``. Cost b·l·r·(h·p + CHUNK), memory b·l·CHUNK·(r + h)."""
    length = q.shape[1]
    size = min(CHUNK, length)
    into_chunks = lambda t: rearrange(_pad(t, -length % size), "b (c q) h w -> b c h q w", q=size)  # noqa: E731
    q, k, v = into_chunks(q), into_chunks(k), into_chunks(v)

    # What query t reads of event s for interest r: inside its chunk "b c t s r", and of the past "b c t r".
    inside, past, states = _running_pools(pool_k, k, mask)
    near = rearrange(q @ k.mT, "b c h t s -> b c t h s") @ inside
    scores = rearrange(near, "b c t h r -> b c h t r") + (q @ states.mT) * past[:, :, None]
    weights = torch.softmax(scores / q.shape[-1] ** 0.5, dim=-1)
    weights = weights if keep is None else weights * into_chunks(keep)

    inside, past, states = _running_pools(pool_v, v, mask)
    near = rearrange(weights, "b c h t r -> b c t h r") @ inside.mT
    y = rearrange(near, "b c t h s -> b c h t s") @ v + (weights * past[:, :, None]) @ states
    return _real(rearrange(y, "b c h q p -> b (c q) h p")[:, :length], mask)


def _running_pools(logits, values, mask):
    """Shares inside chunks ``"b c t s r"``, the share of all that came before the chunk ``"b c t r"``, and its average
    ``"b c h r p"``."""
    chunks, size = values.shape[1], values.shape[3]
    logits = _pad(_filled(logits, mask), chunks * size - logits.shape[1])
    # Shares do not depend on the peak they are counted from, so it takes no part in the gradient.
    peak = rearrange(logits.detach().cummax(dim=1).values, "b (c q) r -> b c q r", q=size)
    logits = rearrange(logits, "b (c q) r -> b c q r", q=size)
    # Before the first chunk there is nothing to carry: its peak is that of nothing.
    start = F.pad(peak[:, :-1, -1], (0, 0, 1, 0), value=torch.finfo(logits.dtype).min)
    future = ~torch.ones(size, size, dtype=torch.bool, device=logits.device).tril()
    # Masked before the exponential: s > t may hold any logit, and exp of it could overflow.
    inside = torch.exp((logits[:, :, None] - peak[:, :, :, None]).masked_fill(future[:, :, None], -torch.inf))
    past = torch.exp(start[:, :, None] - peak)
    near = inside.sum(dim=3)
    mass = _carry(near[:, :, -1, None, :, None], past[:, :, -1])[:, :, 0, None, :, 0]
    total = near + past * mass  # at least 1: the peak itself is in it
    inside = (inside / total[:, :, :, None]).to(values.dtype)
    past = (past * mass / total).to(values.dtype)
    left = rearrange(inside[:, :, -1], "b c s r -> b c 1 r s") @ values
    return inside, past, _carry(left, past[:, :, -1])


def _carry(left, kept):
    """What has come together before each chunk, from what each leaves at its end ``"b c h r p"`` and what it keeps of
    the past ``"b c r"``."""
    state, states = torch.zeros_like(left[:, 0]), []
    for left_c, kept_c in zip(left.unbind(1), kept.unbind(1), strict=True):
        states.append(state)
        state = kept_c[:, None, :, None] * state + left_c
    return torch.stack(states, dim=1)


def _pooled(logits, values, mask):
    """The interests ``"b r h p"``: averages of the events, one set of shares for all heads."""
    shares = torch.softmax(_filled(logits, mask), dim=1)
    if mask is not None:
        shares = shares * mask[:, :, None]  # a history of pads alone has uniform shares: make them zero
    pooled = rearrange(shares, "b l r -> b r l").to(values.dtype) @ rearrange(values, "b l h p -> b l (h p)")
    return rearrange(pooled, "b r (h p) -> b r h p", h=values.shape[2])


def _weights(scores, mask, softmax_over, keep):
    """How much query t takes of interest r, ``"b h l r"``."""
    if softmax_over == "interests":
        weights = torch.softmax(scores, dim=-1)
    else:
        if mask is not None:
            scores = scores.masked_fill(~mask[:, None, :, None], torch.finfo(scores.dtype).min)
        weights = torch.softmax(scores, dim=-2)
    return weights if keep is None else weights * rearrange(keep, "b l h r -> b h l r")


def _filled(logits, mask):
    """Logits in float32 at least, those of pads so low that their share is nothing."""
    logits = logits.float() if logits.dtype in (torch.bfloat16, torch.float16) else logits
    return logits if mask is None else logits.masked_fill(~mask[:, :, None], torch.finfo(logits.dtype).min)


def _real(y, mask):
    return y if mask is None else torch.where(mask[:, :, None, None], y, 0)


def _pad(tensor, extra):
    """Append ``extra`` zero events along time (axis 1): after the last query, so no query reads them."""
    return F.pad(tensor, (0, 0) * (tensor.dim() - 2) + (0, extra)) if extra else tensor
