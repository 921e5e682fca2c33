"""A score beside the best possible one, and people who were never trained on."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from seqrec_edu.data.batches import Batch, prefix_targets, windows
from seqrec_edu.data.check import BadInput
from seqrec_edu.data.synthetic import shoppers_world, world
from seqrec_edu.data.synthetic.world import ranking
from seqrec_edu.models import build
from seqrec_edu.training import evaluate
from seqrec_edu.training.ceiling import ASKED_SEED, Leaking, against_ceiling, every_position, fresh_users
from seqrec_edu.training.metrics import metrics

LENGTH = 12
WORLD = world("noise-hmm", items=30)


@pytest.fixture(scope="module")
def split():
    return fresh_users(WORLD, 15, valid=10, test=600, length=LENGTH)


class Ranks(torch.nn.Module):
    """Ranks as it is told: its `scores` are rows that somebody worked out, in the order of the test targets."""

    def __init__(self, rows, split):
        super().__init__()
        self.row_of = {int(user): row for user, row in zip(split.users_of(split.test), rows, strict=True)}

    def scores(self, batch):
        rows = torch.from_numpy(np.stack([self.row_of[user] for user in batch.user.tolist()]))
        rows[:, 0] = -torch.inf
        return rows


def told(split, predictor="bayes"):
    """A predictor's rows with ties broken by index, as `World.ceiling` breaks them."""
    order = ranking(WORLD.bayes_rows(split.histories, split.test, predictor))
    rows = np.zeros((len(order), split.histories.n_items + 1))
    np.put_along_axis(rows, order, -np.arange(order.shape[1], dtype=np.float64), axis=1)
    return Ranks(rows, split)


def cheating(split):
    rows = np.zeros((len(split.test), split.histories.n_items + 1))
    rows[np.arange(len(rows)), split.histories.items[split.test]] = 1.0
    return Ranks(rows, split)


def measured(model, split):
    return evaluate(model, split, "test", history_length=LENGTH, resamples=0)


# Standing beside the ceiling


def test_the_truth_itself_does_not_leak_and_stands_about_at_its_ceiling(split):
    found = against_ceiling(measured(told(split), split), WORLD, split)
    best = WORLD.ceiling(split.histories, split.test)
    assert not found.leaking and found.check() is found and found.targets == 600
    for name, each in found.standings.items():
        assert each.ceiling == pytest.approx(best.metrics[name], rel=1e-12)
        assert abs(each.value - each.ceiling) < 4 * best.errors[name]
        assert each.low < each.value < each.high
    assert f"HR@1 {found.standings['HR@1'].value:.4f} [" in str(found) and "Leaking" not in str(found)


def test_who_sees_less_stands_below(split):
    found = against_ceiling(measured(told(split, "last item only"), split), WORLD, split)
    assert not found.leaking
    assert found.standings["HR@1"].high < found.standings["HR@1"].ceiling


def test_who_knows_the_answer_is_told_where_to_look(split):
    found = against_ceiling(measured(cheating(split), split), WORLD, split, names=("MRR@5", "HR@1"))
    assert [each.metric for each in found.leaking] == ["MRR@5", "HR@1"]
    with pytest.raises(Leaking, match=r"(?s)HR@1 1\.0000 \[1\.0000, 1\.0000\], ABOVE the ceiling 0\.\d+.*reads ahead"):
        found.check()


def test_an_interval_that_reaches_down_to_the_ceiling_is_no_leak(split):
    found = against_ceiling(measured(told(split), split), WORLD, split)
    each = found.standings["HR@1"]
    assert not replace(each, low=each.ceiling, value=each.ceiling + 0.1).leaking
    assert replace(each, low=each.ceiling + 1e-8).leaking


def test_a_ceiling_of_one_that_rounding_lowers_accuses_nobody(split):
    each = against_ceiling(measured(told(split), split), WORLD, split).standings["HR@1"]
    rounded = 1.0 - 4 * np.finfo(float).eps
    assert not replace(each, value=1.0, low=1.0, high=1.0, ceiling=rounded).leaking


def test_honest_models_at_the_ceiling_are_accused_as_rarely_as_the_level_says():
    """Of 200 samples at 90 %, one in twenty; so between 0 and 24 with a chance of 1 in 10,000 to be outside."""
    accused = 0
    for seed in range(200):
        split = fresh_users(WORLD, 1, valid=1, test=150, asked=1_000 + seed, length=6)
        evaluation = measured(told(split), split)
        accused += bool(against_ceiling(evaluation, WORLD, split, names=("HR@1",), level=0.9, resamples=400).leaking)
    assert 0 < accused < 25


