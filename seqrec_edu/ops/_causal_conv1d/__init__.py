from jaxtyping import Float
from torch import Tensor

from seqrec_edu.ops import compiled
from seqrec_edu.ops._causal_conv1d import cpu, reference, vectorised
from seqrec_edu.ops.backends import Operation, Rung
from seqrec_edu.ops.checks import axis_sizes, same_kind

OPERATION = Operation(
    "causal_conv1d",
    Rung("cpu", cpu.causal_conv1d, compiled.refuses),
    Rung("vectorised", vectorised.causal_conv1d),
    Rung("reference", reference.causal_conv1d),
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
    """Depthwise causal convolution over time, optionally followed by SiLU.

    ``y[t] = bias + Σ_j weight[:, k-1-j] · x[t-j]``, j = 0 … k-1; then ``y · σ(y)`` if ``activation="silu"``.

    The state is the window of the last ``k-1`` inputs: passing what one call returned to the next continues the
    history. Cost b·l·e·k multiplications. Errors: ``ShapeError`` on axes that do not fit, ``ValueError`` on an
    unknown activation. Mamba, arXiv 2312.00752, section 3.4.
    """
    axis_sizes("causal_conv1d", x=(x, "b l e"), weight=(weight, "e k"), bias=(bias, "e"))
    axis_sizes("causal_conv1d", weight=(weight, "e k"), x=(x, "b l e"), initial_state=(initial_state, "b k-1 e"))
    same_kind("causal_conv1d", x=x, weight=weight, bias=bias, initial_state=initial_state)
    if activation not in (None, "silu"):
        raise ValueError(f"causal_conv1d: activation must be None or 'silu', got {activation!r}")
    run = OPERATION.pick(x, backend)
    y, state = run(x, weight, bias, activation=activation, initial_state=initial_state)
    return (y, state) if return_state else y
