"""Intervals that cover as often as they say, and verdicts that follow from them."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from seqrec_edu.data import leave_one_out
from seqrec_edu.data.synthetic import shoppers
from seqrec_edu.reproduce import Claim, judge, read_results
from seqrec_edu.reproduce.published import Figure
from seqrec_edu.reproduce.ranks import Ranks, question
from seqrec_edu.reproduce.verdict import against_published, difference, interval, seed_error, t_quantile

CLAIM = Claim("Time helps.", "tim4rec", "tim4rec-no-time")
FIGURE = Figure("tim4rec", "TiM4Rec", "shoppers", "a paper", "A", {"NDCG@10": 0.5, "HR@10": 0.5})


def test_quantiles_of_student_t_are_those_of_the_tables():
    table = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 10: 2.228, 30: 2.042, 120: 1.980}
    assert {df: round(t_quantile(0.95, df), 3) for df in table} == table
    assert t_quantile(0.99, 4) == pytest.approx(4.6041, abs=1e-4)


@pytest.mark.parametrize(("seeds", "users", "between"), [(3, 200, 0.0), (3, 200, 0.02), (2, 100, 0.05)])
def test_the_interval_covers_the_true_difference_as_often_as_it_says(seeds, users, between):
    rng, true, covered, tries = np.random.default_rng(0), 0.01, 0, 200
    for _ in range(tries):
        person = rng.normal(size=users)  # what both variants find hard
        makes = [rng.normal(scale=0.1, size=users) for _ in range(2)]  # whom one variant suits
        a, b = (
            mean + 0.3 * person + own + rng.normal(scale=between, size=(seeds, 1))
            + rng.normal(scale=0.1, size=(seeds, users))
            for mean, own in zip((true, 0.0), makes, strict=True)
        )  # fmt: skip
        found = difference(a, b, resamples=100)
        covered += found.low <= true <= found.high
    # 0.95, less what 200 tries can miss by; above it where the error between seeds has few degrees of freedom.
    assert covered / tries > 0.92


def test_without_spread_between_seeds_it_is_the_paired_bootstrap_over_users():
    rng = np.random.default_rng(1)
    a, b = rng.random((1, 300)), rng.random((1, 300))
    one, three = difference(a, b), difference(np.repeat(a, 3, 0), np.repeat(b, 3, 0))
    assert (one.value, one.low, one.high) == pytest.approx((three.value, three.low, three.high), abs=1e-12)
    half = 1.96 * (a - b).std() / np.sqrt(300)
    assert one.value - one.low == pytest.approx(half, rel=0.15)


def test_the_error_between_seeds_is_that_of_a_two_sample_t_interval():
    a, b = np.array([0.10, 0.12, 0.11]), np.array([0.20, 0.20, 0.23])
    pooled = (a.var(ddof=1) + b.var(ddof=1)) / 2
    assert seed_error(a, b) == pytest.approx(2.7764 * np.sqrt(pooled * (1 / 3 + 1 / 3)), rel=1e-4)
    assert seed_error(a[:1], b[:1]) == 0.0


@pytest.mark.parametrize(("better", "word"), [(0.5, "supported"), (-0.5, "contradicted"), (0.0, "cannot tell")])
def test_a_claim_is_judged_by_its_interval(keep, tmp_path, better, word):
    for seed in (0, 1, 2):
        keep("tim4rec", seed, better)
        keep("tim4rec-no-time", seed + 1)
    judged = judge(CLAIM, read_results(tmp_path / "results")["shoppers"])
    assert judged.verdict.word == word and judged.seeds == 2  # 1 and 2 are there on both sides
    main = judged.differences["NDCG@10"]
    assert main.low <= main.value <= main.high and set(judged.differences) == {"NDCG@10", "HR@10"}


def test_a_person_counts_once_however_many_targets_there_are():
    users = np.array([0, 0, 0, 0, 7])
    ranks = {"tim4rec": [1.0, 99.0, 99.0, 99.0, 99.0], "tim4rec-no-time": [99.0] * 5}
    outcomes = {
        name: SimpleNamespace(
            first=SimpleNamespace(protocol={"objective": "prefix"}),
            ranks={seed: Ranks(np.array(each), users, "asked") for seed in (0, 1)},
        )
        for name, each in ranks.items()
    }
    found = judge(CLAIM, outcomes).differences["HR@10"]
    assert found.value == pytest.approx((1 / 4 + 0) / 2) and found.low == 0.0 and found.high == pytest.approx(1 / 4)


@pytest.mark.parametrize(("better", "worse"), [((2, 5), (2, 6)), ((2, 5), (3, 5)), ((5,), (5,))])
def test_only_the_same_people_are_compared(better, worse):
    with pytest.raises(ValueError, match="two tables 'seeds users' of one shape"):
        difference(np.zeros(better), np.zeros(worse))


def test_the_question_is_items_and_targets_but_not_times():
    split = leave_one_out(shoppers(users=30))
    asked, h = question(split), split.histories
    assert question(replace(split, histories=replace(h, times=h.times + 1))) == asked
    assert question(replace(split, valid=split.valid - 1)) == asked
    assert question(replace(split, test=split.test - 1)) != asked
    assert question(replace(split, histories=replace(h, items=h.items[::-1]))) != asked
    more = {"offsets": np.append(h.offsets, h.offsets[-1]), "user_ids": [*h.user_ids, "somebody without events"]}
    assert question(replace(split, histories=replace(h, **more))) != asked


def test_what_cannot_be_judged_says_why(keep, tmp_path):
    path = keep("tim4rec", better=2.0)
    read = lambda: read_results(tmp_path / "results")["shoppers"]  # noqa: E731
    assert str(judge(CLAIM, read()).verdict) == "not run (no receipt of tim4rec-no-time)"
    keep("tim4rec-no-time")
    judged = judge(CLAIM, read())
    assert judged.verdict.word == "cannot tell" and "one seed" in judged.verdict.why and judged.differences
    path.with_suffix(".npz").unlink()
    assert judge(CLAIM, read()).verdict.why == "no ranks of a seed that both have"


def test_published_figures_agree_within_our_interval_and_nobody_can_tell_within_what_they_disagree_about(
    keep, tmp_path
):
    for seed in (0, 1):
        keep("tim4rec", seed)
    outcome = read_results(tmp_path / "results")["shoppers"]["tim4rec"]
    ours = interval(outcome, "NDCG@10")
    seeds = abs(np.diff(outcome.values("NDCG@10"))[0])
    figure = lambda value, **more: Figure(**{**vars(FIGURE), "values": {"NDCG@10": value}, **more})  # noqa: E731

    def word(figure, *others):
        return against_published(figure, "NDCG@10", outcome, (figure, *others))[0].word

    near, far = figure(ours.high + 0.9 * seeds), figure(ours.high + 1.1 * seeds)
    assert (word(near), word(far)) == ("agrees", "differs")
    assert word(far, figure(far.values["NDCG@10"] + 0.2 * seeds)) == "cannot tell"
    assert word(near, figure(0.9)) == "agrees"
    assert word(far, figure(0.9, comparable=False), figure(0.9, data="other"), figure(0.9, model="sasrec")) == "differs"
    assert word(figure(0.5, comparable=False, note="other data")) == "cannot tell"
    assert against_published(near, "NDCG@10", None, (near,))[0].word == "not run"


def test_one_seed_is_not_held_against_a_published_figure_but_counting_is(keep, tmp_path):
    keep("tim4rec")
    keep("popularity", None)
    outcomes = read_results(tmp_path / "results")["shoppers"]
    verdict, _ = against_published(FIGURE, "HR@10", outcomes["tim4rec"], (FIGURE,))
    assert str(verdict) == "cannot tell (one seed here)"
    counted = Figure(**{**vars(FIGURE), "model": "popularity", "values": {"HR@10": 0.999}})
    assert against_published(counted, "HR@10", outcomes["popularity"], (counted,))[0].word == "differs"
