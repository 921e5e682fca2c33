"""RMSNorm behind a gate, 128 channels."""

import torch
import torch.nn.functional as F

from seqrec_edu import ops
from seqrec_edu.bench.case import Case, Variant, Work, chosen, ladder, normal, only
from seqrec_edu.bench.settings import Settings

USED = ("y", "z", "weight")


def cases(settings: Settings) -> list[Case]:
    e = 16 if settings.quick else 128
    return [_case({"b": b, "l": l, "e": e}) for b, l in settings.batches]


def run(y, z, weight, backend):
    return ops.gated_norm(y, z, weight, backend=backend)


def written_out(y, z, weight):
    """Gate, mean of squares, root, scale: one pass over memory for each."""
    g = y * F.silu(z)
    return g * torch.rsqrt(g.pow(2).mean(-1, keepdim=True) + 1e-5) * weight


def _case(sizes):
    b, l, e = sizes.values()
    numbers = b * l * e
    own = ladder("gated_norm", run)
    forward, both = Work(12 * numbers, 9 * numbers, numbers), Work(32 * numbers, 35 * numbers, 2 * numbers)
    return Case(
        name=f"{b} × {l}, {e} channels",
        sizes=sizes,
        make=make,
        learn=USED,
        truths={"same": lambda **inputs: run(**inputs, backend="reference")},
        variants=(own[0], Variant("written-out", "written out", only(written_out, *USED)), *own[1:]),
        work={"same": {"forward": forward, "both": both}},
        fewer={"b": 2},
        chosen=chosen("gated_norm"),
    )


def make(sizes):
    b, l, e = (sizes[axis] for axis in "ble")
    return {"y": normal(b, l, e, seed=1), "z": normal(b, l, e, seed=2), "weight": normal(e, seed=3)}
