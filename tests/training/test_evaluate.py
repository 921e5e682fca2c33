"""Evaluation against ranks worked out one target at a time, with plain lists."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from seqrec_edu.data.histories import Histories
from seqrec_edu.data.split import global_time, leave_one_out
from seqrec_edu.models.baselines import LastItemTransition, MostRecent, Popularity
from seqrec_edu.training.evaluate import evaluate
from seqrec_edu.training.metrics import intervals, metrics

N_ITEMS = 40


def random_histories(seed=0, users=40, longest=25, n_items=N_ITEMS):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, longest, users)
    items = rng.integers(1, n_items + 1, lengths.sum()).astype(np.int32)
    times = np.concatenate([np.sort(rng.integers(0, 10_000, n)) for n in lengths]).astype(np.int64)
    names = ["<pad>", *(f"i{i}" for i in range(1, n_items + 1))]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Histories(items, times, offsets, names, [f"u{u}" for u in range(users)], "random")


class Adding(nn.Module):
    """Hidden state = sum of the embeddings so far, in whole numbers. Records the batches it was shown."""

    causal = True

    def __init__(self, seed=0, width=6):
        super().__init__()
        self.item_embedding = nn.Embedding(N_ITEMS + 1, width)
        with torch.no_grad():  # small whole numbers: scores are exact, so that ties are ties in any order of summing
            generator = torch.Generator().manual_seed(seed)
            self.item_embedding.weight.copy_(torch.randint(-2, 3, (N_ITEMS + 1, width), generator=generator))
        self.drop = nn.Dropout(0.5)
        self.batches = []
        self.as_list = None

    def forward(self, batch):
        self.batches.append(batch)
        return self.drop(self.item_embedding(batch.item)).cumsum(1)

    def score_list(self, window):
        weight = self.as_list = self.as_list or self.item_embedding.weight.tolist()
        hidden = [sum(weight[i][d] for i in window) for d in range(len(weight[0]))]
        return [sum(h * w for h, w in zip(hidden, row, strict=True)) for row in weight]


def oracle(model, split, which, history_length, masked):
    """One rank per target, from sorted lists."""
    ranks, items, offsets = [], split.histories.items.tolist(), split.histories.offsets.tolist()
    for event in split.events(which).tolist():
        user = next(u for u in range(len(offsets) - 1) if offsets[u] <= event < offsets[u + 1])
        past, target = items[offsets[user] : event], items[event]
        scores = model.score_list(past[-history_length:])
        rivals = [i for i in range(1, N_ITEMS + 1) if i != target and not (masked and i in past)]
        above = sum(scores[i] > scores[target] for i in rivals)
        ranks.append(1 + above + 0.5 * sum(scores[i] == scores[target] for i in rivals))
    return ranks


@pytest.fixture(scope="module")
def split():
    return leave_one_out(random_histories())


@pytest.mark.parametrize("which", ["valid", "test"])
@pytest.mark.parametrize("seen", ["unmasked", "masked"])
@pytest.mark.parametrize("history_length", [1, 7, 200])
def test_neural_ranks_equal_the_list_oracle(split, which, seen, history_length):
    model = Adding()
    found = evaluate(model, split, which, history_length=history_length, seen=seen, batch_size=8)
    assert found.ranks.tolist() == oracle(model, split, which, history_length, seen == "masked")
    assert found.metrics == metrics(found.ranks)
    assert (found.which, found.seen, found.n_items, found.history_length) == (which, seen, N_ITEMS, history_length)
    assert found.n_users == len(found.ranks) == (np.diff(split.histories.offsets) >= 3).sum()


@pytest.mark.parametrize("make", [leave_one_out, lambda h: global_time(h, targets="all"), global_time])
def test_every_protocol(make):
    split = make(random_histories(seed=1))
    model = Adding(seed=1)
    found = evaluate(model, split, "test", history_length=9)
    assert found.ranks.tolist() == oracle(model, split, "test", 9, False)
    assert found.targets.tolist() == split.test.tolist()
    assert found.users.tolist() == split.users_of(split.test).tolist()
    assert found.n_users == len(set(found.users.tolist()))
    assert found.intervals == intervals(found.ranks, found.users)  # by user: targets of one are drawn together


class ScoresOf:
    """The dense way around the same model."""

    def __init__(self, model):
        self.model = model

    def scores(self, batch):
        scores = torch.stack([
            torch.tensor(self.model.score_list(items[:n]), dtype=torch.float64)
            for items, n in zip(batch.item.tolist(), batch.length.tolist(), strict=True)
        ])  # fmt: skip
        scores[:, 0] = -torch.inf
        return scores


@pytest.mark.parametrize("seen", ["unmasked", "masked"])
def test_dense_scores_and_hidden_states_rank_alike(split, seen):
    model = Adding(seed=2)
    hidden, dense = (evaluate(m, split, "test", seen=seen, history_length=11) for m in (model, ScoresOf(model)))
    assert torch.equal(hidden.ranks, dense.ranks)


@pytest.mark.parametrize("model", [Adding(), Popularity(), LastItemTransition(), MostRecent()])
def test_batch_size_changes_nothing(split, model):
    if hasattr(model, "fit"):
        model.fit(split)
    whole = evaluate(model, split, "test", resamples=0)
    for batch_size in (1, 7, 10_000):
        assert torch.equal(evaluate(model, split, "test", batch_size=batch_size, resamples=0).ranks, whole.ranks)


def test_popularity_by_hand():
    items = np.array([1, 1, 2, 3, 1, 2, 3, 4], dtype=np.int32)  # trained on: 1 1 of the first, 1 2 of the second
    histories = Histories(items, np.arange(8), np.array([0, 4, 8]), ["<pad>", *"1234"], ["a", "b"])
    split = leave_one_out(histories)
    model = Popularity().fit(split)
    assert evaluate(model, split, "test").ranks.tolist() == [3.5, 3.5]  # 3 and 4 were never trained on: places 3 and 4
    assert evaluate(model, split, "test", seen="masked").ranks.tolist() == [1.5, 1.0]
    assert evaluate(model, split, "valid").ranks.tolist() == [2.0, 3.5]


def test_seen_reaches_back_beyond_the_window():
    items = np.array([*range(1, 11), 11, 12], dtype=np.int32)
    histories = Histories(items, np.arange(12), np.array([0, 12]), ["<pad>", *map(str, range(1, 13))], ["a"])
    found = evaluate(Popularity().fit(leave_one_out(histories)), leave_one_out(histories), "test", history_length=2,
                     seen="masked")  # fmt: skip
    assert found.ranks.tolist() == [1.0]  # every rival was seen


def test_a_target_seen_before_still_ranks_when_masked():
    items = np.array([1, 2, 3, 1], dtype=np.int32)
    histories = Histories(items, np.arange(4), np.array([0, 4]), ["<pad>", "1", "2", "3", "4"], ["a"])
    split = leave_one_out(histories)
    assert evaluate(MostRecent().fit(split), split, "test", seen="masked").ranks.tolist() == [1.0]
    assert evaluate(MostRecent().fit(split), split, "test").ranks.tolist() == [3.0]


def test_the_answer_is_not_in_the_batch(split):
    model = Adding()
    evaluate(model, split, "test", seen="masked")
    offsets, test = split.histories.offsets, split.test
    ends = dict(zip(split.users_of(test).tolist(), (test - offsets[split.users_of(test)]).tolist(), strict=True))
    for batch in model.batches:
        assert batch.target is None
        assert batch.length.tolist() == [ends[u] for u in batch.user.tolist()]


def test_batches_hold_histories_of_like_length():
    split = leave_one_out(random_histories(seed=3, users=200, longest=60))
    model = Adding()
    evaluate(model, split, "test", batch_size=16)
    pads = sum(batch.item.numel() - int(batch.length.sum()) for batch in model.batches)
    assert pads < 0.1 * sum(int(batch.length.sum()) for batch in model.batches)


@pytest.mark.parametrize("fails", [False, True])
def test_modes_gradients_and_random_state_are_left_alone(split, fails):
    model = Adding()
    model.frozen = nn.Dropout().eval()
    model.train()
    model.frozen.eval()
    if fails:
        model.forward = lambda batch: (_ for _ in ()).throw(RuntimeError("broken on purpose"))
    state = torch.get_rng_state()
    try:
        evaluate(model, split, "valid")
    except RuntimeError as error:
        assert fails and "on purpose" in str(error)
    assert torch.equal(state, torch.get_rng_state())
    assert model.training and model.drop.training and not model.frozen.training
    assert torch.is_grad_enabled() and model.item_embedding.weight.grad is None


def test_evaluation_is_in_eval_mode_and_repeatable(split):
    model = Adding().train()  # dropout of one half would show
    assert torch.equal(evaluate(model, split, "test").ranks, evaluate(model.eval(), split, "test").ranks)


def test_max_users_draws_whole_users_and_the_same_ones():
    split = global_time(random_histories(seed=4), targets="all")
    model = Adding()
    whole = evaluate(model, split, "test")
    some = evaluate(model, split, "test", max_users=5, seed=3)
    assert some.n_users == 5 and some.sampled and not whole.sampled
    keep = torch.isin(whole.users, some.users)
    assert torch.equal(whole.ranks[keep], some.ranks) and torch.equal(whole.targets[keep], some.targets)
    assert torch.equal(evaluate(model, split, "test", max_users=5, seed=3).users, some.users)
    assert not torch.equal(evaluate(model, split, "test", max_users=5, seed=4).targets, some.targets)
    assert not evaluate(model, split, "test", max_users=10_000).sampled


def test_everyone_is_no_sample(split):
    users = evaluate(Adding(), split).n_users
    assert not evaluate(Adding(), split, max_users=users).sampled and evaluate(Adding(), split, max_users=1).sampled


def test_a_model_of_another_catalogue_is_refused(split):
    larger = leave_one_out(random_histories(n_items=60))
    with pytest.raises(ValueError, match="Adding was built for 40 items, the data has 60: build it with n_items=60"):
        evaluate(Adding(), larger)
    with pytest.raises(ValueError, match="Popularity scores 60 items, the data has 40: fit it on this split"):
        evaluate(Popularity().fit(larger), split)


def test_minus_pairs_two_models(split):
    few = [evaluate(Adding(seed=seed), split, "test", resamples=1) for seed in (5, 6)]
    assert (found := few[0].minus(few[1])["NDCG@20"]).low == found.high, "with the resamples of the evaluations"
    a, b = evaluate(Adding(seed=5), split, "test"), evaluate(Adding(seed=6), split, "test")
    difference = a.minus(b)["NDCG@20"]
    assert difference.value == pytest.approx(a.metrics["NDCG@20"] - b.metrics["NDCG@20"], abs=1e-12)
    with pytest.raises(ValueError, match="same targets"):
        a.minus(evaluate(Adding(), split, "valid"))
    with pytest.raises(ValueError, match="same targets"):
        a.minus(evaluate(Adding(), leave_one_out(random_histories(seed=9)), "test"))
    with pytest.raises(ValueError, match="rule for seen"):
        a.minus(evaluate(Adding(), split, "test", seen="masked"))


def test_it_reads_well(split):
    text = repr(evaluate(Adding(), split, "test", max_users=20))
    assert "test: 20 targets of 20 users (a sample), ranked among 40 items, seen items unmasked" in text
    assert "HR@10" in text and "[" in text
    assert "[" not in repr(evaluate(Adding(), split, "test", resamples=0))
    summary = evaluate(Adding(), split, "test", resamples=0).summary()
    assert summary["values"]["HR@5"].keys() == {"value", "low", "high"} and summary["values"]["HR@5"]["low"] is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"which": "train"}, "which must be one of 'valid', 'test', got 'train'"),
        ({"seen": "hidden"}, "seen must be one of"),
        ({"batch_size": 0}, "batch_size must be a whole number of 1"),
        ({"max_users": 0}, "max_users must be a whole number of 1"),
        ({"resamples": -1}, "resamples must be a whole number of 0"),
        ({"history_length": 0}, "history_length must be at least 1"),
        ({"device": "meta"}, "move it: model.to"),
        ({"cutoffs": (0,)}, "cutoffs"),
        ({"level": 2}, "level"),
    ],
)
def test_options_that_make_no_sense(split, options, message):
    with pytest.raises(ValueError, match=message):
        evaluate(Adding(), split, **{"which": "test", **options})


def test_what_cannot_be_ranked_is_an_error(split):
    with pytest.raises(ValueError, match="expected a model with"):
        evaluate(object(), split)
    model = Adding()
    with torch.no_grad():
        model.item_embedding.weight[3, 2] = math.nan
    with pytest.raises(ValueError, match="item embedding holds NaN or infinity in 1 of 41 rows"):
        evaluate(model, split)
    model = Adding()
    model.forward = lambda batch: torch.full((*batch.item.shape, 6), math.inf)
    with pytest.raises(ValueError, match="hidden state at the last event"):
        evaluate(model, split)
    for wrong in (torch.zeros(2, 6), torch.zeros(2, 3, 6)):
        model.forward = lambda batch, wrong=wrong: wrong
        with pytest.raises(ValueError, match="expected hidden 'b l d'"):
            evaluate(model, split)


def test_a_model_that_says_nothing_earns_nothing(split):
    model = Adding()
    model.forward = lambda batch: torch.zeros(*batch.item.shape, 6)
    found = evaluate(model, split, "test")
    assert found.ranks.unique().tolist() == [(N_ITEMS + 1) / 2]
    assert found.metrics["HR@20"] == 0.0 and found.metrics["HR@50"] == 1.0
