"""TiSASRec: its size, its attention spread out pair by pair, what its unit of time lets it see, data without times."""

import copy

import numpy as np
import pytest
import torch
from torch.nn.functional import linear

from seqrec_edu.data.batches import Batch
from seqrec_edu.data.histories import Histories
from seqrec_edu.data.split import leave_one_out
from seqrec_edu.layers import time_buckets
from seqrec_edu.lens.audit import PROPERTIES, audit
from seqrec_edu.models import TiSASRec, build
from seqrec_edu.training import FitSettings, NotCausal, evaluate, fit
from seqrec_edu.training.objectives import check_objective
from tests.models.support import batch, feed_forward, layer_norm, small

SCALES = ["running", "user", "raw"]
SPAN = 40


def model_of(scale="running", **settings):
    """A small model whose tables of times are as loud as its positions."""
    model = small("tisasrec", scale=scale, span=SPAN, **settings)
    with torch.no_grad():
        for table in (model.attentions[0].time_k, model.attentions[0].time_v):
            table.weight.mul_(20)
    return model


def history_of(*lengths):
    """Histories with gaps from a second to some minutes, a few of them 0."""
    history = batch(*lengths)
    draw = torch.Generator().manual_seed(4)
    gaps = torch.randint(0, 60, history.item.shape, generator=draw) * torch.tensor([1, 0, 9])[history.item % 3]
    time = torch.where(history.mask, 970_000_000 + gaps.cumsum(1), 0)
    return Batch(history.item, time, history.length)


def retimed(history, time):
    return Batch(history.item, torch.where(history.mask, time, 0), history.length)


# --- size ------------------------------------------------------------------------------------------------------------


def test_number_of_parameters():
    """SASRec's published body of 103,296 at d = 64, l = 50, with two tables of 50 positions for its one, and two of
    257 times; all four once, not once per layer. A port for RecBole that was counted by hand has the same number."""
    body = build("tisasrec", n_items=9, history_length=50).n_body_parameters
    assert body == 103_296 - 50 * 64 + 2 * 50 * 64 + 2 * 257 * 64 == 139_392
    assert build("sasrec", n_items=9, history_length=50).n_body_parameters == 103_296


def test_layers_share_their_tables_also_in_a_copy_and_after_loading(tmp_path):
    model = model_of()
    again = model_of(seed=1)
    again.load_state_dict(model.state_dict())
    for each in (model, copy.deepcopy(model), again, copy.deepcopy(model).float()):
        first, second = each.attentions
        assert first.time_k is second.time_k and first.position_v is second.position_v
        assert first.q_proj is not second.q_proj
    assert torch.equal(again(history_of(9)), model(history_of(9)))


# --- the equation ----------------------------------------------------------------------------------------------------


def by_hand(model, history, index):
    """Every pair of events has keys and values of its own, "b l l d"; heads are slices."""
    x = layer_norm(model.embedding_norm, model.item_embedding.weight[history.item])
    length = x.shape[1]
    allowed = torch.ones(length, length, dtype=torch.bool).tril() & history.mask[:, None, :]
    for attention, out, norm, then in zip(
        model.attentions, model.out_projs, model.norms, model.feed_forwards, strict=True
    ):
        q, k, v = (linear(x, m.weight, m.bias) for m in (attention.q_proj, attention.k_proj, attention.v_proj))
        keys = (k + attention.position_k.weight[:length])[:, None] + attention.time_k.weight[index]
        values = (v + attention.position_v.weight[:length])[:, None] + attention.time_v.weight[index]
        heads = []
        for part in (slice(0, 8), slice(8, 16)):
            scores = (q[:, :, None, part] * keys[..., part]).sum(-1) / 8**0.5
            weights = torch.softmax(scores.masked_fill(~allowed, -torch.inf), dim=-1)
            heads.append((weights[..., None] * values[..., part]).sum(2))
        y = linear(torch.cat(heads, -1), out.weight, out.bias)
        x = feed_forward(then, layer_norm(norm, y + x))
    return x


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("lengths", [(1,), (2,), (9, 4), (12, 11, 1)], ids=str)
def test_it_is_its_formula_in_values_and_gradients(scale, lengths):
    model, history = model_of(scale), history_of(*lengths)
    index = time_buckets(history.time, history.mask, span=SPAN, scale=scale)
    index = index * (history.mask[:, :, None] & history.mask[:, None, :])
    found, expected = model(history)[history.mask], by_hand(model, history, index)[history.mask]
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    draw = torch.randn(found.shape, generator=torch.Generator().manual_seed(2), dtype=found.dtype)
    leaves = list(model.parameters())
    ours, theirs = (torch.autograd.grad((y * draw).sum(), leaves, allow_unused=True) for y in (found, expected))
    for one, other in zip(ours, theirs, strict=True):
        zero = torch.zeros(())
        size = 1 if other is None else other.abs().max().clamp(min=1)
        assert ((zero if one is None else one) - (zero if other is None else other)).abs().max() < 1e-9 * size


