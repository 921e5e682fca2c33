"""The loss over the whole catalogue, forward and backward, in float32 and with products in bf16."""

import torch
import torch.nn.functional as F

from seqrec_edu import ops
from seqrec_edu.bench.case import BF16, Case, Variant, Work, chosen, ladder, normal, only, whole
from seqrec_edu.bench.settings import Settings

USED = ("hidden", "items", "target")
SIZES = ((2_048, 3_417), (2_048, 50_001), (12_800, 50_001))
LARGE = ((512, 1_000_001),)


def cases(settings: Settings) -> list[Case]:
    if settings.quick:
        return [_case({"t": 64, "v": 300, "d": 16})]
    return [_case({"t": t, "v": v, "d": 64}) for t, v in SIZES + (LARGE if settings.large else ())]


def run(hidden, items, target, backend=None):
    """Every row of the catalogue is an item here, so that all variants compute one function."""
    return ops.linear_cross_entropy(hidden, items, target, ignore_index=None, backend=backend)


def naive(hidden, items, target):
    return F.cross_entropy(hidden @ items.T, target)


def in_bf16(function):
    """Parameters and gradients stay in float32; the products are in bf16, as under autocast."""
    return lambda hidden, items, target: function(hidden.bfloat16(), items.bfloat16(), target).float()


def _case(sizes):
    t, v, d = sizes.values()
    logits = 4.0 * t * v
    options, no_options = chunked()
    half = {"tolerance": BF16, "bf16": True}
    own = ladder("linear_cross_entropy", run, reference=5 * logits)
    others = [
        Variant("naive", "cross_entropy(hidden @ items.T)", only(naive, *USED), needs=4 * logits),
        Variant("torch", "torch linear_cross_entropy, in chunks", only(options, *USED), missing=no_options),
        Variant("naive-bf16", "cross_entropy, bf16", only(in_bf16(naive), *USED), needs=3 * logits, **half),
    ]
    bf16 = Variant("bf16", "ours, bf16", only(in_bf16(run), *USED), **half)
    return Case(
        name=f"{t:,} tokens × {v - 1:,} items, width {d}",
        sizes=sizes,
        make=make,
        learn=("hidden", "items"),
        truths={"same": lambda **inputs: run(**inputs, backend="reference")},
        variants=(own[0], *others, *own[1:], bf16),
        work={"same": work(sizes)},
        fewer={"t": min(t, 16 if v > 500_000 else 128)},
        chosen=chosen("linear_cross_entropy"),
    )


def chunked():
    """PyTorch's own loss that holds only a part of the scores, or the reason why there is none."""
    function, options = getattr(F, "linear_cross_entropy", None), getattr(torch.nn, "LinearCrossEntropyOptions", None)
    if function is None or options is None:
        return None, f"torch {torch.__version__} has no linear_cross_entropy with options"
    return (lambda hidden, items, target: function(hidden, items, target, options=options())), None


def make(sizes):
    t, v, d = (sizes[axis] for axis in "tvd")
    return {"hidden": normal(t, d, seed=1), "items": 0.1 * normal(v, d, seed=2), "target": whole(0, v, t, seed=3)}


def work(sizes):
    """Scores, and the gradients of both factors: 2·t·v·d operations each."""
    t, v, d = (sizes[axis] for axis in "tvd")
    rows = 4 * (t + v) * d
    return {"forward": Work(rows, 2 * t * v * d, t * v), "both": Work(3 * rows, 6 * t * v * d, t * v)}
