"""The blocks with parameters: what they start from, and that stepping equals the full pass."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from seqrec_edu.layers import (
    CausalConv,
    Dropout,
    FeedForward,
    ForgettingMap,
    LogGap,
    MambaConfig,
    MambaLayer,
    PersonalGap,
    SecondsGap,
    SelfAttention,
    SSDConfig,
    SSDLayer,
    TimeStepMap,
    initialise,
)


def the_wrappers_init(module):
    """What Mamba4Rec-style code does at the end of its constructor."""
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)


@pytest.mark.parametrize("clobber", [initialise, lambda layer: layer.apply(the_wrappers_init)])
@pytest.mark.parametrize("layer", [MambaLayer(MambaConfig(64, 32)), SSDLayer(SSDConfig(64))], ids=["mamba", "ssd"])
def test_step_sizes_survive_a_wrapper(clobber, layer):
    clobber(layer)
    dt = F.softplus(layer.dt_bias)
    assert dt.min() >= 0.999e-3 and dt.max() <= 0.1001


def test_mamba_1_has_the_published_number_of_parameters():
    """38,784 at d = 64, n = 32, k = 4, expand 2, counted from the authors' layer."""
    assert sum(p.numel() for p in MambaLayer(MambaConfig(64, 32)).parameters()) == 38_784


@pytest.mark.parametrize("layer", [MambaLayer(MambaConfig(8, 4)), SSDLayer(SSDConfig(8, 4, 4)), CausalConv(8)])
def test_stepping_is_the_full_pass(layer):
    layer = layer.double()
    x = torch.randn(2, 17, 8, dtype=torch.float64)
    whole, _ = layer(x)
    state, steps = None, []
    for t in range(17):
        y, state = layer(x[:, t : t + 1], state)
        steps.append(y)
    torch.testing.assert_close(torch.cat(steps, 1), whole)


def test_mamba_and_ssd_run_under_autocast():
    for layer in (MambaLayer(MambaConfig(8, 4)), SSDLayer(SSDConfig(8, 4, 4))):
        x = torch.randn(2, 9, 8)
        with torch.autocast("cpu", torch.bfloat16):
            y, _ = layer(x)
        assert (y.float() - layer(x)[0]).abs().max() < 0.05
        y.float().sum().backward()


def test_gaps_survive_large_timestamps():
    """Gaps of 1, 30 and 60 s at 1.7e9: float32 seconds would lose them, they are 128 s coarse there."""
    gap = LogGap()
    time = torch.tensor([[1_700_000_000, 1_700_000_001, 1_700_000_031, 1_700_000_091, 0]])
    found = gap(time, time != 0)
    expected = torch.tensor([[0, 1, 30, 60, 0]]).log1p()
    torch.testing.assert_close(found, expected)
    with pytest.raises(ValueError, match=r'all gaps between events are equal.*, or tim4rec with time="off"'):
        gap.measure(torch.tensor([5, 5, 5]))


def test_a_personal_gap_makes_the_patient_and_the_hasty_alike():
    gaps = torch.tensor([0, 0, 300, 60, 0, 120, 30, 600])
    hasty = 1_700_000_000 + gaps.cumsum(0)
    people = torch.stack([hasty, 1_700_000_000 + (gaps * 1_000).cumsum(0)])
    scale, real = PersonalGap().double(), torch.ones(2, 8, dtype=torch.bool)
    found = scale(people, real)
    by_hand = torch.tensor([0, 0, 1, 1, 0, 2, 1, 20], dtype=torch.float64).log1p()  # of 300, 300, 60, 60, 60, 30, 30
    torch.testing.assert_close(found, by_hand.expand(2, 8))
    assert not torch.allclose(*LogGap().double()(people, real))
    before = scale.carry(people[:, :5])
    torch.testing.assert_close(scale(people[:, 5:], real[:, 5:], before), found[:, 5:])
    torch.testing.assert_close(scale.carry(people[:, 5:], before), scale.carry(people))
    padded = torch.nn.functional.pad(people, (0, 2), value=1)
    found_padded = scale(padded, torch.nn.functional.pad(real, (0, 2)))
    torch.testing.assert_close(found_padded, torch.nn.functional.pad(found, (0, 2)))


