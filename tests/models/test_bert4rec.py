"""BERT4Rec: its size, PyTorch's own encoder beside it, its blanks, and learning from cloze."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from seqrec_edu.data.batches import Batch
from seqrec_edu.data.histories import Histories
from seqrec_edu.data.split import leave_one_out
from seqrec_edu.lens.audit import PROPERTIES, audit
from seqrec_edu.models import BERT4Rec, MostRecent, Popularity, build
from seqrec_edu.training import FitSettings, evaluate, fit
from tests.models.support import LENGTH, N_ITEMS, batch, changed, layer_norm, readout, small


def test_number_of_parameters():
    """RecBole 1.2's layout at d = 64, l = 50: the body of its SASRec, published as 103,296, and beside it a 51st
    position, the mask token (there a row of the item table), and the head with its norm. Its one bias per item is left
    out: hidden vectors times items, and nothing else, are scores here."""
    body, head = 103_296, 64 * 64 + 64 + 2 * 64
    model = build("bert4rec", n_items=9, **BERT4Rec.preset("recbole"))
    assert model.n_body_parameters == body + 64 + 64 + head == 107_712
    assert model.item_embedding.weight.shape == (10, 64), "the mask token is no item"


# --- the wiring ------------------------------------------------------------------------------------------------------


def torchs_encoder(model):
    """``nn.TransformerEncoderLayer``s with the weights of the model."""
    layers = []
    for ours, norm, then in zip(model.attentions, model.norms, model.feed_forwards, strict=True):
        theirs = nn.TransformerEncoderLayer(
            16, 2, 64, dropout=0.0, activation="gelu", layer_norm_eps=1e-12, batch_first=True
        ).double()
        projections = (ours.q_proj, ours.k_proj, ours.v_proj)
        with torch.no_grad():
            theirs.self_attn.in_proj_weight.copy_(torch.cat([p.weight for p in projections]))
            theirs.self_attn.in_proj_bias.copy_(torch.cat([p.bias for p in projections]))
        pairs = [
            (theirs.self_attn.out_proj, ours.out_proj), (theirs.norm1, norm), (theirs.linear1, then.body[0]),
            (theirs.linear2, then.body[3]), (theirs.norm2, then.norm),
        ]  # fmt: skip
        for one, other in pairs:
            one.load_state_dict(other.state_dict())
        layers.append(theirs)
    return layers


@pytest.mark.parametrize("lengths", [(1,), (2,), (9, 4), (12, 7, 1)], ids=str)
def test_it_is_the_encoder_of_pytorch_in_values_and_gradients(lengths):
    model, history = small("bert4rec"), batch(*lengths)
    layers = torchs_encoder(model.train())  # no dropout; in training mode theirs takes no shortcut
    rows = torch.arange(len(history))
    item = F.pad(history.item, (0, 1))
    x = model.item_embedding.weight[item].clone()
    x[rows, history.length] = model.mask_token
    x = layer_norm(model.embedding_norm, x + model.position_embedding.weight[: item.shape[1]])
    pads = torch.arange(item.shape[1]) > history.length[:, None]
    for layer in layers:
        x = layer(x, src_key_padding_mask=pads)
    expected = layer_norm(model.head[2], F.gelu(x @ model.head[0].weight.T + model.head[0].bias))[:, 1:][history.mask]
    found = model(history)[history.mask]
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    draw = torch.randn(found.shape, generator=torch.Generator().manual_seed(2), dtype=found.dtype)
    leaves = [model.item_embedding.weight, model.position_embedding.weight, model.mask_token, *model.head.parameters()]
    ours, theirs = (torch.autograd.grad((y * draw).sum(), leaves) for y in (found, expected))
    for one, other in zip(ours, theirs, strict=True):
        assert (one[1:] - other[1:]).abs().max() < 1e-9 * other.abs().max().clamp(min=1)  # row 0 is padding: frozen


def test_the_readout_stands_on_a_mask_token_behind_the_history():
    model, history = small("bert4rec"), batch(9, 4, 1)
    blank = Batch(F.pad(history.item, (0, 1)), F.pad(history.time, (0, 1)), history.length + 1)
    filled = model.fill(blank)[torch.arange(3), history.length]
    assert torch.equal(readout(model, history), filled)
    before = model.scores(history)
    with torch.no_grad():
        model.mask_token.add_(torch.randn(16, generator=torch.Generator().manual_seed(0)))
    assert before.shape == (3, N_ITEMS + 1) and not torch.allclose(model.scores(history)[:, 1:], before[:, 1:])


def test_a_blank_hides_its_item_and_is_filled_from_both_sides():
    model, history = small("bert4rec"), batch(9)
    item = history.item.clone()
    item[0, 4] = 0
    with_blank = Batch(item, history.time, history.length)
    whole = model.fill(with_blank)
    for event in (0, 8):
        other = model.fill(changed(with_blank, event))
        assert (other - whole)[0, 4].abs().max() > 1e-6
    assert not torch.allclose(model.fill(history)[0, 4], whole[0, 4]), "a blank is neither its item nor a pad"
    shorter = model.fill(Batch(torch.cat([item[:, :4], item[:, 5:]], 1), history.time[:, 1:], history.length - 1))
    assert not torch.allclose(shorter[0, -1], whole[0, -1])


def test_blanks_are_read_by_length_not_by_content_of_pads():
    model, history = small("bert4rec"), batch(9, 4, 1)
    expected = model(history)[history.mask]
    for fill in (0, 7):
        longer = batch(9, 4, 1, l=LENGTH, fill=fill)
        torch.testing.assert_close(model(longer)[longer.mask], expected, rtol=1e-9, atol=1e-9)


def test_audit():
    """Reads ahead, as it declares, and no times."""
    found = audit(small("bert4rec", loud=False), only=[row for row in PROPERTIES if row != "backends"]).check()
    assert found.declared is False and found.streams["item"].all() and not found.streams["time"].any()


# --- learning --------------------------------------------------------------------------------------------------------


def chains(users=120, length=12, n_items=25):
    """Every item is followed by one and the same other: what a blank was can be told from either neighbour."""
    follows = np.random.default_rng(1).permutation(n_items)
    items = np.empty((users, length), dtype=np.int32)
    items[:, 0] = np.random.default_rng(0).integers(0, n_items, users)
    cycle = np.empty(n_items, dtype=np.int64)
    cycle[follows] = np.roll(follows, 1)  # one ring through all items
    for t in range(1, length):
        items[:, t] = cycle[items[:, t - 1]]
    names = ["<pad>", *(f"i{i}" for i in range(n_items))]
    times = np.tile(1_600_000_000 + 60 * np.arange(length, dtype=np.int64), users)
    offsets = np.arange(users + 1) * length
    return Histories(items.ravel() + np.int32(1), times, offsets, names, [f"u{u}" for u in range(users)])


@pytest.mark.parametrize(("objective", "epochs"), [("cloze", 20), ("prefix", 10)])
def test_it_learns_a_chain_that_popularity_cannot_know(objective, epochs):
    """Windows far shorter than the histories: a mask token learns to find its neighbour only where it has stood."""
    split, length = leave_one_out(chains()), 3
    model = build("bert4rec", n_items=25, d_model=32, n_layers=1, dropout=0.0, history_length=length)
    settings = FitSettings(
        objective=objective, history_length=length, epochs=epochs, batch_size=60, learning_rate=1e-2
    )  # fmt: skip
    fit(model, split, settings)
    found, popular, recent = (
        evaluate(each, split, "test", history_length=length, resamples=0).metrics["MRR@10"]
        for each in (model, Popularity().fit(split), MostRecent().fit(split))
    )
    assert found > 0.8 and max(popular, recent) < 0.4


# --- settings --------------------------------------------------------------------------------------------------------


def test_presets_are_those_of_their_sources():
    assert BERT4Rec.preset("recbole")["dropout"] == 0.2 and BERT4Rec.preset("tim4rec")["dropout"] == 0.4
    config = build("bert4rec", n_items=9, **BERT4Rec.preset("tim4rec")).config
    assert (config.d_model, config.n_layers, config.heads, config.history_length) == (64, 2, 2, 50)
    assert (config.mask_ratio, config.final_item_ratio) == (0.2, 0.5)
    training = FitSettings(**BERT4Rec.preset_training("recbole"))
    assert (training.objective, training.batch_size, training.learning_rate) == ("cloze", 2048, 1e-3)


def test_errors_say_what_was_expected():
    for settings, says in [
        ({"heads": 3}, "3 heads do not divide d_model 16"),
        ({"mask_ratio": 0.0}, "mask_ratio must lie between 0 and 1, got 0.0"),
        ({"mask_ratio": 1.0}, "mask_ratio must lie between 0 and 1, got 1.0"),
        ({"final_item_ratio": -0.1}, "final_item_ratio must be 0 to 1, got -0.1"),
    ]:
        with pytest.raises(ValueError, match=says):
            small("bert4rec", **settings)
    with pytest.raises(ValueError, match="positions for 12 events and the one that follows, the batch holds 13 and"):
        small("bert4rec")(batch(13))
    assert small("bert4rec").fill(batch(13)).shape == (1, 13, 16), "a window of cloze training is one event longer"
