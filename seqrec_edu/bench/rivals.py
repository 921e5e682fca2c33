"""How the same functions are computed elsewhere, written from their equations so that the naive side is not made worse.

Each names what it is. What these ways cost, and why, is part of the course: none of them is wrong.
"""

from __future__ import annotations

import importlib

import torch
import torch.nn.functional as F
from einops import einsum, rearrange, repeat

from seqrec_edu.ops._ssd import reference as ssd
from seqrec_edu.ops.decays import segment_sum

# --- selective scan ---------------------------------------------------------------------------------------------------


def indexed_loop(x, dt, A, B, C, D):
    """The readable loop with ``x[:, t]``: the gradient of an index is as long as the history, so backward is l²."""
    state, outputs = x.new_zeros(x.shape[0], x.shape[2], A.shape[1]), []
    for t in range(x.shape[1]):
        written = (dt[:, t] * x[:, t])[:, :, None] * B[:, t, None, :]
        state = torch.exp(dt[:, t, :, None] * A) * state + written
        outputs.append(einsum(state, C[:, t], "b e n, b n -> b e"))
    return torch.stack(outputs, dim=1) + D * x


def materialised_loop(x, dt, A, B, C, D):
    """Decay and input of every state written out as "b l e n", then a loop that indexes them: l² backward, n times."""
    decay, written = materialised(x, dt, A, B)
    state, outputs = torch.zeros_like(decay[:, 0]), []
    for t in range(x.shape[1]):
        state = decay[:, t] * state + written[:, t]
        outputs.append(einsum(state, C[:, t], "b e n, b n -> b e"))
    return torch.stack(outputs, dim=1) + D * x


def blelloch_scan(x, dt, A, B, C, D):
    """A work-efficient parallel scan over the materialised states (Blelloch 1990); its gradient is a second one."""
    states = _Sweeps.apply(*materialised(x, dt, A, B))
    return einsum(states, C, "b l e n, b l n -> b l e") + D * x


def associative_scan(x, dt, A, B, C, D):
    """PyTorch's own scan of pairs, over the materialised states."""
    from torch._higher_order_ops.associative_scan import associative_scan as scan

    def one_after_the_other(left, right):
        return right[0] * left[0], right[0] * left[1] + right[1]

    _, states = scan(one_after_the_other, materialised(x, dt, A, B), dim=1, combine_mode="generic")
    return einsum(states, C, "b l e n, b l n -> b l e") + D * x


def no_associative_scan() -> str | None:
    try:
        module = importlib.import_module("torch._higher_order_ops.associative_scan")  # a private name: it may move
    except ImportError as error:
        return f"this torch has none: {error}"
    return None if hasattr(module, "associative_scan") else "this torch has moved it"


def materialised(x, dt, A, B):
    """What every state keeps and what is written to it, ``"b l e n"`` each."""
    return torch.exp(dt[..., None] * A), (dt * x)[..., None] * B[:, :, None, :]


class _Sweeps(torch.autograd.Function):
    """Every state of ``h[t] = a[t] h[t-1] + u[t]``; backward ``g[t] = dh[t] + a[t+1] g[t+1]``, the same backwards."""

    @staticmethod
    def forward(ctx, a, u):
        states = u.clone()
        _sweep(a.clone(), states)
        ctx.save_for_backward(a, states)
        return states

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, dh):
        a, states = ctx.saved_tensors
        g = dh.flip(1)
        _sweep(F.pad(a[:, 1:].flip(1), (0, 0, 0, 0, 1, 0)), g)
        g = g.flip(1)
        da = torch.zeros_like(a)
        torch.mul(g[:, 1:], states[:, :-1], out=da[:, 1:])
        return da, g


def _sweep(a, u):
    """In place: ``u[:, t]`` becomes the state after t. Up a tree of blocks, then down to what lies between them."""
    length, reach = u.shape[1], 1
    while 2 * reach <= length:
        right = slice(2 * reach - 1, length, 2 * reach)
        left = slice(reach - 1, length - reach, 2 * reach)
        u[:, right] += a[:, right] * u[:, left]
        a[:, right] *= a[:, left]
        reach *= 2
    while reach > 1:
        reach //= 2
        right = slice(3 * reach - 1, length, 2 * reach)
        left = slice(2 * reach - 1, length - reach, 2 * reach)
        u[:, right] += a[:, right] * u[:, left]


# --- ssd --------------------------------------------------------------------------------------------------------------


