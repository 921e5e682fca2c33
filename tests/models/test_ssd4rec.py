"""SSD4Rec: its size, both readings of each history by hand, the hidden events, and what turning back costs."""

import pytest
import torch

from seqrec_edu.models import SSD4Rec, build
from tests.models.support import N_ITEMS, batch, feed_forward, layer_norm, read_from_embedding, readout, small


def test_number_of_parameters():
    """Mamba-2 from 256 to 512 channels with 32 heads and a state of 64, counted part by part."""
    model = build("ssd4rec", n_items=10, **SSD4Rec.preset("ml-1m"))
    ssd = 256 * (2 * 512 + 2 * 64 + 32) + (512 + 2 * 64) * (4 + 1) + 3 * 32 + 512 + 512 * 256
    layer = ssd + 2 * 256 + (256 * 1024 + 1024 + 1024 * 256 + 256) + 2 * 256
    assert model.n_body_parameters == 2 * layer + 2 * 256 + 256 == 1_929_920
    assert all(layer.ssd.config.heads == 32 for layer in model.layers)


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize("norm", [False, True])
def test_each_history_alone_without_a_pad_gives_the_same(aligned, norm):
    """The authors have no pads: one row of histories end to end. So every history is computed by itself here."""
    model, history = small("ssd4rec", aligned=aligned, norm_embedding=norm, beta=0.7), batch(9, 4, 1)
    found = readout(model, history)
    for user, n in enumerate(history.length.tolist()):
        x = model.item_embedding.weight[history.item[user, :n]][None]
        x = layer_norm(model.embedding_norm, x) if norm else x
        for layer in model.layers:
            backward = layer.ssd(x.flip(1))[0]
            y = layer.ssd(x)[0] + 0.7 * (backward.flip(1) if aligned else backward)
            x = feed_forward(layer.feed_forward, layer_norm(layer.norm, y + x))
        torch.testing.assert_close(found[user], x[0, -1])


def test_turned_back_the_backward_reading_knows_only_the_last_event():
    """Two histories that end alike, one layer: does the backward half differ at the end?"""
    one, other = batch(9), batch(9, seed=1)
    other.item[:, -1] = one.item[:, -1]
    for aligned in (False, True):
        layer = small("ssd4rec", n_layers=1, aligned=aligned).layers[0]
        model = small("ssd4rec", n_layers=1, aligned=aligned)
        ends = []
        for history in (one, other):
            x, length = model.embed(history.item), history.length
            forward = layer.ssd(x)[0]
            with_both = []
            layer.norm.register_forward_hook(lambda m, inputs, y, kept=with_both: kept.append(inputs[0]))
            layer(x, length, None)
            ends.append((with_both[0] - x - forward)[0, -1])
        assert torch.allclose(*ends) == aligned


def test_reads_its_history_and_no_pad():
    assert read_from_embedding(small("ssd4rec"), batch(5, 9)) == list(range(5))


def test_without_the_backward_reading_it_is_causal_and_steps():
    model, history = small("ssd4rec", beta=0.0), batch(9)
    assert model.causal and not small("ssd4rec").causal
    before = model(type(history)(history.item[:, :5], history.time[:, :5], torch.tensor([5])))
    torch.testing.assert_close(model(history)[:, :5], before)


def test_events_are_hidden_in_training_only():
    model, history = small("ssd4rec", masked=0.5, n_layers=1), batch(*[12] * 400)
    assert torch.equal(model(history), model(history))
    model.train()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        assert not torch.equal(model(history), model(history))
        seen = []
        model.embedding_norm.register_forward_hook(lambda module, inputs, y: seen.append(inputs[0]))
        y = model(history)
    hidden = (seen[0] == model.mask_token).all(-1).double()
    assert abs(hidden.mean() - 0.5) < 0.03 and (hidden.mean(dim=0) - 0.5).abs().max() < 0.1, "the last event too"
    y[..., 0].sum().backward()
    assert model.mask_token.grad.any() and not model.item_embedding.weight.grad[0].any()
    assert not hasattr(small("ssd4rec", masked=0.0), "mask_token")


def test_presets_are_the_released_settings():
    rows = {"ml-1m": (0.2, True, 0.1, 2), "beauty": (0.4, False, 0.2, 1), "video-games": (0.4, False, 0.1, 1)}
    rows["kuairand"] = (0.2, True, 0.2, 2)
    assert list(SSD4Rec.released) == list(rows)
    for name, (dropout, norm, masked, layers) in rows.items():
        config = build("ssd4rec", n_items=N_ITEMS, **SSD4Rec.preset(name)).config
        assert (config.dropout, config.norm_embedding) == (dropout, norm)
        assert (config.masked, config.n_layers) == (masked, layers)
        assert (config.d_model, config.d_state, config.head_dim, config.beta) == (256, 64, 16, 0.1)
        assert SSD4Rec.preset_training(name)["batch_size"] == 1024 and SSD4Rec.preset_training(name)["seed"] == 2024


def test_errors_say_what_was_expected():
    for settings, says in [
        ({"masked": 1.0}, "masked must be at least 0 and below 1, got 1.0"),
        ({"aligned": True, "beta": 0.0}, "aligned would change nothing with beta=0"),
        ({"head_dim": 5}, "heads of width 5 do not divide the inner width 32"),
    ]:
        with pytest.raises(ValueError, match=says):
            small("ssd4rec", **settings)


def test_dropout_in_the_feed_forward_acts_where_the_authors_have_it():
    then = small("ssd4rec", dropout=0.5).layers[0].feed_forward
    assert (then.body[2].p, then.body[4].p, then.dropout.p) == (0.5, 0, 0.5)
