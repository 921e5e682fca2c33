"""What benchmarks/worlds.py says about the planted worlds: kept honestly, and true of what is committed."""

import importlib.util
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from seqrec_edu.data.synthetic import WORLDS, world
from seqrec_edu.data.synthetic.world import ranking
from seqrec_edu.models import build
from seqrec_edu.training.ceiling import METRICS

ROOT = Path(__file__).resolve().parents[2]
COMMITTED = sorted((ROOT / "benchmarks" / "results" / "worlds").glob("*.json"))


def _script(name):
    spec = importlib.util.spec_from_file_location(f"benchmarks_{name}", ROOT / "benchmarks" / f"{name}.py")
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


script, written = _script("worlds"), _script("worlds_page")
TRIALS = {trial.world: trial for trial in script.trials()}


# What is asked


def test_every_world_has_a_trial_and_every_line_names_what_there_is():
    assert TRIALS.keys() == WORLDS.keys()
    for trial in TRIALS.values():
        blind = world(trial.world, **trial.dials).predictors[1:]
        assert trial.metric in METRICS and trial.why and trial.lines
        for one, other, word in trial.lines:
            assert f"{one} {word} {other}" in trial.expected
            assert one in trial.blocks and (other in trial.blocks or other in blind), (trial.world, one, other)
        for label in trial.models:
            name, settings = trial.built(label)
            assert build(name, n_items=20, **settings).causal, f"{label} cannot be trained at every position"
            assert trial.training(1, label).seed == 1


# How it is kept


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """A trial that takes a moment; makes its results as the script would find them."""
    monkeypatch.setattr(script, "ASKED", {"valid": 10, "test": 40})
    trial = replace(TRIALS["gap-switch"], users=8, epochs=1, d_model=8, expected=["sasrec beats without time"])
    return lambda **changes: script.Results(replace(trial, **changes), tmp_path)


def test_a_finished_run_is_found_again_and_judged_alike(tiny):
    results = tiny()
    results.measure_predictors()
    results.judge()
    assert results.found["expectations"][0]["met"] is None, "nothing was run"
    for seed in (0, 1):
        results.run("sasrec", seed)
    results.judge()
    results.write()
    again = tiny()
    assert again.has("sasrec", 1) and not again.has("sasrec", 2)
    was = json.loads(json.dumps(results.found))
    again.judge()
    assert again.found == was and was["expectations"][0]["met"] is False and not was["leaking"]
    with pytest.raises(SystemExit, match="was made with another epochs"):
        tiny(epochs=2)
    second = tiny(epochs=2, setting="second: two epochs")
    assert second.found["runs"] == [] and [each["epochs"] for each in second.found["earlier"]] == [1]


def told(results, worth):
    """Results of runs that nobody made."""
    for (label, seed), each in worth.items():
        results.worth[f"{label}/{seed}"] = np.asarray(each, dtype=np.float32)
        results.found["runs"].append({"model": label, "seed": seed, "against the ceiling": {}})
    results.judge()
    return [(each["found"], each["met"]) for each in results.found["expectations"]]


def test_expectations_are_met_or_not(tiny):
    hit, miss = np.ones(40), np.zeros(40)
    half = np.where(np.arange(40) % 2, 1.0, 0.0)
    lines = ["tim4rec beats sasrec", "sasrec beats tim4rec", "sasrec does not beat tim4rec", "tisasrec beats sasrec"]
    worth = {("tim4rec", s): hit for s in (0, 1)} | {("sasrec", s): miss for s in (0, 1)} | {("tisasrec", 0): hit}
    assert told(tiny(expected=lines), worth) == [
        (script.BEATS, True), (script.NOT, False), (script.NOT, True), ("not run", None)
    ]  # fmt: skip
    # People agree, seeds do not: three of each, and their means .75, .75, .5 against .5, .5, .75 tell nothing.
    more = np.where(np.arange(40) % 4, 1.0, 0.0)
    worth = {("tim4rec", s): each for s, each in enumerate((more, more, half))}
    worth |= {("sasrec", s): each for s, each in enumerate((half, half, more))}
    assert told(tiny(expected=lines[:1]), worth) == [(script.NOT, False)]


