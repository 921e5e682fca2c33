"""What the audit is tried on: every layer of the package with what it is expected to do, and modules with one fault."""

import pytest
import torch
from torch import nn

from seqrec_edu import layers, ops
from seqrec_edu.layers import (
    OFFICIAL,
    BidirectionalConfig,
    BidirectionalMamba,
    LowRankAttention,
    LowRankAttentionConfig,
    MambaConfig,
    MambaLayer,
    RelativeTimeAttention,
    RelativeTimeAttentionConfig,
    SpectralFilter,
    SpectralFilterConfig,
    SSDConfig,
    SSDLayer,
    TimeAwareSSDLayer,
)
from seqrec_edu.models import MODELS, build

MAMBA, SSD = MambaConfig(8, 4), SSDConfig(8, 4, 4)

# Layer, what must fail, what is given to `audit`. Reading ahead is no fault in a layer: it is asserted, so that nobody
# trains such a layer at every position unawares.
LAYERS = {
    "CausalConv": (lambda: layers.CausalConv(8), (), {}),
    "Dropout": (lambda: layers.Dropout(0.1), (), {}),
    "FeedForward": (lambda: layers.FeedForward(8, 0.1), (), {}),
    "GatedLinearUnit": (lambda: layers.GatedLinearUnit(8, 0.1), (), {}),
    "GatedRMSNorm": (lambda: layers.GatedRMSNorm(8), (), {}),
    "LogGap": (lambda: layers.LogGap(), (), {}),
    "PersonalGap": (lambda: layers.PersonalGap(), (), {}),
    "SecondsGap": (lambda: layers.SecondsGap(), (), {}),
    "MambaLayer": (lambda: MambaLayer(MAMBA), (), {}),
    "SSDLayer": (lambda: SSDLayer(SSD), (), {}),
    "TimeStepMap": (lambda: layers.TimeStepMap(2), (), {}),
    "ForgettingMap": (lambda: layers.ForgettingMap(2), (), {}),
    "SelfAttention": (lambda: layers.SelfAttention(8, 2, causal=True), (), {}),
    "SelfAttention, both ways": (lambda: layers.SelfAttention(8, 2, causal=False), (), {}),
    "TimeAwareSSDLayer": (lambda: TimeAwareSSDLayer(SSD), (), {}),
    "TimeAwareSSDLayer, official": (
        lambda: TimeAwareSSDLayer(SSD, OFFICIAL, history_length=24), ("causal", "padding content"), {"length": 24},
    ),
    "RowNorm": (lambda: layers.RowNorm(24), ("causal",), {}),
    "RowGap": (lambda: layers.RowGap(24), ("causal", "padding content", "time shift"), {}),
    "RowGap, mended": (
        lambda: layers.RowGap(24, float32_seconds=False, raw_seconds=False, pads_in_norm=False), ("causal",), {},
    ),
    "PositionMap": (lambda: layers.PositionMap(2, 24), ("causal", "padding content"), {}),
    "GapUpdate": (lambda: layers.GapUpdate(24), ("causal", "padding content"), {}),
    "InteractionGate": (lambda: layers.InteractionGate(8, 0.1), (), {}),
    "LinearAttention": (lambda: layers.LinearAttention(8, 2), (), {}),
    "LowRankAttention": (lambda: LowRankAttention(LowRankAttentionConfig(8, 2, 3)), (), {}),
    "LowRankAttention, causal": (lambda: LowRankAttention(LowRankAttentionConfig(8, 2, 3, causal=True)), (), {}),
    "LowRankAttention, over positions": (
        lambda: LowRankAttention(LowRankAttentionConfig(8, 2, 3, softmax_over="positions")), (), {},
    ),
    "RelativeTimeAttention": (
        lambda: RelativeTimeAttention(RelativeTimeAttentionConfig(8, 2, 24, scale="running")), (), {},
    ),
    # The smallest gap of the whole history is the unit of time, and a later event can change it.
    "RelativeTimeAttention, unit of the user": (
        lambda: RelativeTimeAttention(RelativeTimeAttentionConfig(8, 2, 24)), ("causal",), {},
    ),
    "SpectralFilter": (lambda: SpectralFilter(SpectralFilterConfig(8, 24)), (), {}),
    "SpectralFilter, causal": (lambda: SpectralFilter(SpectralFilterConfig(8, 24, causal=True)), (), {}),
    "SpectralFilter, pads kept": (
        lambda: SpectralFilter(SpectralFilterConfig(8, 24, pads="kept")), ("padding content",), {},
    ),
    "BidirectionalMamba": (lambda: BidirectionalMamba(BidirectionalConfig(MAMBA)), ("causal",), {}),
    "BidirectionalMamba, not realigned": (
        lambda: BidirectionalMamba(BidirectionalConfig(MAMBA, realign=False)), ("causal",), {},
    ),
    "BidirectionalMamba, whole axis": (
        lambda: BidirectionalMamba(BidirectionalConfig(MAMBA, flip="axis")),
        ("causal", "padding content", "padding amount"),
        {},
    ),
}  # fmt: skip


