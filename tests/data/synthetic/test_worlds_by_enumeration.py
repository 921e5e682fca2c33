"""Bayes rows of tiny worlds against an account of their own: p(y | h) = P(h, y) / P(h), P summed over what is hidden.

Nothing here is recursive or clever: a world is described once more as a list of everything that could have happened.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable
from statistics import NormalDist

import numpy as np
import pytest

from seqrec_edu.data.synthetic.worlds import Planted, world
from seqrec_edu.data.synthetic.worlds.gaps import log_chance

History = tuple[int, ...]


def row_by(chance: Callable[[History], float], history: History, n_items: int) -> np.ndarray:
    joint = [0.0, *(float(chance((*history, y))) for y in range(1, n_items + 1))]
    return np.array(joint) / sum(joint)


def assert_rows(made: Planted, chance: Callable[[History], float], histories: list[History]) -> None:
    n_items = len(made.item_ids) - 1
    for history in histories:
        found = made.next_distribution(np.array(history, dtype=int), np.arange(len(history)))
        np.testing.assert_allclose(found, row_by(chance, history, n_items), rtol=1e-9, atol=1e-12, err_msg=str(history))


def possible(made: Planted, lengths: range, users: int = 3) -> list[History]:
    """Histories that the world itself made, cut to each length."""
    histories = made.sample(9, users, length=max(lengths))
    return [tuple(histories.history(user)[0][:n].tolist()) for user in range(users) for n in lengths]


def anything(n_items: int, length: int) -> list[History]:
    return [h for n in range(length + 1) for h in itertools.product(range(1, n_items + 1), repeat=n)]


@pytest.mark.parametrize(("period", "pool", "items"), [(2, 2, 3), (3, 3, 3), (3, 1, 4), (1, 2, 3), (2, 4, 3)])
def test_periodic_over_all_pools_and_schedules(period, pool, items):
    noise = 0.35
    made = world("periodic", items=items, period=period, pool=pool, noise=noise)
    each = range(1, items + 1)
    schedules = Counter(
        tuple(members[choice] for choice in choices)
        for members in itertools.product(each, repeat=pool)
        for choices in itertools.product(range(pool), repeat=period)
    )

    def chance(history: History) -> float:
        return sum(
            times * math.prod(noise / items + (1 - noise) * (x == slots[k % period]) for k, x in enumerate(history))
            for slots, times in schedules.items()
        )

    assert_rows(made, chance, [*anything(items, 3), *possible(made, range(4, 9))])


def test_noise_hmm_over_all_paths():
    items, noise = 4, 0.3
    made = world("noise-hmm", items=items, noise=noise)

    def chance(history: History) -> float:
        total = 0.0
        for start, *noisy in itertools.product(range(items), *[(True, False)] * len(history)):
            cursor, p = start, 1 / items
            for x, covered in zip(history, noisy, strict=True):
                cursor = cursor if covered else (cursor + 1) % items
                p *= noise / items if covered else (1 - noise) * (x == cursor + 1)
            total += p
        return total

    assert_rows(made, chance, [*anything(items, 3), *possible(made, range(4, 7))])


def test_slow_interest_over_all_paths():
    clusters, size, change, noise = 3, 2, 0.2, 0.4
    made = world("slow-interest", clusters=clusters, size=size, change=change, noise=noise)
    n = clusters * size

    def chance(history: History) -> float:
        total = 0.0
        for path in itertools.product(range(clusters), repeat=len(history)):
            p = 1 / clusters
            for k, (x, z) in enumerate(zip(history, path, strict=True)):
                p *= 1 if k == 0 else 1 - change if z == path[k - 1] else change / (clusters - 1)
                p *= noise / n + (1 - noise) / size * ((x - 1) // size == z)
            total += p
        return total

    assert_rows(made, chance, [*anything(n, 2), *possible(made, range(3, 7))])


def test_recall_over_all_rounds():
    """Every place of key and older key, every key, every answer; distractors are all alike."""
    keys, distractors, length, shortest, longest, older, noise = 3, 2, 8, 1, 4, 0.4, 0.1
    made = world(
        "recall", keys=keys, distractors=distractors, round=length, shortest=shortest, longest=longest, older=older,
        noise=noise,
    )  # fmt: skip
    weights = {d: math.log((d + 1) / d) for d in range(shortest, longest + 1)}
    rounds = []
    for d, weight in weights.items():
        at = length - 3 - d
        for key in range(keys):
            for answer in range(keys):
                p = weight / keys * (noise / keys + (1 - noise) * (answer == key))
                fixed = {at: 1 + key, length - 2: 1 + 2 * keys, length - 1: 1 + keys + answer}
                rounds.append((p * (1 - older), fixed))
                for place, other in itertools.product(range(at), range(keys)):
                    if other != key:
                        rounds.append((p * older / at / (keys - 1), {**fixed, place: 1 + other}))

    def chance(history: History) -> float:
        first, second = history[:length], history[length:]
        return of_round(first) * (of_round(second) if second else 1.0)

    def of_round(history: History) -> float:
        total = 0.0
        for p, fixed in rounds:
            for k, x in enumerate(history):
                p *= (x == fixed[k]) if k in fixed else (x > 1 + 2 * keys) / distractors
            total += p
        return total

    assert_rows(made, chance, possible(made, range(0, 14), users=40))


def dirichlet(counts: list[int], concentration: float) -> float:
    """Chance of one sequence with these counts, under symmetric Dirichlet weights."""
    total = math.lgamma(len(counts) * concentration) - math.lgamma(len(counts) * concentration + sum(counts))
    return math.exp(total + sum(math.lgamma(concentration + n) - math.lgamma(concentration) for n in counts))


def test_threads_over_all_sets_of_chains():
    chains, steps, followed, concentration = 4, 3, 2, 0.7
    made = world("threads", chains=chains, steps=steps, followed=followed, concentration=concentration)

    def chance(history: History) -> float:
        own = [[(x - 1) % steps for x in history if (x - 1) // steps == c] for c in range(chains)]
        if any(b != (a + 1) % steps for places in own for a, b in itertools.pairwise(places)):
            return 0.0
        met = {c for c in range(chains) if own[c]}
        starts = steps ** -len(met)
        sets = [mine for mine in itertools.combinations(range(chains), followed) if met <= set(mine)]
        return starts * sum(dirichlet([len(own[c]) for c in mine], concentration) for mine in sets)

    assert_rows(made, chance, possible(made, range(0, 9), users=12))
    for predictor, window in (("last item only", 1), ("window of 5", 5)):
        for history in possible(made, range(0, 12), users=4):
            found = made.next_distribution(np.array(history, dtype=int), np.arange(len(history)), predictor)
            seen = history[-window:] if history else ()
            np.testing.assert_allclose(found, row_by(chance, seen, chains * steps), rtol=1e-9, atol=1e-12)


def test_taste_and_taste_chain_over_all_sequences():
    clusters, size, concentration, links, chain = 3, 2, 0.4, 3, 0.35
    dials = {"clusters": clusters, "size": size, "concentration": concentration}

    def taste(history: History) -> float:
        counts = Counter((x - 1) // size for x in history)
        return dirichlet([counts[c] for c in range(clusters)], concentration) / size ** len(history)

    def both(history: History) -> float:
        of_chain = [x - 1 - clusters * size for x in history if x > clusters * size]
        if any(b != (a + 1) % links for a, b in itertools.pairwise(of_chain)):
            return 0.0
        rest = tuple(x for x in history if x <= clusters * size)
        return chain ** len(of_chain) * (1 / links if of_chain else 1) * (1 - chain) ** len(rest) * taste(rest)

    made = world("taste", **dials)
    assert_rows(made, taste, [*anything(clusters * size, 2), *possible(made, range(3, 9))])
    for predictor, window in (("window of 5", 5), ("last cluster", 1)):
        for history in possible(made, range(1, 9)):
            found = made.next_distribution(np.array(history), np.arange(len(history)), predictor)
            np.testing.assert_allclose(found, row_by(taste, history[-window:], clusters * size), rtol=1e-9)
    made = world("taste-chain", links=links, chain=chain, **dials)
    assert_rows(made, both, possible(made, range(0, 9), users=10))
    for history in possible(made, range(1, 9)):
        found = made.next_distribution(np.array(history), np.arange(len(history)), "last item only")
        np.testing.assert_allclose(found, row_by(both, history[-1:], clusters * size + links), rtol=1e-9, atol=1e-12)


# Worlds in which time counts, by hand


@pytest.mark.parametrize(("short", "long", "spread"), [(120.0, 172_800.0, 0.6), (100.0, 160.0, 0.4), (3.0, 9.0, 1.0)])
def test_gap_switch_by_the_normal_distribution(short, long, spread):
    made = world("gap-switch", items=5, noise=0.2, short=short, long=long, spread=spread, share_long=0.3)
    for seconds in (0, 1, 2, 7, 90, 130, 200, 3_000, 100_000):

        def chance(median: float, seconds: int = max(seconds, 1)) -> float:
            normal = NormalDist(math.log(median), spread)
            return normal.cdf(math.log(seconds + 1)) - (normal.cdf(math.log(seconds)) if seconds > 1 else 0.0)

        weights = 0.7 * chance(short), 0.3 * chance(long)
        if sum(weights) < 1e-9:
            continue  # here the differences above have lost their digits
        by_hand = np.full(6, 0.2 / 5)
        by_hand[0] = 0.0
        for g in (0, 1):
            by_hand[made.successors[g, 4]] += 0.8 * weights[g] / sum(weights)
        np.testing.assert_allclose(made.next_distribution([2, 4], [50, 50 + seconds]), by_hand, rtol=1e-6, atol=1e-9)


def test_the_law_of_gaps_sums_to_one_and_is_finite_far_out():
    assert np.exp(log_chance(np.arange(1, 200_000), 120.0, 0.6)).sum() == pytest.approx(1.0, abs=1e-12)
    far = log_chance(np.array([1, 10**6, 10**9, 10**12]), 120.0, 0.01)
    assert np.isfinite(far).all() and (np.diff(far[1:]) < 0).all()


@pytest.mark.parametrize("until_next", [0, 1, 3_600, 10**6])
def test_decay_repeat_by_hand_whenever_the_next_event_comes(until_next):
    """Ages up to the time of the next event, whenever that is: the row does not change."""
    made = world("decay-repeat", items=6, repeat=0.7, hours=2.0)
    items, times = [3, 5, 3, 2, 2], [0, 0, 4_000, 4_001, 90_000]
    weights = dict.fromkeys(range(1, 7), 0.0)
    for x, t in zip(items, times, strict=True):
        weights[x] += math.exp(-(times[-1] + until_next - t) / 7_200)
    by_hand = [0.0, *(0.3 / 6 + 0.7 * weights[y] / sum(weights.values()) for y in range(1, 7))]
    np.testing.assert_allclose(made.next_distribution(items, times), by_hand, rtol=1e-9)
