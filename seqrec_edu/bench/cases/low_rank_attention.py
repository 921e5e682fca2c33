"""Attention to 20 interests, 8 heads of 8, against attention to all events of the same sizes."""

from seqrec_edu import ops
from seqrec_edu.bench import rivals
from seqrec_edu.bench.case import Case, Variant, Work, chosen, ladder, normal, only
from seqrec_edu.bench.settings import Settings

USED = ("q", "k", "v", "pool_k", "pool_v")
FULL = "attention to all events"
LONGEST = 1024  # beyond, the reference that all are held against takes tens of gigabytes


def cases(settings: Settings) -> list[Case]:
    h, p, r = (2, 4, 3) if settings.quick else (8, 8, 20)
    return [_case({"b": b, "l": l, "h": h, "p": p, "r": r}) for b, l in settings.batches if l <= LONGEST]


def run(q, k, v, pool_k, pool_v, backend):
    return ops.low_rank_attention(q, k, v, pool_k, pool_v, backend=backend)


def _case(sizes):
    b, l, h, p, r = sizes.values()
    matrix = 4.0 * b * h * l * l
    own = ladder("low_rank_attention", run, reference=4.0 * b * l * l * (12 * r + 4 * h))
    fused = only(lambda q, k, v: rivals.fused_attention(q, k, v, False), "q", "k", "v")
    written_out = only(lambda q, k, v: rivals.written_out_attention(q, k, v, False), "q", "k", "v")
    full = [
        Variant("sdpa", "fused attention (SDPA), all events", fused, truth=FULL),
        Variant("written-out", "attention written out, all events", written_out, needs=6 * matrix, truth=FULL),
    ]
    return Case(
        name=f"{b} × {l}, {h} heads of {p}, {r} interests",
        sizes=sizes,
        make=make,
        learn=USED,
        truths={
            "same": lambda **inputs: run(**inputs, backend="reference"),
            FULL: lambda q, k, v, **_: ops.attention(q, k, v, causal=False, backend="reference"),
        },
        variants=(own[0], *full, *own[1:]),
        work={"same": work(sizes)},
        fewer={"b": 2},
        chosen=chosen("low_rank_attention"),
    )


def make(sizes):
    b, l, h, p, r = (sizes[axis] for axis in "blhpr")
    inputs = {name: normal(b, l, h, p, seed=seed) for seed, name in enumerate("qkv")}
    return inputs | {"pool_k": normal(b, l, r, seed=3), "pool_v": normal(b, l, r, seed=4)}


def work(sizes):
    """Four products of b·l·h·p·r, twice that and once more backward."""
    b, l, h, p, r = (sizes[axis] for axis in "blhpr")
    rows, products, weights = 4 * b * l * h * p, 8 * b * l * h * p * r, b * l * r * (h + 2)
    inputs = 3 * rows + 8 * b * l * r
    return {
        "forward": Work(inputs + rows, products, weights),
        "both": Work(3 * inputs + 2 * rows, 3 * products, weights),
    }