# --- what it sees of time --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", SCALES)
def test_audit(scale):
    """Causal as it says; with the paper's unit, only times reach back."""
    rows = [row for row in PROPERTIES if row != "backends"]
    found = audit(small("tisasrec", scale=scale, loud=False), only=rows).check()
    assert found.declared == (scale != "user")
    ahead = {name: bool(np.triu(read, 1).any()) for name, read in found.streams.items()}
    assert ahead == {"item": False, "time": scale == "user"}


@pytest.mark.parametrize("scale", SCALES)
def test_a_later_pair_of_close_events_changes_earlier_outputs_only_in_the_unit_of_the_paper(scale):
    model, history = model_of(scale), batch(9)
    close = history.time.clone()
    close[:, -1] = close[:, -2] + 1
    change = (model(retimed(history, close)) - model(history)).abs().amax(-1)[0]
    assert change[-1] > 1e-6 and bool((change[:-1] > 0).any()) == (scale == "user")
    if scale == "user":
        with pytest.raises(NotCausal, match="tisasrec is not causal"):
            check_objective(model, "every-position")
    else:
        check_objective(model, "every-position")
    check_objective(model, "prefix")


@pytest.mark.parametrize("scale", SCALES)
def test_the_clock_does_not_matter_and_the_pace_only_where_seconds_are_read(scale):
    model, history = model_of(scale), history_of(9, 4)
    expected = model(history)[history.mask]
    assert torch.equal(model(retimed(history, history.time + 2_000_000_031))[history.mask], expected)
    first = history.time[:, :1]
    slower = model(retimed(history, first + 9 * (history.time - first)))[history.mask]
    assert torch.equal(slower, expected) == (scale != "raw")
    shuffled = first + (history.time - first).flip(1) * history.mask
    assert not torch.allclose(model(retimed(history, shuffled.cummax(1).values))[history.mask], expected)


@pytest.mark.parametrize("scale", SCALES)
def test_pads_do_not_count(scale):
    model, history = model_of(scale), history_of(9, 4, 1)
    expected = model(history)
    for user, n in enumerate(history.length.tolist()):
        row = slice(user, user + 1)
        alone = model(Batch(history.item[row, :n], history.time[row, :n], history.length[row]))
        torch.testing.assert_close(alone[0], expected[user, :n], rtol=1e-9, atol=1e-9)
    noise = torch.where(history.mask, history.time, 970_000_007)
    torch.testing.assert_close(
        model(Batch(history.item, noise, history.length))[history.mask], expected[history.mask], rtol=1e-9, atol=1e-9
    )


# --- learning --------------------------------------------------------------------------------------------------------


