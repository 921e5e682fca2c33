"""Mixtures of worlds, sweeps along a dial, and worlds as data sets that people load, list and show."""

from __future__ import annotations

import numpy as np
import pytest
from typer.testing import CliRunner

from seqrec_edu.cli.data import app
from seqrec_edu.data.check import BadInput
from seqrec_edu.data.sources.load import add, load
from seqrec_edu.data.sources.registry import SourceError, UnknownDataset
from seqrec_edu.data.synthetic import WORLDS, Mixture, Shop, mixture, shoppers, shoppers_world, sweep, world
from seqrec_edu.data.synthetic.world import rank_gains, ranking

PATTERNS = {"gap-switch": 0.3, "taste": 0.5, "noise-hmm": 0.2}
PINNED = "5dd1b9a364e5558c2ab3d3fbf97e4bb8f73fd9db824a423929c4b764aeee5d9f"


@pytest.fixture(scope="module")
def mixed() -> Mixture:
    return mixture(PATTERNS)


@pytest.fixture(scope="module")
def histories(mixed):
    return mixed.sample(seed=2, users=400)


# Mixtures


def test_users_are_those_of_the_worlds(mixed, histories):
    home = mixed.world_of(2, 400)
    assert np.abs(np.bincount(home) / 400 - [0.3, 0.5, 0.2]).max() < 4 * np.sqrt(0.25 / 400)
    for number, name in enumerate(PATTERNS):
        alone = world(name).sample(seed=2, users=400)
        for user in np.flatnonzero(home == number)[:20]:
            items, times = histories.history(user)
            np.testing.assert_array_equal(times, alone.history(user)[1])
            ids = [f"{name}: {alone.item_ids[item]}" for item in alone.history(user)[0]]
            assert [histories.item_ids[item] for item in items] == ids
    assert mixed.sample(2, 5).history(4)[0].tolist() == histories.history(4)[0].tolist()
    assert mixed.sample(2, 30).hash == PINNED
    assert "gap-switch 0.3, taste 0.5, noise-hmm 0.2" in str(histories.report)


def test_rows_are_those_of_the_world_once_it_is_known(mixed, histories):
    targets = np.concatenate([histories.offsets[:40] + k for k in (0, 1, 2, 17, 49)])
    home = np.tile(mixed.world_of(2, 400)[:40], 5)
    first = mixed.next_distribution([], [])
    at = mixed.offsets + 1
    for predictor in mixed.predictors:
        rows = mixed.bayes_rows(histories, targets, predictor)
        np.testing.assert_allclose(rows.sum(axis=1), 1.0, atol=1e-9, rtol=0)
        assert (rows[:, 0] == 0).all()
        np.testing.assert_allclose(rows[:40], np.tile(first, (40, 1)), rtol=1e-12)
        for number, (name, part) in enumerate(zip(mixed.names, mixed.parts, strict=True)):
            assert first[at[number] : at[number + 1]].sum() == pytest.approx(PATTERNS[name])
            own = predictor.removeprefix(f"{name}: ") if predictor.startswith(name) else "bayes"
            alone = part.sample(2, 40)
            some = np.flatnonzero((home == number) & (np.arange(200) >= 40))
            by_part = part.bayes_rows(alone, (targets - histories.offsets[0])[some], own)
            np.testing.assert_allclose(rows[some][:, at[number] : at[number + 1]], by_part[:, 1:], rtol=1e-12)


def test_ceiling_of_a_mixture(mixed, histories):
    targets = histories.offsets[1:] - 1
    best = mixed.ceiling(histories, targets)
    order = ranking(mixed.bayes_rows(histories, targets))
    ranks = (order == histories.items[targets][:, None]).argmax(axis=1)
    for name, gain in rank_gains(histories.n_items).items():
        assert abs(gain[ranks].mean() - best.metrics[name]) < 4 * best.errors[name]
    home = mixed.world_of(2, 400)
    by_world = [world(name).ceiling(world(name).sample(2, 400), targets[home == n]) for n, name in enumerate(PATTERNS)]
    assert best.metrics["HR@10"] == pytest.approx(sum(each.metrics["HR@10"] * each.targets for each in by_world) / 400)
    assert set(mixed.predictors[1:]) == {
        "gap-switch: without time", "taste: window of 5", "taste: last cluster", "noise-hmm: last item only"
    }  # fmt: skip
    for predictor in mixed.predictors[1:]:
        blind = mixed.ceiling(histories, targets, predictor).metrics
        assert all(blind[name] <= value + 1e-9 for name, value in best.metrics.items())
        assert blind["HR@1"] < best.metrics["HR@1"]


def test_a_history_of_two_worlds_is_refused(mixed):
    one, other = mixed.item_ids.index("gap-switch: a5"), mixed.item_ids.index("taste: cluster 1, item 1")
    with pytest.raises(BadInput, match="'gap-switch' and 'taste'"):
        mixed.next_distribution([one, other], [0, 1])


