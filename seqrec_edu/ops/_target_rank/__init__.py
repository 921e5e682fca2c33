from jaxtyping import Float, Int
from torch import Tensor

from seqrec_edu.ops import compiled, gpu
from seqrec_edu.ops._target_rank import cpu, reference, vectorised
from seqrec_edu.ops.backends import Operation, Rung
from seqrec_edu.ops.checks import axis_sizes, same_kind, whole_numbers

WIDEST = 256  # rows of hidden and items that a program of the kernel holds on chip


def _kernel_refuses(x):
    too_wide = x.dim() > 0 and x.shape[-1] > WIDEST
    return gpu.refuses(x) or (f"it holds rows of up to {WIDEST}, axis d is {x.shape[-1]}" if too_wide else None)


OPERATION = Operation(
    "target_rank",
    Rung("kernel", gpu.later("seqrec_edu.ops._target_rank.kernel", "target_rank"), _kernel_refuses, gpu.HELD_BACK),
    Rung("cpu", cpu.target_rank, compiled.refuses),
    Rung("vectorised", vectorised.target_rank),
    Rung("reference", reference.target_rank),
)


def target_rank(
    hidden: Float[Tensor, "u d"],
    items: Float[Tensor, "v d"],
    target: Int[Tensor, " u"],
    *,
    exclude: Int[Tensor, "u s"] | None = None,
    backend: str | None = None,
) -> Float[Tensor, " u"]:
    """Expected rank of each user's target among all items, 1 = best.

    ``rank = 1 + #(score > target's) + ½ #(score = target's, other items)``, score = ``hidden[u]·items[v]``, v = 1 …
    v-1.

    Row 0 of ``items`` is padding and never ranks. ``exclude`` holds item numbers left out per user (padded with 0), for
    example what was seen; repeats count once, and the target itself is never left out. Scores are float32 or better,
    the rank is float32. Cost 2·u·v·d operations; memory one tile of scores.
    A target whose own score is NaN has rank NaN. Another item whose score is NaN does not rank.
    Errors: ``ShapeError``; ``ValueError`` on item numbers that are not whole or outside 1 … v-1.
    """
    sizes = axis_sizes(
        "target_rank", hidden=(hidden, "u d"), items=(items, "v d"), target=(target, "u"), exclude=(exclude, "u s")
    )
    same_kind("target_rank", hidden=hidden, items=items)
    whole_numbers("target_rank", hidden, target=target, exclude=exclude)
    if int(target.min()) < 1 or int(target.max()) >= sizes["v"]:
        raise ValueError(f"target_rank: a target must be an item number from 1 to {sizes['v'] - 1}")
    if exclude is not None and exclude.numel() and (int(exclude.min()) < 0 or int(exclude.max()) >= sizes["v"]):
        raise ValueError(f"target_rank: excluded item numbers run from 0 (none) to {sizes['v'] - 1}")
    exclude = None if exclude is None else exclude.long()
    return OPERATION.pick(hidden, backend)(hidden, items, target.long(), exclude)
