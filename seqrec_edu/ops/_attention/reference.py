"""Attention with its matrix written out."""

import torch
from einops import einsum, rearrange


def attention(q, k, v, *, causal, mask=None, bias=None):
    """``y "b l h p"`` as the dense matrix times the values."""
    return einsum(mixing_matrix(q, k, causal=causal, mask=mask, bias=bias), v, "b h t s, b s h p -> b t h p")


def mixing_matrix(q, k, *, causal, mask=None, bias=None):
    """``M "b h l l"`` with ``y = M v``: rows are distributions over the events that may be read, or all zero."""
    scores = einsum(q, k, "b t h p, b s h p -> b h t s") / q.shape[-1] ** 0.5
    if bias is not None:
        scores = scores + bias
    readable = torch.ones(q.shape[1], q.shape[1], dtype=torch.bool, device=q.device)
    if causal:
        readable = readable.tril()
    if mask is not None:
        readable = readable & rearrange(mask, "b s -> b 1 1 s") & rearrange(mask, "b t -> b 1 t 1")
    weights = torch.softmax(scores.masked_fill(~readable, torch.finfo(scores.dtype).min), dim=-1)
    return weights * readable  # a row with nothing to read is uniform after softmax: make it zero
