from jaxtyping import Float
from torch import Tensor

from seqrec_edu.ops import compiled, gpu
from seqrec_edu.ops._gated_norm import cpu, reference, vectorised
from seqrec_edu.ops.backends import Operation, Rung
from seqrec_edu.ops.checks import axis_sizes, same_kind

OPERATION = Operation(
    "gated_norm",
    Rung("kernel", gpu.later("seqrec_edu.ops._gated_norm.kernel", "gated_norm"), gpu.refuses, gpu.HELD_BACK),
    Rung("cpu", cpu.gated_norm, compiled.refuses),
    Rung("vectorised", vectorised.gated_norm),
    Rung("reference", reference.gated_norm),
)


def gated_norm(
    y: Float[Tensor, "b l e"],
    z: Float[Tensor, "b l e"] | None,
    weight: Float[Tensor, " e"],
    *,
    eps: float = 1e-5,
    backend: str | None = None,
) -> Float[Tensor, "b l e"]:
    """RMSNorm behind a gate, over the channels of each event: the gate first, then the norm.

    ``g = y · silu(z)``;  ``out = g / √(mean_e(g²) + eps) · weight``. Without z, ``g = y``.

    Plain numbers in and out; ``eps`` keeps an event of zeros at zero. Half precision is computed in float32 and rounded
    once. Cost: two reads and a write of b·l·e numbers. Only the backends "vectorised" and "reference" differentiate
    twice. Errors: ``ShapeError`` on axes that do not fit, ``ValueError`` on ``eps ≤ 0``.
    Mamba-2, arXiv 2405.21060, section 7; RMSNorm, arXiv 1910.07467, section 3.
    """
    axis_sizes("gated_norm", y=(y, "b l e"), z=(z, "b l e"), weight=(weight, "e"))
    same_kind("gated_norm", y=y, z=z, weight=weight)
    if not eps > 0:
        raise ValueError(f"gated_norm: eps must be above 0, got {eps}: without it an event of zeros would become NaN")
    return OPERATION.pick(y, backend)(y, z, weight, eps=eps)
