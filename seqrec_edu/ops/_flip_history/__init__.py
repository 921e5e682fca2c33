import torch
from jaxtyping import Int, Shaped
from torch import Tensor

from seqrec_edu.ops._flip_history import reference, vectorised
from seqrec_edu.ops.backends import Operation, Rung
from seqrec_edu.ops.checks import axis_sizes, whole_numbers

OPERATION = Operation(
    "flip_history",
    Rung("vectorised", vectorised.flip_history),
    Rung("reference", reference.flip_history),
    matrix=reference.mixing_matrix,
)


def flip_history(
    x: Shaped[Tensor, "b l ..."], lengths: Int[Tensor, " b"], *, backend: str | None = None
) -> Shaped[Tensor, "b l ..."]:
    """Every history newest event first; pads stay where they are.

    ``y[t] = x[n-1-t]`` for t < n, ``y[t] = x[t]`` for t ≥ n, with n = ``lengths`` of the user, in events (0: nothing
    is reversed).

    x may hold anything: vectors, item numbers, timestamps. Flipping twice gives x back. Cost: one copy of x, and on a
    GPU one wait for the check of the lengths. Errors: ``ShapeError`` on axes that do not fit, ``ValueError`` on lengths
    that are no whole numbers or outside 0 … l. SSD4Rec, arXiv 2409.01192: reversal within each history's own span.
    """
    outline = torch.empty(x.shape, device="meta")  # only the shape is looked at: "b l" and one axis for all the rest
    outline, axes = (outline.flatten(2), "b l d") if x.dim() > 2 else (outline, "b l")
    sizes = axis_sizes("flip_history", x=(outline, axes), lengths=(lengths, "b"))
    whole_numbers("flip_history", x, lengths=lengths)
    shortest, longest = (int(bound) for bound in torch.aminmax(lengths))
    if shortest < 0 or longest > sizes["l"]:
        raise ValueError(
            f"flip_history: lengths run from {shortest} to {longest}, but a history of x "
            f"holds 0 to {sizes['l']} events (axis l)"
        )
    return OPERATION.pick(x, backend)(x, lengths)
