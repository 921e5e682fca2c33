"""Causal softmax attention, heads of 32."""

from seqrec_edu import ops
from seqrec_edu.bench import rivals
from seqrec_edu.bench.case import Case, Variant, Work, chosen, ladder, normal, only
from seqrec_edu.bench.settings import Settings

USED = ("q", "k", "v")
LONGEST = 1024


def cases(settings: Settings) -> list[Case]:
    h, p = (2, 4) if settings.quick else (2, 32)
    return [_case({"b": b, "l": l, "h": h, "p": p}) for b, l in settings.batches]


def run(q, k, v, backend):
    return ops.attention(q, k, v, causal=True, backend=backend)


def _case(sizes):
    b, l, h, p = sizes.values()
    matrix = 4.0 * b * h * l * l
    quadratic = None if l <= LONGEST else f"its l × l matrix is stored: left out beyond {LONGEST} events"
    own = ladder("attention", run, reference=8 * matrix)
    written_out = only(lambda q, k, v: rivals.written_out_attention(q, k, v, True), *USED)
    fused = only(lambda q, k, v: rivals.fused_attention(q, k, v, True), *USED)
    others = [
        Variant("written-out", "written out, as in RecBole", written_out, missing=quadratic, needs=6 * matrix),
        Variant("sdpa", "scaled_dot_product_attention", fused),
    ]
    return Case(
        name=f"{b} × {l}, {h} heads of {p}",
        sizes=sizes,
        make=make,
        learn=USED,
        truths={"same": lambda **inputs: run(**inputs, backend="reference")},
        variants=(own[0], *others, *own[1:]),
        work={"same": work(sizes)},
        fewer={"b": 2},
        chosen=chosen("attention"),
    )


def make(sizes):
    shape = [sizes[axis] for axis in "blhp"]
    return {name: normal(*shape, seed=seed) for seed, name in enumerate(USED)}


def work(sizes):
    """Two products with half an l × l matrix; backward, the scores again and four products."""
    b, l, h, p = (sizes[axis] for axis in "blhp")
    pairs, rows = b * h * l * (l + 1) / 2, 4 * b * l * h * p
    return {"forward": Work(4 * rows, 4 * p * pairs, pairs), "both": Work(12 * rows, 14 * p * pairs, 2 * pairs)}
