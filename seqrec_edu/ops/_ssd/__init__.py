import torch
from jaxtyping import Float
from torch import Tensor

from seqrec_edu.ops import compiled, gpu
from seqrec_edu.ops._ssd import cpu, reference, vectorised
from seqrec_edu.ops.backends import Operation, Rung
from seqrec_edu.ops.checks import ShapeError, axis_sizes, in_range, same_kind


def _with_skip(run):
    """A version that stops before the skip, completed by it; the loops and kernels add D x while they hold x."""

    def complete(x, dt, A, B, C, D, decay_scale, initial_state, *, chunk_size):
        y, state = run(x, dt, A, B, C, decay_scale, initial_state, chunk_size=chunk_size)
        return (y if D is None else y + D[:, None] * x), state

    return complete


def _rival_refuses(x):
    return gpu.refuses_mamba_ssm(x) or ("mamba-ssm sums in float32 at best" if x.dtype == torch.float64 else None)


OPERATION = Operation(
    "ssd",
    Rung("kernel", gpu.later("seqrec_edu.ops._ssd.kernel", "ssd"), gpu.refuses, gpu.HELD_BACK),
    Rung(
        "mamba_ssm",
        gpu.later("seqrec_edu.ops._ssd.mamba_ssm", "ssd"),
        _rival_refuses,
        "a rival to compare with: name it to run it",
    ),
    Rung("cpu", lambda *args, chunk_size: cpu.ssd(*args), compiled.refuses),
    Rung("vectorised", _with_skip(vectorised.ssd)),
    Rung("reference", _with_skip(lambda *args, chunk_size: reference.ssd(*args))),
    matrix=reference.mixing_matrix,
)


def ssd(
    x: Float[Tensor, "b l h p"],
    dt: Float[Tensor, "b l h"],
    A: Float[Tensor, " h"],
    B: Float[Tensor, "b l g n"],
    C: Float[Tensor, "b l g n"],
    D: Float[Tensor, " h"] | None = None,
    *,
    decay_scale: Float[Tensor, "b l h"] | None = None,
    chunk_size: int = 64,
    initial_state: Float[Tensor, "b h p n"] | None = None,
    return_state: bool = False,
    backend: str | None = None,
) -> Float[Tensor, "b l h p"] | tuple[Float[Tensor, "b l h p"], Float[Tensor, "b h p n"]]:
    """The state space of Mamba-2: one scalar decay per head and event, so that it is a masked attention as well.

    ``H[t] = exp(τ[t] dt[t] A) H[t-1] + dt[t] x[t] B[t]ᵀ``;  ``y[t] = H[t] C[t] + D x[t]``.

    ``dt`` arrives positive, ``A`` negative; ``decay_scale`` is τ ≥ 0, multiplying the log-decay only (TiM4Rec's time
    factor, 1 if left out). ``chunk_size`` changes cost and memory, never the result. Heads are shared out evenly over
    the groups g. Only the backends "vectorised" and "reference" differentiate twice.
    Errors: ``ShapeError`` on axes that do not fit, ``ValueError`` on ``chunk_size < 1``; on the CPU ``RangeError`` on
    ``dt < 0``, τ < 0, ``A > 0`` and on NaN or infinity in them (a GPU is not made to wait for that).
    Mamba-2, arXiv 2405.21060, sections 3, 5 and 6.
    """
    sizes = axis_sizes(
        "ssd",
        x=(x, "b l h p"), dt=(dt, "b l h"), A=(A, "h"), B=(B, "b l g n"), C=(C, "b l g n"), D=(D, "h"),
        decay_scale=(decay_scale, "b l h"), initial_state=(initial_state, "b h p n"),
    )  # fmt: skip
    same_kind("ssd", x=x, dt=dt, A=A, B=B, C=C, D=D, decay_scale=decay_scale, initial_state=initial_state)
    if sizes["h"] % sizes["g"]:
        raise ShapeError(f"ssd: {sizes['h']} heads (axis h of x) cannot share {sizes['g']} groups (axis g of B) evenly")
    if chunk_size < 1:
        raise ValueError(f"ssd: chunk_size must be at least 1, got {chunk_size}")
    in_range("ssd", "not negative: a step size, softplus already applied", least=0, dt=(dt, "b l h"))
    in_range("ssd", "not positive: a state may fade, not grow (A = -exp(A_log))", most=0, A=(A, "h"))
    in_range("ssd", "not negative: a factor on the decay", least=0, decay_scale=(decay_scale, "b l h"))
    y, state = OPERATION.pick(x, backend)(x, dt, A, B, C, D, decay_scale, initial_state, chunk_size=chunk_size)
    return (y, state) if return_state else y