def paced(users=150, length=16, n_items=20, times=None):
    """After a short gap the next item is one further, after a long one seven: items alone leave two answers."""
    draw = np.random.default_rng(0)
    long = draw.random((users, length)) < 0.5
    steps = np.where(long, 7, 1)
    first = draw.integers(0, n_items, users)
    items = (first[:, None] + np.concatenate([np.zeros((users, 1), int), steps.cumsum(1)[:, :-1]], 1)) % n_items + 1
    # The gap before an event says what follows it.
    moments = 1_600_000_000 + np.where(long, 6_000, 60).cumsum(1)
    moments = moments if times is None else np.broadcast_to(times, moments.shape)
    names = ["<pad>", *(f"i{i}" for i in range(1, n_items + 1))]
    offsets = np.arange(users + 1) * length
    return Histories(
        items.ravel().astype(np.int32),
        moments.ravel().astype(np.int64),
        offsets,
        names,
        [f"u{u}" for u in range(users)],
    )


def test_it_learns_what_only_gaps_tell():
    """Of two candidates after every item it picks the right one; without times the best MRR is 3/4."""
    split = leave_one_out(paced())
    settings = FitSettings(history_length=16, epochs=16, batch_size=200, learning_rate=1e-2)
    found = {}
    for name in ("tisasrec", "sasrec"):
        model = build(name, n_items=20, d_model=16, n_layers=1, dropout=0.0, history_length=16)
        fit(model, split, settings)
        found[name] = evaluate(model, split, "test", history_length=16, resamples=0).metrics["MRR@10"]
    assert found["tisasrec"] > 0.9 and found["sasrec"] < 0.8


@pytest.mark.parametrize(
    ("name", "settings"),
    [("tisasrec", {}), ("tim4rec", {}), ("tim4rec", {"time": "decay"}), ("tim4rec", {"mode": "official"})],
    ids=str,
)
@pytest.mark.parametrize("clock", ["constant", "per user"])
def test_data_without_times_are_refused_by_all_that_need_them(name, settings, clock, tmp_path):
    times = 1_600_000_000 if clock == "constant" else 1_600_000_000 + 60 * np.arange(150)[:, None]
    split = leave_one_out(paced(times=times))
    model = build(name, n_items=20, d_model=32, history_length=16, **settings)
    with pytest.raises(ValueError, match=r"no two training events of a user lie apart.*train a model that reads none"):
        fit(model, split, FitSettings(objective="prefix", history_length=16, epochs=1), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    build("tim4rec", n_items=20, time="off").prepare(split)


def test_gaps_of_one_user_are_enough():
    times = np.full((150, 1), 1_600_000_000) + np.zeros((150, 16), int)
    times[7, 3:] += 60
    build("tisasrec", n_items=20).prepare(leave_one_out(paced(times=times)))
    times[7] = 1_600_000_000
    times[7, -2:] += 60  # only events that are asked for lie apart
    with pytest.raises(ValueError, match="TiSASRec learns from the time between events"):
        build("tisasrec", n_items=20).prepare(leave_one_out(paced(times=times)))


# --- settings --------------------------------------------------------------------------------------------------------


def test_presets_are_those_of_their_sources():
    authors, baseline = (build("tisasrec", n_items=9, **TiSASRec.preset(name)) for name in ("authors", "tim4rec"))
    c = authors.config
    assert (c.d_model, c.n_layers, c.heads, c.span, c.history_length, c.dropout) == (50, 2, 1, 256, 50, 0.2)
    assert not authors.causal and baseline.causal and baseline.config.scale == "raw"
    assert (baseline.config.heads, baseline.config.history_length) == (4, 200)
    training = TiSASRec.preset_training("tim4rec")
    assert training["batch_size"] == 256 and training["learning_rate"] == 1e-3 and training["patience"] == 11


def test_errors_say_what_was_expected():
    for settings, says in [
        ({"heads": 3}, "3 heads do not divide d_model 16"),
        ({"scale": "day"}, "scale must be one of user, running, raw, got 'day'"),
        ({"span": 0}, "span must be at least 1 bucket, got 0"),
    ]:
        with pytest.raises(ValueError, match=says):
            small("tisasrec", **settings)
    with pytest.raises(ValueError, match="TiSASRec has positions for 12 events, the batch holds 13"):
        small("tisasrec")(batch(13))
