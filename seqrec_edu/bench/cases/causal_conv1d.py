"""Depthwise causal convolution of width 4 with SiLU."""

from seqrec_edu import ops
from seqrec_edu.bench import rivals
from seqrec_edu.bench.case import Case, Variant, Work, chosen, ladder, normal, only
from seqrec_edu.bench.settings import Settings

USED = ("x", "weight", "bias")


def cases(settings: Settings) -> list[Case]:
    e = 16 if settings.quick else 128
    return [_case({"b": b, "l": l, "e": e, "k": 4}) for b, l in settings.batches]


def run(x, weight, bias, backend):
    return ops.causal_conv1d(x, weight, bias, activation="silu", backend=backend)


def _case(sizes):
    b, l, e, k = sizes.values()
    own = ladder("causal_conv1d", run)
    path = Variant("conv1d", "torch conv1d between transposes", only(rivals.transposed_convolution, *USED))
    return Case(
        name=f"{b} × {l}, {e} channels, width {k}",
        sizes=sizes,
        make=make,
        learn=USED,
        truths={"same": lambda **inputs: run(**inputs, backend="reference")},
        variants=(own[0], path, *own[1:]),
        work={"same": work(sizes)},
        fewer={"b": 2},
        chosen=chosen("causal_conv1d"),
    )


def make(sizes):
    b, l, e, k = (sizes[axis] for axis in "blek")
    return {"x": normal(b, l, e, seed=1), "weight": normal(e, k, seed=2), "bias": normal(e, seed=3)}


def work(sizes):
    """2k operations and a sigmoid of five; backward, the sum again and the gradients of input and weight."""
    b, l, e, k = (sizes[axis] for axis in "blek")
    numbers = b * l * e
    return {
        "forward": Work(8 * numbers, (2 * k + 5) * numbers, numbers),
        "both": Work(20 * numbers, (8 * k + 18) * numbers, 2 * numbers),
    }
