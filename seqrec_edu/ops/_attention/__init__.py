import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from seqrec_edu.ops._attention import reference, vectorised
from seqrec_edu.ops.backends import Operation, Rung
from seqrec_edu.ops.checks import axis_sizes, same_kind

OPERATION = Operation(
    "attention",
    Rung("vectorised", vectorised.attention),
    Rung("reference", reference.attention),
    matrix=reference.mixing_matrix,
)


def attention(
    q: Float[Tensor, "b l h p"],
    k: Float[Tensor, "b l h p"],
    v: Float[Tensor, "b l h p"],
    *,
    causal: bool,
    mask: Bool[Tensor, "b l"] | None = None,
    bias: Float[Tensor, "b h l l"] | None = None,
    relation: tuple[Int[Tensor, "b l l"], Float[Tensor, "c h p"], Float[Tensor, "c h p"]] | None = None,
    keep: Float[Tensor, "b h l l"] | None = None,
    backend: str | None = None,
) -> Float[Tensor, "b l h p"]:
    """Scaled dot-product attention over a history.

    ``y[t] = Σ_s softmax_s(q[t]·k[s]/√p + bias[t, s]) v[s]``, over real events s (``mask`` true), and s ≤ t if
    ``causal``. With ``relation = (index, table_k, table_v)`` the pair of events t, s belongs to class
    ``index[t, s]`` and its rows of the tables join key and value:
    ``y[t] = Σ_s softmax_s(q[t]·(k[s] + table_k[index[t, s]])/√p + …) (v[s] + table_v[index[t, s]])``.

    ``keep`` multiplies the weights after the softmax: a layer's dropout, drawn by the caller. A query that may read
    nothing, and every masked query, gives zeros, never NaN. Cost b·h·l²·p, with relations b·h·l·(l + c)·p; without
    relation and keep the l × l matrix is never stored.
    Errors: ``ShapeError`` on axes that do not fit; ``ValueError`` on an index outside the tables, on a mask that is not
    bool.
    Vaswani et al. 2017, section 3.2; relations: TiSASRec, WSDM 2020, doi 10.1145/3336191.3371786.
    """
    index, table_k, table_v = relation or (None, None, None)
    sizes = axis_sizes(
        "attention",
        q=(q, "b l h p"), k=(k, "b l h p"), v=(v, "b l h p"), mask=(mask, "b l"), bias=(bias, "b h l l"),
        index=(index, "b l l"), table_k=(table_k, "c h p"), table_v=(table_v, "c h p"), keep=(keep, "b h l l"),
    )  # fmt: skip
    same_kind("attention", q=q, k=k, v=v, bias=bias, table_k=table_k, table_v=table_v, keep=keep)
    if mask is not None and mask.dtype != torch.bool:
        raise ValueError(f"attention: mask must be bool, true at real events, got {mask.dtype}")
    if relation is not None:
        _check_classes(index, sizes["c"])
    return OPERATION.pick(q, backend)(q, k, v, causal=causal, mask=mask, bias=bias, relation=relation, keep=keep)


def _check_classes(index, classes):
    if index.dtype != torch.int64:
        raise ValueError(f"attention: index must hold int64 classes, got {index.dtype}")
    if not index.is_cuda:  # reading it on a GPU would stall the device; an index error there is caught by CUDA itself
        low, high = int(index.min()), int(index.max())
        if low < 0 or high >= classes:
            raise ValueError(f"attention: index runs from {low} to {high}, rows of the tables are 0…{classes - 1}")
