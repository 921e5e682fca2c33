"""What leaving an event out does is what the model says of the history without it, for every recommender."""

import sys

import numpy as np
import pytest
import torch
from torch import nn

from seqrec_edu.data import Histories, leave_one_out
from seqrec_edu.data.batches import Batch
from seqrec_edu.lens import attribution
from seqrec_edu.models import BASELINES, MODELS
from seqrec_edu.training import recommend
from tests.lens.support import batch, model

DAYS = 0.5


def events(n, seed=0):
    one = batch(n, seed=seed)
    return one.item[0].numpy(), one.time[0].numpy()


def one_by_one(recommender, items, times, targets):
    """Scores and ranks of one edited history, through the public recommendation of the whole catalogue."""
    ranked = recommend(recommender, items, times, k=None)
    score = dict(ranked)
    values = np.array([value for _, value in ranked])
    rank = [1 + (values > score[t]).sum() + ((values == score[t]).sum() - 1) / 2 for t in targets]
    chance = values - values.max()
    total = values.max() + np.log(np.exp(chance).sum())
    return np.array([score[t] for t in targets]), np.array(rank), np.array([score[t] - total for t in targets])


def assert_equal_to_rerunning(recommender, items, times, *, neural=True):
    found = attribution(recommender, items, times, k=3, days=DAYS)
    assert found.targets.tolist() == [item for item, _ in recommend(recommender, items, times, k=3)]

    def compare(outcome, row, items, times):
        score, rank, log_probability = one_by_one(recommender, items, times, found.targets)
        pick = slice(None) if row is None else row
        np.testing.assert_allclose(outcome.score[pick], score, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(outcome.rank[pick], rank)
        if neural:
            np.testing.assert_allclose(outcome.log_probability[pick], log_probability, rtol=1e-9)

    compare(found.whole, None, items, times)
    for i in range(len(items)):
        compare(found.without, i, np.delete(items, i), np.delete(times, i))
        later = times.copy()
        later[i] += int(DAYS * 86_400)
        order = np.argsort(later, kind="stable")
        compare(found.moved, i, items[order], later[order])
    return found


@pytest.mark.parametrize("name", MODELS)
def test_it_is_rerunning_one_by_one(name):
    found = assert_equal_to_rerunning(model(name), *events(6))
    assert found.effect().shape == (6, 3) and np.abs(found.effect()).max() > 1e-3


@pytest.mark.parametrize(
    ("name", "settings"),
    [("tim4rec", {"mode": "official"}), ("echomamba4rec", {"mode": "official"}), ("fmlprec", {"mode": "official"})],
)
def test_wiring_that_counts_pads_too(name, settings):
    assert_equal_to_rerunning(model(name, history_length=12, **settings), *events(6))


@pytest.fixture
def counted():
    draw = np.random.default_rng(0)
    items = draw.integers(1, 13, 60).astype(np.int32)
    times = np.tile(np.arange(10, dtype=np.int64) * 50_000, 6)
    ids = ["<pad>", *map(str, range(1, 13))]
    return leave_one_out(Histories(items, times, np.arange(7) * 10, ids, [f"u{i}" for i in range(6)]))


@pytest.mark.parametrize("name", BASELINES)
def test_baselines_too(name, counted):
    baseline = BASELINES[name]().fit(counted)
    items, times = (part[:6] for part in counted.histories.history(2))
    found = assert_equal_to_rerunning(baseline, items, times, neural=False)
    assert found.whole.log_probability is None
    with pytest.raises(ValueError, match="a baseline has scores and ranks, no probabilities"):
        found.effect("log_probability")
    if name == "popularity":
        assert not found.effect().any()  # it ignores the person
    if name == "last-item":
        assert not found.effect()[:-1].any() and found.effect()[-1].any()


def test_a_learners_model_with_embeddings_and_without_scores():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.item_embedding = nn.Embedding(31, 8)

        def forward(self, batch):
            x = self.item_embedding(batch.item)
            return x.cumsum(1) / torch.arange(1, x.shape[1] + 1)[:, None]

    torch.manual_seed(0)
    own, (items, times) = Own().double().train(), events(5)
    found = attribution(own, items, times, target=[4, 9])
    table = own.item_embedding.weight.detach().numpy()
    for i in range(5):
        mean = table[np.delete(items, i)].mean(0)
        np.testing.assert_allclose(found.without.score[i], table[[4, 9]] @ mean)
    assert own.training and found.targets.tolist() == [4, 9] and found.moved is None


def test_a_long_history_slides_when_an_event_leaves():
    recommender, (items, times) = model("sasrec"), events(12, seed=3)
    items, times = np.concatenate([items, items[::-1]]), np.concatenate([times, times + 10_000_000])
    found = attribution(recommender, items, times, k=2, days=DAYS)
    assert len(found.items) == 12 and np.array_equal(found.items, items[-12:])
    for i in range(12, 24):
        left = np.delete(items, i)[-12:], np.delete(times, i)[-12:]
        score, *_ = one_by_one(recommender, *left, found.targets)
        np.testing.assert_allclose(found.without.score[i - 12], score)
    short = attribution(recommender, items, times, k=2, history_length=4)
    assert short.without.score.shape == (4, 2)


def test_the_size_of_the_batches_changes_nothing(monkeypatch):
    whole = attribution(model("tim4rec"), *events(9), k=2)
    monkeypatch.setattr(sys.modules["seqrec_edu.lens.attribution"], "ROOM", 31 * 2)
    pieces = attribution(model("tim4rec"), *events(9), k=2)
    np.testing.assert_allclose(pieces.without.score, whole.without.score)
    np.testing.assert_allclose(pieces.without.log_probability, whole.without.log_probability)


def test_effects_and_what_is_shown():
    found = attribution(model("mamba4rec"), *events(5), k=2, days=1)
    np.testing.assert_allclose(found.effect(), found.whole.score - found.without.score)
    np.testing.assert_allclose(found.effect("rank", moved=True), found.moved.rank - found.whole.rank)
    lines = found.table(1, label=lambda item: f"film {item}").splitlines()
    assert lines[0].startswith(f"Item film {found.targets[1]}: score") and len(lines) == 7
    assert lines[2].split()[:3] == ["1", "film", str(found.items[0])]
    assert repr(found) == found.table() and found._repr_html_().count("<tr>") == 6
    with pytest.raises(ValueError, match="one of score, rank, log_probability"):
        found.effect("loss")
    with pytest.raises(ValueError, match="give attribution"):
        attribution(model("mamba4rec"), *events(5)).effect(moved=True)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"items": [3], "times": [1]}, "at least two events"),
        ({"items": [3, 4], "times": [1]}, "at least two events"),
        ({"items": [3, 4], "times": [2, 1]}, "must not run backwards"),
        ({"items": [0, 4], "times": [1, 2]}, "0 is padding"),
        ({"items": [3, 99], "times": [1, 2]}, "knows items 1..30, got 99"),
        ({"target": 31}, "target must be items 1..30, got 31"),
        ({"target": []}, "target must be items"),
        ({"k": 0}, "k must be at least 1"),
        ({"history_length": 0}, "history_length must be at least 1"),
    ],
)
def test_errors(change, words):
    wanted = {"items": [3, 4, 5], "times": [1, 2, 3]} | change
    with pytest.raises(ValueError, match=words):
        attribution(model("mamba4rec"), wanted.pop("items"), wanted.pop("times"), **wanted)
    with pytest.raises(ValueError, match="scores"):
        attribution(nn.Linear(2, 2), [1, 2], [1, 2])


def test_the_batch_a_model_sees_has_no_pad():
    seen = []

    class Spy:
        def scores(self, batch: Batch):
            seen.append(batch)
            return torch.arange(31.0).repeat(len(batch), 1)

    attribution(Spy(), *events(7), days=1)
    assert all(bool(each.mask.all()) for each in seen) and sum(map(len, seen)) == 16
