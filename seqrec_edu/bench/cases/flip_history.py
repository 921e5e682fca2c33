"""Every history newest event first, pads where they are."""

import torch

from seqrec_edu import ops
from seqrec_edu.bench.case import Case, Variant, Work, chosen, ladder, normal, only, whole
from seqrec_edu.bench.settings import Settings
from seqrec_edu.ops._flip_history.reference import source


def cases(settings: Settings) -> list[Case]:
    d = 8 if settings.quick else 128
    return [_case({"b": b, "l": l, "d": d}) for b, l in settings.batches]


def run(x, lengths, backend):
    return ops.flip_history(x, lengths, backend=backend)


def by_gather(x, lengths):
    """``gather`` with an index repeated for every channel; its gradient adds into zeros."""
    return x.gather(1, source(lengths, x.shape[1])[:, :, None].expand(-1, -1, x.shape[2]))


def by_shift(x, lengths):
    """Flip whole rows, which brings the pads to the front, then roll each row back by its pads."""
    length = x.shape[1]
    place = (torch.arange(length) + (length - lengths[:, None])) % length
    turned = x.flip(1)[torch.arange(len(x))[:, None], place]
    return torch.where(torch.arange(length)[None, :, None] < lengths[:, None, None], turned, x)


def _case(sizes):
    b, l, d = sizes.values()
    numbers = b * l * d
    own = ladder("flip_history", run)
    others = [
        Variant("gather", "gather with an expanded index", only(by_gather, "x", "lengths")),
        Variant("shift", "flip, index, and put the pads back", only(by_shift, "x", "lengths")),
    ]
    return Case(
        name=f"{b} × {l}, width {d}",
        sizes=sizes,
        make=make,
        learn=("x",),
        truths={"same": lambda **inputs: run(**inputs, backend="reference")},
        variants=(own[0], *others, *own[1:]),
        work={"same": {"forward": Work(8 * numbers, 0), "both": Work(16 * numbers, 0)}},
        fewer={"b": min(b, 8)},
        chosen=chosen("flip_history"),
    )


def make(sizes):
    b, l, d = (sizes[axis] for axis in "bld")
    return {"x": normal(b, l, d, seed=1), "lengths": whole(0, l + 1, b, seed=2)}
