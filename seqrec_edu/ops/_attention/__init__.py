from jaxtyping import Bool, Float
from torch import Tensor

from seqrec_edu.ops._attention import reference, vectorised
from seqrec_edu.ops.backends import Operation, Rung
from seqrec_edu.ops.checks import axis_sizes, same_kind

OPERATION = Operation("attention", Rung("vectorised", vectorised.attention), Rung("reference", reference.attention))


def attention(
    q: Float[Tensor, "b l h p"],
    k: Float[Tensor, "b l h p"],
    v: Float[Tensor, "b l h p"],
    *,
    causal: bool,
    mask: Bool[Tensor, "b l"] | None = None,
    bias: Float[Tensor, "b h l l"] | None = None,
    backend: str | None = None,
) -> Float[Tensor, "b l h p"]:
    """Scaled dot-product attention over a history.

    ``y[t] = Σ_s softmax_s(q[t]·k[s]/√p + bias[t, s]) v[s]``, over real events s (``mask`` true), and s ≤ t if
    ``causal``.

    A query that may read nothing, and every masked query, gives zeros, never NaN. Cost b·h·l²·p.
    Errors: ``ShapeError`` on axes that do not fit. Vaswani et al. 2017, section 3.2.
    """
    axis_sizes("attention", q=(q, "b l h p"), k=(k, "b l h p"), v=(v, "b l h p"), mask=(mask, "b l"))
    if bias is not None and bias.shape[-2:] != (q.shape[1], q.shape[1]):
        raise ValueError(f"attention: bias needs one number per pair of events, 'b h l l', got {tuple(bias.shape)}")
    same_kind("attention", q=q, k=k, v=v, bias=bias)
    return OPERATION.pick(q, backend)(q, k, v, causal=causal, mask=mask, bias=bias)