def test_shoppers_with_patterns():
    made, plain = shoppers(60, seed=1, patterns={"periodic": 0.4}), shoppers(60, seed=1)
    truth = shoppers_world(patterns={"periodic": 0.4})
    assert truth.names == ("shoppers", "periodic") and truth.shares == (0.6, 0.4)
    home = truth.world_of(1, 60)
    user, other = np.flatnonzero(home == 0)[0], np.flatnonzero(home == 1)[0]
    assert [made.label(item) for item in made.history(user)[0]] == [plain.label(i) for i in plain.history(user)[0]]
    assert made.label(int(made.history(other)[0][0])).startswith("periodic: item ")
    assert made.item_genres[made.history(other)[0][0]] == "periodic"
    assert made.item_genres[made.history(user)[0][0]] == plain.item_genres[plain.history(user)[0][0]]
    rows = truth.bayes_rows(made, made.offsets[1:] - 1)
    np.testing.assert_allclose(rows.sum(axis=1), 1.0, atol=1e-9, rtol=0)
    assert isinstance(shoppers_world(), Shop) and shoppers_world(patterns={"taste": 1.0}).names == ("taste",)
    assert shoppers_world(patterns={"taste": 0.5}, chain=0.2).parts[0] == Shop(chain=0.2)


def test_dials_go_to_their_world():
    made = mixture({"taste": 0.5, "recall": 0.5}, dials={"recall": {"keys": 4}})
    assert made.parts == (world("taste"), world("recall", keys=4))
    assert "recall: dials: keys=4" in str(made.sample(0, 4).report)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: mixture({"gap-swich": 1.0}), "no world is called 'gap-swich'. The worlds are: gap-switch"),
        (lambda: mixture({"taste": 0.4}), "must add up to 1, got 0.4"),
        (lambda: mixture({}), "must add up to 1"),
        (lambda: mixture({"taste": 1.2, "recall": -0.2}), "share of 'recall' must be a number above 0"),
        (lambda: mixture({"taste": "all"}), "share of 'taste' must be a number"),
        (lambda: mixture({"taste": 1}, dials={"recall": {}}), "dials for recall"),
        (lambda: mixture({"taste": 1}, dials={"taste": {"keys": 4}}), "taste has no dial keys"),
        (lambda: mixture({"shoppers": 1}, dials={"shoppers": {"chian": 0.4}}), "unknown dial: chian"),
        (lambda: shoppers(5, patterns={"taste": 1.5}), "must add up to 1, got 1.5"),
        (lambda: shoppers(5, patterns={"taste": 1}, chain=0.3), "dials for shoppers"),
        (lambda: mixture({"taste": 1}).sample(0, 0), "users must be a whole number"),
    ],
)
def test_bad_mixtures(call, says):
    with pytest.raises(BadInput, match=says):
        call()


# Sweeps


def test_a_sweep_shows_when_time_starts_to_matter():
    table = sweep("gap-switch", "long", [120, 480, 7_200], metric="HR@1", users=150)
    assert [list(row) for row in table] == [["long", "bayes", "without time"]] * 3
    assert [row["long"] for row in table] == [120, 480, 7_200]
    assert all(type(row["bayes"]) is float for row in table)
    assert table[0]["bayes"] == pytest.approx(table[0]["without time"])
    assert table[0]["bayes"] < table[1]["bayes"] - 0.2 < table[2]["bayes"] - 0.2
    assert table[2]["bayes"] == pytest.approx(0.9005, abs=1e-3)
    assert all(row["bayes"] >= row["without time"] - 1e-12 for row in table)


def test_a_sweep_keeps_the_other_dials():
    (row,) = sweep("noise-hmm", "noise", [0.2], users=50, metric="HR@1", items=50)
    assert row["bayes"] == pytest.approx(0.8 + 0.2 / 50, abs=0.01)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: sweep("tast", "size", [2]), "Did you mean 'taste'"),
        (lambda: sweep("taste", "sise", [2]), "taste has no dial sise"),
        (lambda: sweep("taste", "size", [2, 0]), "size .* must lie in"),
        (lambda: sweep("taste", "size", [2], metric="HR@7"), "metric must be one of HR@1, HR@5, HR@10"),
        (lambda: sweep("taste", "size", [2], users=0), "users must be"),
    ],
)
def test_bad_sweeps(call, says):
    with pytest.raises(BadInput, match=says):
        call()


# As data sets


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQREC_EDU_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("SEQREC_EDU_MIRROR", raising=False)
    return tmp_path


def run(*arguments, code=0):
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == code, result.output
    return result.output


@pytest.mark.parametrize("name", WORLDS)
def test_load_by_name(name, home):
    made = load(name, users=3, seed=5, mirror=home)
    assert made.hash == world(name).sample(5, 3).hash and made.name == name
    assert not (home / "data").exists()


def test_load_takes_dials_and_refuses_others(home):
    assert load("gap-switch", users=4, length=9, noise=0.5).hash == world("gap-switch", noise=0.5).sample(0, 4, 9).hash
    with pytest.raises(BadInput, match="gap-switch has no dial nois"):
        load("gap-switch", users=4, nois=0.5)
    with pytest.raises(UnknownDataset, match="Did you mean gap-switch"):
        load("gap-swich")
    (home / "x.tsv").write_text("user_id\titem_id\ttimestamp\n1\t2\t3\n")
    with pytest.raises(SourceError, match="'threads' is the name of a known dataset"):
        add(home / "x.tsv", "threads", core=0)


def test_data_list_and_show(home):
    lines = {line.split()[0]: line for line in run("list").splitlines() if line}
    for name, kind in WORLDS.items():
        assert kind.decides in lines[name] and lines[name].endswith("generated")
    text = run("show", "threads")
    for expected in (
        WORLDS["threads"].winner,
        WORLDS["threads"].lesson,
        "followed=4",
        "threads, synthetic",
        "500 items",
    ):
        assert expected in text
    assert "nothing to fetch" in run("fetch", "threads")
    assert "Did you mean threads" in run("show", "thread", code=1)
