"""The planted worlds: the same bytes everywhere, rows that are distributions, ceilings that hold and are the published.

Figures are those of the specification: three digits, from 8,000 histories of a sample of its own.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from seqrec_edu.data.check import BadInput
from seqrec_edu.data.histories import Histories
from seqrec_edu.data.synthetic.world import rank_gains, ranking
from seqrec_edu.data.synthetic.worlds import WORLDS, Planted, world

USERS = 800
SPECIFIED = 8_000
DAY = 86_400
EVERY = [(name, predictor) for name in WORLDS for predictor in WORLDS[name].predictors]

PINNED = {
    "gap-switch": "09b054e5a1c99e67b10ebc050324e1ee1ffb85ec2dd8d221392ea6ee5612150d",
    "decay-repeat": "1415002555e397c771076cf62b1955ae833821ce2e42f44c3b707b5dcd9435b2",
    "periodic": "d324d06d91d2f63a5cbe1e002861118012ed9e9811a37aef26fb894b39f51de7",
    "noise-hmm": "36076e65316e0bd355d038327bdbb1592f7ea01614ec03bc6a142630d5dfb5eb",
    "recall": "e6726bfd62b296831e0980131178ca2c3494794273dd7238d6904a554bf09745",
    "slow-interest": "f7a64228dc93b8ffd832f911a1d5bc9affae8f136f7fd8ec67ec6904b1b8d54d",
    "taste": "280c9d69f02370e6ffaf92ef31c94ce47274f8907ae39a865b0b068fd1c7d970",
    "taste-chain": "14aae6540a6e87634a7763639904ea795de6cbda003a7d09c99e331f021796fd",
    "threads": "5055bd0311c38ca387ff77fcf80600de6bbd5b16840cde86700d161632ca845a",
}

# (world, predictor): metric → figure of the specification. It calls "bayes" in periodic what is "slot only" here: the
# exact row also uses that all slots share one pool. Left out is HR@10 of the bag of items, .704 there and .706 here.
FIGURES = {
    ("gap-switch", "bayes"): {"HR@1": 0.900, "HR@10": 0.905, "NDCG@10": 0.902},
    ("gap-switch", "without time"): {"HR@1": 0.447, "HR@10": 0.905, "NDCG@10": 0.735},
    ("decay-repeat", "bayes"): {"HR@1": 0.529, "HR@10": 0.706, "NDCG@10": 0.629},
    ("decay-repeat", "position kernel"): {"HR@1": 0.488, "HR@10": 0.706, "NDCG@10": 0.611},
    ("periodic", "slot only"): {"HR@1": 0.698, "HR@10": 0.706, "NDCG@10": 0.701},
    ("periodic", "one period back"): {"HR@1": 0.494},
    ("periodic", "bag of items"): {"HR@1": 0.370},
    ("noise-hmm", "bayes"): {"HR@1": 0.600, "HR@10": 0.620, "NDCG@10": 0.608},
    ("noise-hmm", "last item only"): {"HR@1": 0.361},
    ("recall", "bayes"): {"HR@1": 0.953},
    ("recall", "window of 20"): {"HR@1": 0.703},
    ("slow-interest", "bayes"): {"HR@1": 0.0456, "HR@10": 0.456, "NDCG@10": 0.207},
    ("slow-interest", "last cluster"): {"HR@10": 0.278},
    ("slow-interest", "lifetime bag"): {"HR@10": 0.291},
    ("taste", "bayes"): {"HR@10": 0.415},
    ("taste", "window of 5"): {"HR@10": 0.348},
    ("taste", "last cluster"): {"HR@10": 0.284},
    ("taste-chain", "bayes"): {"HR@1": 0.500, "HR@10": 0.682, "NDCG@10": 0.572},
    ("taste-chain", "chain only"): {"HR@1": 0.500, "HR@10": 0.523, "NDCG@10": 0.509},
    ("taste-chain", "taste only"): {"HR@1": 0.020, "HR@10": 0.202},
    ("taste-chain", "last item only"): {"HR@1": 0.263},
    ("threads", "bayes"): {"HR@1": 0.510, "HR@10": 0.996, "NDCG@10": 0.784},
    ("threads", "last item only"): {"HR@1": 0.399, "HR@10": 0.410},
    ("threads", "window of 5"): {"HR@1": 0.448, "HR@10": 0.837},
}


@cache
def sampled(name: str) -> tuple[Planted, Histories, np.ndarray]:
    """A world, histories of it, and the last event of each."""
    made = world(name)
    histories = made.sample(seed=1, users=USERS)
    return made, histories, histories.offsets[1:] - 1


@cache
def rows_of(name: str, predictor: str) -> np.ndarray:
    made, histories, targets = sampled(name)
    return made.bayes_rows(histories, targets, predictor)


def expected(name: str, predictor: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Metric → its expectation and its variance at each target, under the truth."""
    probability = np.take_along_axis(rows_of(name, "bayes"), ranking(rows_of(name, predictor)), axis=1)
    found = {}
    for metric, gain in rank_gains(probability.shape[1]).items():
        mean = probability @ gain
        found[metric] = mean, np.maximum(probability @ gain**2 - mean**2, 0.0)
    return found


