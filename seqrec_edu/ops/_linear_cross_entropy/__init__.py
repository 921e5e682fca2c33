from jaxtyping import Float, Int
from torch import Tensor

from seqrec_edu.ops import compiled, gpu
from seqrec_edu.ops._linear_cross_entropy import cpu, reference, vectorised
from seqrec_edu.ops.backends import Operation, Rung
from seqrec_edu.ops.checks import axis_sizes, same_kind, whole_numbers

WIDEST = 256  # rows of hidden and items that a program of the kernel holds on chip


def _kernel_refuses(x):
    too_wide = x.dim() > 0 and x.shape[-1] > WIDEST
    return gpu.refuses(x) or (f"it holds rows of up to {WIDEST}, axis d is {x.shape[-1]}" if too_wide else None)


OPERATION = Operation(
    "linear_cross_entropy",
    Rung(
        "kernel",
        gpu.later("seqrec_edu.ops._linear_cross_entropy.kernel", "linear_cross_entropy"),
        _kernel_refuses,
        gpu.HELD_BACK,
    ),
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

    Tokens whose target is ``ignore_index`` count nothing (their loss is 0 with ``reduction="none"``); None means that
    every row is an item. ``reduction`` is "mean" over the tokens that count, "sum" or "none". Gradients to ``hidden``
    and ``items``; no double backward. Half precision is summed in fp32.
    Cost 6·t·v·d operations, 8 with "none" or more than 65,536 items; memory one tile of scores (2 MB, at most 16) and
    the two gradients.
    Errors: ``ShapeError``; ``ValueError`` on targets that are not whole numbers, one or ``ignore_index`` outside the
    catalogue, a catalogue of padding only, an unknown reduction, or "mean" of nothing. Targets on a GPU are not read
    for that, as it would stall: there the kernel makes NaN of such a target or mean, and the other versions end in
    CUDA's own index error.
    """
    sizes = axis_sizes("linear_cross_entropy", hidden=(hidden, "t d"), items=(items, "v d"), target=(target, "t"))
    same_kind("linear_cross_entropy", hidden=hidden, items=items)
    whole_numbers("linear_cross_entropy", hidden, target=target)
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"linear_cross_entropy: reduction must be 'mean', 'sum' or 'none', got {reduction!r}")
    _check_targets(target, sizes["v"], reduction, ignore_index)
    return OPERATION.pick(hidden, backend)(hidden, items, target.long(), reduction, ignore_index)


def _check_targets(target, items, reduction, ignore_index):
    if ignore_index is not None and not 0 <= ignore_index < items:
        raise ValueError(
            f"linear_cross_entropy: ignore_index is the padding row, one of 0…{items - 1}, or None; got {ignore_index}"
        )
    if ignore_index is not None and items == 1:
        raise ValueError("linear_cross_entropy: axis v of items has the padding row only, so there is nothing to rank")
    if target.is_cuda:
        return
    low, high = int(target.min()), int(target.max())
    if low < 0 or high >= items:
        raise ValueError(f"linear_cross_entropy: targets run from {low} to {high}, rows of items are 0…{items - 1}")
    if reduction == "mean" and ignore_index is not None and not bool((target != ignore_index).any()):
        raise ValueError("linear_cross_entropy: every target is padding, so there is no mean")