def test_seconds_stay_seconds_without_the_logarithm():
    scale = SecondsGap()
    scale.measure(torch.tensor([0, 10, 20]))
    time = torch.tensor([[100, 110, 140]])
    torch.testing.assert_close(scale(time, time > 0), torch.tensor([[-1.0, 0.0, 2.0]]))


@pytest.mark.parametrize(("kind", "last"), [(TimeStepMap, ("sharpen.weight", "sharpen.bias")), (ForgettingMap, ("v",))])
def test_time_factor_is_one_when_the_map_is_silent(kind, last):
    silent = kind(3)
    for name in last:
        nn.init.zeros_(silent.get_parameter(name))
    torch.testing.assert_close(silent(torch.randn(2, 5))[0], torch.ones(2, 5, 3))


def test_a_forgetting_map_starts_by_forgetting():
    """Before it has learned anything τ rises from below 1 to above 1, in every head, and is about 1 at the mean gap."""
    torch.manual_seed(0)
    low, middle, high = ForgettingMap(50)(torch.tensor([[-2.0, 0.0, 2.0]]))[0][0]
    assert (low < 0.8).all() and ((middle - 1).abs() < 0.3).all() and (high > 1.2).all()


@pytest.mark.parametrize("seed", range(5))
def test_a_forgetting_map_never_falls_when_a_gap_grows(seed):
    """Whatever its weights, and it hears the gap before the event alone; a free map does fall."""
    torch.manual_seed(seed)
    longer = torch.randn(1, 9, dtype=torch.float64).expand(40, 9).clone()
    longer[:, 4] = torch.linspace(-4, 4, 40)
    rising, free = (wild(kind(3).double())(longer)[0].diff(dim=0) for kind in (ForgettingMap, TimeStepMap))
    rounding = 1e-14  # equal numbers at other places of a tensor may round otherwise, by the processor's vectors
    assert (rising[:, 4] >= -rounding).all() and (rising[:, 4] > 0.01).any() and (free[:, 4] < -0.01).any()
    assert (rising[:, :4].abs() < rounding).all() and (rising[:, 5:].abs() < rounding).all()


def wild(layer):
    """Weights and biases far from where they start."""
    for parameter in layer.parameters():
        nn.init.normal_(parameter)
    return layer


def test_dropout_keeps_the_mean_and_its_share():
    x = torch.ones(400, 500)
    drop = Dropout(0.2)
    torch.manual_seed(0)
    y = drop(x)
    assert abs(float((y == 0).float().mean()) - 51 / 256) < 0.005  # 0.2 as a 256th
    assert abs(float(y.mean()) - 1) < 0.01
    assert drop.eval()(x) is x
    with pytest.raises(ValueError, match="below 1"):
        Dropout(1.0)


def test_heads_must_divide():
    with pytest.raises(ValueError, match="3 heads do not divide d_model 64"):
        SelfAttention(64, 3, causal=True)
    with pytest.raises(ValueError, match="heads of width 48 do not divide the inner width 128"):
        SSDConfig(64, head_dim=48)


@pytest.mark.parametrize("at", [(), ("hidden", "output"), ("output",), ("hidden", "result")], ids="-".join)
def test_feed_forward_drops_where_it_is_told(at, monkeypatch):
    """Dropout that doubles what it is given."""
    layer, x = FeedForward(6, 0.5, drop_at=at).double(), torch.randn(2, 3, 6, dtype=torch.float64)
    monkeypatch.setattr(Dropout, "forward", lambda self, x: 2 * x if self.p else x)
    hidden, output, result = (2 if place in at else 1 for place in ("hidden", "output", "result"))
    first, second = layer.body[0], layer.body[3]
    expected = result * layer.norm(output * second(hidden * F.gelu(first(x))) + x)
    torch.testing.assert_close(layer(x), expected)
    with pytest.raises(ValueError, match="drop_at must name some of hidden, output, result"):
        FeedForward(6, 0.5, drop_at=("outptu",))
