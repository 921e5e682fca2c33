"""The time-aware SSD layer in its corrected and its official form: oracles, and what the official form breaks."""

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from seqrec_edu import ops
from seqrec_edu.layers import (
    CORRECTED,
    OFFICIAL,
    FeedForward,
    LogGap,
    PositionMap,
    RowGap,
    SecondsGap,
    SSDConfig,
    SSDLayer,
    TimeAwareSSDLayer,
    TimeQuirks,
    TimeStepMap,
)
from tests.ops.support import DOUBLE, SINGLE, assert_same, normal, values_and_gradients

SIZES = SSDConfig(8, 4, 4, chunk_size=5, bias=True)  # 4 heads
NOW = 970_000_000  # a Unix time of ML-1M


def made(quirks=CORRECTED, length=12, seed=0, **options):
    torch.manual_seed(seed)
    layer = TimeAwareSSDLayer(SIZES, quirks, history_length=length, **options).double()
    for name, parameter in layer.named_parameters():  # nothing that is silent at the start hides a mistake
        if "time_map" in name or "update" in name:
            nn.init.normal_(parameter, std=0.4)
    return layer


def times(b, l, seed=0, gap=90_000):
    return NOW + torch.randint(1, gap, (b, l), generator=torch.Generator().manual_seed(seed)).cumsum(1)


# --- what both forms share -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("placement", ["step", "decay"])
def test_a_factor_of_one_is_plain_ssd_exactly(placement):
    torch.manual_seed(0)
    layer, x = SSDLayer(SIZES).double(), normal(2, 11, 8, seed=1)
    one = torch.ones(2, 11, 4, dtype=torch.float64)
    assert torch.equal(layer(x, time_factor=one, placement=placement)[0], layer(x)[0])


