"""Two directions: what each branch has read where, pads, and the size of an EchoMamba4Rec layer."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save
from torch import nn

from seqrec_edu import ops
from seqrec_edu.layers import (
    BidirectionalConfig,
    BidirectionalMamba,
    Dropout,
    GatedLinearUnit,
    MambaConfig,
    SpectralFilter,
    SpectralFilterConfig,
)

LENGTH, EVENTS = 50, 12  # a right-padded row: positions 0 to 11 are events, 12 to 49 pads
LAST = EVENTS - 1


def layer(seed=0, **settings):
    torch.manual_seed(seed)
    return BidirectionalMamba(BidirectionalConfig(MambaConfig(8, 4), dropout=0.0, **settings)).double()


def history(b=1, l=LENGTH, seed=1):
    return torch.randn(b, l, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def mask(*lengths, l=LENGTH):
    return torch.arange(l) < torch.tensor(lengths)[:, None]


def backward_branch(module):
    """The layer with the forward branch silenced: its norm is the last thing in it."""
    nn.init.zeros_(module.norms[0].weight)
    return module


def read_at(module, position):
    x = history().requires_grad_()
    (gradient,) = torch.autograd.grad(module(x, mask(EVENTS))[0, position, 0], x)
    return gradient[0].abs().sum(-1).nonzero().flatten().tolist()


def size(*modules):
    return sum(p.numel() for module in modules for p in module.parameters())


@pytest.mark.parametrize(
    ("flip", "realign", "read"),
    [
        ("history", True, [LAST]),
        ("history", False, list(range(EVENTS))),
        ("axis", True, list(range(LAST, LENGTH))),
        ("axis", False, [LAST, *range(LENGTH - EVENTS, LENGTH)]),  # the last event through the residual alone
    ],
)
def test_what_the_backward_branch_knows_where_a_recommendation_is_made(flip, realign, read):
    assert read_at(backward_branch(layer(flip=flip, realign=realign)), LAST) == read


def test_both_directions_meet_before_the_last_event():
    assert read_at(layer(), 5) == list(range(EVENTS))
    assert read_at(backward_branch(layer()), 5) == list(range(5, EVENTS))
    assert read_at(layer(beta=0.0), 5) == list(range(6))


@pytest.mark.parametrize("realign", [True, False])
@pytest.mark.parametrize("share", [True, False])
def test_neither_content_nor_number_of_pads_matters(realign, share):
    made, x, lengths = layer(realign=realign, share=share), history(4, 9), (9, 4, 1, 0)
    real = mask(*lengths, l=9)
    expected = made(x, real)
    for pads in (0, 5):
        more = torch.cat([x.masked_fill(~real[..., None], 7.0), torch.full((4, pads, 8), -3.0).double()], dim=1)
        found = made(more, mask(*lengths, l=9 + pads))[:, :9]
        torch.testing.assert_close(found[real], expected[real], rtol=1e-9, atol=1e-9)
    for user in range(3):  # alone, without a pad and without a mask
        n = lengths[user]
        alone = made(x[user : user + 1, :n])[0]
        torch.testing.assert_close(alone, expected[user, :n], rtol=1e-9, atol=1e-9)


def test_with_the_axis_flipped_pads_change_the_events():
    made, x, real = layer(flip="axis"), history(2, 9), mask(9, 4, l=9)
    moved = made(x.masked_fill(~real[..., None], 7.0), real) - made(x, real)
    assert moved[0].abs().max() == 0 and moved[1, :4].abs().max() > 1e-3
    longer = made(torch.cat([x, x.new_full((2, 5, 8), 3.0)], 1), mask(9, 4, l=14))[:, :9] - made(x, real)
    assert longer[real].abs().max() > 1e-3


def test_the_authors_wiring():
    made, x = layer(flip="axis"), history(2, 9)
    forward, backward = made.mambas
    f = made.norms[0](forward(x)[0] + x)
    b = made.norms[1](backward(x.flip(1))[0].flip(1) + x)
    torch.testing.assert_close(made(x, mask(9, 4, l=9)), f + b, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(made(x), f + b, rtol=1e-9, atol=1e-9)
    assert torch.equal(layer(flip="history")(x), made(x))  # no pads, no difference


def test_sharing_and_weight_of_the_backward_branch():
    made, x = layer(share=True, beta=0.1, realign=False), history(2, 9)
    assert len(made.mambas) == 1 and size(made) == size(layer()) - size(layer().mambas[0])
    assert len(save(made.state_dict())) > 0  # safetensors refuses one tensor under two names
    f = made.norms[0](made.mambas[0](x)[0] + x)
    b = made.norms[1](made.mambas[0](x.flip(1))[0] + x)
    torch.testing.assert_close(made(x), f + 0.1 * b, rtol=1e-9, atol=1e-9)
    made.config = replace(made.config, beta=0.0)
    torch.testing.assert_close(made(x), f, rtol=1e-9, atol=1e-9)


def test_every_parameter_learns_and_all_backends_agree():
    made, x, real = layer().float(), history(2, 9).float(), mask(9, 4, l=9)
    expected = made(x, real)
    expected[real].square().sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in made.parameters())
    assert all(module.in_proj.weight.grad.any() for module in made.mambas)
    for backend in ("reference", "vectorised"):
        with ops.use(backend):
            torch.testing.assert_close(made(x, real), expected, rtol=1e-4, atol=1e-5)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="flip must be one of history, axis, got 'batch'"):
        layer(flip="batch")
    with pytest.raises(ValueError, match="right-padded, this one has a pad before an event"):
        layer()(history(1, 3), torch.tensor([[False, True, True]]))
    with pytest.raises(ValueError, match=r"axis l .* of mask"):
        layer()(history(1, 3), mask(3, l=4))


@pytest.mark.parametrize(("length", "body"), [(50, 94_016), (200, 103_616)])
def test_an_echomamba4rec_layer_has_the_published_number_of_parameters(length, body):
    """Counted from the authors' code at d = 64, n = 32, without the item embedding and without what is never called.

    LayerNorm after the embedding 128; filter 2·64·(l//2 + 1) + 128; pair 2·38,784 + 2·128; gated unit 12,608.
    """
    entrance = nn.LayerNorm(64)
    parts = [
        SpectralFilter(SpectralFilterConfig(64, length)),
        BidirectionalMamba(BidirectionalConfig(MambaConfig(64, 32))),
        GatedLinearUnit(64, 0.2),
    ]
    assert [size(part) for part in parts] == [2 * 64 * (length // 2 + 1) + 128, 2 * 38_784 + 256, 12_608]
    assert size(entrance, *parts) == body


def test_filter_then_backward_scan_reads_the_whole_row():
    """The authors' combination: through the filter everything reaches everything, pads included."""
    torch.manual_seed(0)
    echo = SpectralFilter(SpectralFilterConfig(8, LENGTH, dropout=0.0, pads="kept")).double()
    both = layer(flip="axis")
    x = history().requires_grad_()
    (gradient,) = torch.autograd.grad(both(echo(x))[0, LAST, 0], x)
    assert (gradient[0].abs().sum(-1) > 1e-6).all()  # far above the rounding error of the FFT


def test_gated_linear_unit():
    unit = GatedLinearUnit(8, 0.0).double()
    x = history(2, 5)
    inner = F.glu(F.linear(x, unit.in_proj.weight, unit.in_proj.bias))
    expected = F.layer_norm(unit.out_proj(inner) + x, (8,), eps=1e-12)
    torch.testing.assert_close(unit(x), expected, rtol=1e-9, atol=1e-9)
    with torch.autocast("cpu", torch.bfloat16):
        assert (unit.float()(x.float()) - expected).abs().max() < 0.1


@pytest.mark.parametrize("drop_sum", [False, True])
def test_where_the_gated_linear_unit_drops_out(drop_sum, monkeypatch):
    """Dropout that doubles what it is given."""
    monkeypatch.setattr(Dropout, "forward", lambda self, x: 2 * x)
    unit, x = GatedLinearUnit(8, 0.5, drop_sum=drop_sum).double(), history(2, 5)
    branch = unit.out_proj(F.glu(F.linear(x, unit.in_proj.weight, unit.in_proj.bias)))
    torch.testing.assert_close(unit(x), unit.norm(2 * (branch + x) if drop_sum else 2 * branch + x))
