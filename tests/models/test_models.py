"""The recommenders: published sizes, causality, indifference to padding, and streaming."""

import pytest
import torch

from seqrec_edu.data.batches import Batch
from seqrec_edu.models import MODELS, build

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
