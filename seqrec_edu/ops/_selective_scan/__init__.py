import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from seqrec_edu.ops import compiled, gpu
from seqrec_edu.ops._selective_scan import cpu, reference, vectorised
from seqrec_edu.ops.backends import Operation, Rung
from seqrec_edu.ops.checks import axis_sizes, in_range, same_kind


def _with_skip_and_gate(scan):
    """A version that computes ``C·h`` only, completed by ``D x`` and the gate; the other versions do both inside."""

    def complete(x, dt, A, B, C, D, z, initial_state):
        y, state = scan(x, dt, A, B, C, initial_state)
        if D is not None:
            y = y + D * x
        if z is not None:
            y = y * F.silu(z)
        return y, state

    return complete


def _rival_refuses(x):
    return gpu.refuses_mamba_ssm(x) or ("mamba-ssm sums in float32 at best" if x.dtype == torch.float64 else None)


OPERATION = Operation(
    "selective_scan",
    Rung("kernel", gpu.later("seqrec_edu.ops._selective_scan.kernel", "selective_scan"), gpu.refuses, gpu.HELD_BACK),
    Rung(
        "mamba_ssm",
        gpu.later("seqrec_edu.ops._selective_scan.mamba_ssm", "selective_scan"),
        _rival_refuses,
        "a rival to compare with: name it to run it",
    ),
    Rung("cpu", cpu.selective_scan, compiled.refuses),
    Rung("vectorised", _with_skip_and_gate(vectorised.selective_scan)),
    Rung("reference", _with_skip_and_gate(reference.selective_scan)),
    matrix=reference.mixing_matrix,
)


def selective_scan(
    x: Float[Tensor, "b l e"],
    dt: Float[Tensor, "b l e"],
    A: Float[Tensor, "e n"],
    B: Float[Tensor, "b l n"],
    C: Float[Tensor, "b l n"],
    D: Float[Tensor, " e"] | None = None,
    z: Float[Tensor, "b l e"] | None = None,
    *,
    initial_state: Float[Tensor, "b e n"] | None = None,
    return_state: bool = False,
    backend: str | None = None,
) -> Float[Tensor, "b l e"] | tuple[Float[Tensor, "b l e"], Float[Tensor, "b e n"]]:
    """The selective state space of Mamba-1: a recurrence whose step size depends on the input.

    ``h[t] = exp(dt[t] A) h[t-1] + dt[t] x[t] B[t]``;  ``y[t] = C[t]·h[t] + D x[t]``;  with ``z``: ``y · silu(z)``.

    ``dt`` arrives positive (softplus already applied), ``A`` negative. Cost b·l·e·n updates. ``return_state`` also
    gives ``h`` after the last event; passing it on as ``initial_state`` continues the history exactly. Only the
    backend "reference" differentiates twice.
    Errors: ``ShapeError`` on axes that do not fit; on the CPU ``RangeError`` on ``dt < 0``, ``A > 0`` and on NaN or
    infinity in them (a GPU is not made to wait for that). Mamba, arXiv 2312.00752, section 3.
    """
    axis_sizes(
        "selective_scan",
        x=(x, "b l e"), dt=(dt, "b l e"), A=(A, "e n"), B=(B, "b l n"), C=(C, "b l n"), D=(D, "e"), z=(z, "b l e"),
        initial_state=(initial_state, "b e n"),
    )  # fmt: skip
    same_kind("selective_scan", x=x, dt=dt, A=A, B=B, C=C, D=D, z=z, initial_state=initial_state)
    in_range("selective_scan", "not negative: a step size, softplus already applied", least=0, dt=(dt, "b l e"))
    in_range("selective_scan", "not positive: a state may fade, not grow (A = -exp(A_log))", most=0, A=(A, "e n"))
    y, state = OPERATION.pick(x, backend)(x, dt, A, B, C, D, z, initial_state)
    return (y, state) if return_state else y
