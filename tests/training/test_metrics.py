"""Ranks and metrics against definitions written out with Python lists; intervals against the plain bootstrap."""

import math
import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqrec_edu.training.metrics import (
    CUTOFFS,
    Difference,
    expected_rank,
    intervals,
    metrics,
    paired_difference,
    per_target,
)


def mean_place(scores, target, exclude=()):
    """Average place of `target` over all orders that sorting by score could give, by counting in a sorted list."""
    ranked = [i for i in range(1, len(scores)) if i == target or i not in set(exclude)]
    ordered = sorted(ranked, key=lambda i: -scores[i])
    places = [place for place, i in enumerate(ordered, start=1) if scores[i] == scores[target]]
    return sum(places) / len(places)


few_scores = st.lists(st.sampled_from([-math.inf, -1.5, 0.0, 0.25, 3.0]), min_size=3, max_size=30)


@settings(max_examples=80, deadline=None)
@given(few_scores, st.randoms(use_true_random=False))
def test_expected_rank_is_the_mean_place_over_all_orders(scores, draw):
    v = len(scores)
    target = draw.randrange(1, v)
    exclude = [draw.randrange(0, v) for _ in range(draw.randrange(0, 2 * v))]  # repeats, padding and the target itself
    rank = expected_rank(torch.tensor([scores]), torch.tensor([target]))
    assert rank.tolist() == [mean_place(scores, target)]
    rank = expected_rank(torch.tensor([scores]), torch.tensor([target]), torch.tensor([exclude], dtype=torch.int64))
    assert rank.tolist() == [mean_place(scores, target, exclude)]


def test_padding_never_ranks_and_the_target_is_never_excluded():
    scores = torch.tensor([[9.0, 1.0, 2.0, 3.0]])
    assert expected_rank(scores, torch.tensor([1])).item() == 3.0
    assert expected_rank(scores, torch.tensor([1]), torch.tensor([[1, 2, 0]])).item() == 2.0


@pytest.mark.parametrize("v", [20, 21, 500])
def test_constant_scores_earn_nothing(v):
    target = torch.arange(1, v + 1)
    ranks = expected_rank(torch.zeros(v, v + 1), target)
    assert ranks.unique().tolist() == [(v + 1) / 2]
    assert metrics(ranks)["HR@10"] == 0.0


def test_constant_scores_over_19_items_are_the_largest_catalogue_that_passes():
    assert metrics(expected_rank(torch.zeros(1, 20), torch.tensor([3])))["HR@10"] == 1.0


def test_random_scores_hit_ten_times_in_v():
    generator = torch.Generator().manual_seed(3)
    scores = torch.rand(4000, 201, generator=generator)
    target = torch.randint(1, 201, (4000,), generator=generator)
    assert metrics(expected_rank(scores, target))["HR@10"] == pytest.approx(10 / 200, abs=0.012)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s, t, e: (s[0], t, e), "scores 'u v'"),
        (lambda s, t, e: (s, t[:1], e), "target 'u'"),
        (lambda s, t, e: (s, t * 0, e), "items 1..4"),
        (lambda s, t, e: (s, t + 1, e), "items 1..4"),
        (lambda s, t, e: (s, t, e[:1]), "exclude 'u s'"),
        (lambda s, t, e: (s, t, e + 3), "padded with 0"),
        (lambda s, t, e: (s, t, e - 1), "padded with 0"),
        (lambda s, t, e: (s.index_fill(1, torch.tensor([1]), math.nan), t, e), "row 0 contain NaN"),
        (lambda s, t, e: (s.index_fill(1, torch.tensor([4]), math.nan), t, e), "row 0 contain NaN"),
        (lambda s, t, e: (s.clone().index_fill_(1, torch.tensor([2]), math.nan), t, e), "row 0 contain NaN"),
    ],
)
def test_expected_rank_refuses(change, message):
    given_ = torch.rand(2, 5), torch.tensor([1, 4]), torch.tensor([[2], [0]])
    with pytest.raises(ValueError, match=message):
        expected_rank(*change(*given_))


def test_nobody_reads_the_score_of_padding():
    scores = torch.tensor([[math.nan, 1.0, 2.0]])
    assert expected_rank(scores, torch.tensor([2])).item() == 1.0


def test_infinite_scores_are_legal():
    scores = torch.tensor([[-math.inf, math.inf, -math.inf, 0.0, math.inf]])
    assert expected_rank(scores, torch.tensor([4])).item() == 1.5
    assert expected_rank(scores, torch.tensor([2])).item() == 4.0


