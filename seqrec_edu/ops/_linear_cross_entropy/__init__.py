from jaxtyping import Float, Int
from torch import Tensor

from seqrec_edu.ops import compiled
from seqrec_edu.ops._linear_cross_entropy import cpu, reference, vectorised
from seqrec_edu.ops.backends import Operation, Rung
from seqrec_edu.ops.checks import axis_sizes, same_kind

OPERATION = Operation(
    "linear_cross_entropy",
    Rung("cpu", cpu.linear_cross_entropy, compiled.refuses),
    Rung("vectorised", vectorised.linear_cross_entropy),
    Rung("reference", reference.linear_cross_entropy),
)


def linear_cross_entropy(
    hidden: Float[Tensor, "t d"],
    items: Float[Tensor, "v d"],
    target: Int[Tensor, " t"],
    *,
    reduction: str = "mean",
    ignore_index: int | None = 0,
    backend: str | None = None,
) -> Float[Tensor, ""] | Float[Tensor, " t"]:
    """Cross-entropy of the next item over the full catalogue, without a tokens × items matrix in memory.

    ``loss[t] = logsumexp_v(hidden[t]·items[v]) - hidden[t]·items[target[t]]``, v over all rows but ``ignore_index``.

    Tokens whose target is ``ignore_index`` count nothing (their loss is 0 with ``reduction="none"``). ``reduction`` is
    "mean" over the tokens that count, "sum" or "none". Gradients to ``hidden`` and ``items``; no double backward.
    Cost 6·t·v·d operations; memory one tile of scores (16 MB) and the two gradients.
    Errors: ``ShapeError``; ``ValueError`` on a target outside the catalogue, an unknown reduction, or "mean" of
    nothing.
    """
    sizes = axis_sizes("linear_cross_entropy", hidden=(hidden, "t d"), items=(items, "v d"), target=(target, "t"))
    same_kind("linear_cross_entropy", hidden=hidden, items=items)
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"linear_cross_entropy: reduction must be 'mean', 'sum' or 'none', got {reduction!r}")
    if not target.is_cuda:  # reading it on a GPU would stall the device; an index error there is caught by CUDA itself
        low, high = int(target.min()), int(target.max())
        if low < 0 or high >= sizes["v"]:
            raise ValueError(
                f"linear_cross_entropy: targets run from {low} to {high}, rows of items are 0…{sizes['v'] - 1}"
            )
        if reduction == "mean" and ignore_index is not None and not bool((target != ignore_index).any()):
            raise ValueError("linear_cross_entropy: every target is padding, so there is no mean")
    return OPERATION.pick(hidden, backend)(hidden, items, target, reduction, ignore_index)
