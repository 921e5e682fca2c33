"""Mamba-2's state space with its skip, with and without a time factor, against attention of the same sizes."""

import torch
import torch.nn.functional as F

from seqrec_edu import ops
from seqrec_edu.bench import peers, rivals
from seqrec_edu.bench.case import Case, Variant, Work, chosen, ladder, normal, only
from seqrec_edu.bench.settings import Settings

USED = ("x", "dt", "A", "B", "C", "D")
TIME, ATTENTION = "with time factor", "attention of the same sizes"
LONGEST = 1024  # of what costs l²


def cases(settings: Settings) -> list[Case]:
    h, p, n = (2, 4, 4) if settings.quick else (4, 32, 32)
    found = [_case({"b": b, "l": l, "h": h, "p": p, "n": n}, settings.peers) for b, l in settings.batches]
    if settings.large:
        found.append(_case({"b": 256, "l": 200, "h": 8, "p": 64, "n": 64}, settings.peers))
    return found


def plain(**inputs):
    return ops.ssd(*(inputs[name] for name in USED), backend=inputs["backend"])


def with_time(**inputs):
    given = (inputs[name] for name in USED)
    return ops.ssd(*given, decay_scale=inputs["decay_scale"], backend=inputs["backend"])


def _case(sizes, peers_folder):
    b, l, h, p, n = sizes.values()
    matrix = 4.0 * b * h * l * l
    quadratic = None if l <= LONGEST else f"it costs l²: left out beyond {LONGEST} events"
    own = ladder("ssd", plain, reference=3 * 4.0 * b * l * h * p * n)
    fused = only(lambda q, k, v: rivals.fused_attention(q, k, v, True), "q", "k", "x")
    dual = only(rivals.masked_matrix, *USED)
    others = [
        Variant("masked-matrix", "masked matrix", dual, missing=quadratic, needs=96 * matrix),
        Variant("minimal", "chunks, C·B per head", only(rivals.minimal_chunked, *USED)),
        *peers.ssds(peers_folder),
        Variant("sdpa", "fused attention (SDPA), same sizes", fused, truth=ATTENTION, missing=quadratic),
    ]
    timed = [variant for variant in ladder("ssd", with_time, truth=TIME, suffix="+time") if not variant.missing]
    timed = [variant for variant in timed if variant.key != "reference+time"]
    return Case(
        name=f"{b} × {l}, {h} heads of {p}, {n} states",
        sizes=sizes,
        make=make,
        learn=(*USED, "decay_scale", "q", "k"),
        truths={
            "same": lambda **inputs: plain(**inputs, backend="reference"),
            TIME: lambda **inputs: with_time(**inputs, backend="reference"),
            ATTENTION: lambda q, k, x, **_: ops.attention(q, k, x, causal=True, backend="reference"),
        },
        variants=(own[0], *others, *own[1:], *timed),
        work={"same": work(sizes), TIME: work(sizes)},
        fewer={"b": 2},
        chosen=chosen("ssd"),
    )


def make(sizes):
    b, l, h, p, n = (sizes[axis] for axis in "blhpn")
    return {
        "x": normal(b, l, h, p, seed=1),
        "dt": F.softplus(normal(b, l, h, seed=2) - 2),
        "A": -torch.linspace(1, 16, h),
        "B": normal(b, l, 1, n, seed=3),
        "C": normal(b, l, 1, n, seed=4),
        "D": normal(h, seed=5),
        "decay_scale": F.softplus(normal(b, l, h, seed=6)),
        "q": normal(b, l, h, p, seed=7),
        "k": normal(b, l, h, p, seed=8),
    }


def work(sizes):
    """Recurrence: three operations to update an entry of the state, two to read it; backward, the update again and the
    gradients of B, C, x and the state. The chunked form does more of them."""
    b, l, h, p, n = (sizes[axis] for axis in "blhpn")
    entries, inputs, y = b * l * h * p * n, 4 * b * l * (h * p + h + 2 * n), 4 * b * l * h * p
    return {
        "forward": Work(inputs + y, 5 * entries, b * l * h),
        "both": Work(3 * inputs + 2 * y, 17 * entries, 2 * b * l * h),
    }
