"""Both poolings and the attention in one launch, forward and backward: one program per (sequence, head).

A program walks over its history in blocks of events. It pools keys and values as it goes (the largest logit so far is
the peak that shares are counted from; what was gathered fades when a larger one comes), keeps the r × p interests on
chip, and walks again to let every query read them. Nothing of size l × r is stored: the backward pass works shares and
weights out anew from the interests and from two numbers per interest, the peak and 1 / total of its softmax.

Backward, a dash marking the gradient of the loss, W the weights, P the shares of a pool, K = ``keep``:

    ṽ' = (W ⊙ K)ᵀ y'        W' = (y' ṽᵀ) ⊙ K        S' = W ⊙ (W' - Σ W' ⊙ W)        q' = S' k̃ / √p     k̃' = S'ᵀ q / √p
    k' = P k̃'               logits' = P ⊙ (k k̃'ᵀ - k̃·k̃')

Two sums need no walk of their own: over a pool, Σ_s P[s, r] (k[s]·k̃'[r]) is k̃[r]·k̃'[r]; and where the weights are a
softmax over positions, Σ_t W'[t, r] W[t, r] is ṽ[r]·ṽ'[r].

Pools are shared by the heads, so each head writes its part of their gradient and the parts are added afterwards:
no atomics, and the same bits in every run.
"""

import torch
import triton

from seqrec_edu.ops._low_rank_attention.kernel_backward import backward_kernel
from seqrec_edu.ops._low_rank_attention.kernel_forward import forward_kernel


def low_rank_attention(q, k, v, pool_k, pool_v, *, mask=None, softmax_over="interests", keep=None):
    """Same contract as the vectorised form, for up to 128 interests and heads of width 128."""
    return _LowRankAttention.apply(q, k, v, pool_k, pool_v, keep, mask, softmax_over == "positions")


class _LowRankAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx, q, k, v, pool_k, pool_v, keep, mask, positions):
        inputs = [t if t is None else t.contiguous() for t in (q, k, v, pool_k, pool_v, keep, mask)]
        batch, length, heads, width = q.shape
        rank = pool_k.shape[2]
        exact = torch.float64 if q.dtype == torch.float64 else torch.float32
        y = torch.empty_like(inputs[0])
        interests = q.new_empty(batch, heads, 2, rank, width, dtype=exact)  # k̃ and ṽ
        softmaxes = q.new_empty(batch, heads, 3, 2, rank, dtype=exact)  # of pool_k, pool_v, positions: peak, 1 / total
        forward_kernel[(batch * heads,)](
            *_present(inputs), y, interests, softmaxes, width**-0.5, length, heads, width, rank,
            POSITIONS=positions, **_compiled_for(inputs),
        )  # fmt: skip
        ctx.save_for_backward(*inputs, interests, softmaxes)
        ctx.positions = positions
        return y

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, dy):
        *inputs, interests, softmaxes = ctx.saved_tensors
        q, k, v, pool_k, _, keep, _ = inputs
        batch, length, heads, width = q.shape
        rank = pool_k.shape[2]
        dq, dk, dv = torch.empty_like(q), torch.empty_like(k), torch.empty_like(v)
        dpools = interests.new_empty(batch, heads, 2, length, rank)
        dkeep = torch.empty_like(keep) if ctx.needs_input_grad[5] else None
        backward_kernel[(batch * heads,)](
            *_present(inputs), interests, softmaxes, dy.contiguous(), dq, dk, dv, dpools, q if dkeep is None else dkeep,
            width**-0.5, length, heads, width, rank,
            POSITIONS=ctx.positions, KEEP_GRADIENT=dkeep is not None, **_compiled_for(inputs),
        )  # fmt: skip
        dpool_k, dpool_v = dpools.sum(1).to(q.dtype).unbind(1)
        return dq, dk, dv, dpool_k, dpool_v, dkeep, None, None


def _present(inputs):
    """A kernel wants a tensor in the place of one that is absent; it never reads it."""
    return [inputs[0] if t is None else t for t in inputs]


def _compiled_for(inputs):
    """What is fixed when a kernel is compiled. A matrix product on chip has sides of 16 at least."""
    q, _, _, pool_k, _, keep, mask = inputs
    block = min(32, max(16, triton.next_power_of_2(q.shape[1])))
    return {
        "BLOCKS": triton.cdiv(q.shape[1], block),
        "BL": block,
        "BP": max(16, triton.next_power_of_2(q.shape[3])),
        "BR": max(16, triton.next_power_of_2(pool_k.shape[2])),
        "MASKED": mask is not None,
        "KEPT": keep is not None,
        "num_warps": 4 if q.shape[3] <= 16 else 8,  # so that nothing spills, see the tests
    }
