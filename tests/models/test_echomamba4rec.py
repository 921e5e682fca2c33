"""EchoMamba4Rec in its two modes: published sizes, the released wiring by hand, and what each quirk costs."""

import pytest
import torch
import torch.nn.functional as F

from seqrec_edu.layers import Dropout
from seqrec_edu.models import build
from tests.models.support import LENGTH, batch, layer_norm, read_from_embedding, readout, small, stepped


@pytest.mark.parametrize(("length", "body"), [(50, 94_016), (200, 103_616)])
@pytest.mark.parametrize("mode", ["corrected", "official"])
def test_published_number_of_parameters(length, body, mode):
    """Counted from the authors' code at d = 64, without the item embedding and the attention that is never called."""
    assert build("echomamba4rec", n_items=10, history_length=length, mode=mode).n_body_parameters == body


def test_official_is_the_released_wiring():
    """Rows of 12 places, FFT over all of them, the whole axis turned round; no mask anywhere."""
    model, history = small("echomamba4rec", mode="official"), batch(9, 4)
    layer = model.layers[0]
    pair, glu = layer.pairs[0], layer.glu
    E = layer_norm(model.embedding_norm, model.item_embedding.weight[F.pad(history.item, (0, 3))])
    W = torch.view_as_complex(layer.filter.weight)
    filtered = torch.fft.irfft(torch.fft.rfft(E, dim=1, norm="ortho") * W, n=LENGTH, dim=1, norm="ortho")
    X = layer_norm(layer.filter.norm, filtered + E)
    f = layer_norm(pair.norms[0], pair.mambas[0](X)[0] + X)
    b = layer_norm(pair.norms[1], pair.mambas[1](X.flip(1))[0].flip(1) + X)
    gated = F.glu(F.linear(f + b, glu.in_proj.weight, glu.in_proj.bias))
    expected = layer_norm(glu.norm, F.linear(gated, glu.out_proj.weight, glu.out_proj.bias) + f + b)
    torch.testing.assert_close(model(history), expected[:, :9])


def test_official_is_corrected_with_all_its_quirks():
    names = ("pads_in_filter", "flip_axis", "nested_pairs", "random_pad", "overwritten_steps", "drop_sum")
    one_by_one, official = small("echomamba4rec", **dict.fromkeys(names, True)), small("echomamba4rec", mode="official")
    assert torch.equal(one_by_one(batch(9, 4)), official(batch(9, 4)))
    assert one_by_one.layers[0].glu.drop_sum and official.layers[0].glu.drop_sum


def test_the_sum_behind_the_gate_drops_out_in_training_alone(monkeypatch):
    """Dropout that doubles what it is given, behind the gate of a model that has no other."""
    monkeypatch.setattr(Dropout, "forward", lambda self, x: 2 * x if self.training else x)
    for drop_sum in (False, True):
        model, history = small("echomamba4rec", drop_sum=drop_sum), batch(9)
        assert torch.equal(model(history), small("echomamba4rec")(history))
        seen, glu = [], model.layers[0].glu.train()
        glu.register_forward_hook(lambda module, inputs, output, seen=seen: seen.append(inputs[0]))
        found, (x,) = model(history), seen
        gated = F.glu(F.linear(x, glu.in_proj.weight, glu.in_proj.bias))
        branch = 2 * F.linear(gated, glu.out_proj.weight, glu.out_proj.bias)
        torch.testing.assert_close(found, layer_norm(glu.norm, branch + (2 * x if drop_sum else x)))


def test_a_run_recorded_before_there_was_drop_sum_is_still_found():
    assert "drop_sum" not in build("echomamba4rec", n_items=9).settings()
    assert build("echomamba4rec", n_items=9, drop_sum=True).settings()["drop_sum"]


@pytest.mark.parametrize("quirks", [{}, {"nested_pairs": True}, {"mode": "official"}], ids=str)
@pytest.mark.parametrize("first", [0, 4])
def test_without_filter_and_backward_mamba_stepping_is_the_full_pass(quirks, first):
    """Also with "official": pads are read by nothing then."""
    model = small("echomamba4rec", filter="off", backward="off", n_layers=2, **quirks)
    model(batch(7, 4, 1))  # leaves nothing behind
    for history in (batch(9, 9, 9), batch(LENGTH + 1), batch(5, seed=1)):
        torch.testing.assert_close(stepped(model, history, first), model(history), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("part", [{"filter": "causal"}, {"filter": "off", "backward": "reversed"}], ids=str)
def test_with_either_part_there_is_no_step(part):
    with pytest.raises(NotImplementedError, match="echomamba4rec is not recurrent"):
        stepped(small("echomamba4rec", **{"backward": "off", **part}), batch(3))


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ({}, True),
        ({"mode": "official"}, False),
        ({"pads_in_filter": True}, False),
        ({"flip_axis": True}, True),  # zero behind the filter, though still read
        ({"filter": "off", "flip_axis": True}, False),
        ({"overwritten_steps": True}, True),
        ({"nested_pairs": True}, True),
    ],
    ids=str,
)
def test_what_stands_at_pads(settings, kept):
    model = small("echomamba4rec", **settings)
    found = [readout(model, batch(9, 4, 1, l=LENGTH, fill=fill)) for fill in (0, 7)]
    assert torch.allclose(*found, rtol=1e-9, atol=1e-9) == kept