SIZES = {"n_items": 30, "d_model": 16, "heads": 2, "d_state": 4, "head_dim": 8, "chunk_size": 7}


def small(name, **settings):
    """A model of the package, small enough for an audit in a test."""
    known = MODELS[name][1].__dataclass_fields__
    return build(name, **({size: value for size, value in SIZES.items() if size in known} | settings))


class MeanOfAll(nn.Module):
    """Adds the mean of the whole padded row to every event."""

    def __init__(self):
        super().__init__()
        self.proj = nn.Linear(8, 8)

    def forward(self, x):
        return self.proj(x) + x.mean(1, keepdim=True)


class WholeAxisFilter(nn.Module):
    """A circular filter over the padded row, pads and all, for any length."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(64, 8))

    def forward(self, x):
        spectrum = torch.fft.rfft(x, dim=1)
        return torch.fft.irfft(spectrum * self.weight[: spectrum.shape[1]], n=x.shape[1], dim=1)


class Decayed(nn.Module):
    """A learner's recurrence, y[t] = a y[t-1] + W x[t], causal and able to step."""

    causal = True

    def __init__(self):
        super().__init__()
        self.proj = nn.Linear(8, 8)
        self.decay = nn.Parameter(torch.full((8,), 0.7))

    def forward(self, x, state=None):
        state, outputs = torch.zeros_like(x[:, 0]) if state is None else state, []
        for x_t in self.proj(x).unbind(1):
            state = self.decay * state + x_t
            outputs.append(state)
        return torch.stack(outputs, 1), state

    def step(self, state, x):
        y, state = self(x[:, None], state)
        return y[:, 0], state


class ForgetsTheProjection(Decayed):
    """Its step is not its forward: the projection is missing."""

    def step(self, state, x):
        state = x if state is None else self.decay * state + x
        return state, state


class Wrapped(nn.Module):
    """Mamba with the initialiser of a wrapper run over its step projection."""

    def __init__(self):
        super().__init__()
        self.mamba = MambaLayer(MAMBA)
        nn.init.zeros_(self.mamba.dt_bias)

    def forward(self, x, state=None):
        return self.mamba(x, state)


class Items(nn.Module):
    """A learner's model of items, in the plainest signature there is, with a time-aware twin's argument unused."""

    def __init__(self, dead=False):
        super().__init__()
        self.item_embedding = nn.Embedding(31, 8, padding_idx=0)
        self.rnn = nn.GRU(8, 8, batch_first=True)
        if dead:
            self.forgotten = nn.Linear(8, 3)

    def forward(self, seq):
        return self.rnn(self.item_embedding(seq))


class Clock(nn.Module):
    """Reads the date instead of the gap, so the same habit means something else next year."""

    def __init__(self):
        super().__init__()
        self.proj = nn.Linear(1, 8)

    def forward(self, time, mask):
        return self.proj((time.to(self.proj.weight.dtype) / 1e9)[..., None]) * mask[..., None]


class Scan(nn.Module):
    """Calls the operation with a step of its own making: no bias that could be read."""

    def __init__(self, step):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(float(step)))

    def forward(self, x):
        dt = self.scale * torch.ones_like(x)
        A = -torch.ones(8, 2, dtype=x.dtype)
        return ops.selective_scan(x, dt, A, x[..., :2], x[..., 2:4])


@pytest.fixture
def generic():
    """A causal module that does everything as it should."""
    return Decayed()
