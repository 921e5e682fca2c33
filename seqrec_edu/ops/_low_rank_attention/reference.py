"""Low-rank attention with its pools and its matrix written out."""

import torch
from einops import einsum, rearrange


def low_rank_attention(
    q, k, v, pool_k, pool_v, *, mask=None, softmax_over="interests", causal=False, keep=None
):  # fmt: skip
    """``y "b l h p"`` as the dense matrix times the values."""
    M = mixing_matrix(q, k, pool_k, pool_v, mask=mask, softmax_over=softmax_over, causal=causal, keep=keep)
    return einsum(M, v, "b h t s, b s h p -> b t h p")


def mixing_matrix(q, k, pool_k, pool_v, *, mask=None, softmax_over="interests", causal=False, keep=None):
    """``M "b h l l"`` with ``y = M v``: ``M[t, s] = Σ_r W[t, r] P_v[s, r]``, of rank r at most unless ``causal``."""
    interests = einsum(pools(pool_k, mask, causal), k, "b t s r, b s h p -> b t r h p")  # what query t finds to read
    scores = einsum(q, interests, "b t h p, b t r h p -> b h t r") / q.shape[-1] ** 0.5
    asking = torch.ones_like(pool_k[:, :, 0], dtype=torch.bool) if mask is None else mask
    asking = rearrange(asking, "b t -> b 1 t 1")
    over = -1 if softmax_over == "interests" else -2
    weights = torch.softmax(scores.masked_fill(~asking, torch.finfo(scores.dtype).min), dim=over) * asking
    if keep is not None:
        weights = weights * rearrange(keep, "b t h r -> b h t r")
    return einsum(weights, pools(pool_v, mask, causal), "b h t r, b t s r -> b h t s")


def pools(logits, mask, causal):
    """``P "b t s r"``: the share of event s in interest r, as query t finds it. One distribution over s for each r.

    It is the same for every t, unless ``causal``: then it is a softmax over the events s ≤ t.
    """
    length = logits.shape[1]
    readable = torch.ones(1, length, length, dtype=torch.bool, device=logits.device)
    if causal:
        readable = readable.tril()
    if mask is not None:
        readable = readable & rearrange(mask, "b s -> b 1 s")
    readable = rearrange(readable, "b t s -> b t s 1")
    filled = rearrange(logits, "b s r -> b 1 s r").masked_fill(~readable, torch.finfo(logits.dtype).min)
    return torch.softmax(filled, dim=2) * readable  # with nothing to pool, the softmax is uniform: make it zero
