import functools
import importlib

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from seqrec_edu.ops import compiled, gpu
from seqrec_edu.ops._causal_conv1d import cpu, reference, vectorised
from seqrec_edu.ops.backends import Operation, Rung
from seqrec_edu.ops.checks import axis_sizes, same_kind


@functools.cache
def _package_problem():
    """Why causal-conv1d does not import, or None."""
    try:
        importlib.import_module("causal_conv1d")
    except Exception as error:  # a build against another torch fails with anything from ImportError to OSError
        return f"causal_conv1d does not import: {type(error).__name__}: {error}"
    return None


def _rival_refuses(x):
    if x.device.type != "cuda":
        return f"causal-conv1d needs a CUDA GPU, the tensor is on {x.device}"
    return _package_problem() or ("causal-conv1d sums in float32 at best" if x.dtype == torch.float64 else None)


OPERATION = Operation(
    "causal_conv1d",
    Rung("kernel", gpu.later("seqrec_edu.ops._causal_conv1d.kernel", "causal_conv1d"), gpu.refuses, gpu.HELD_BACK),
    Rung(
        "mamba_ssm",
        gpu.later("seqrec_edu.ops._causal_conv1d.mamba_ssm", "causal_conv1d"),
        _rival_refuses,
        "a rival to compare with: name it to run it",
    ),
    Rung("cpu", cpu.causal_conv1d, compiled.refuses),
    Rung("vectorised", vectorised.causal_conv1d),
    Rung("reference", reference.causal_conv1d),
    matrix=reference.mixing_matrix,
)


def causal_conv1d(
    x: Float[Tensor, "b l e"],
    weight: Float[Tensor, "e k"],
    bias: Float[Tensor, " e"] | None = None,
    *,
    activation: str | None = None,
    initial_state: Float[Tensor, "b k-1 e"] | None = None,
    return_state: bool = False,
    backend: str | None = None,
) -> Float[Tensor, "b l e"] | tuple[Float[Tensor, "b l e"], Float[Tensor, "b k-1 e"]]:
    """Depthwise causal convolution over time, optionally followed by SiLU or Hardswish.

    ``y[t] = bias + Σ_j weight[:, k-1-j] · x[t-j]``, j = 0 … k-1; then ``y · σ(y)`` if ``activation="silu"``, or
    ``y · min(max(y + 3, 0), 6) / 6`` if it is "hardswish", which no backend fuses: one more pass over y after any.

    The state is the window of the last ``k-1`` inputs: passing what one call returned to the next continues the
    history. Cost b·l·e·k multiplications. Only the backends "vectorised" and "reference" differentiate twice.
    Errors: ``ShapeError`` on axes that do not fit, ``ValueError`` on an unknown activation. Mamba, arXiv
    2312.00752, section 3.4.
    """
    axis_sizes("causal_conv1d", x=(x, "b l e"), weight=(weight, "e k"), bias=(bias, "e"))
    axis_sizes("causal_conv1d", weight=(weight, "e k"), x=(x, "b l e"), initial_state=(initial_state, "b k-1 e"))
    same_kind("causal_conv1d", x=x, weight=weight, bias=bias, initial_state=initial_state)
    if activation not in (None, "silu", "hardswish"):
        raise ValueError(f"causal_conv1d: activation must be None, 'silu' or 'hardswish', got {activation!r}")
    run = OPERATION.pick(x, backend)
    fused = None if activation == "hardswish" else activation
    y, state = run(x, weight, bias, activation=fused, initial_state=initial_state)
    y = F.hardswish(y) if activation == "hardswish" else y
    return (y, state) if return_state else y