@pytest.mark.parametrize(
    ("quirks", "placement", "exact"),
    [(CORRECTED, "step", True), (CORRECTED, "decay", False), (OFFICIAL, "step", False)],
)
def test_a_silent_time_branch_leaves_plain_ssd(quirks, placement, exact):
    layer, x, gap = made(quirks, placement=placement), normal(2, 12, 8, seed=1), normal(2, 12, seed=2)
    if placement == "decay":
        nn.init.zeros_(layer.time_map.v)
        nn.init.zeros_(layer.time_map.c)
    else:
        nn.init.zeros_(layer.time_map.sharpen.weight)
        hardswish_is_one = (math.sqrt(33) - 3) / 2
        nn.init.constant_(layer.time_map.sharpen.bias, hardswish_is_one if quirks is OFFICIAL else 0.0)
    found, expected = layer(x, gap)[0], layer.ssd(x)[0]
    assert torch.equal(found, expected) if exact else torch.allclose(found, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("quirks", [CORRECTED, OFFICIAL], ids=["corrected", "official"])
def test_gradients_of_x_and_gaps(quirks):
    layer = made(quirks, length=3)
    x, gap = normal(1, 3, 8, seed=1).requires_grad_(), normal(1, 3, seed=2).requires_grad_()
    outputs = 2 if quirks is OFFICIAL else 1  # the corrected form hands its gaps on as they are
    torch.autograd.gradcheck(lambda x, gap: layer(x, gap)[:outputs], (x, gap))


@pytest.mark.parametrize("quirks", [CORRECTED, OFFICIAL], ids=["corrected", "official"])
@pytest.mark.parametrize("length", [1, 2, 63, 200])
def test_every_backend_gives_the_same_values_and_gradients(quirks, length):
    layer, inputs = made(quirks, length), {"x": normal(2, length, 8, seed=1), "gap": normal(2, length, seed=2)}
    run = lambda x, gap: layer(x, gap)[0]  # noqa: E731
    with ops.use("reference"):
        expected = values_and_gradients(run, inputs, torch.float64)
    assert_same(values_and_gradients(run, inputs, torch.float64), expected, DOUBLE)
    layer.float()
    assert_same(values_and_gradients(run, inputs, torch.float32), expected, SINGLE)  # the compiled loops
    with ops.use("vectorised"):
        assert_same(values_and_gradients(run, inputs, torch.float32), expected, SINGLE)


def test_inputs_need_not_be_contiguous():
    for quirks in (CORRECTED, OFFICIAL):
        layer, x, gap = made(quirks), normal(8, 12, 2, seed=1), normal(12, 2, seed=2)
        found = layer(x.permute(2, 1, 0), gap.T)[0]
        torch.testing.assert_close(found, layer(x.permute(2, 1, 0).contiguous(), gap.T.contiguous())[0])


def test_both_forms_run_under_autocast():
    for quirks in (CORRECTED, OFFICIAL):
        layer, x, gap = made(quirks).float(), torch.randn(2, 12, 8), torch.randn(2, 12)
        with torch.autocast("cpu", torch.bfloat16):
            y = layer(x, gap)[0]
        assert (y.float() - layer(x, gap)[0]).abs().max() < 0.1
        y.float().sum().backward()


# --- the corrected form ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_longer_gaps_keep_less_and_write_the_same(seed):
    """placement "decay", whatever the map has learned: what is kept of an old state falls, what is written does not."""
    layer = made(placement="decay")
    torch.manual_seed(seed)
    for parameter in layer.time_map.parameters():
        nn.init.normal_(parameter, std=0.5)
    x, old, kept, written = normal(1, 1, 8, seed=1), normal(1, 4, 4, 4, seed=2), [], []
    for seconds in (0, 60, 3_600, 86_400, 30 * 86_400):
        time = torch.tensor([[NOW + seconds]])
        gap = LogGap().double()(time, torch.ones(1, 1, dtype=torch.bool), torch.tensor([NOW]))
        window = x.new_zeros(1, 3, 24)
        fresh = layer(x, gap, ((window, old * 0), None))[2][0][1]
        after = layer(x, gap, ((window, old), None))[2][0][1]
        written.append(fresh)
        kept.append((after - fresh) / old)
    kept, written = torch.stack(kept), torch.stack(written)
    assert (kept > 0).all() and (kept < 1).all() and (kept.diff(dim=0) < 0).all()
    assert torch.equal(written, written[:1].expand_as(written))


def test_corrected_sees_no_clock_and_no_padding():
    layer, scale, time = made(), LogGap().double(), times(3, 9)
    real = torch.ones(3, 9, dtype=torch.bool)
    x, expected = normal(3, 9, 8, seed=1), scale(time, real)
    torch.testing.assert_close(scale(time + 10**8, real), expected)
    whole = layer(x, expected)[0]
    for amount, content in [(1, 0), (5, 0), (5, NOW + 7), (5, 2**40)]:
        longer = F.pad(time, (0, amount), value=content)
        gap = scale(longer, F.pad(real, (0, amount)))
        y = layer(F.pad(x, (0, 0, 0, amount), value=3.0), gap)[0]
        torch.testing.assert_close(y[:, :9], whole)


@pytest.mark.parametrize("placement", ["step", "decay"])
@pytest.mark.parametrize("hardswish", [False, True])
def test_corrected_can_be_cut_anywhere(placement, hardswish):
    layer = made(TimeQuirks(hardswish=hardswish), placement=placement)
    x, gap = normal(2, 13, 8, seed=1), normal(2, 13, seed=2)
    whole, _, last = layer(x, gap)
    for cut in (1, 6, 12):
        first, _, state = layer(x[:, :cut], gap[:, :cut])
        second, _, state = layer(x[:, cut:], gap[:, cut:], state)
        torch.testing.assert_close(torch.cat([first, second], 1), whole)
        torch.testing.assert_close(state, last)


# --- the official form -----------------------------------------------------------------------------------------------


def test_official_is_the_equations_of_the_released_code():
    """τ and the updated gaps from PyTorch's own LayerNorm, Linear and Conv1d, channels first as the authors have it."""
    layer, scale, time = made(OFFICIAL), RowGap(12).double(), F.pad(times(3, 7), (0, 5))
    nn.init.normal_(scale.norm.weight), nn.init.normal_(scale.norm.bias)
    state = layer.state_dict()

    def own(module, prefix):
        weight, bias = state[f"{prefix}.weight"], state[f"{prefix}.bias"]
        values = {"weight": weight[:, None] if isinstance(module, nn.Conv1d) else weight, "bias": bias}
        module.double().load_state_dict(values)
        return module

    def conv(name):
        return own(nn.Conv1d(4, 4, 4, padding=3, groups=4), f"time_map.{name}")

    norm = nn.LayerNorm(12, eps=1e-12).double()
    norm.load_state_dict(scale.norm.state_dict())
    seconds = time.float()
    D = norm(F.pad(seconds[:, 1:] - seconds[:, :-1], (1, 0)).double())[:, None].expand(3, 4, 12)
    s = own(nn.Linear(12, 12), "time_map.mix")(F.silu(own(nn.Linear(12, 12), "time_map.lift")(D)))
    tau = F.hardswish(conv("sharpen")(F.hardswish(conv("smooth")(s * D)[..., :12]))[..., :12])
    g = torch.sigmoid(own(nn.Linear(12, 1), "update.gate")(D))
    updated = own(nn.LayerNorm(12, eps=1e-12), "update.norm")(g * D + (1 - g) * tau)

    gap = scale(time)
    torch.testing.assert_close(layer.time_map(gap)[0], tau.transpose(1, 2))
    x = normal(3, 7, 8, seed=1)
    y, handed_on, _ = layer(x, gap)
    torch.testing.assert_close(handed_on, updated.transpose(1, 2))
    torch.testing.assert_close(y, layer.ssd(x, time_factor=tau.transpose(1, 2)[:, :7])[0])


def test_official_time_branch_sees_later_events_and_the_corrected_one_does_not():
    gap = normal(1, 12, seed=1)
    earlier = torch.ones(12, 12, dtype=torch.bool).tril()
    lag = torch.arange(12)[:, None] - torch.arange(12)
    for quirks, reached in [(OFFICIAL, torch.ones_like(earlier)), (CORRECTED, earlier & (lag <= 6))]:
        time_map = made(quirks).time_map
        J = torch.autograd.functional.jacobian(lambda g, m=time_map: m(g)[0][0, :, 0], gap)[:, 0]
        alive = time_map(gap)[0][0, :, 0] != 0  # where Hardswish is flat nothing is read at all
        assert alive.sum() > 6
        assert torch.equal(J[alive] != 0, reached[alive])


def test_rows_without_variance_stay_finite():
    for pads in (0, 5):
        scale, layer = RowGap(12), made(OFFICIAL).float()
        gap = scale(F.pad(torch.full((2, 12 - pads), NOW), (0, pads)))
        x = torch.randn(2, 12, 8, requires_grad=True)
        y, handed_on, _ = layer(x, gap)
        (y.sum() + handed_on.square().sum()).backward()
        found = [y, handed_on, x.grad, *(p.grad for p in (*layer.parameters(), *scale.parameters()))]
        assert all(torch.isfinite(each).all() for each in found)


# --- the quirks, one by one ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("heads", "expected"), [(2, "hardswish"), (4, "hardswish"), (8, "silu"), (16, "silu")])
def test_hardswish_unless_the_heads_are_a_multiple_of_eight(heads, expected):
    config = SSDConfig(16, 4, 32 // heads)
    layer = TimeAwareSSDLayer(config, OFFICIAL, history_length=5)
    assert {layer.ssd.conv.activation, layer.time_map.smooth.activation, layer.time_map.sharpen.activation} == {
        expected
    }
    assert TimeAwareSSDLayer(config).ssd.conv.activation == "silu"


def test_each_quirk_by_itself_builds_what_it_says():
    for quirk, scale, time_map in [
        ("float32_seconds", LogGap, TimeStepMap),
        ("raw_seconds", SecondsGap, TimeStepMap),
        ("row_norm", RowGap, TimeStepMap),
        ("mix_positions", LogGap, PositionMap),
        ("hardswish", LogGap, TimeStepMap),
    ]:
        quirks = TimeQuirks(**{quirk: True})
        layer = made(quirks)
        assert type(quirks.gap_scale(12)) is scale and type(layer.time_map) is time_map
        assert quirks.causal == (quirk not in ("row_norm", "mix_positions"))
        assert (layer.update is not None) == (quirk == "mix_positions")
        gap = quirks.gap_scale(12).double()(times(2, 12), torch.ones(2, 12, dtype=torch.bool))
        assert layer(normal(2, 12 if quirks.causal else 7, 8, seed=1), gap)[0].isfinite().all()


def test_time_dropout_acts_only_in_training():
    layer, gap = made(OFFICIAL, dropout=0.5), normal(2, 12, seed=1)
    assert not torch.equal(layer.time_map(gap)[0], layer.time_map(gap)[0])
    layer.eval()
    assert torch.equal(layer.time_map(gap)[0], layer.time_map(gap)[0])


# --- bad input -------------------------------------------------------------------------------------------------------


def test_errors_say_what_was_expected():
    x = normal(2, 12, 8, seed=1)
    with pytest.raises(ops.ShapeError, match=r"axis l .* must be exactly 12"):
        made(OFFICIAL)(x[:, :9], normal(2, 9, seed=2))
    with pytest.raises(ops.ShapeError, match=r"axis l .* of gap 'b l' is 1, but x fixes it at 12"):
        made()(x, normal(2, 1, seed=2))
    with pytest.raises(ops.ShapeError, match=r"axis l .* of gap 'b l' is 13"):
        made()(x, normal(2, 13, seed=2))
    with pytest.raises(ops.ShapeError, match=r"axis b .* of gap"):
        made(OFFICIAL)(x, normal(1, 12, seed=2))
    with pytest.raises(ops.ShapeError, match="exactly 12"):
        RowGap(12)(times(2, 13))
    with pytest.raises(ValueError, match="cannot continue"):
        RowGap(12)(times(2, 12), None, torch.tensor([1, 2]))
    with pytest.raises(ValueError, match="history_length must say how many, at least 1, got None"):
        TimeAwareSSDLayer(SIZES, OFFICIAL)
    with pytest.raises(ValueError, match='"decay" needs τ ≥ 0'):
        made(OFFICIAL, placement="decay")
    with pytest.raises(ValueError, match="placement of the time factor must be one of step, decay, got 'mask'"):
        made(placement="mask")
    with pytest.raises(ValueError, match="p2p_residual is a form of the gap update"):
        made(p2p_residual=True)
    with pytest.raises(ValueError, match="dead_last_update needs mix_positions"):
        TimeQuirks(dead_last_update=True)
    with pytest.raises(ValueError, match="pads_in_norm needs row_norm or mix_positions"):
        TimeQuirks(pads_in_norm=True)
    with pytest.raises(ValueError, match='unit "person" is another scale than'):
        TimeQuirks(raw_seconds=True).gap_scale(unit="person")
    with pytest.raises(ValueError, match="a mask must say which events are real"):
        RowGap(12, pads_in_norm=False)(times(2, 12))
    with pytest.raises(ValueError, match="activation must be one of gelu, hardswish, got 'relu'"):
        FeedForward(4, 0.0, "relu")
    with pytest.raises(ValueError, match="activation must be None, 'silu' or 'hardswish'"):
        SSDLayer(replace(SIZES, activation="gelu"))(x.float())
