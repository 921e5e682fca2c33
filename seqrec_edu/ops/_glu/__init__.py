from jaxtyping import Float
from torch import Tensor

from seqrec_edu.ops import gpu
from seqrec_edu.ops._glu import reference, vectorised
from seqrec_edu.ops.backends import Operation, Rung
from seqrec_edu.ops.checks import axis_sizes, same_kind

OPERATION = Operation(
    "glu",
    Rung("kernel", gpu.later("seqrec_edu.ops._glu.kernel", "glu"), gpu.refuses, gpu.HELD_BACK),
    Rung("vectorised", vectorised.glu),
    Rung("reference", reference.glu),
)


def glu(
    u: Float[Tensor, "b l d"],
    v: Float[Tensor, "b l d"],
    *,
    activation: str = "sigmoid",
    backend: str | None = None,
) -> Float[Tensor, "b l d"]:
    """Gated linear unit: v decides how much of u passes.

    ``y = u ⊙ σ(v)``; with ``activation="silu"`` ``u ⊙ v σ(v)``, with ``"gelu"`` ``u ⊙ v Φ(v)`` (Φ the normal
    distribution, exact).

    Plain numbers in, plain numbers out; half precision is computed in float32 and rounded once. Cost: two reads and a
    write of b·l·d numbers. Errors: ``ShapeError`` on axes that do not fit, ``ValueError`` on an unknown activation.
    Dauphin et al. 2017, arXiv 1612.08083, section 2; Shazeer 2020, arXiv 2002.05202, section 2.
    """
    axis_sizes("glu", u=(u, "b l d"), v=(v, "b l d"))
    same_kind("glu", u=u, v=v)
    if activation not in reference.GATES:
        raise ValueError(f"glu: activation must be one of {', '.join(reference.GATES)}, got {activation!r}")
    return OPERATION.pick(u, backend)(u, v, activation=activation)
