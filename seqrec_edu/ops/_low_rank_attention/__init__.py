from functools import partial

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from seqrec_edu.ops import gpu
from seqrec_edu.ops._low_rank_attention import reference, vectorised
from seqrec_edu.ops.backends import Operation, Rung
from seqrec_edu.ops.checks import axis_sizes, same_kind

LARGEST = 128  # interests, and channels of a head, that a program of the kernel holds on chip


def _kernel_refuses(q: Tensor, pool_k: Tensor | None = None) -> str | None:
    rank, width = 0 if pool_k is None else pool_k.shape[-1], q.shape[-1] if q.dim() == 4 else 0
    if rank > LARGEST:
        return f"it holds up to {LARGEST} interests on chip, axis r is {rank}"
    if width > LARGEST:
        return f"it holds heads up to {LARGEST} wide on chip, axis p is {width}"
    if q.dtype == torch.float64 and not gpu.interpreting():
        return "its matrix products are for float32 and bfloat16, the tensor is torch.float64"
    return gpu.refuses(q)


OPERATION = Operation(
    "low_rank_attention",
    Rung(
        "kernel",
        gpu.later("seqrec_edu.ops._low_rank_attention.kernel", "low_rank_attention"),
        _kernel_refuses,
        gpu.HELD_BACK,
    ),
    Rung("vectorised", vectorised.low_rank_attention),
    Rung("reference", reference.low_rank_attention),
    matrix=reference.mixing_matrix,
)
# A ladder of its own, because it has other rungs: naming the kernel for it is an error that says so.
RUNNING = Operation(
    "running_low_rank_attention",
    Rung("vectorised", vectorised.running_low_rank_attention),
    Rung("reference", partial(reference.low_rank_attention, causal=True)),
    matrix=partial(reference.mixing_matrix, causal=True),
)


def low_rank_attention(
    q: Float[Tensor, "b l h p"],
    k: Float[Tensor, "b l h p"],
    v: Float[Tensor, "b l h p"],
    pool_k: Float[Tensor, "b l r"],
    pool_v: Float[Tensor, "b l r"],
    *,
    mask: Bool[Tensor, "b l"] | None = None,
    softmax_over: str = "interests",
    causal: bool = False,
    keep: Float[Tensor, "b l h r"] | None = None,
    backend: str | None = None,
) -> Float[Tensor, "b l h p"]:
    """Attention to r interests into which the history is pooled, instead of to its l events.

    ``k̃[r] = Σ_s softmax_s(pool_k[s, r]) k[s]``, ṽ likewise with ``pool_v``;
    ``y[t] = Σ_r softmax(q[t]·k̃[r] / √p) ṽ[r]``.

    ``pool_k`` and ``pool_v`` are logits, shared by the heads. The second softmax runs over the interests r, so that
    each query hands out a share of 1, or over the positions t (``softmax_over="positions"``: MLSA4Rec's and LightSANs'
    code), where each interest does and every event depends on every other. With ``mask`` the pads take part in neither
    softmax and give zeros, as does a history of pads alone; without it they count as events, as in the authors' code.
    ``causal`` is ours, not the papers': event t pools the events s ≤ t only. Otherwise every event reads the whole
    history, and training at every position would show the model its targets. ``keep`` multiplies the weights on the
    interests: a layer's dropout, drawn by the caller.

    Cost b·l·h·r·p; causal b·l·r·(h·p + 16). Errors: ``ShapeError`` on axes that do not fit; ``ValueError`` on an
    unknown ``softmax_over``, and on "positions" together with ``causal``.
    LightSANs, SIGIR 2021, doi 10.1145/3404835.3462978; MLSA4Rec, arXiv 2407.13135.
    """
    axis_sizes(
        "low_rank_attention",
        q=(q, "b l h p"), k=(k, "b l h p"), v=(v, "b l h p"), pool_k=(pool_k, "b l r"), pool_v=(pool_v, "b l r"),
        mask=(mask, "b l"), keep=(keep, "b l h r"),
    )  # fmt: skip
    same_kind("low_rank_attention", q=q, k=k, v=v, pool_k=pool_k, pool_v=pool_v, keep=keep)
    if mask is not None and mask.dtype != torch.bool:
        raise ValueError(f"low_rank_attention: mask must be boolean, true at real events, got {mask.dtype}")
    if softmax_over not in ("interests", "positions"):
        raise ValueError(f"low_rank_attention: softmax_over must be 'interests' or 'positions', got {softmax_over!r}")
    if not causal:
        return OPERATION.pick(q, backend, pool_k)(
            q, k, v, pool_k, pool_v, mask=mask, softmax_over=softmax_over, keep=keep
        )  # fmt: skip
    if softmax_over == "positions":
        raise ValueError(
            "low_rank_attention: a softmax over positions divides the weight of an event by those of later ones, so it "
            "cannot be causal: use softmax_over='interests'"
        )
    return RUNNING.pick(q, backend)(q, k, v, pool_k, pool_v, mask=mask, keep=keep)