@pytest.mark.parametrize("kind", ["off", "causal"])
@pytest.mark.parametrize("flip_axis", [False, True])
def test_how_many_pads_there_are(kind, flip_axis):
    """Without a filter, or with one in lags, the weights fit other rows too: does their length matter?"""
    settings = {"filter": kind, "flip_axis": flip_axis}
    short, long = (small("echomamba4rec", **settings, history_length=l) for l in (LENGTH, 2 * LENGTH))
    weights = short.state_dict()
    if kind == "causal":
        lags = long.layers[0].filter.weight.detach().clone()
        lags[:LENGTH] = weights["layers.0.filter.weight"]
        weights["layers.0.filter.weight"] = lags
    long.load_state_dict(weights)
    assert torch.allclose(readout(short, batch(9, 4)), readout(long, batch(9, 4))) == (not flip_axis)


@pytest.mark.parametrize(
    ("settings", "read"),
    [
        ({}, range(5)),
        ({"mode": "official"}, range(LENGTH)),
        ({"pads_in_filter": True}, range(LENGTH)),
        ({"flip_axis": True}, range(5)),
        ({"filter": "off", "flip_axis": True}, range(LENGTH)),
        ({"filter": "causal", "backward": "off"}, range(5)),
    ],
    ids=str,
)
def test_what_a_recommendation_after_five_events_reads(settings, read):
    assert read_from_embedding(small("echomamba4rec", **settings), batch(5, 9)) == list(read)


def test_future_events_reach_the_last_one_through_the_filter_a_second_layer_or_our_extension_only():
    """The backward state at the last event is that of this event alone: earlier ones do not change it."""
    for settings, knows in [
        ({"filter": "off"}, False),
        ({}, True),
        ({"filter": "off", "n_layers": 2}, True),
        ({"filter": "off", "backward": "reversed"}, True),
    ]:
        model, history = small("echomamba4rec", **settings), batch(9)
        inner = model.layers[-1].pairs[0]
        torch.nn.init.zeros_(inner.norms[0].weight)  # the forward branch falls silent
        other = batch(9, seed=1)
        other.item[:, -1] = history.item[:, -1]
        same = torch.allclose(readout(model, history), readout(model, other))
        assert same != knows


def test_nested_pairs():
    for nested, each in ((False, 1), (True, 3)):
        model = small("echomamba4rec", n_layers=3, nested_pairs=nested)
        assert [len(layer.pairs) for layer in model.layers] == [each] * 3
    one = small("echomamba4rec", nested_pairs=True)
    assert torch.equal(one(batch(9)), small("echomamba4rec")(batch(9))), "with one layer there is nothing to nest"


def test_step_sizes_at_the_start():
    for overwritten in (False, True):
        model = small("echomamba4rec", loud=False, overwritten_steps=overwritten)
        steps = torch.cat([F.softplus(mamba.dt_bias) for mamba in model.layers[0].pairs[0].mambas])
        if overwritten:
            torch.testing.assert_close(steps, torch.full_like(steps, 0.6931), rtol=1e-3, atol=0)
        else:
            assert steps.min() > 0.9e-3 and steps.max() < 0.11 and steps.std() > 0


def test_the_random_pad_is_as_large_as_an_item_and_frozen():
    weight = build("echomamba4rec", n_items=500, mode="official").item_embedding.weight
    assert 0.5 < weight[0].norm() / weight[1:].norm(dim=1).mean() < 2
    assert (build("echomamba4rec", n_items=500).item_embedding.weight[0] == 0).all()


def test_errors_say_what_there_is():
    for settings, says in [
        ({"filter": "fft"}, "filter must be one of circular, causal, off, got 'fft'"),
        ({"backward": "yes"}, "backward must be one of aligned, reversed, off, got 'yes'"),
        ({"pads_in_filter": True, "filter": "off"}, 'pads_in_filter would change nothing with filter="off"'),
        ({"flip_axis": True, "backward": "off"}, 'flip_axis would change nothing with backward="off"'),
        ({"history_length": 1}, "history_length must be at least 2"),
    ]:
        with pytest.raises(ValueError, match=says):
            small("echomamba4rec", **settings)
    with pytest.raises(ValueError, match="made for histories of 12 events, the batch holds 13"):
        small("echomamba4rec")(batch(13))
    with pytest.raises(ValueError, match="reads rows of 12 places, the batch holds 13 events"):
        small("echomamba4rec", mode="official")(batch(13))
