"""The filter layer: tied to one length, indifferent to pads unless told otherwise, causal if given in time."""

import pytest
import torch
from safetensors.torch import load, save
from torch import nn

from seqrec_edu.layers import SpectralFilter, SpectralFilterConfig


def layer(length=12, width=6, seed=0, **settings):
    torch.manual_seed(seed)
    made = SpectralFilter(SpectralFilterConfig(width, length, **({"dropout": 0.0} | settings))).double()
    made.weight.data *= 50  # loud enough that everything read can be seen in the output
    return made


def history(b=3, l=12, d=6, seed=1):
    return torch.randn(b, l, d, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def read_by(module, position, x, mask=None):
    """Events that the output at ``position`` of the first history depends on by more than an FFT's rounding."""
    x = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(module(x, mask)[0, position, 0], x)
    return (gradient[0].abs().sum(-1) > 1e-12).nonzero().flatten().tolist()


@pytest.mark.parametrize(("length", "factors"), [(50, 26), (200, 101), (7, 4), (1, 1)])
def test_one_factor_per_frequency(length, factors):
    made = SpectralFilter(SpectralFilterConfig(64, length))
    assert made.weight.shape == (factors, 64, 2) and made.weight.dtype == torch.float32
    assert sum(p.numel() for p in made.parameters()) == 2 * factors * 64 + 128
    assert SpectralFilter(SpectralFilterConfig(64, length, causal=True)).weight.shape == (length, 64)


def test_it_is_the_papers_formula():
    made, x = layer(), history()
    W = torch.view_as_complex(made.weight)
    filtered = torch.fft.irfft(torch.fft.rfft(x, dim=1, norm="ortho") * W, n=12, dim=1, norm="ortho")
    torch.testing.assert_close(made(x), made.norm(filtered + x), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("causal", [True, False])
def test_both_kinds_start_equally_loud(causal):
    """White noise comes out with 2 · 0.02² of its power."""
    made = layer(200, 64, causal=causal)
    made.weight.data /= 50
    x = history(20, 200, 64)
    gain = made._filter(x, None).square().mean() / x.square().mean()
    assert abs(gain - 2 * 0.02**2) < 0.1 * 2 * 0.02**2 * (5 if causal else 1)


@pytest.mark.parametrize("pads", ["zeroed", "kept"])
def test_a_shorter_batch_is_extended_with_zeros(pads):
    made, x = layer(pads=pads), history(l=5)
    whole = torch.cat([x, x.new_zeros(3, 7, 6)], dim=1)
    torch.testing.assert_close(made(x), made(whole)[:, :5], rtol=1e-9, atol=1e-9)
    with pytest.raises(ValueError, match="made for histories of 12 events, the batch holds 13"):
        made(history(l=13))


@pytest.mark.parametrize("causal", [True, False])
def test_neither_content_nor_number_of_pads_matters(causal):
    made, x = layer(causal=causal), history(l=5)
    mask = torch.arange(5) < torch.tensor([[5], [3], [1]])
    expected = made(x, mask)
    assert (expected[~mask] == 0).all()
    for content in (7.0, torch.inf):
        more = torch.cat([x.masked_fill(~mask[..., None], content), torch.full((3, 4, 6), content).double()], dim=1)
        longer = torch.cat([mask, torch.zeros(3, 4, dtype=torch.bool)], dim=1)
        found = made(more, longer)
        torch.testing.assert_close(found[:, :5], expected, rtol=1e-9, atol=1e-9)
        assert (found[:, 5:] == 0).all()


def test_pads_that_are_kept_change_the_events():
    made, x = layer(pads="kept"), history()
    mask = torch.arange(12) < torch.tensor([[12], [6], [3]])
    torch.testing.assert_close(made(x, mask), made(x))
    other = made(x.masked_fill(~mask[..., None], 7.0), mask)
    assert (other - made(x, mask))[mask].abs().max() > 0.1


def test_who_reads_whom():
    x, mask = history(1), torch.arange(12)[None] < 8
    assert read_by(layer(), 3, x) == list(range(12))
    assert read_by(layer(), 3, x, mask) == list(range(8))
    assert read_by(layer(pads="kept"), 3, x, mask) == list(range(12))
    assert read_by(layer(causal=True), 3, x, mask) == [0, 1, 2, 3]


def test_the_causal_filter_gives_a_prefix_what_it_gave_before():
    made, x = layer(causal=True), history()
    torch.testing.assert_close(made(x[:, :5]), made(x)[:, :5], rtol=1e-9, atol=1e-9)
    circular = layer()
    assert (circular(x[:, :5]) - circular(x)[:, :5]).abs().max() > 0.1


def test_its_weight_is_real_and_travels_through_safetensors():
    made = SpectralFilter(SpectralFilterConfig(6, 12, dropout=0.0))
    other = SpectralFilter(SpectralFilterConfig(6, 12, dropout=0.0))
    other.load_state_dict(load(save(made.state_dict())))
    x = history().float()
    assert torch.equal(other(x), made(x))
    optimiser = torch.optim.AdamW(made.parameters(), fused=True)  # refuses complex parameters
    (made(x) * x).sum().backward()
    optimiser.step()
    unread = (made.weight.grad == 0).all(1).nonzero().tolist()
    assert unread == [[0, 1], [6, 1]]  # the imaginary parts at f = 0 and f = l/2


@pytest.mark.parametrize("causal", [True, False])
def test_low_precision(causal):
    made, x = layer(causal=causal).float(), history().float()
    mask = torch.arange(12) < torch.tensor([[12], [6], [3]])
    exact = made(x, mask)
    with torch.autocast("cpu", torch.bfloat16):
        found = made(x, mask)
    torch.testing.assert_close(found.float(), exact, rtol=0.05, atol=0.05)
    assert found.square().sum().isfinite()
    found = made.bfloat16()(x.bfloat16(), mask)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), exact, rtol=0.1, atol=0.1)


def test_dropout_acts_on_the_filter_alone():
    torch.manual_seed(0)
    made, x = layer(dropout=0.9), history()
    made.norm = nn.Identity()
    assert ((made(x) - x) == 0).double().mean() > 0.8
    torch.testing.assert_close(made.eval()(x), x + made._filter(x, None))


def test_settings_are_checked():
    with pytest.raises(ValueError, match="pads must be one of zeroed, kept, got 'zero'"):
        SpectralFilterConfig(6, 12, pads="zero")
    with pytest.raises(ValueError, match="history_length must be at least 1, got 0"):
        SpectralFilterConfig(6, 0)
    with pytest.raises(ValueError, match=r"axis l .* of mask"):
        layer()(history(), torch.ones(3, 11, dtype=torch.bool))
