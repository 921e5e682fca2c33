"""What a mixer costs: operations beside those of causal attention, and how they grow with the length."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from seqrec_edu.teaching.grading.inside.modules import Held
from seqrec_edu.teaching.mixer.audit import histories
from seqrec_edu.teaching.mixer.recommender import WIDTH, Numbers

SHORT, LONG = 128, 1_024
TIMED = 4_096  # events at which time must bear out what was counted
STEEP = 1.5  # power of the length from which on nobody claims to be linear
AT_LEAST = 0.1  # seconds; below, a clock of hundredths says nothing


class Attention(nn.Module):
    """One head of causal softmax attention, the mixer that costs are compared with."""

    def __init__(self, d: int):
        super().__init__()
        self.project, self.out = nn.Linear(d, 3 * d), nn.Linear(d, d)

    def forward(self, x: Tensor, times: Tensor, mask: Tensor) -> Tensor:
        q, k, v = self.project(x).chunk(3, -1)
        later = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
        weights = (q @ k.mT / math.sqrt(x.shape[2])).masked_fill(later, -torch.inf).softmax(-1)
        return self.out(weights @ v)


@dataclass(frozen=True)
class Cost:
    """Operations of one pass at ``LONG`` events, those of attention, and the power of the length they grow with."""

    operations: int
    attention: int
    growth: float

    @property
    def share(self) -> float:
        return self.operations / self.attention


class Uncounted(ValueError):
    """What was counted is not what was computed."""


def cost(mix: Callable, parameters: Numbers) -> Cost:
    """Count one pass over a short and a long history. Raises Uncounted, and what the mixer raises at these lengths.

    The count is the same on every machine, and comes out of the process that holds the mixer. So whoever counts
    little is timed as well, from outside, at lengths where a table of l × l cannot be overlooked.
    """
    short, long = (_count(mix, parameters, length)["operations"] for length in (SHORT, LONG))
    growth = math.log(max(long, 1) / max(short, 1)) / math.log(LONG / SHORT)
    if growth < STEEP:
        taken = _seconds(mix, parameters, TIMED)
        if taken > AT_LEAST and taken > _seconds(mix, parameters, LONG) * (TIMED / LONG) ** STEEP:
            raise Uncounted("Its time grows with the square of the length, which its count of operations does not say.")
    reference = Held(Attention)
    return Cost(long, _count(reference, reference("build", WIDTH, 0), LONG)["operations"], growth)


def _seconds(mix: Callable, parameters: Numbers, length: int) -> float:
    """Seconds of the processor for one pass, the shortest of three: what else runs there only adds. 0 if unknown."""
    given, taken = histories(0, [length]), []
    for _ in range(3):
        before = mix.processor_seconds()
        if before is None:
            return 0.0
        with torch.no_grad():
            mix("mix", parameters, *given, False)
        taken.append(mix.processor_seconds() - before)
    return min(taken)


def _count(mix: Callable, parameters: Numbers, length: int) -> dict[str, int]:
    with torch.no_grad():
        found = mix("count", parameters, *histories(0, [length]))
    if not (isinstance(found, dict) and type(found.get("operations")) is int and found["operations"] >= 0):
        raise Uncounted("The count of its operations is no number.")
    return found
