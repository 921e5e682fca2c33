"""A learned filter per channel over the whole history, given by its spectrum: FFT against products with matrices."""

import math

import torch

from seqrec_edu import ops
from seqrec_edu.bench.case import Case, Variant, Work, chosen, ladder, normal, only
from seqrec_edu.bench.settings import Settings
from seqrec_edu.ops._spectral_filter import reference

USED = ("x", "weight")
LONGEST = 1024


def cases(settings: Settings) -> list[Case]:
    d = 8 if settings.quick else 64
    return [_case({"b": b, "l": l, "d": d}) for b, l in settings.batches]


def run(x, weight, backend):
    return ops.spectral_filter(x, weight, backend=backend)


def by_matrices(length):
    """The transform and its inverse as two products each, with constant matrices made beforehand."""
    cos, sin, share = reference.waves(length, length, torch.empty(1))
    there, back = torch.cat([cos, -sin]), torch.cat([cos * share, -sin * share]).T.contiguous()

    def filter_(x, weight):
        real, imag = (there @ x).chunk(2, dim=1)
        product = [real * weight.real - imag * weight.imag, real * weight.imag + imag * weight.real]
        return back @ torch.cat(product, dim=1)

    return filter_


def by_circulant(x, weight):
    """Every channel's l × l circulant, as one batch of products."""
    M = reference.mixing_matrix(weight, x.shape[1])
    return (M @ x.permute(2, 1, 0)).permute(2, 1, 0).contiguous()


def _case(sizes):
    b, l, d = sizes.values()
    quadratic = None if l <= LONGEST else f"it costs l²: left out beyond {LONGEST} events"
    matrices = None if quadratic else only(by_matrices(l), *USED)
    own = ladder("spectral_filter", run)
    others = [
        Variant("dft", "Fourier transform as a matrix product", matrices, missing=quadratic),
        Variant("circulant", "circulant matrix of every channel", only(by_circulant, *USED), missing=quadratic),
    ]
    return Case(
        name=f"{b} × {l}, width {d}",
        sizes=sizes,
        make=make,
        learn=USED,
        truths={"same": lambda **inputs: run(**inputs, backend="reference")},
        variants=(own[0], *others, *own[1:]),
        work={"same": work(sizes)},
        fewer={"b": 2},
        chosen=chosen("spectral_filter"),
    )


def make(sizes):
    b, l, d = (sizes[axis] for axis in "bld")
    f = l // 2 + 1
    return {"x": normal(b, l, d, seed=1), "weight": torch.complex(normal(f, d, seed=2), normal(f, d, seed=3))}


def work(sizes):
    """A real transform there and one back of 2.5·l·log2(l) operations each, and a complex product in between."""
    b, l, d = (sizes[axis] for axis in "bld")
    numbers = b * l * d
    operations = numbers * (5 * math.log2(max(l, 2)) + 3)
    return {"forward": Work(8 * numbers, operations), "both": Work(20 * numbers, 2.5 * operations)}
