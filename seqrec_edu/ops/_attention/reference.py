"""Attention with its matrix written out."""

import torch
from einops import einsum, rearrange


def attention(q, k, v, *, causal, mask=None, bias=None, relation=None, keep=None):
    """``y "b l h p"`` as the dense matrix times the values, and times what the relations add to them."""
    M = mixing_matrix(q, k, causal=causal, mask=mask, bias=bias, relation=relation, keep=keep)
    y = einsum(M, v, "b h t s, b s h p -> b t h p")
    if relation is not None:
        index, _, table_v = relation
        y = y + einsum(M, table_v[index], "b h t s, b t s h p -> b t h p")
    return y


def mixing_matrix(q, k, *, causal, mask=None, bias=None, relation=None, keep=None):
    """``M "b h l l"`` with ``y = M v``: rows are distributions over the events that may be read, or all zero.

    With a ``relation``, y is ``M v`` and a sum over M that does not read v.
    """
    scores = einsum(q, k, "b t h p, b s h p -> b h t s")
    if relation is not None:
        index, table_k, _ = relation
        scores = scores + einsum(q, table_k[index], "b t h p, b t s h p -> b h t s")
    scores = scores / q.shape[-1] ** 0.5
    if bias is not None:
        scores = scores + bias
    readable = torch.ones(q.shape[1], q.shape[1], dtype=torch.bool, device=q.device)
    if causal:
        readable = readable.tril()
    if mask is not None:
        readable = readable & rearrange(mask, "b s -> b 1 1 s") & rearrange(mask, "b t -> b 1 t 1")
    weights = torch.softmax(scores.masked_fill(~readable, torch.finfo(scores.dtype).min), dim=-1)
    weights = weights * readable  # a row with nothing to read is uniform after softmax: make it zero
    return weights if keep is None else weights * keep