def dcg_at(relevant, k):
    return sum(gain / math.log2(place + 1) for place, gain in enumerate(relevant[:k], start=1))


@pytest.mark.parametrize("k", CUTOFFS)
def test_metrics_equal_their_general_definitions(k):
    """HR, NDCG and MRR as defined for any list of relevant items, here with one relevant item among 60."""
    for rank in (1, 2, 4, 5, 6, 9, 10, 11, 20, 21, 50, 51, 60):
        relevant = [1.0 if place == rank else 0.0 for place in range(1, 61)]
        found = metrics(torch.tensor([float(rank)]))
        assert found[f"HR@{k}"] == float(any(relevant[:k]))
        ideal = dcg_at(sorted(relevant, reverse=True), k)
        assert found[f"NDCG@{k}"] == pytest.approx(dcg_at(relevant, k) / ideal, abs=1e-15)
        reciprocal = next((1 / place for place, gain in enumerate(relevant[:k], start=1) if gain), 0.0)
        assert found[f"MRR@{k}"] == pytest.approx(reciprocal, abs=1e-15)


def test_hand_made_ranks():
    found = metrics(torch.tensor([1.0, 3.0, 10.5, 7.0]), cutoffs=(10,))
    assert found == pytest.approx(
        {"HR@10": 0.75, "NDCG@10": (1 + 0.5 + 1 / 3) / 4, "MRR@10": (1 + 1 / 3 + 1 / 7) / 4}, abs=1e-15
    )


def test_the_first_place_alone_may_count():
    assert metrics(torch.tensor([1.0, 2.0]), (1,)) == {"HR@1": 0.5, "NDCG@1": 0.5, "MRR@1": 0.5}


@pytest.mark.parametrize(
    ("low", "high", "clear"),
    [(0.1, 0.3, True), (-0.3, -0.1, True), (-0.1, 0.3, False), (0.0, 0.3, False), (-0.3, 0.0, False)],
)
def test_clear_is_an_interval_without_zero(low, high, clear):
    assert Difference(0.0, low, high).clear is clear


def test_names_and_order():
    names = [f"{metric}@{k}" for metric in ("HR", "NDCG", "MRR") for k in (5, 10, 20, 50)]
    assert list(metrics(torch.ones(2))) == list(per_target(torch.ones(2))) == names


@pytest.mark.parametrize(
    ("ranks", "cutoffs", "message"),
    [
        (torch.tensor([]), (10,), "at least one target"),
        (torch.ones(2, 2), (10,), "shape 'u'"),
        (torch.tensor([0.0, 1.0]), (10,), "count from 1"),
        (torch.tensor([1.0, -3.0, math.nan]), (10,), "got -3"),
        (torch.tensor([1.0, math.nan]), (10,), "got nan"),
        (torch.tensor([1.0, math.inf]), (10,), "got inf"),
        (torch.ones(2), (), "cutoffs"),
        (torch.ones(2), (0,), "cutoffs"),
        (torch.ones(2), (2.5,), "cutoffs"),
        (torch.ones(2), (True,), "cutoffs"),
    ],
)
def test_metrics_refuse(ranks, cutoffs, message):
    with pytest.raises(ValueError, match=message):
        metrics(ranks, cutoffs)


def some_ranks(n, seed, spread=40.0):
    rng = np.random.default_rng(seed)
    return torch.from_numpy(1 + np.floor(rng.exponential(spread, n)))


def plain_bootstrap(values, users, resamples=2500, seed=9):
    """Draw users with replacement, gather all their targets, take the mean: word for word."""
    draw = random.Random(seed)
    own = {u: [x for x, owner in zip(values, users, strict=True) if owner == u] for u in set(users)}
    names, means = sorted(own), []
    for _ in range(resamples):
        drawn = [x for u in draw.choices(names, k=len(names)) for x in own[u]]
        means.append(sum(drawn) / len(drawn))
    return np.quantile(means, [0.025, 0.975])


