"""Gated linear unit with a sigmoid, 128 channels."""

import torch
import torch.nn.functional as F

from seqrec_edu import ops
from seqrec_edu.bench.case import Case, Variant, Work, chosen, ladder, normal, only
from seqrec_edu.bench.settings import Settings

USED = ("u", "v")


def cases(settings: Settings) -> list[Case]:
    d = 16 if settings.quick else 128
    return [_case({"b": b, "l": l, "d": d}) for b, l in settings.batches]


def run(u, v, backend):
    return ops.glu(u, v, backend=backend)


def by_halves(u, v):
    """``F.glu`` takes both as the halves of one tensor, which first has to be made."""
    return F.glu(torch.cat([u, v], dim=-1))


def _case(sizes):
    b, l, d = sizes.values()
    numbers = b * l * d
    own = ladder("glu", run)
    forward, both = Work(12 * numbers, 5 * numbers, numbers), Work(32 * numbers, 14 * numbers, 2 * numbers)
    return Case(
        name=f"{b} × {l}, width {d}",
        sizes=sizes,
        make=make,
        learn=USED,
        truths={"same": lambda **inputs: run(**inputs, backend="reference")},
        variants=(own[0], Variant("f-glu", "F.glu of both side by side", only(by_halves, *USED)), *own[1:]),
        work={"same": {"forward": forward, "both": both}},
        fewer={"b": 2},
        chosen=chosen("glu"),
    )


def make(sizes):
    shape = [sizes[axis] for axis in "bld"]
    return {"u": normal(*shape, seed=1), "v": normal(*shape, seed=2)}
