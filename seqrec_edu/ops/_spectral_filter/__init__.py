import torch
from jaxtyping import Bool, Complex, Float
from torch import Tensor

from seqrec_edu.ops import gpu
from seqrec_edu.ops._spectral_filter import reference, vectorised
from seqrec_edu.ops.backends import Operation, Rung
from seqrec_edu.ops.checks import ShapeError, axis_sizes, same_kind

LONGEST = 256  # events: beyond this, l² of matrix products costs more than an FFT


def _kernel_refuses(x: Tensor) -> str | None:
    if x.dim() == 3 and x.shape[1] > LONGEST:
        return f"it costs l², an FFT l·log l: it is made for {LONGEST} events at most, this history has {x.shape[1]}"
    if x.dtype == torch.float64 and not gpu.interpreting():
        return "its matrix products are in float32, the tensor is torch.float64"
    return gpu.refuses(x)


OPERATION = Operation(
    "spectral_filter",
    Rung(
        "kernel",
        gpu.later("seqrec_edu.ops._spectral_filter.kernel", "spectral_filter"),
        _kernel_refuses,
        gpu.HELD_BACK,
    ),
    Rung("vectorised", vectorised.spectral_filter),
    Rung("reference", reference.spectral_filter),
    matrix=reference.mixing_matrix,
)


def spectral_filter(
    x: Float[Tensor, "b l d"],
    weight: Complex[Tensor, "f d"] | Float[Tensor, "l d"],
    *,
    causal: bool = False,
    mask: Bool[Tensor, "b l"] | None = None,
    backend: str | None = None,
) -> Float[Tensor, "b l d"]:
    """One learned convolution per channel over the whole history, given by its spectrum or by its response in time.

    Complex weight, one factor per frequency f = 0 … l//2: ``y = irfft(rfft(x) ⊙ W, n=l)``, a circular convolution,
    every output reads every event. Real weight, one factor per lag: ``y[t] = Σ_s w[(t-s) mod l] x[s]``, or with
    ``causal`` ``y[t] = Σ_{s≤t} w[t-s] x[s]``.

    The imaginary parts of ``W[0]``, and of ``W[l/2]`` for even l, belong to waves without a sine: they change nothing
    and get no gradient. ``mask`` is true at real events; pads are zeroed before, so that none is read, and after.
    Frequencies are in turns per l events: a spectrum belongs to one l. Half precision, with a complex64 weight or a
    real one of the same type, is computed in float32. Cost b·d·l·log l by FFT, whose rounding error, about 1e-7 of the
    largest event, reaches every output: by FFT a causal filter is causal up to that. Only "reference" differentiates
    twice.

    Errors: ``ShapeError`` on axes that do not fit or a spectrum for another length; ``ValueError`` on a complex weight
    with ``causal``, on unlike types or devices, on a mask that is not bool.
    FMLP-Rec, arXiv 2202.13556, section 4; EchoMamba4Rec, arXiv 2406.02638; the causal form is FFT convolution.
    """
    complex_weight = weight.is_complex()
    sizes = axis_sizes(
        "spectral_filter", x=(x, "b l d"), weight=(weight, "f d" if complex_weight else "l d"), mask=(mask, "b l")
    )
    if complex_weight:
        _check_spectrum(x, weight, sizes, causal)
    else:
        same_kind("spectral_filter", x=x, weight=weight)
    if mask is not None and mask.dtype != torch.bool:
        raise ValueError(f"spectral_filter: mask must be bool, true at real events, got {mask.dtype}")
    pads = None if mask is None else ~mask[:, :, None]
    # Filled, not multiplied by 0: a pad may hold anything, infinity included.
    y = OPERATION.pick(x, backend)(x if pads is None else x.masked_fill(pads, 0), weight, causal=causal)
    return y if pads is None else y.masked_fill(pads, 0)


def _check_spectrum(x: Tensor, weight: Tensor, sizes: dict[str, int], causal: bool) -> None:
    if causal:
        raise ValueError(
            "spectral_filter: a weight given per frequency is circular, its outputs read later events: "
            'for a causal filter give a real weight "l d", one factor per lag'
        )
    f, l = sizes["f"], sizes["l"]
    if f != l // 2 + 1:
        raise ShapeError(
            f"spectral_filter: {f} frequencies (axis f of weight) are those of {max(2 * f - 2, 1)} or {2 * f - 1} "
            f"events, but x has {l} (axis l), which needs {l // 2 + 1}: pad the histories to the length of the filter"
        )
    same_kind("spectral_filter", x=x)
    needed = torch.complex128 if x.dtype == torch.float64 else torch.complex64
    if weight.dtype != needed:
        raise ValueError(f"spectral_filter: weight is {weight.dtype}, x is {x.dtype}, which needs {needed}")
    if weight.device != x.device:
        raise ValueError(f"spectral_filter: weight is on {weight.device}, x is on {x.device}")
