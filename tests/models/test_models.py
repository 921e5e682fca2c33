"""The recommenders: published sizes, causality, indifference to padding, and streaming."""

import pytest
import torch

from seqrec_edu.data.batches import Batch
from seqrec_edu.models import MODELS, Mamba4Rec, SASRec, build

RECURRENT = [("mamba4rec", {}), ("tim4rec", {}), ("tim4rec", {"time": "decay"}), ("tim4rec", {"time": "off"})]
ALL = [("sasrec", {}), *RECURRENT]
EVERY = pytest.mark.parametrize(("name", "settings"), ALL)


def small(name, **settings):
    sizes = {"d_model": 16, "dropout": 0.0, "n_items": 30}
    sizes |= {"heads": 2} if name == "sasrec" else {"d_state": 4}
    sizes |= {"head_dim": 8, "chunk_size": 7} if name == "tim4rec" else {}
    return build(name, **(sizes | settings)).double().eval()


def batch(b=3, l=12, seed=0):
    draw = torch.Generator().manual_seed(seed)
    item = torch.randint(1, 31, (b, l), generator=draw)
    time = 1_700_000_000 + torch.randint(1, 90_000, (b, l), generator=draw).cumsum(1)
    return Batch(item, time, torch.full((b,), l), torch.arange(b))


@pytest.mark.parametrize(
    ("name", "settings", "body"),
    [
        ("sasrec", {"history_length": 50}, 103_296),
        ("mamba4rec", {"n_layers": 1}, 72_256),
        ("mamba4rec", {"n_layers": 2}, 144_384),
        ("tim4rec", {"time": "off"}, 127_648),
    ],
)
def test_published_number_of_parameters(name, settings, body):
    """Counted from the authors' code at d = 64, without the item embedding."""
    assert build(name, n_items=100, **settings).n_body_parameters == body


@EVERY
def test_causal(name, settings):
    """A change at event s reaches no output before s, and does reach s."""
    model, history = small(name, **settings), batch(1)
    before = model(history)
    for s in range(12):
        item = history.item.clone()
        item[0, s] = item[0, s] % 30 + 1
        change = (model(Batch(item, history.time, history.length, history.user)) - before).abs().sum(-1)[0]
        assert (change[:s] == 0).all() and change[s] > 0


@EVERY
def test_padding_neither_its_content_nor_its_amount_matters(name, settings):
    model, history = small(name, **settings), batch()
    expected = model(history)
    for fill in (0, 7):
        pad = torch.full((3, 5), fill)
        longer = Batch(
            torch.cat([history.item, pad], 1), torch.cat([history.time, pad], 1), history.length, history.user
        )
        torch.testing.assert_close(model(longer)[:, :12], expected)


@pytest.mark.parametrize(("name", "settings"), RECURRENT)
def test_step_by_step_is_the_full_pass(name, settings):
    model, history = small(name, **settings), batch()
    whole, state = model(history), None
    for t in range(12):
        hidden, state = model.step(state, history.item[:, t], history.time[:, t])
        torch.testing.assert_close(hidden, whole[:, t], rtol=1e-8, atol=1e-8)


def test_attention_has_no_state_to_step():
    with pytest.raises(NotImplementedError, match="not recurrent"):
        small("sasrec").step(None, torch.tensor([1]), torch.tensor([0]))


@pytest.mark.parametrize("time", ["step", "decay", "off"])
def test_time_is_seen_only_as_gaps(time):
    model, history = small("tim4rec", time=time), batch()
    expected = model(history)
    moved = Batch(history.item, history.time + 10_000_000, history.length, history.user)
    torch.testing.assert_close(model(moved), expected)
    stretched = Batch(
        history.item, history.time[:, :1] + 9 * (history.time - history.time[:, :1]), history.length, history.user
    )
    assert (model(stretched) != expected).any() == (time != "off")


@EVERY
def test_scores_rank_no_padding_and_seed_decides_the_weights(name, settings):
    model = small(name, **settings)
    scores = model.scores(batch())
    assert scores.shape == (3, 31) and (scores[:, 0] == -torch.inf).all()
    torch.testing.assert_close(scores, small(name, seed=0, **settings).scores(batch()))
    assert (scores[:, 1:] != small(name, seed=1, **settings).scores(batch())[:, 1:]).any()
    assert (model.item_embedding.weight[0] == 0).all()