# Determinism


@pytest.mark.parametrize("name", WORLDS)
def test_reference_sample_is_pinned(name):
    histories = world(name).sample(seed=0, users=40)
    assert histories.hash == PINNED[name]


@pytest.mark.parametrize("name", WORLDS)
def test_a_user_depends_neither_on_the_others_nor_on_the_length(name):
    made = world(name)
    few, many = made.sample(4, 5), made.sample(4, 30)
    short, long = made.sample(4, 5, length=7), made.sample(4, 5, length=120)
    for user in range(5):
        for a, b, c, d in zip(*(each.history(user) for each in (few, many, short, long)), strict=True):
            np.testing.assert_array_equal(a, b)
            np.testing.assert_array_equal(c, a[:7])
            np.testing.assert_array_equal(d[: a.size], a)
    assert made.sample(4, 5).hash == few.hash != made.sample(5, 5).hash


@pytest.mark.parametrize("name", WORLDS)
def test_histories_are_as_asked(name):
    made, histories, _ = sampled(name)
    assert histories.name == name and histories.n_users == USERS
    assert (np.diff(histories.offsets) == made.usual_length).all()
    assert len(set(made.item_ids)) == len(made.item_ids) == histories.n_items + 1
    assert np.bincount(histories.items, minlength=histories.n_items + 1)[0] == 0
    assert histories.items.max() <= histories.n_items
    assert (np.concatenate([np.diff(histories.history(user)[1]) for user in range(50)]) > 0).all()
    assert "synthetic" in str(histories.report) and "dials: default" in str(histories.report)
    for text in (made.decides, made.winner, made.lesson):
        assert text and "\n" not in text and len(text) < 120
    if made.genres:
        assert len(made.genres) == len(made.item_ids)


def test_items_are_readable():
    for name, some in {
        "gap-switch": "a17",
        "recall": "distractor 12",
        "taste": "cluster 3, item 7",
        "taste-chain": "chain 100",
        "threads": "chain 3, step 7",
        "noise-hmm": "place 17",
        "periodic": "item 17",
    }.items():
        assert some in world(name).item_ids
    assert {"key 3", "answer 16", "trigger"} <= set(world("recall").item_ids)


# Rows


@pytest.mark.parametrize(("name", "predictor"), EVERY)
def test_rows_are_distributions(name, predictor):
    made, histories, _ = sampled(name)
    early = np.concatenate([histories.offsets[:3] + k for k in range(made.usual_length)])  # first events included
    for rows in (rows_of(name, predictor), made.bayes_rows(histories, early, predictor)):
        assert rows.dtype == np.float64 and rows.shape[1] == histories.n_items + 1
        assert (rows >= 0).all() and (rows[:, 0] == 0).all()
        np.testing.assert_allclose(rows.sum(axis=1), 1.0, atol=1e-9, rtol=0)


@pytest.mark.parametrize(("name", "predictor"), EVERY)
def test_rows_of_odd_histories(name, predictor):
    """None, one event, one item for ever, ties, equal gaps, a gap of years, and items in no order that could be."""
    made = world(name)
    n = len(made.item_ids) - 1
    scattered = [1 + (7 * k * k + 3 * k) % n for k in range(90)]
    for items, times in (
        ([], []),
        ([n], [0]),
        ([3] * 120, [10] * 120),
        (scattered, list(range(0, 90 * DAY, DAY))),
        (scattered[:4], [0, 0, 40 * 365 * DAY, 40 * 365 * DAY + 1]),
    ):
        row = made.next_distribution(np.array(items, dtype=int), np.array(times, dtype=int), predictor)
        assert (row >= 0).all() and row[0] == 0
        np.testing.assert_allclose(row.sum(), 1.0, atol=1e-9, rtol=0)