def test_a_list_is_worth_what_the_truth_expects_of_it(tiny):
    """The Bayes list is worth the ceiling, another one less; and a model's lists put first what scores highest."""
    results = tiny()
    results.measure_predictors()
    split = results.split(0)
    assert results.worth["bayes"].mean() == pytest.approx(results.found["predictors"]["bayes"]["HR@1"], abs=6e-6)
    model = build("sasrec", n_items=split.histories.n_items, d_model=8, history_length=50, seed=0)
    scores = script.scores_of(model, split, 50)
    ranks = 1 + (ranking(scores) == split.histories.items[split.test][:, None]).argmax(axis=1)
    np.testing.assert_array_equal(ranks, script.evaluate(model, split, "test", history_length=50).ranks)
    assert (results.worth_of(scores)["HR@10"] <= results.worth_of(results.truth)["HR@10"] + 1e-12).all()
    # All alike: any ten of the items are as good as any others, whatever the truth.
    blind = results.worth_of(np.where(np.arange(scores.shape[1]), 0.5, -np.inf)[None].repeat(len(scores), axis=0))
    np.testing.assert_allclose(blind["HR@10"], 10 / split.histories.n_items)


# What is committed


@pytest.mark.parametrize("path", COMMITTED, ids=[path.stem for path in COMMITTED])
def test_committed_results_hold(path):
    """They belong to this code and these expectations, nobody exceeds the ceiling, and the verdicts follow."""
    found, trial = json.loads(path.read_text(encoding="utf-8")), TRIALS[path.stem]
    results = script.Results(trial, path.parent)  # refuses results of other settings
    assert [each["line"] for each in found["expectations"]] == list(trial.expected), "an expectation was left out"
    assert len(found["earlier"]) <= 1, "more than two settings: that is tuning"
    assert len({(run["model"], run["seed"]) for run in found["runs"]}) == len(found["runs"]) > 0
    for run in found["runs"]:
        name, settings = run["built"]
        assert (name, settings) == trial.built(run["model"])
        for metric, each in run["against the ceiling"].items():
            assert each["ceiling"] == found["predictors"]["bayes"][metric]
            assert not each["leaking"] and each["low"] <= each["ceiling"], f"{run['model']} is leaking"
            assert run["expected"][metric] <= each["ceiling"], "no list is worth more than that by the truth"
        value = float(results.table([f"{run['model']}/{run['seed']}"]).mean())
        assert run["expected"][trial.metric] == pytest.approx(value, abs=6e-6)
    results.judge()
    assert results.found["leaking"] == [] and results.found["expectations"] == found["expectations"]
    for each in found["expectations"]:
        if each["met"] is not None:
            beats = each["difference"]["low"] > 0
            assert each["met"] == (beats == (" does not beat " not in each["line"]))


def test_the_committed_page_is_what_the_results_give():
    assert written.read().keys() == WORLDS.keys(), "a world was not run: python benchmarks/worlds.py"
    assert written.PAGE.read_text(encoding="utf-8") == written.page(written.read()), "run benchmarks/worlds_page.py"


@pytest.mark.parametrize("path", COMMITTED, ids=[path.stem for path in COMMITTED])
def test_committed_ceilings_are_those_of_the_world(path):
    found = json.loads(path.read_text(encoding="utf-8"))
    results = script.Results(TRIALS[path.stem], path.parent)
    split = results.split(0)
    assert {run["split"] for run in found["runs"] if run["seed"] == 0} <= {split.hash}, "made by another generator"
    for name, each in found["predictors"].items():
        again = results.world.ceiling(split.histories, split.test, name).metrics
        assert each == {metric: round(again[metric], 5) for metric in METRICS}
