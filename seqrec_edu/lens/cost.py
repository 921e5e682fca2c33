"""Work counted, not timed: what a module computes for histories of growing length, the same on every machine."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from seqrec_edu.lens.rungs import prefer
from seqrec_edu.lens.subject import Subject
from seqrec_edu.lens.variants import filled_to
from seqrec_edu.lens.verdict import FAILS, HOLDS, NOT_APPLICABLE, Property

LONGEST = 512
STEEPEST = 2.5  # between square and cube: whole chunks and short histories blur the exponent
PRODUCTS = {"mm": 0, "bmm": 0, "mv": 0, "dot": 0, "addmm": 1, "baddbmm": 1, "addmv": 1}  # where the left factor stands
LINEAR = 0.02  # a bend below this share of the work is none: loops round lengths up


class Work(TorchDispatchMode):
    """Counts floating point operations: exactly in products and transforms, one per number made elsewhere."""

    def __init__(self):
        super().__init__()
        self.operations = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = func(*args, **(kwargs or {}))
        if not func.is_view:
            self.operations += _count(func.name().removeprefix("aten::").partition(".")[0], args, found)
        return found


def _count(name: str, args: tuple, found) -> int:
    made = [v for v in (found if isinstance(found, tuple | list) else [found]) if isinstance(v, torch.Tensor)]
    if "dot_product" in name or "attention" in name:
        q, k = args[0], args[1]  # "b h l p": products with the keys and with the values
        return 4 * q.numel() * k.shape[-2]
    if name in PRODUCTS:  # each number made is a sum over the last axis of the left factor
        return 2 * found.numel() * args[PRODUCTS[name]].shape[-1]
    if "convolution" in name:
        return 2 * found.numel() * args[1][0].numel()
    if "_fft" in name:
        points = max(v.shape[args[1][-1]] for v in (args[0], *made))
        return round(5 * max(v.numel() for v in (args[0], *made)) * math.log2(max(points, 2)))
    return sum(v.numel() for v in made)


def work(module: Subject, length: int) -> int:
    """Operations of one forward pass over one history of ``length`` events. The loops of the "cpu" versions run outside
    PyTorch, so the vectorised versions are counted."""
    rows = module.rows([length])
    # PyTorch's own Transformer layers have a fused form for evaluation that hides what it computes.
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with prefer("vectorised"), torch.no_grad(), Work() as counted:
            module.run(rows)
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
    return counted.operations


def cost(module: Subject, limit: int | None) -> Property:
    """Work grows at most with the square of the length; the exponent is what grows beyond the straight line.

    A model that fills every row to ``limit`` places itself is built anew for each length, since in one model a part of
    the work, or all of it, is the same for short histories and long ones.
    """
    fills = filled_to(module.module) is not None
    longest = LONGEST if fills else min(LONGEST, limit or LONGEST) // 4 * 4
    lengths = [longest // 4, longest // 2, longest]
    try:
        counts = [work(_built_for(module, length) if fills else module, length) for length in lengths]
    except (ValueError, RuntimeError) as error:
        return Property("cost", NOT_APPLICABLE, None, f"It takes rows of one length only: {error}")
    if not any(counts):
        return Property("cost", NOT_APPLICABLE, None, "It computes nothing in evaluation mode.")
    exponent = growth(counts)
    said = f"From {lengths[1]} to {lengths[2]} events the work grows {counts[2] / counts[1]:.2f} times"
    if fills:
        said = f"It fills its rows with pads. Built for {lengths[2]} events, not {lengths[1]}, its work is "
        said += f"{counts[2] / counts[1]:.2f} times as much"
    if exponent == 0:
        return Property("cost", HOLDS, exponent, f"{said}: every history costs about as much as the longest.")
    kind = f"a part of it with length^{exponent:.2f}"
    if exponent < 1.1:
        kind = "linear" if exponent == 1 else "linear but for a logarithm"
    return Property("cost", HOLDS if exponent <= STEEPEST else FAILS, exponent, f"{said}: {kind}.")


def _built_for(module: Subject, length: int) -> Subject:
    """The same model with other weights, which do not count, and rows of ``length`` places."""
    model = module.module
    return module.with_module(type(model)(replace(model.config, history_length=length)).to(module.like).eval())


def growth(counts: list[int]) -> float:
    """The exponent of the fastest growing part of the work at lengths l, 2l, 4l.

    ``W(2l) - 2 W(l)`` drops what is linear and keeps of ``l^k`` the share ``2^k - 2``, so the ratio of two of them is
    ``2^k``. Linear work is 1, and l log(l) too; work that the length does not change is 0.
    """
    first, second, third = counts
    if third <= second * 1.2:
        return 0.0
    bend, later = second - 2 * first, third - 2 * second
    if later < LINEAR * third:
        return 1.0
    return math.log2(third / second) if bend <= 0 else max(1.0, math.log2(later / bend))