@pytest.mark.parametrize("name", WORLDS)
def test_rows_do_not_look_at_the_target_or_beyond(name):
    made, histories, _ = sampled(name)
    start, k = int(histories.offsets[3]), 20
    row = made.bayes_rows(histories, np.array([start + k]))[0]
    items, times = (each[:k] for each in histories.history(3))
    np.testing.assert_allclose(made.next_distribution(items, times), row, rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize("name", WORLDS)
def test_rows_are_calibrated(name):
    """Over events at every place of a history, things come as often as their probabilities say."""
    made, histories, _ = sampled(name)
    targets = np.arange(histories.offsets[60])
    rows, came = made.bayes_rows(histories, targets), histories.items[targets]
    hits = np.zeros_like(rows)
    hits[np.arange(targets.size), came] = 1.0
    assert (rows[hits > 0] > 0).all()  # nothing happens that cannot
    by_size = np.digitize(rows, [1e-12, 0.0015, 0.0045, 0.01, 0.03, 0.1, 0.3, 0.6, 0.8])
    found, mean, variance = (np.bincount(by_size.ravel(), x.ravel()) for x in (hits, rows, rows * (1 - rows)))
    assert (np.abs(found - mean) <= 4.5 * np.sqrt(variance) + 1).all()


# Ceilings


@pytest.mark.parametrize(("name", "predictor"), EVERY)
def test_what_happens_agrees_with_what_is_expected_and_nobody_beats_the_ceiling(name, predictor):
    _, histories, targets = sampled(name)
    ranks = (ranking(rows_of(name, predictor)) == histories.items[targets][:, None]).argmax(axis=1)
    ceiling = expected(name, "bayes")
    for metric, (mean, variance) in expected(name, predictor).items():
        realised = rank_gains(histories.n_items)[metric][ranks].mean()
        error = np.sqrt(variance.sum()) / targets.size
        assert abs(realised - mean.mean()) <= 4 * error + 1e-9, metric
        assert (mean <= ceiling[metric][0] + 1e-9).all(), metric


@pytest.mark.parametrize(("name", "predictor"), FIGURES)
def test_figures_of_the_specification(name, predictor):
    """Within 4 standard errors of the difference of two samples, and the rounding of the figure to its last digit."""
    found = expected(name, predictor)
    for metric, figure in FIGURES[name, predictor].items():
        mean = found[metric][0]
        error = mean.std() * np.sqrt(1 / mean.size + 1 / SPECIFIED)
        assert abs(mean.mean() - figure) <= 4 * error + 0.0006, (metric, mean.mean(), error)


def test_exact_periodic_lies_above_slot_only_and_below_its_bound():
    exact, slot = (expected("periodic", each)["HR@1"][0].mean() for each in ("bayes", "slot only"))
    assert slot < exact <= 0.7 + 0.3 / 500 + 1e-12


def test_a_ceiling_is_the_mean_of_what_is_expected():
    made, histories, targets = sampled("taste-chain")
    for predictor in made.predictors:
        ceiling, by_target = made.ceiling(histories, targets, predictor), expected("taste-chain", predictor)
        assert ceiling.metrics["HR@10"] == pytest.approx(by_target["HR@10"][0].mean())
        assert ceiling.errors["HR@10"] == pytest.approx(np.sqrt(by_target["HR@10"][1].sum()) / targets.size)


# What each world is about


def test_gap_switch_sees_the_gap_before_the_current_item_only():
    made = world("gap-switch")
    for seconds, successor in ((100, 0), (2 * DAY, 1)):
        row = made.next_distribution([5, 9], [0, seconds])
        assert made.successors[successor, 9] == row.argmax() and row.max() > 0.9
    once = made.next_distribution([9], [0])
    assert set(np.argsort(once)[-2:]) == set(made.successors[:, 9]) and once.max() == pytest.approx(0.4505)
    np.testing.assert_array_equal(
        made.next_distribution([1, 9], [0, 60]), made.next_distribution([5, 2, 9], [0, 3 * DAY, 3 * DAY + 60])
    )
    blurred = world("gap-switch", long=120.0).next_distribution([5, 9], [0, 60])
    np.testing.assert_allclose(blurred, made.next_distribution([5, 9], [0, 60], "without time"), rtol=1e-12)


def test_gaps_are_as_described():
    histories = sampled("gap-switch")[1]
    gaps = np.concatenate([np.diff(histories.history(user)[1]) for user in range(300)])
    long = gaps > 4_500
    assert abs(long.mean() - 0.5) < 0.02
    assert abs(np.median(gaps[~long]) / 120 - 1) < 0.04 and abs(np.median(gaps[long]) / (2 * DAY) - 1) < 0.04
    assert abs(np.log(gaps[long]).std() - 0.6) < 0.02
    days = sampled("periodic")[1].times.reshape(USERS, -1)
    assert (np.diff(days // DAY, axis=1) == 1).all()
    assert (np.ptp(days % DAY, axis=1) <= 3_600).all()


def test_recall_asks_for_the_last_key():
    made, histories, _ = sampled("recall")
    rounds = histories.items.reshape(USERS, 2, 50)
    is_key = (rounds >= 1) & (rounds <= 16)
    count = is_key.sum(axis=2)
    assert set(np.unique(count)) == {1, 2} and abs(count.mean() - 1.5) < 0.05
    last = 49 - is_key[:, :, ::-1].argmax(axis=2)
    assert (rounds[:, :, 48] == 33).all() and (47 - last >= 2).all() and (47 - last <= 45).all()
    key = np.take_along_axis(rounds, last[:, :, None], axis=2)[:, :, 0]
    assert abs((rounds[:, :, 49] == key + 16).mean() - (0.95 + 0.05 / 16)) < 0.02
    ids = made.item_ids
    asked = [ids.index(each) for each in ("key 3", "key 7", "distractor 1", "trigger")]
    assert ids[made.next_distribution(asked, [0, 1, 2, 3]).argmax()] == "answer 7"


# Dials


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: world("gap-swich"), "Did you mean 'gap-switch'. The worlds are: gap-switch, decay-repeat"),
        (lambda: world("gap-switch", nois=0.2), "no dial nois. Its dials are: items, noise, short"),
        (lambda: world("gap-switch", noise=1.1), r"noise \(share of events that are any item\) must lie in 0..1"),
        (lambda: world("gap-switch", noise=float("nan")), "must lie in"),
        (lambda: world("gap-switch", noise="much"), "noise must be a number"),
        (lambda: world("gap-switch", noise=True), "noise must be a number"),
        (lambda: world("gap-switch", items=20.5), "items must be a whole number"),
        (lambda: world("decay-repeat", hours=0), "hours .* must lie in"),
        (lambda: world("periodic", period=30), "period .* must lie in 1..8"),
        (lambda: world("threads", followed=21), "nobody can follow 21 of 20"),
        (lambda: world("recall", longest=47), "at most round − 4"),
        (lambda: world("taste", concentration=0.0), "concentration .* must lie in"),
        (lambda: world("taste").sample(0, 0), "users must be a whole number"),
        (lambda: world("taste").sample(0, 2, length=0), "length must be a whole number"),
        (lambda: world("taste").sample(-1, 2), "seed must be an integer"),
    ],
)
def test_bad_dials(call, says):
    with pytest.raises(ValueError, match=says):
        call()


