"""Attention through PyTorch's fused kernel; written out where relations or dropped weights need the matrix."""

import torch
import torch.nn.functional as F
from einops import rearrange, repeat


def attention(q, k, v, *, causal, mask=None, bias=None, relation=None, keep=None):
    """Same contract as the reference, without ever storing the l × l matrix where the fused kernel applies."""
    q, k, v = (rearrange(t, "b l h p -> b h l p") for t in (q, k, v))
    if relation is None and keep is None:
        y = _fused(q, k, v, causal, mask, bias)
    else:
        y = _written_out(q, k, v, causal, mask, bias, relation, keep)
    y = rearrange(y, "b h l p -> b l h p")
    return y if mask is None else torch.where(mask[:, :, None, None], y, 0)


def _fused(q, k, v, causal, mask, bias):
    allowed = bias
    if mask is not None or (causal and bias is not None):
        allowed = _readable(q.shape[2], causal, mask, q.device)
        if bias is not None:
            allowed = bias.masked_fill(~allowed, torch.finfo(q.dtype).min)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=allowed, is_causal=causal and allowed is None)


def _written_out(q, k, v, causal, mask, bias, relation, keep):
    """Events in the same relation share a row of the tables, so a query meets each row once: its c products are looked
    up for the l events, and the weights of the l events are added up per row before they meet it. The tables are never
    spread out to "b l l h p"."""
    scores = q @ k.mT
    if relation is not None:
        index, table_k, table_v = relation
        index = repeat(index, "b t s -> b h t s", h=q.shape[1])
        per_class = q @ rearrange(table_k, "c h p -> h p c")
        scores = scores + per_class.gather(-1, index)
    scores = scores / q.shape[-1] ** 0.5
    if bias is not None:
        scores = scores + bias
    unreadable = ~_readable(q.shape[2], causal, mask, q.device)
    weights = torch.softmax(scores.masked_fill(unreadable, torch.finfo(scores.dtype).min), dim=-1)
    if keep is not None:
        weights = weights * keep
    y = weights @ v
    if relation is not None:
        per_class = torch.zeros_like(per_class, dtype=weights.dtype).scatter_add(-1, index, weights)
        y = y + per_class @ rearrange(table_v, "c h p -> h c p")
    return y


def _readable(length, causal, mask, device):
    """``"b 1 l l"`` true where a query may read. Masked queries read themselves, so that no row is empty."""
    readable = torch.ones(1, 1, length, length, dtype=torch.bool, device=device)
    if causal:
        readable = readable.tril()
    if mask is None:
        return readable
    itself = torch.eye(length, dtype=torch.bool, device=device)
    return (readable & rearrange(mask, "b s -> b 1 1 s")) | itself
