"""LightSANs: the sizes in its authors' logs, their wiring by hand, and its pads."""

import pytest
import torch
import torch.nn.functional as F

from seqrec_edu.layers import Dropout
from seqrec_edu.models import LightSANs, build
from tests.models.support import LENGTH, batch, feed_forward, layer_norm, read_from_embedding, readout, small


@pytest.mark.parametrize(
    ("preset", "rows", "total"), [("ml-1m", 3_629, 367_168), ("yelp", 75_159, 4_936_128), ("books", 60_707, 4_015_680)]
)
def test_published_number_of_parameters(preset, rows, total):
    """ "Trainable parameters" in the logs that the authors released, with as many rows of items as these say."""
    model = build("lightsans", n_items=rows - 1, **LightSANs.preset(preset))
    assert sum(p.numel() for p in model.parameters()) == total
    assert preset != "ml-1m" or model.n_body_parameters == 134_912


def by_hand(model, item, mask, over):
    """Head by head with nothing but matrix products; ``over`` is the axis of both softmaxes."""
    linear = lambda module, x: x @ module.weight.T + module.bias  # noqa: E731
    lowest = torch.finfo(torch.float64).min
    x = layer_norm(model.embedding_norm, model.item_embedding.weight[item])
    real = (mask[:, :, None] & mask[:, None, :]).double()
    for layer in model.layers:
        q, k, v = linear(layer.q_proj, x), linear(layer.k_proj, x), linear(layer.v_proj, x)
        pooled = [
            torch.softmax((t @ theta).masked_fill(~mask[..., None], lowest), dim=1).mT @ t
            for t, theta in ((k, layer.theta_k), (v, layer.theta_v))
        ]
        place = layer_norm(layer.place_norm, model.position_embedding.weight[: item.shape[1]])
        heads = []
        for of_head in (slice(0, 8), slice(8, 16)):
            scores = (q[..., of_head] @ pooled[0][..., of_head].mT / 8**0.5).masked_fill(~mask[..., None], lowest)
            y = torch.softmax(scores, dim=over) @ pooled[1][..., of_head]
            a, b = (linear(proj, place)[:, of_head] for proj in (layer.place_q_proj, layer.place_k_proj))
            scores = (a * 16**-0.5) @ b.T / 8**0.5
            weights = torch.softmax(scores.expand(len(item), -1, -1).masked_fill(real == 0, lowest), dim=over) * real
            heads.append(y + weights @ v[..., of_head])
        x = layer_norm(layer.norm, linear(layer.out_proj, torch.cat(heads, -1)) + x)
        x = feed_forward(layer.feed_forward, x)
    return x


@pytest.mark.parametrize("over", ["interests", "positions"])
@pytest.mark.parametrize("pads_as_events", [True, False])
def test_it_is_its_formula(over, pads_as_events):
    settings = {"softmax_over_positions": over == "positions", "pads_as_events": pads_as_events}
    model, history = small("lightsans", **settings), batch(9, 4)
    item = F.pad(history.item, (0, 3)) if pads_as_events else history.item
    mask = torch.ones_like(item, dtype=torch.bool) if pads_as_events else history.mask
    expected = by_hand(model, item, mask, -1 if over == "interests" else -2)[:, :9]
    torch.testing.assert_close(model(history)[history.mask], expected[history.mask])


def test_official_is_corrected_with_all_its_quirks():
    one_by_one = small("lightsans", softmax_over_positions=True, pads_as_events=True, random_pad=True)
    assert torch.equal(one_by_one(batch(9, 4)), small("lightsans", mode="official")(batch(9, 4)))


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ({}, True),
        ({"softmax_over_positions": True}, True),
        ({"pads_as_events": True}, False),
        ({"mode": "official"}, False),
    ],
    ids=str,
)
def test_what_stands_at_pads_and_how_many_there_are(settings, kept):
    model, longer = small("lightsans", **settings), small("lightsans", **settings, history_length=2 * LENGTH)
    weights = model.state_dict()
    table = longer.position_embedding.weight.detach().clone()
    table[:LENGTH] = weights["position_embedding.weight"]
    longer.load_state_dict(weights | {"position_embedding.weight": table})
    found = [readout(model, batch(9, 4, 1, l=LENGTH, fill=fill)) for fill in (0, 7)]
    assert torch.allclose(*found, rtol=1e-9, atol=1e-9) == kept
    assert torch.allclose(readout(longer, batch(9, 4, 1)), found[0], rtol=1e-9, atol=1e-9) == kept
    assert read_from_embedding(model, batch(4, 9)) == list(range(4 if kept else LENGTH))


def test_dropout_acts_in_training_only():
    model, history = small("lightsans", dropout=0.5), batch(9)
    assert torch.equal(model(history), model(history))
    model.train()
    with torch.random.fork_rng():
        assert not torch.equal(model(history), model(history))


def test_dropout_acts_where_the_authors_have_it(monkeypatch):
    """Dropout that doubles: after the norm of the embedding, and in the feed-forward on the output alone."""
    model, history, entered = small("lightsans", dropout=0.5), batch(9), []
    expected = 2 * layer_norm(model.embedding_norm, model.item_embedding.weight[history.item])
    model.layers[0].register_forward_pre_hook(lambda module, inputs: entered.append(inputs[0]))
    monkeypatch.setattr(Dropout, "forward", lambda self, x: 2 * x if self.p else x)
    model(history)
    torch.testing.assert_close(entered[0], expected)
    body = model.layers[0].feed_forward.body
    assert (body[2].p, body[4].p, model.layers[0].feed_forward.dropout.p) == (0, 0.5, 0)


def test_errors_say_what_was_expected():
    with pytest.raises(ValueError, match="3 heads do not divide d_model 16"):
        small("lightsans", heads=3)
    with pytest.raises(ValueError, match="interests must be at least 1, got 0"):
        small("lightsans", interests=0)
    with pytest.raises(ValueError, match="positions for 12 events, the batch holds 13"):
        small("lightsans")(batch(13))
    with pytest.raises(ValueError, match="rows of 12 places, the batch holds 13"):
        small("lightsans", mode="official")(batch(13))