def masked_matrix(x, dt, A, B, C, D):
    """The dual form: the whole l × l matrix of every head, times the values."""
    M = ssd.mixing_matrix(dt, A, B, C)
    return einsum(M, x, "b h t s, b s h p -> b t h p") + D[:, None] * x


def minimal_chunked(x, dt, A, B, C, D):
    """Chunks as in the listing of the Mamba-2 paper: C·B once per head, and a quadratic mask between the chunks too.

    The chunk is the largest divisor of l up to 64, because this form has no padding of its own.
    """
    size = next(q for q in range(min(64, x.shape[1]), 0, -1) if x.shape[1] % q == 0)
    B, C = (repeat(v, "b l g n -> b l (g i) n", i=x.shape[2] // v.shape[2]) for v in (B, C))
    u, log_a = x * dt[..., None], dt * A
    u, B, C = (rearrange(v, "b (c q) h w -> b c q h w", q=size) for v in (u, B, C))
    log_a = rearrange(log_a, "b (c q) h -> b h c q", q=size)
    total = log_a.cumsum(-1)
    mask = torch.exp(segment_sum(log_a))
    inside = torch.einsum("bcthn,bcshn,bhcts,bcshp->bcthp", C, B, mask, u)
    left = torch.einsum("bcshn,bhcs,bcshp->bchpn", B, torch.exp(total[..., -1:] - total), u)
    left = torch.cat([torch.zeros_like(left[:, :1]), left], dim=1)
    carried = torch.exp(segment_sum(F.pad(total[..., -1], (1, 0))))
    states = torch.einsum("bhzc,bchpn->bzhpn", carried, left)[:, :-1]
    across = torch.einsum("bcthn,bchpn,bhct->bcthp", C, states, torch.exp(total))
    return rearrange(inside + across, "b c q h p -> b (c q) h p") + D[:, None] * x


# --- attention --------------------------------------------------------------------------------------------------------


def fused_attention(q, k, v, causal: bool):
    """PyTorch's scaled_dot_product_attention, which wants heads before time."""
    y = F.scaled_dot_product_attention(*(t.transpose(1, 2) for t in (q, k, v)), is_causal=causal)
    return y.transpose(1, 2)


def written_out_attention(q, k, v, causal: bool):
    """Scores, a mask of large negative numbers added to them, softmax, product: as in many recommender libraries."""
    q, k, v = (t.transpose(1, 2) for t in (q, k, v))
    scores = q @ k.mT / q.shape[-1] ** 0.5
    if causal:
        allowed = torch.ones(q.shape[2], q.shape[2], dtype=torch.bool, device=q.device).tril()
        scores = scores + torch.where(allowed, 0.0, -10_000.0)
    return (torch.softmax(scores, dim=-1) @ v).transpose(1, 2)


# --- convolution ------------------------------------------------------------------------------------------------------


def transposed_convolution(x, weight, bias):
    """``conv1d`` wants channels first: there and back, because the layer that follows wants channels last."""
    length, width = x.shape[1], weight.shape[1]
    y = F.conv1d(x.transpose(1, 2), weight[:, None], bias, padding=width - 1, groups=len(weight))
    return F.silu(y[..., :length]).transpose(1, 2).contiguous()


# --- ranking ----------------------------------------------------------------------------------------------------------


def place(rank, within: int):
    """The place among the first ``within``, 0 for a target that is not among them."""
    return torch.where(rank <= within, rank.double(), 0.0)


def by_positive_matrix(hidden, items, target, exclude, within: int):
    """All scores, seen items masked, the best of each row, and a users × items matrix that marks what is right."""
    scores = _masked_scores(hidden, items, exclude)
    best = scores.topk(within, dim=1).indices
    positives = torch.zeros_like(scores, dtype=torch.int32)
    positives.scatter_(1, target[:, None], 1)
    return _first(positives.gather(1, best) == 1)


def by_top_k(hidden, items, target, exclude, within: int):
    """All scores, seen items masked, the best of each row compared with the target."""
    best = _masked_scores(hidden, items, exclude).topk(within, dim=1).indices
    return _first(best == target[:, None])


def by_sorting(hidden, items, target, exclude, within: int):
    """All scores, seen items masked, every row sorted."""
    order = _masked_scores(hidden, items, exclude).argsort(dim=1, descending=True)
    return place((order == target[:, None]).int().argmax(1) + 1, within)


def _masked_scores(hidden, items, exclude):
    scores = hidden @ items.T
    scores[:, 0] = -torch.inf
    return scores.scatter_(1, exclude, -torch.inf)


def _first(hits):
    places = torch.arange(1, hits.shape[1] + 1, device=hits.device)
    return (hits * places).sum(1).double()
