"""What is asked of a model: at every position, or once per prefix."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from seqrec_edu.data.batches import Batch, EventStore, windows
from seqrec_edu.models import SASRec, build
from seqrec_edu.training import NotCausal, fit
from seqrec_edu.training.objectives import NextItemLoss, Samples

PREFIXES = ("prefix", "shared-prefix")


class LooksAhead(SASRec):
    """Says of itself that it is not causal."""

    name, causal = "looks-ahead", False


def test_every_position_is_refused_for_a_model_that_looks_ahead(split, small, quick, tmp_path):
    model = LooksAhead(small().config)
    with pytest.raises(NotCausal, match="find each target in its own input and learn to copy it") as refused:
        fit(model, split, quick(), out=tmp_path / "run")
    assert 'objective="prefix"' in str(refused.value) and not (tmp_path / "run").exists()
    assert len(fit(model, split, quick(objective="prefix", batch_size=256)).log) == 2


def test_every_position_loss_is_the_mean_over_its_prefixes(split, small, quick):
    model = small(dropout=0.0).eval()
    store, loss = EventStore(split.histories), NextItemLoss(model)
    start, stop = windows(split, 20, seed=1)
    start, stop = start[:6], stop[:6]
    whole = Samples(split, quick())
    every = loss(whole.gather(store, start, stop)).item() / whole.targets(start, stop).sum()
    prefixes = Samples(split, quick(objective="prefix"))
    one_by_one = [
        loss(prefixes.gather(store, np.array([a]), np.array([end]))).item()
        for a, b in zip(start, stop, strict=True)
        for end in range(a + 1, b)
    ]
    assert len(one_by_one) == whole.targets(start, stop).sum() == (stop - start - 1).sum()
    assert every == pytest.approx(np.mean(one_by_one), rel=1e-5)


def test_prefix_loss_by_hand(split, quick):
    """A model that hands out its embedding: cross-entropy over items 0..v, written out."""
    samples = Samples(split, quick(objective="prefix"))
    start, stop = samples.epoch(0)
    offsets, items = split.histories.offsets, split.histories.items
    assert len(start) == split.n_train - split.histories.n_users
    assert set(stop) == {e for u, end in enumerate(split.train_end) for e in range(offsets[u] + 1, end)}
    embedding = torch.nn.Embedding(241, 4)
    model = torch.nn.Module()
    model.item_embedding, model.forward = embedding, lambda batch: embedding(batch.item)
    first = start == stop - 1  # one event read, one asked
    loss = NextItemLoss(model)(samples.gather(EventStore(split.histories), start[first], stop[first]))
    table = embedding.weight.detach().double().numpy()
    expected = 0.0
    for read_at, asked in zip(start[first], stop[first], strict=True):
        scores = table[1:] @ table[items[read_at]]  # padding, item 0, is no candidate
        expected += math.log(np.exp(scores).sum()) - scores[items[asked] - 1]
    assert first.sum() == split.histories.n_users and loss.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("history_length", "factor"), [(7, 1), (20, 1.7), (200, 10)])
def test_shared_prefixes_are_the_prefixes(split, quick, history_length, factor):
    """Every target once, and before it the same events; most share a pass, those that were cut have one each."""
    one, shared = (Samples(split, quick(objective=each, history_length=history_length)) for each in PREFIXES)
    start, stop = shared.epoch(0)
    batch = shared.gather(EventStore(split.histories), start, stop)
    rows, places = (each.numpy() for each in batch.target.nonzero(as_tuple=True))
    asked = {(start[row], start[row] + place + 1) for row, place in zip(rows, places, strict=True)}
    assert len(rows) == len(asked) == shared.targets(start, stop).sum()
    assert asked == set(zip(*one.epoch(0), strict=True))
    assert (np.bincount(rows) == shared.targets(start, stop)).all()
    assert batch.item.shape[1] <= history_length
    cut = ~np.isin(start, split.histories.offsets)
    assert (shared.targets(start, stop)[cut] == 1).all() and ((stop - start)[cut] == history_length + 1).all()
    assert cut.any() == (history_length < 200)
    read_by = {each: (b - a).sum() for each, (a, b) in zip(PREFIXES, (one.epoch(0), shared.epoch(0)), strict=True)}
    assert read_by["prefix"] > factor * read_by["shared-prefix"]


@pytest.mark.parametrize("name", ["sasrec", "mamba4rec", "tim4rec", "gru4rec", "tisasrec"])
def test_shared_prefixes_have_the_loss_and_the_gradient_of_prefixes(split, small, quick, name):
    found = []
    for objective in PREFIXES:
        samples, model = Samples(split, quick(objective=objective, history_length=9)), small(name, dropout=0.0).double()
        model.prepare(split)
        start, stop = samples.epoch(0)
        some = np.isin(np.searchsorted(split.histories.offsets, start, side="right"), (1, 2, 5))
        loss = NextItemLoss(model)(samples.gather(EventStore(split.histories), start[some], stop[some]))
        loss.backward()
        found.append([loss.detach(), *(each.grad for each in model.parameters())])
    for one_by_one, shared in zip(*found, strict=True):
        torch.testing.assert_close(shared, one_by_one, rtol=1e-9, atol=1e-11)


def test_shared_prefixes_are_refused_for_a_model_that_looks_ahead(split, small, quick):
    with pytest.raises(NotCausal, match="find each target in its own input"):
        fit(LooksAhead(small().config), split, quick(objective="shared-prefix"))


def test_shared_prefix_training_lowers_the_loss(split, small, quick):
    log = fit(small(), split, quick(objective="shared-prefix", epochs=3, batch_size=64, learning_rate=1e-2)).log
    assert log[-1]["loss"] < log[0]["loss"]


def test_prefix_training_lowers_the_loss(split, small, quick):
    log = fit(small(), split, quick(objective="prefix", epochs=3, batch_size=64, learning_rate=1e-2)).log
    assert log[-1]["loss"] < log[0]["loss"]


def test_a_split_without_targets_is_refused(split, small, quick):
    nothing = SimpleNamespace(**{name: getattr(split, name) for name in ("histories", "summary", "hash")})
    nothing.train_end = split.histories.offsets[:-1] + 1
    with pytest.raises(ValueError, match="no training events"):
        Samples(nothing, quick())


@pytest.mark.parametrize("name", ["lightsans", "mlsa4rec", "echomamba4rec", "linrec"])
@pytest.mark.parametrize("mode", ["corrected", "official"])
def test_the_padding_row_is_in_the_softmax_of_official_models_alone(name, mode):
    """As in RecBole: an item that nobody chose, which learns from that; written with PyTorch's own cross-entropy."""
    model = build(name, n_items=20, d_model=16, dropout=0.0, history_length=6, mode=mode).double().eval()
    item = torch.tensor([[3, 7, 1, 9, 0, 0], [5, 2, 0, 0, 0, 0]])
    history = Batch(item, item * 100, torch.tensor([4, 2]), torch.tensor([8, 20]))
    items = model.item_embedding.weight
    scores = model(history)[torch.arange(2), history.length - 1] @ items.T
    if mode == "corrected":
        scores[:, 0] = -torch.inf
    loss = NextItemLoss(model)(history)
    torch.testing.assert_close(loss, F.cross_entropy(scores, history.target, reduction="sum"))
    loss.backward()
    assert bool(items.grad[0].any()) == (mode == "official")