@EVERY
def test_all_parameters_learn(name, settings):
    model = small(name, **settings)
    (
        model(batch()) * torch.randn(3, 12, 16, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    ).sum().backward()
    unused = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]

    assert not [n for n in unused if "dt_" in n or "proj" in n or "conv" in n or "time_maps" in n]


def test_errors_name_what_there_is():
    with pytest.raises(ValueError, match=", ".join(MODELS)):
        build("sasrecc", n_items=3)
    with pytest.raises(ValueError, match="no setting d_sate; it has n_items, d_model"):
        build("mamba4rec", n_items=3, d_sate=4)
    with pytest.raises(ValueError, match="time must be one of step, decay, off"):
        build("tim4rec", n_items=3, time="yes")
    with pytest.raises(ValueError, match="positions for 5 events, the batch holds 12"):
        small("sasrec", history_length=5)(batch())


def test_mamba4rec_official_overwrites_the_step_sizes():
    """They start at softplus(0) instead of 0.001 … 0.1; nothing else is drawn otherwise."""
    kept, overwritten = (build("mamba4rec", n_items=9, d_model=16, mode=mode) for mode in ("corrected", "official"))
    assert not overwritten.mambas[0].dt_bias.any() and overwritten.mambas[0].dt_weight.std() < 0.04
    steps = torch.nn.functional.softplus(kept.mambas[0].dt_bias)
    assert steps.min() > 9e-4 and steps.max() < 0.11
    assert {"mode", "overwritten_steps"}.isdisjoint(kept.settings()) and overwritten.settings()["mode"] == "official"


def test_a_single_layer_of_mamba4rec_adds_its_input_only_where_told():
    """One layer alone has no residual, as in the authors' code, unless asked; two always have one."""
    for layers, alike in ((1, False), (2, True)):
        without, told = (small("mamba4rec", n_layers=layers, single_layer_residual=each) for each in (False, True))
        assert torch.equal(without(batch()), told(batch())) == alike
        assert "single_layer_residual" not in without.settings() and told.settings()["single_layer_residual"]
    for told in (False, True):
        model = small("mamba4rec", n_layers=1, single_layer_residual=told)
        torch.nn.init.zeros_(model.mambas[0].out_proj.weight)
        hidden = model(batch())
        assert torch.equal(hidden, hidden[:1, :1].expand_as(hidden)) != told, "a silent layer lets its input through"


@pytest.mark.parametrize(
    ("preset", "layers", "dropout", "length", "patience"),
    [
        ("ml-1m", 1, 0.2, 200, 10),
        ("beauty", 1, 0.4, 50, 10),
        ("video-games", 1, 0.4, 50, 10),
        ("tim4rec", 2, 0.2, 200, 20),
    ],
)
def test_presets_of_mamba4rec_are_those_of_their_sources(preset, layers, dropout, length, patience):
    model, training = build("mamba4rec", n_items=9, **Mamba4Rec.preset(preset)), Mamba4Rec.preset_training(preset)
    c = model.config
    assert (c.d_model, c.n_layers, c.d_state, c.conv_width, c.expand, c.dropout) == (64, layers, 32, 4, 2, dropout)
    assert model.n_body_parameters == {1: 72_256, 2: 144_384}[layers] and c.has("overwritten_steps")
    assert (training["history_length"], training["epochs"], training["batch_size"]) == (length, 300, 2048)
    assert training["learning_rate"] == 1e-3 and training["patience"] == patience + 1, "RecBole waits for one more"


@pytest.mark.parametrize(("preset", "heads", "dropout", "length"), [("recbole", 2, 0.5, 50), ("tim4rec", 8, 0.2, 200)])
def test_presets_of_sasrec_are_those_of_their_sources(preset, heads, dropout, length):
    model, training = build("sasrec", n_items=9, **SASRec.preset(preset)), SASRec.preset_training(preset)
    c = model.config
    assert (c.d_model, c.n_layers, c.heads, c.dropout, c.history_length) == (64, 2, heads, dropout, length)
    assert model.n_body_parameters == 103_296 + (length - 50) * 64
    assert (training["history_length"], training["batch_size"], training["learning_rate"]) == (length, 2048, 1e-3)
