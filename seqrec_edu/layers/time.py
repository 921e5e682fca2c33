"""From timestamps to a factor on the step of a state space: the corrected reading of TiM4Rec's time branch.

The authors' own reading is in ``time_official``; ``time_aware_ssd`` says what sets the two apart.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from seqrec_edu.layers.conv import CausalConv
from seqrec_edu.taps import tap

NEVER = 2**62  # the smallest gap while there is none, in seconds: exact as int64 and as float32
ONE_BEFORE_SOFTPLUS = 0.5413248546129181  # softplus of this is 1


class LogGap(nn.Module):
    """Gap before each event, on a scale a network can use: ``(log(1 + t[i] - t[i-1]) - mean) / std``.

    Differences are taken in int64 seconds (a float32 Unix time is 64 to 128 s coarse), the first event has gap 0, and
    pads are zeroed after the difference. ``mean`` and ``std`` are those of the training gaps: ``measure`` sets them.
    ``float32_seconds`` takes the differences in float32 all the same: see ``TimeQuirks``.
    """

    def __init__(self, float32_seconds: bool = False):
        super().__init__()
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("std", torch.ones(()))
        self.float32_seconds = float32_seconds

    def measure(self, gaps: Tensor) -> None:
        """Take mean and standard deviation from training gaps "events", in the unit that ``forward`` counts in.
        Constant gaps are an error: they say nothing."""
        values = self.curve(gaps.double())
        if len(gaps) < 2 or bool((gaps == gaps[0]).all()):
            raise ValueError(
                f"{type(self).__name__}: all gaps between events are equal, so a time-aware model has nothing to learn "
                "from. Give every event its own time in Unix seconds, or train a model that reads none, for instance "
                'sasrec, or tim4rec with time="off"'
            )
        self.mean.fill_(float(values.mean()))
        self.std.fill_(float(values.std()))

    def forward(self, time: Int[Tensor, "b l"], mask: Tensor, before=None) -> Float[Tensor, "b l"]:
        """``before`` is what ``carry`` said of the events before the first one, where a history continues."""
        gap = self.curve(self._amount(time, mask, before).to(self.mean.dtype))
        return tap("gap", (gap - self.mean) / self.std * mask, "b l")

    def carry(self, time: Int[Tensor, "b l"], before=None):
        """What the gaps of later events depend on: the time of the last one, "b"."""
        return time[:, -1]

    def curve(self, gap: Tensor) -> Tensor:
        """What is standardised."""
        return torch.log1p(gap)

    def _amount(self, time, mask, before):
        return differences(time, before, self.float32_seconds).clamp(min=0)


class SecondsGap(LogGap):
    """``LogGap`` without the logarithm: ``(t[i] - t[i-1] - mean) / std``. The quirk ``raw_seconds`` of ``TimeQuirks``
    says what that costs."""

    def curve(self, gap: Tensor) -> Tensor:
        return gap


class PersonalGap(LogGap):
    """``LogGap`` in units of the person: ``(log(1 + (t[i] - t[i-1]) / unit[i]) - mean) / std``.

    ``unit[i]`` is the smallest gap above 0 of the history up to event i, 1 s while there is none: the unit in which
    TiSASRec counts (doi 10.1145/3336191.3371786, section 3), but running, so that no event reads a later one. Patient
    and hasty people look alike: only how a gap compares with their shortest so far is seen, no longer how long it is.
    """

    def carry(self, time, before=None):
        """The time of the last event and the smallest gap so far, "b" each."""
        last, _ = before or (None, None)
        gap = differences(time, last, self.float32_seconds)
        return time[:, -1], self._smallest(gap, before)[:, -1]

    def _amount(self, time, mask, before):
        last, _ = before or (None, None)
        gap = differences(time, last, self.float32_seconds).clamp(min=0)
        smallest = self._smallest(torch.where(mask, gap, 0), before)
        unit = smallest.masked_fill(smallest == NEVER, 1)
        return gap.to(self.mean.dtype) / unit.to(self.mean.dtype)

    def _smallest(self, gap, before):
        smallest = gap.masked_fill(gap <= 0, NEVER).cummin(dim=1).values
        return smallest if before is None else torch.minimum(smallest, before[1][:, None])


def differences(time: Int[Tensor, "b l"], last: Int[Tensor, " b"] | None = None, in_float32: bool = False) -> Tensor:
    """Seconds since the event before, "b l": 0 at the first event, or counted from ``last``. Exact unless
    ``in_float32``. Errors: ``ValueError`` on times that are not int64."""
    if time.dtype != torch.int64:
        raise ValueError(f"times must be int64 seconds, got {time.dtype}")
    before = torch.cat([time[:, :1] if last is None else last[:, None], time[:, :-1]], dim=1)
    return time.float() - before.float() if in_float32 else time - before


class TimeStepMap(nn.Module):
    """One factor τ per event and head from the gap before the event; causal, any length, O(l).

    ``s = W2 silu(W1 gap + b1) + b2``;  ``s = conv(silu(conv(s)))`` (both causal, width 4);  ``τ = 1 + s``.
    ``activation`` is the one between the convolutions. A longer gap may raise τ or lower it, also below zero.

    This is the corrected reading of TiM4Rec's time branch (arXiv 2409.16182): the released code mixes all l positions
    with two l × l matrices, which is O(l²), tied to one length, and sees the future. ``state`` is the two windows.
    """

    def __init__(self, heads: int, hidden: int = 16, conv_width: int = 4, activation: str = "silu"):
        super().__init__()
        self.lift = nn.Linear(1, hidden)
        self.mix = nn.Linear(hidden, heads)
        self.smooth = CausalConv(heads, conv_width, activation)
        self.sharpen = CausalConv(heads, conv_width, activation=None)

    def forward(self, gap: Float[Tensor, "b l"], state: tuple | None = None) -> tuple[Float[Tensor, "b l h"], tuple]:
        first, second = state or (None, None)
        s = self.mix(F.silu(self.lift(gap[..., None])))
        s, first = self.smooth(s, first)
        s, second = self.sharpen(s, second)
        return tap("time_factor", 1 + s, "b l h"), (first, second)


class ForgettingMap(nn.Module):
    """A factor τ ≥ 0 that never falls when the gap before the event grows, so that a longer gap never remembers more.

    ``τ[h] = softplus(Σ_j |v[h, j]| tanh(|w[j]| gap + b[j]) + c[h] + 0.54)``: smooth steps, all upwards, each at a gap
    of its own. At the start they lie evenly from two standard deviations below the mean gap to two above, and τ is near
    1 at the mean. A weight may become as small as it likes, but it cannot turn the effect of time round, so the mask of
    TiM4Rec's paper, ``exp(τ dt A)``, only fades. No convolution: its window would let earlier gaps speak as well.

    Bare parameters, which `initialise` does not reach: drawn near zero, absolute values hardly learn. O(l), any length;
    there is no ``state`` to carry.
    """

    def __init__(self, heads: int, hidden: int = 16):
        super().__init__()
        self.w = nn.Parameter(torch.ones(hidden))
        self.b = nn.Parameter(torch.linspace(-2, 2, hidden))
        self.v = nn.Parameter(torch.rand(heads, hidden) * 2 / hidden)
        self.c = nn.Parameter(torch.zeros(heads))

    def forward(self, gap: Float[Tensor, "b l"], state: None = None) -> tuple[Float[Tensor, "b l h"], None]:
        steps = torch.tanh(gap[..., None] * self.w.abs() + self.b)
        tau = F.softplus(F.linear(steps, self.v.abs(), self.c) + ONE_BEFORE_SOFTPLUS)
        return tap("time_factor", tau, "b l h"), None