@pytest.mark.parametrize(
    ("name", "dials"),
    [
        ("gap-switch", {"noise": 0.0, "items": 2, "share_long": 1.0}),
        ("gap-switch", {"spread": 0.01, "share_long": 0.0}),
        ("decay-repeat", {"repeat": 1.0, "hours": 0.01}),
        ("periodic", {"period": 1, "pool": 1}),
        ("periodic", {"period": 8, "pool": 4, "items": 4, "noise": 1.0}),
        ("noise-hmm", {"noise": 0.0}),
        ("noise-hmm", {"noise": 1.0}),
        ("recall", {"keys": 2, "round": 5, "shortest": 0, "longest": 1, "older": 1.0}),
        ("slow-interest", {"change": 1.0, "clusters": 2, "size": 1}),
        ("taste", {"concentration": 0.05, "size": 1}),
        ("taste-chain", {"links": 1, "chain": 1.0}),
        ("threads", {"chains": 1, "followed": 1, "steps": 2}),
    ],
)
def test_dials_at_their_ends(name, dials):
    made = world(name, **dials)
    histories = made.sample(0, 20, length=15)
    changed = ", ".join(f"{key}={value:g}" for key, value in dials.items())
    assert all(each in str(histories.report) for each in changed.split(", "))
    for predictor in made.predictors:
        rows = made.bayes_rows(histories, np.arange(300), predictor)
        np.testing.assert_allclose(rows.sum(axis=1), 1.0, atol=1e-9, rtol=0)
    assert (made.bayes_rows(histories, np.arange(300))[np.arange(300), histories.items] > 0).all()


def test_an_unknown_predictor_is_named():
    made, histories, targets = sampled("taste")
    with pytest.raises(BadInput, match="'window of 5'"):
        made.bayes_rows(histories, targets, "window of 6")