@pytest.mark.parametrize("per_user", [1, 4])
def test_interval_equals_the_plain_bootstrap(per_user):
    users = [i // per_user for i in range(160)]
    ranks = some_ranks(160, seed=1, spread=15.0)
    if per_user > 1:  # targets of one user resemble each other, which is why they are drawn together
        ranks = ranks[torch.tensor(users) * per_user] + torch.arange(160) % 2
    found = intervals(ranks, torch.tensor(users), resamples=2500)
    for name in ("HR@10", "NDCG@10", "MRR@20"):
        expected = plain_bootstrap(per_target(ranks)[name].tolist(), users)
        assert found[name] == pytest.approx(expected, abs=0.01), name


def test_targets_of_one_user_are_not_independent():
    ranks = some_ranks(200, seed=2, spread=15.0).repeat_interleave(5)
    apart = intervals(ranks)["HR@10"]
    together = intervals(ranks, torch.arange(200).repeat_interleave(5))["HR@10"]
    assert (together[1] - together[0]) / (apart[1] - apart[0]) == pytest.approx(math.sqrt(5), rel=0.15)


def test_interval_covers_as_often_as_it_says():
    truth = 1 - math.exp(-10 / 40)  # P(1 + floor(x) ≤ 10) for exponential x of mean 40
    inside = 0
    for seed in range(120):
        low, high = intervals(some_ranks(400, seed=100 + seed), cutoffs=(10,), resamples=400, seed=seed)["HR@10"]
        inside += low <= truth <= high
    assert 0.88 <= inside / 120 <= 0.995


def test_interval_is_repeatable_and_seeded():
    ranks = some_ranks(300, seed=4)
    assert intervals(ranks, seed=5) == intervals(ranks, seed=5)
    assert intervals(ranks, seed=5) != intervals(ranks, seed=6)
    state = torch.get_rng_state(), np.random.get_state()[1].copy()
    intervals(ranks)
    assert torch.equal(state[0], torch.get_rng_state()) and (state[1] == np.random.get_state()[1]).all()


def test_more_users_and_lower_levels_are_narrower():
    def width(ranks, **options):
        low, high = intervals(ranks, **options)["NDCG@10"]
        return high - low

    ranks = some_ranks(500, seed=7)
    assert width(ranks.repeat(16)) == pytest.approx(width(ranks) / 4, rel=0.15)
    assert width(ranks, level=0.5) < width(ranks, level=0.9) < width(ranks, level=0.99)


def test_nothing_found_has_an_empty_interval():
    assert set(intervals(torch.full((50,), 900.0)).values()) == {(0.0, 0.0)}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"level": 95}, "level"),
        ({"level": 0.0}, "level"),
        ({"resamples": 0}, "resample"),
        ({"users": torch.zeros(3)}, "one user per rank"),
    ],
)
def test_intervals_refuse(options, message):
    with pytest.raises(ValueError, match=message):
        intervals(torch.ones(4), **options)


def test_drawing_in_parts_changes_nothing(monkeypatch):
    """The redraws are made in parts, so that no table of all users by all redraws is held."""
    ranks = some_ranks(300, seed=8, spread=60.0)
    whole = intervals(ranks, resamples=50)
    for at_once in (1, 700, 4000):
        monkeypatch.setattr("seqrec_edu.training.metrics._WEIGHTS_AT_ONCE", at_once)
        parts = intervals(ranks, resamples=50)
        assert all(parts[name] == pytest.approx(whole[name], abs=1e-12) for name in whole)
    low, high = intervals(ranks, resamples=1)["HR@10"]
    assert low == high


def test_pairing_sees_what_two_intervals_cannot():
    """A model that moves every tenth success up by one place: hidden in two intervals, plain in the paired one."""
    b = some_ranks(2000, seed=10)
    a = torch.where(torch.arange(2000) % 10 == 0, (b - 1).clamp(min=1), b)
    alone_a, alone_b, found = intervals(a), intervals(b), paired_difference(a, b)
    for name, difference in found.items():
        assert alone_a[name][0] < alone_b[name][1] and alone_b[name][0] < alone_a[name][1], "the two intervals overlap"
        assert difference.value == pytest.approx(metrics(a)[name] - metrics(b)[name], abs=1e-12)
        assert difference.low <= difference.value <= difference.high
    assert found["NDCG@50"].clear
    assert not paired_difference(b, b)["NDCG@50"].clear
    swapped, straight = paired_difference(b, a)["MRR@20"], found["MRR@20"]
    assert swapped.value == pytest.approx(-straight.value) and swapped.low == pytest.approx(-straight.high, abs=2e-4)
    assert str(straight).startswith("+0.0")


def test_paired_difference_equals_the_plain_bootstrap():
    a, b = some_ranks(150, seed=11, spread=12.0), some_ranks(150, seed=12, spread=15.0)
    found = paired_difference(a, b, resamples=2500)["NDCG@10"]
    values = (per_target(a)["NDCG@10"] - per_target(b)["NDCG@10"]).tolist()
    assert (found.low, found.high) == pytest.approx(plain_bootstrap(values, list(range(150))), abs=0.01)


def test_paired_difference_refuses_other_targets():
    with pytest.raises(ValueError, match="same targets, got 3 and 4"):
        paired_difference(torch.ones(3), torch.ones(4))
