"""The parts of the official time branch by themselves: rows of gaps, their norm and update, and Hardswish."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from seqrec_edu import ops
from seqrec_edu.layers import FeedForward, GapUpdate, LogGap, RowGap, RowNorm
from tests.ops.support import DOUBLE, SINGLE, assert_same, conv_inputs, normal, values_and_gradients

NOW = 970_000_000  # a Unix time of ML-1M


@pytest.mark.parametrize("n", [20, 100])
def test_official_gaps_collapse_beside_the_jump_into_the_padding(n):
    """Raw gaps of some hours in a row of 200: the jump becomes -14.1, all real gaps .071 ± 3e-4 … 5e-4. Only a full
    row gives real gaps unit scale."""
    draw = torch.Generator().manual_seed(0)
    gap = torch.empty(64, 200).exponential_(1 / 27_000, generator=draw).long()
    full = NOW + gap.cumsum(1)
    scale = RowGap(200)
    row = scale(F.pad(full[:, :n], (0, 200 - n)))
    assert torch.allclose(row[:, n], torch.tensor(-14.1), atol=0.01)
    assert torch.allclose(row[:, :n].mean(), torch.tensor(0.071), atol=1e-3)
    assert 3e-4 < row[:, :n].std(dim=1).median() < 5e-4
    assert torch.allclose(scale(full).std(dim=1), torch.tensor(1.0), atol=0.01)
    logs = LogGap()
    logs.measure(gap.flatten())
    assert logs(full[:, :n], torch.ones(64, n, dtype=torch.bool))[:, 1:].std() > 0.9  # what the corrected form sees


def test_official_breaks_what_the_corrected_form_keeps():
    time = NOW + torch.randint(1, 90_000, (2, 9), generator=torch.Generator().manual_seed(0)).cumsum(1)
    real = torch.ones(2, 9, dtype=torch.bool)
    for scale, kept in [(LogGap().double(), True), (RowGap(12).double(), False)]:
        row = lambda t, value=0, scale=scale: scale(F.pad(t, (0, 3), value=value), F.pad(real, (0, 3)))[:, :9]  # noqa: E731
        assert torch.equal(row(time), row(time + 2**26)) == kept  # a clock set differently, exact in float32 too
        assert torch.equal(row(time), row(time, value=NOW)) == kept  # other content of the padding
    amounts = [RowGap(l).double()(F.pad(time, (0, l - 9)))[:, :9] for l in (10, 50)]
    assert not torch.allclose(*amounts, rtol=0.1)  # another amount of padding


def test_each_of_the_three_faults_of_a_row_can_be_mended_alone():
    """Nine gaps of minutes to a day, then pads: how far apart the largest and the smallest come out."""
    time = NOW + torch.tensor([[0, 60, 3_600, 86_400, 120, 60, 7_200, 90, 600]]).cumsum(1)
    real = torch.ones_like(time, dtype=torch.bool)
    padded, mask = F.pad(time, (0, 11)), F.pad(real, (0, 11))

    def spread(**mended):
        gap = RowGap(20, float32_seconds=False, **mended).double()(padded, mask)[0, 1:9]
        return float((gap.max() - gap.min()).detach())

    assert spread() < 1e-3  # the jump into the padding owns the scale
    assert spread(pads_in_norm=False) > 2
    assert spread(raw_seconds=False) > 1.5  # no jump, but pads pull mean and deviation
    assert spread(raw_seconds=False, pads_in_norm=False) > 2
    seconds = RowGap(20, raw_seconds=True, pads_in_norm=False).double()(padded, mask)[0, 1:9].sort().values
    logs = RowGap(20, raw_seconds=False, pads_in_norm=False).double()(padded, mask)[0, 1:9].sort().values
    assert seconds[-2] - seconds[0] < 0.3 < 1 < logs[-2] - logs[0]  # beside a day, a minute and two hours are one


def test_only_rows_that_leave_pads_out_of_their_norm_ignore_them():
    x, mask = normal(2, 6, 3, seed=1), torch.arange(6) < torch.tensor([[6], [4]])
    norm = RowNorm(6).double()
    other = torch.where(mask[..., None], x, 100.0)
    torch.testing.assert_close(norm(other, mask), norm(x, mask))
    assert (norm(x, mask)[1, 4:] == 0).all()
    assert not torch.allclose(norm(other)[1], norm(x)[1])
    torch.testing.assert_close(norm(x, torch.ones_like(mask)), norm(x))
    torch.testing.assert_close(norm(x[..., 0], mask), norm(x, mask)[..., 0])
    short = norm(x, mask)[1, :4]
    torch.testing.assert_close(short, F.layer_norm(x[1, :4].T, (4,), eps=1e-12).T)


def test_float32_seconds_lose_gaps_below_64_seconds():
    time = torch.tensor([[NOW, NOW + 20, NOW + 50, NOW + 113, NOW + 173]])
    real = torch.ones_like(time, dtype=torch.bool)
    exact = torch.expm1(LogGap().double()(time, real))
    coarse = torch.expm1(LogGap(float32_seconds=True).double()(time, real))
    torch.testing.assert_close(exact[0], torch.tensor([0.0, 20, 30, 63, 60], dtype=torch.float64))
    assert ((coarse / 64 - (coarse / 64).round()).abs() < 1e-9).all() and (coarse != exact).any()


def test_p2p_residual_gives_every_position_its_gate():
    one, each = (GapUpdate(6, p2p_residual=p2p).double() for p2p in (False, True))
    assert one.gate.weight.shape == (1, 6) and each.gate.weight.shape == (6, 6)
    nn.init.zeros_(each.gate.weight), nn.init.zeros_(one.gate.weight)  # every gate one half: the two must agree
    nn.init.zeros_(each.gate.bias), nn.init.zeros_(one.gate.bias)
    gap, tau = normal(2, 6, seed=1), normal(2, 6, 3, seed=2)
    torch.testing.assert_close(each(gap, tau), one(gap, tau))
    torch.testing.assert_close(one(gap, tau), RowNorm(6).double()((gap[..., None] + tau) / 2))


def test_hardswish_after_the_convolution_on_every_backend():
    inputs = conv_inputs(2, 9, 5, 4)
    plain = ops.causal_conv1d(**inputs, backend="reference")
    expected = plain * (plain + 3).clamp(0, 6) / 6  # Howard et al. 2019, equation of h-swish
    options = {"activation": "hardswish", "return_state": True}
    reference = values_and_gradients(ops.causal_conv1d, inputs, torch.float64, backend="reference", **options)
    torch.testing.assert_close(reference["output 0"], expected)
    for backend, dtype, tolerance in [("vectorised", torch.float64, DOUBLE), ("cpu", torch.float32, SINGLE)]:
        found = values_and_gradients(ops.causal_conv1d, inputs, dtype, backend=backend, **options)
        assert_same(found, reference, tolerance)
    x = torch.tensor([-4.0, -1.0, 2.0, 5.0])
    torch.testing.assert_close(FeedForward(4, 0.0, "hardswish").body[1](x), x * (x + 3).clamp(0, 6) / 6)
