"""The truth behind the synthetic shoppers: exact rows against an independent account, calibration, ceilings."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from seqrec_edu.data.check import BadInput
from seqrec_edu.data.histories import Histories
from seqrec_edu.data.split import leave_one_out
from seqrec_edu.data.synthetic import Ceiling, Shop, World, shoppers, shoppers_world
from seqrec_edu.data.synthetic.catalogue import FAVOURITES, GENRE_OF, SHOPPERS
from seqrec_edu.data.synthetic.clock import VISIT_GAP
from seqrec_edu.data.synthetic.world import rank_gains, ranking

DAY = 86_400


@pytest.fixture(scope="module")
def histories() -> Histories:
    return shoppers()


@pytest.fixture(scope="module")
def world() -> Shop:
    return shoppers_world()


# Rows


def next_by_hand(shop: Shop, items: list[int], times: list[int]) -> list[float]:
    """The process as its description has it, in plain Python: sum over kinds of prior × likelihood × mixture."""
    genre = {item: (item - 1) // 15 for item in range(1, 241)}
    step = {item: (item - 1) % 15 // 3 for item in range(1, 241)}
    line = {item: (item - 1) % 3 for item in range(1, 241)}
    sales_of_line, sales_of_step = [0.2, 0.7, 0.1], [20 / 28, 4 / 28, 2 / 28, 1 / 28, 1 / 28]

    def step_after(x: int, y: int) -> float:
        if genre[x] != genre[y] or step[y] != (step[x] + 1) % 5:
            return 0.0
        return shop.same_line * (line[x] == line[y]) + (1 - shop.same_line) * sales_of_line[line[y]]

    def compared(x: int, y: int) -> float:
        if x == y or genre[x] != genre[y] or step[x] != step[y]:
            return 0.0
        return sales_of_line[line[y]] / (1 - sales_of_line[line[x]])

    def taste(kind: str, y: int) -> float:
        shares = dict(zip(SHOPPERS[kind][1], FAVOURITES, strict=True))
        of_genre = shares.get(GENRE_OF[y], 0) / 100 + (1 - sum(FAVOURITES) / 100) / 16
        return of_genre * sales_of_step[step[y]] * sales_of_line[line[y]]

    def mixture(n: int, kind: str, y: int) -> float:
        """p(item number n is y | the n before it, kind)."""
        total, left = shop.noise / 240, 1 - shop.noise
        if n:
            x, now = items[n - 1], times[n - 1]
            opened = n == 1 or now - times[n - 2] >= VISIT_GAP
            compare = shop.compare_when_opened if opened else shop.compare_later
            total += shop.chain * (compare * compared(x, y) + (1 - compare) * step_after(x, y))
            left -= shop.chain
            last_time = {items[j]: times[j] for j in range(n)}
            last_item = {genre[items[j]]: items[j] for j in range(n)}
            worth = {item: 1 / (1 + (now - t) / (shop.forget_days * DAY)) for item, t in last_time.items()}
            again = {item: w for item, w in worth.items() if item != x}
            resume = {item: worth[item] for g, item in last_item.items() if g != genre[x]}
            if again:
                total += shop.again * again.get(y, 0.0) / sum(again.values())
                left -= shop.again
            if resume:
                total += shop.resume * sum(w * step_after(i, y) for i, w in resume.items()) / sum(resume.values())
                left -= shop.resume
        return total + left * taste(kind, y)

    posterior = {kind: share / 100 for kind, (share, _) in SHOPPERS.items()}
    for n, item in enumerate(items):
        posterior = {kind: p * mixture(n, kind, item) for kind, p in posterior.items()}
    total = sum(posterior.values())
    return [0.0] + [sum(p / total * mixture(len(items), k, y) for k, p in posterior.items()) for y in range(1, 241)]


@pytest.mark.parametrize("dials", [{}, {"chain": 0.2, "resume": 0.3, "same_line": 0.5, "forget_days": 6.0}])
def test_rows_equal_the_description(dials):
    shop, made = shoppers_world(**dials), shoppers(6, seed=3, **dials)
    for user, length in enumerate((0, 1, 2, 7, 15, 30)):
        items, times = (x[:length] for x in made.history(user))
        by_hand = next_by_hand(shop, items.tolist(), times.tolist())
        np.testing.assert_allclose(shop.next_distribution(items, times), by_hand, rtol=1e-10, atol=1e-15)


def test_rows_are_distributions(world, histories):
    targets = np.arange(0, histories.offsets[60])  # first events included
    for predictor in world.predictors:
        rows = world.bayes_rows(histories, targets, predictor)
        assert rows.shape == (targets.size, 241) and rows.dtype == np.float64
        assert (rows[:, 0] == 0).all() and (rows[:, 1:] > 0).all()
        np.testing.assert_allclose(rows.sum(axis=1), 1.0, atol=1e-9, rtol=0)


def test_rows_are_calibrated(world, histories):
    """Over many events, items come as often as their probabilities say: item by item, and by size of probability."""
    targets = np.arange(histories.offsets[400])
    rows, came = world.bayes_rows(histories, targets), histories.items[targets]
    hits = np.zeros_like(rows)
    hits[np.arange(targets.size), came] = 1.0
    by_size = np.digitize(rows, [0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.2, 0.4])
    by_item = np.broadcast_to(np.arange(241), rows.shape)
    for group in (by_size, by_item):
        found, expected, variance = (np.bincount(group.ravel(), x.ravel()) for x in (hits, rows, rows * (1 - rows)))
        assert (np.abs(found - expected) <= 4.5 * np.sqrt(variance) + 1).all()


def test_one_history_and_many_agree(world, histories):
    targets = np.array([5, int(histories.offsets[9]) + 30, 5, int(histories.offsets[3])])
    for predictor in world.predictors:
        rows = world.bayes_rows(histories, targets, predictor)
        for row, target in zip(rows, targets, strict=True):
            start = histories.offsets[np.searchsorted(histories.offsets, target, side="right") - 1]
            one = world.next_distribution(histories.items[start:target], histories.times[start:target], predictor)
            np.testing.assert_allclose(row, one, rtol=1e-10)


def test_what_each_predictor_sees(world, histories):
    items, times = (x[:12] for x in histories.history(3))
    shifted = times + 1_000_003
    opened = np.append(times[:-1], times[-2] + 10 * VISIT_GAP)  # a pause before the last event
    seen = {name: world.next_distribution(items, times, name) for name in world.predictors}
    for name in world.predictors:
        np.testing.assert_allclose(world.next_distribution(items, shifted, name), seen[name], rtol=1e-9)
    assert np.abs(world.next_distribution(items, opened) - world.next_distribution(items, times)).max() > 0.01
    np.testing.assert_array_equal(world.next_distribution(items, opened, "without time"), seen["without time"])
    np.testing.assert_array_equal(
        world.next_distribution(items[-1:], times[-1:], "last item only"), seen["last item only"]
    )
    np.testing.assert_array_equal(world.next_distribution([], [], "popularity"), seen["popularity"])
    swapped = items[[*range(10), 11, 10]]
    assert np.abs(world.next_distribution(swapped, times) - seen["bayes"]).max() > 0.01


def test_kinds_are_the_hidden_ones(world, histories):
    kinds = world.kinds(0, histories.n_users)
    shares = {kind: kinds.count(kind) / len(kinds) for kind in SHOPPERS}
    assert all(abs(shares[kind] - share / 100) < 0.035 for kind, (share, _) in SHOPPERS.items())
    own = [
        np.mean([GENRE_OF[item] in SHOPPERS[kind][1] for item in histories.history(user)[0]])
        for user, kind in enumerate(kinds)
    ]
    assert np.mean(own) > 0.75


# Ceilings


@pytest.fixture(scope="module")
def ceilings(world, histories) -> dict[str, Ceiling]:
    targets = leave_one_out(histories).test
    return {name: world.ceiling(histories, targets, name) for name in world.predictors}


def realised(world: World, histories: Histories, targets: np.ndarray, predictor: str) -> dict[str, float]:
    order = ranking(world.bayes_rows(histories, targets, predictor))
    ranks = (order == histories.items[targets][:, None]).argmax(axis=1)
    return {name: gain[ranks].mean() for name, gain in rank_gains(histories.n_items).items()}


def test_ceiling_agrees_with_what_happens_and_nobody_beats_it(world, histories, ceilings):
    targets, ceiling = leave_one_out(histories).test, ceilings["bayes"]
    assert ceiling.targets == targets.size == 2000 and "HR@10" in str(ceiling)
    for predictor in world.predictors:
        expected, found = ceilings[predictor], realised(world, histories, targets, predictor)
        for name, value in found.items():
            assert abs(value - expected.metrics[name]) < 4 * expected.errors[name], (predictor, name)
            assert value < ceiling.metrics[name] + 4 * ceiling.errors[name], (predictor, name)
            assert expected.metrics[name] <= ceiling.metrics[name] + 1e-12, (predictor, name)


def test_order_matters_much_and_time_matters(ceilings):
    found = {name: ceiling.metrics for name, ceiling in ceilings.items()}
    hit = {name: metrics["HR@10"] for name, metrics in found.items()}
    assert 0.15 < hit["popularity"] < 0.25 < hit["last item only"] - 0.25
    assert 0.5 < hit["last item only"] + 0.1 < hit["bayes"] < 0.75
    assert found["without time"]["HR@1"] + 0.05 < found["bayes"]["HR@1"]
    assert found["without time"]["NDCG@10"] + 0.04 < found["bayes"]["NDCG@10"]


def test_ceiling_by_hand():
    """Three items, one target: the sum over the true row written out."""

    class Coin(World):
        item_ids = ("<pad>", "a", "b", "c")
        predictors = ("bayes", "stubborn")

        def sample(self, seed, users, length=None):
            raise NotImplementedError

        def walk(self, items, times, predictor="bayes"):
            row = np.array([0, 0.2, 0.5, 0.3] if predictor == "bayes" else [0, 1.0, 0, 0])
            return (np.tile(row, (len(items), 1)) for _ in range(items.shape[1] + 1))

    coin = Coin()
    coin.item_ids = list(coin.item_ids)
    one = Histories(np.array([1, 1], np.int32), np.array([0, 1]), np.array([0, 2]), coin.item_ids, ["u"])
    best = coin.ceiling(one, np.array([1]), cutoffs=(1, 2))
    assert best.metrics["HR@1"] == pytest.approx(0.5) and best.metrics["HR@2"] == pytest.approx(0.8)
    assert best.metrics["NDCG@2"] == pytest.approx(0.5 + 0.3 / np.log2(3))
    assert best.metrics["MRR"] == pytest.approx(0.5 + 0.3 / 2 + 0.2 / 3)
    assert best.errors["HR@1"] == pytest.approx(0.5)
    blind = coin.ceiling(one, np.array([1]), "stubborn", cutoffs=(1, 2))  # a, then b and c by index
    assert blind.metrics["HR@1"] == pytest.approx(0.2) and blind.metrics["HR@2"] == pytest.approx(0.7)


# Errors


@pytest.mark.parametrize(
    ("items", "times", "says"),
    [
        ([1, 2], [0], "equally long"),
        ([[1]], [[0]], "one list each"),
        ([241], [0], "items must be in 1..240"),
        ([0], [0], "items must be in 1..240"),
        ([1.5], [0], "whole numbers"),
        ([1, 2], [5.0, 6.0], "whole numbers"),
        ([1, 2], [5, 4], "must not decrease"),
    ],
)
def test_bad_history(world, items, times, says):
    with pytest.raises(BadInput, match=says):
        world.next_distribution(items, times)


def test_bad_targets(world, histories):
    for targets, says in (
        ([[1]], "flat"),
        ([0.5], "flat"),
        ([-1], "must lie in"),
        ([histories.n_events], "must lie in"),
    ):
        with pytest.raises(BadInput, match=says):
            world.bayes_rows(histories, np.array(targets))
    with pytest.raises(BadInput, match="at least one target"):
        world.ceiling(histories, np.array([], dtype=int))
    with pytest.raises(BadInput, match="'last item only'"):
        world.ceiling(histories, np.array([1]), "psychic")
    renumbered = dataclasses.replace(histories, item_ids=["<pad>", *reversed(histories.item_ids[1:])])
    with pytest.raises(BadInput, match="renumbered"):
        world.bayes_rows(renumbered, np.array([1]))