def test_what_cannot_be_compared_is_refused(split):
    evaluation = measured(told(split), split)
    other = fresh_users(WORLD, 15, valid=10, test=600, seed=5, length=LENGTH)
    with pytest.raises(ValueError, match="expected the split that the evaluation was made on"):
        against_ceiling(evaluation, WORLD, other)
    with pytest.raises(ValueError, match="the ceiling ranks all items"):
        against_ceiling(replace(evaluation, seen="masked"), WORLD, split)
    with pytest.raises(BadInput, match="use histories that the world made"):
        against_ceiling(evaluation, world("noise-hmm", items=31), split)
    for wrong in ("HR", "AUC@10", "HR@0", "HR@ten"):
        with pytest.raises(ValueError, match=f"expected metrics such as HR@1.*got '{wrong}'"):
            against_ceiling(evaluation, WORLD, split, names=(wrong,))


# Every position in one pass


@pytest.mark.parametrize("length", [LENGTH, 5])
def test_a_causal_model_is_asked_the_same_in_one_pass_as_prefix_by_prefix(split, length):
    model = build("sasrec", n_items=30, d_model=8, n_layers=1, history_length=LENGTH).double().eval()
    found = every_position(model, split, history_length=length, batch_size=4)
    _, _, targets = prefix_targets(split, "train", LENGTH)
    assert found.targets.tolist() == targets.tolist() and len(targets) == 15 * (LENGTH - 1)
    assert found.users.tolist() == split.users_of(targets).tolist() and (found.n_users, found.which) == (15, "train")
    events = split.histories.items, split.histories.times
    starts, stops = windows(split, length)
    begin = starts[np.searchsorted(stops, targets, side="right")]  # of the window in which an event is asked for
    for rank, start, target in zip(found.ranks.tolist(), begin.tolist(), targets.tolist(), strict=True):
        items, times = (torch.from_numpy(each[start:target].astype(np.int64))[None] for each in events)
        with torch.no_grad():
            scores = model.scores(Batch(items, times, torch.tensor([target - start])))[0, 1:]
        asked = int(split.histories.items[target]) - 1
        assert rank == 1 + int((scores > scores[asked]).sum())
    assert found.metrics == metrics(found.ranks)


def test_training_goes_on_as_it_was(split):
    model = build("sasrec", n_items=30, d_model=8, history_length=LENGTH).train()
    every_position(model, split, history_length=LENGTH)
    assert model.training and all(p.grad is None for p in model.parameters())
    nobody = replace(split, train_end=split.histories.offsets[:-1].copy())
    with pytest.raises(ValueError, match="no training events to ask for"):
        every_position(model, nobody, history_length=LENGTH)


def test_a_broken_model_is_not_taken_for_one_that_knows_everything(split):
    model = build("sasrec", n_items=30, d_model=8, history_length=LENGTH)
    torch.nn.init.constant_(model.position_embedding.weight[3:4], torch.nan)
    with pytest.raises(ValueError, match="hidden states holds NaN or infinity in 165 of 165 rows"):
        every_position(model, split, history_length=LENGTH)


# People who were never trained on


def test_who_trains_is_not_asked_and_who_is_asked_does_not_train(split):
    trained = split.train_end > split.histories.offsets[:-1]
    assert trained[:15].all() and not trained[15:].any()
    assert (split.train_end[:15] == split.histories.offsets[1:16]).all(), "whole histories train"
    assert split.users_of(split.valid).tolist() == list(range(15, 25))
    assert split.users_of(split.test).tolist() == list(range(25, 625))
    assert (split.histories.offsets[1:][split.users_of(split.test)] - 1 == split.test).all()
    assert split.n_train == 15 * LENGTH and split.train_items.size == split.n_train
    assert len(set(split.histories.user_ids)) == 625
    for user in (0, 14):
        assert (split.histories.history(user)[0] == WORLD.sample(0, 15, LENGTH).history(user)[0]).all()
    start, stop = windows(split, LENGTH)
    assert stop.max() == split.histories.offsets[15] and start.size == 15


def test_others_train_and_the_same_are_asked(split):
    other = fresh_users(WORLD, 40, valid=10, test=600, seed=7, length=LENGTH)
    events = [part.histories.items[part.histories.offsets[trained] :] for part, trained in ((split, 15), (other, 40))]
    assert (events[0] == events[1]).all() and split.hash != other.hash
    assert other.protocol == "fresh-users" and "fresh-users" in repr(other)


def test_histories_of_all_lengths():
    shop = shoppers_world()
    split = fresh_users(shop, 8, valid=5, test=6)
    assert split.histories.n_users == 19 and (np.diff(split.histories.offsets) >= 8).all()
    assert shop.ceiling(split.histories, split.test).targets == 6


def test_people_cannot_be_asked_who_train_or_have_no_history():
    with pytest.raises(BadInput, match="whom the model was trained on"):
        fresh_users(WORLD, 5, seed=ASKED_SEED)
    with pytest.raises(BadInput, match="at least two events"):
        fresh_users(WORLD, 5, length=1)
