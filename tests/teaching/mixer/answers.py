"""Mixers as students would hand them in: good, weak, and those that try to get points in another way.

Each function is read as text and sent to a process of its own, so each brings along all that it needs; what it may
rely on from outside is what the notebook imports: torch and nn.
"""

import math

import torch
from torch import nn


def attention(d):
    """Causal attention that knows the order and no time."""

    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.project, self.out, self.order = nn.Linear(d, 3 * d), nn.Linear(d, d), nn.Linear(2, d)

        def forward(self, x, times, mask):
            at = torch.arange(x.shape[1])[:, None] / 8.0
            q, k, v = self.project(x + self.order(torch.cat([at.sin(), at.cos()], 1))).chunk(3, dim=-1)
            later = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
            return self.out((q @ k.mT / math.sqrt(d)).masked_fill(later, -torch.inf).softmax(-1) @ v)

    return Attention()


def timed_attention(d):
    """Attention with a bias by age, and the gap before an event times its item: right, and square in the length."""

    class Timed(nn.Module):
        def __init__(self):
            super().__init__()
            self.project, self.out, self.item, self.clock = (
                nn.Linear(*n) for n in ((d, 3 * d), (d, d), (d, d), (1, d))
            )
            self.log_hours = nn.Parameter(torch.tensor([0.0, 2.0]))

        def forward(self, x, times, mask):
            hours = (times - times[:, :1]) / 3600
            age = (hours[:, None, :, None] - hours[:, None, None, :]).clamp(min=0)  # b 1 l l
            q, k, v = (part.unflatten(2, (-1, d // 2)).transpose(1, 2) for part in self.project(x).split(d, dim=2))
            later = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
            weights = (q @ k.mT / 4 - age / self.log_hours[:, None, None].exp()).masked_fill(later, -torch.inf)
            mixed = (weights.softmax(-1) @ v).transpose(1, 2).flatten(2)
            gap = hours.diff(dim=1, prepend=hours[:, :1]).clamp(min=0) * mask
            return self.out(mixed) + self.item(x) * self.clock(torch.log1p(60 * gap)[:, :, None] - 4)

    return Timed()


def mean(d):
    """The mean of all events so far."""

    class Mean(nn.Module):
        def __init__(self):
            super().__init__()
            self.out = nn.Linear(d, d)

        def forward(self, x, times, mask):
            return self.out((x * mask[:, :, None]).cumsum(1) / mask.cumsum(1).clamp(min=1)[:, :, None])

    return Mean()


def nearly_nothing(d):
    """A thousandth of the event before: enough to count as mixing."""

    class Nearly(nn.Module):
        def __init__(self):
            super().__init__()
            self.out = nn.Linear(d, d)

        def forward(self, x, times, mask):
            return self.out(x) + 0.001 * x.roll(1, 1) * (torch.arange(x.shape[1]) > 0)[:, None]

    return Nearly()


def constant(d):
    """The same for everybody."""

    class Constant(nn.Module):
        def __init__(self):
            super().__init__()
            self.said = nn.Parameter(torch.ones(d))

        def forward(self, x, times, mask):
            return self.said.expand_as(x)

    return Constant()


def ahead(d):
    """A convolution over the event before, this one and the next."""

    class Ahead(nn.Module):
        def __init__(self):
            super().__init__()
            self.three = nn.Conv1d(d, d, 3, padding=1)

        def forward(self, x, times, mask):
            return self.three((x * mask[:, :, None]).mT).mT

    return Ahead()


def clock_ahead(d):
    """Reads nothing of later events but how long they are away."""

    class Clock(nn.Module):
        def __init__(self):
            super().__init__()
            self.out = nn.Linear(d, d)

        def forward(self, x, times, mask):
            wait = times.diff(dim=1, append=times[:, -1:]) * mask
            return self.out(x) * torch.log1p(wait.clamp(min=0))[:, :, None]

    return Clock()


def ahead_when_it_matters(d):
    """Behaves as long as few histories come together, which is how it believes to be watched."""

    class Sly(nn.Module):
        def __init__(self):
            super().__init__()
            self.out = nn.Linear(d, d)

        def forward(self, x, times, mask):
            shift = -1 if len(x) > 100 and not self.training else 1
            return self.out(x.roll(shift, 1) * (torch.arange(x.shape[1]) > 0)[:, None])

    return Sly()


def pads_counted(d):
    """The mean of all events so far, over the length of the table instead of their number."""

    class Counted(nn.Module):
        def __init__(self):
            super().__init__()
            self.out = nn.Linear(d, d)

        def forward(self, x, times, mask):
            return self.out((x * mask[:, :, None]).cumsum(1) / x.shape[1])

    return Counted()


def by_heart(d):
    """Keeps every pair of events that it sees in training, and looks up what followed the most alike."""
    pairs = []

    class ByHeart(nn.Module):
        def __init__(self):
            super().__init__()
            self.out, self.before = nn.Linear(d, d), nn.Linear(d, d)

        def forward(self, x, times, mask):
            if self.training:
                pairs.append((x[0, :-1].detach(), x[0, 1:].detach()))
            before = self.before(x).roll(1, 1) * (torch.arange(x.shape[1]) > 0)[:, None]
            if not pairs:
                return self.out(x) + before
            keys, values = (torch.cat(parts[-20:]) for parts in zip(*pairs, strict=True))
            return self.out(x) + before + values[(x @ keys.T).argmax(-1)]

    return ByHeart()


def borrowed(d):
    """The package's own layer."""
    from seqrec_edu.layers import SelfAttention

    class Borrowed(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = SelfAttention(d, heads=2, causal=True)

        def forward(self, x, times, mask):
            return self.layer(x, mask)

    return Borrowed()


def forged_count(d):
    """Attention that tells whoever counts that it did next to nothing."""
    import sys

    modules = sys.modules.get("modules") or sys.modules["seqrec_edu.teaching.grading.inside.modules"]
    modules.Held._count = lambda self, parameters, x, times, mask: {"operations": 1000 * x.shape[1]}

    class Forged(nn.Module):
        def __init__(self):
            super().__init__()
            self.project, self.out, self.clock = nn.Linear(d, 3 * d), nn.Linear(d, d), nn.Linear(1, d)

        def forward(self, x, times, mask):
            q, k, v = self.project(x).chunk(3, dim=-1)
            later = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
            hours = times.diff(dim=1, prepend=times[:, :1]).clamp(min=0)[:, :, None] / 3600 * mask[:, :, None]
            mixed = (q @ k.mT / math.sqrt(d)).masked_fill(later, -torch.inf).softmax(-1) @ v
            return self.out(mixed) + x * self.clock(torch.log1p(60 * hours) - 4)

    return Forged()


def not_finite(d):
    """A mean that divides by zero in an empty history."""

    class Divides(nn.Module):
        def __init__(self):
            super().__init__()
            self.out = nn.Linear(d, d)

        def forward(self, x, times, mask):
            return self.out((x * mask[:, :, None]).cumsum(1) / mask.cumsum(1)[:, :, None])

    return Divides()


def no_module(d):
    """A function where a module is asked for."""
    return lambda x, times, mask: x


def endless(d):
    """Never done."""

    class Endless(nn.Module):
        def forward(self, x, times, mask):
            while len(x) < 50:
                x = x + 0.0
            return x

    return Endless()
