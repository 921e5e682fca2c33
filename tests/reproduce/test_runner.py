"""Runs are picked up where they are, skipped where they are finished, and leave every rank behind."""

import re

import numpy as np
import pytest

from seqrec_edu.models import BASELINES, MODELS
from seqrec_edu.reproduce import BUDGETS, PAPERS, VARIANTS, BadRanks, Budget, Ranks, budget, runner
from seqrec_edu.reproduce.ranks import question
from seqrec_edu.training import Callback, Diverged, Receipt, RunError, load_run
from seqrec_edu.training.metrics import metrics
from seqrec_edu.training.turns import LOCK_FILE


def test_runs_leave_receipts_and_ranks_and_are_not_run_twice(quick, tmp_path):
    done, said = quick(seeds=(0, 1))
    assert "3 runs on shoppers: 60 users, 240 items, 1,424 events; 0 finished; no earlier run tells" in said
    assert [job.name for job in done.finished] == ["popularity", "sasrec, seed 0", "sasrec, seed 1"]
    folder = tmp_path / "out" / "shoppers"
    for run in (folder / "popularity", folder / "sasrec" / "seed-1"):
        receipt, ranks = Receipt.read(run / "receipt.json"), Ranks.read(run / "ranks.npz")
        values = receipt.metrics["test"]["values"]
        assert metrics(ranks.ranks, (10,))["NDCG@10"] == pytest.approx(values["NDCG@10"]["value"], abs=1e-12)
        assert ranks.users.tolist() == list(range(60))
    before = (folder / "sasrec" / "seed-0" / "receipt.json").stat().st_mtime_ns
    done, said = quick(seeds=(0, 1))
    assert "3 finished; nothing is left to run" in said and len(done.finished) == 3
    assert (folder / "sasrec" / "seed-0" / "receipt.json").stat().st_mtime_ns == before
    _, said = quick(seeds=(0, 1, 2))
    assert re.search(r"4 runs .* 3 finished; about \d+ (s|min) for 1 of the rest, by earlier receipts", said)


def test_what_was_never_run_is_foretold_by_what_its_epochs_cost(quick, tmp_path):
    costs = tmp_path / "results" / "shoppers" / "epochs.json"
    costs.parent.mkdir(parents=True)
    costs.write_text('{"variants": {"sasrec": {"seconds": 7200.0}}}')
    _, said = quick(results=tmp_path / "results")
    assert "0 finished; about 2 h 00 min for 1 of the rest, by earlier receipts, and 1 of unknown length" in said


class StopsAfterAnEpoch(Callback):
    def on_epoch_end(self, log):
        raise KeyboardInterrupt


def test_a_stopped_run_goes_on(quick, tmp_path):
    longer = Budget(10, {"every-position": 2}, 0.2, model={"d_model": 16})
    with pytest.raises(KeyboardInterrupt):
        quick(only=["sasrec"], budget=longer, callbacks=lambda: [StopsAfterAnEpoch()])
    folder = tmp_path / "out" / "shoppers" / "sasrec" / "seed-0"
    assert (folder / "last.safetensors").exists() and not (folder / "receipt.json").exists()
    epochs = []

    class Sees(Callback):
        def on_fit_begin(self, settings, batches, first_epoch):
            epochs.append(first_epoch)

    quick(only=["sasrec"], budget=longer, callbacks=lambda: [Sees()])
    assert epochs == [1] and Receipt.read(folder / "receipt.json").epochs == 2


def test_missing_ranks_are_made_without_training(quick, tmp_path):
    quick(only=["sasrec"])
    path = tmp_path / "out" / "shoppers" / "sasrec" / "seed-0" / "ranks.npz"
    before = path.read_bytes()
    path.unlink()
    done, _ = quick(only=["sasrec"], callbacks=lambda: [StopsAfterAnEpoch()])
    assert path.read_bytes() == before and len(done.finished) == 1


def test_a_finished_run_with_other_settings_is_refused_not_mixed_in(quick):
    quick(only=["sasrec"])
    with pytest.raises(RunError, match="epochs: 1 → 2"):
        quick(only=["sasrec"], budget=Budget(10, {"every-position": 2}, 0.2, model={"d_model": 16}))


def test_one_that_diverges_does_not_stop_the_rest(quick, monkeypatch):
    def fails(plan, *rest, **more):
        if plan.record.model["name"] == "sasrec":
            raise Diverged("the loss is NaN", {})
        return carried_out(plan, *rest, **more)

    carried_out = runner.carry_out
    monkeypatch.setattr(runner, "carry_out", fails)
    done, said = quick(only=["sasrec", "popularity"])
    assert done.failed == {"sasrec, seed 0": "the loss is NaN"} and [job.name for job in done.finished] == [
        "popularity"
    ]
    assert "sasrec, seed 0 failed: the loss is NaN" in said


def test_a_run_that_another_process_is_at_is_left_alone(quick, tmp_path):
    fcntl = pytest.importorskip("fcntl", reason="this system has no locks of this kind")
    folder = tmp_path / "out" / "shoppers" / "sasrec" / "seed-0"
    folder.mkdir(parents=True)
    with (folder / LOCK_FILE).open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        done, said = quick(only=["sasrec"])
    assert not done.finished and done.elsewhere == ["sasrec, seed 0"] and "another process is at it" in said
    done, _ = quick(only=["sasrec"])
    assert len(done.finished) == 1


def test_shuffled_time_is_recorded_and_found_again(quick, tmp_path):
    quick(only=["tim4rec", "tim4rec-shuffled-time"])
    folder = tmp_path / "out" / "shoppers"
    real, control = (folder / name / "seed-0" for name in ("tim4rec", "tim4rec-shuffled-time"))
    assert Receipt.read(control / "receipt.json").config["data_options"] == {"users": 60, "shuffle_gaps": 0}
    assert Receipt.read(control / "receipt.json").dataset["hash"] != Receipt.read(real / "receipt.json").dataset["hash"]
    assert Ranks.read(real / "ranks.npz").asked == Ranks.read(control / "ranks.npz").asked
    again = load_run(control, device="cpu").evaluate("test", resamples=0)
    assert np.array_equal(again.ranks.numpy(), Ranks.read(control / "ranks.npz").ranks)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"paper": "sigma"}, "no paper is called 'sigma'; there are tim4rec, mlsa4rec, echomamba4rec"),
        ({"only": ["sasrecs"]}, "no variant is called 'sasrecs'; there are popularity,"),
        ({"seeds": ()}, "at least one seed"),
    ],
)
def test_what_does_not_exist_is_refused_before_anything_runs(quick, tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        quick(**arguments)
    assert not (tmp_path / "out").exists()


def test_ranks_come_back_as_they_were(tmp_path, split):
    ranks = np.array([1.0, 1.5, 40_000.5, 2.0])
    Ranks(ranks, np.arange(4), question(split)).write(tmp_path / "r.npz")
    first = (tmp_path / "r.npz").read_bytes()
    found = Ranks.read(tmp_path / "r.npz")
    assert np.array_equal(found.ranks, ranks) and found.asked == question(split)
    found.write(tmp_path / "r.npz")
    assert (tmp_path / "r.npz").read_bytes() == first  # the same ranks are the same bytes
    for bad in (0.5, 1.25, np.nan):
        with pytest.raises(BadRanks, match="whole or half numbers"):
            Ranks(np.array([bad]), np.arange(1), "x").write(tmp_path / "bad.npz")
    (tmp_path / "r.npz").write_bytes(first[:50])
    with pytest.raises(BadRanks, match="holds no ranks"):
        Ranks.read(tmp_path / "r.npz")


# --- what is run -----------------------------------------------------------------------------------------------------


def test_every_paper_runs_what_its_claims_need():
    for paper in PAPERS.values():
        assert set(paper.runs) <= VARIANTS.keys() and len(set(paper.runs)) == len(paper.runs)
        for claim in (*paper.claims, *paper.ours):
            assert {claim.better, claim.worse} <= set(paper.runs) and claim.sentence.endswith(".")
    further = set(VARIANTS) - {name for paper in PAPERS.values() for name in paper.runs}
    # An hour each, and no claim needs them.
    assert further == {f"{model}-papers-training" for model in ("sasrec", "mamba4rec", "tim4rec")}


def test_the_papers_training_is_that_which_was_released():
    settings = budget.training_settings(VARIANTS["mamba4rec-papers-training"], BUDGETS["ml-100k"])
    released = MODELS["mamba4rec"][0].preset_training("ml-1m")
    own = {"seed": None, "history_length": 50}  # of the run, and of the dataset
    assert {**settings, **own} == {**released, **own}
    assert "batch_size" not in budget.training_settings(VARIANTS["mamba4rec-prefix"], BUDGETS["ml-100k"])


def test_a_claim_of_a_paper_compares_what_was_trained_in_one_way():
    for paper in PAPERS.values():
        for claim in paper.claims:
            assert VARIANTS[claim.better].objective == VARIANTS[claim.worse].objective, claim


@pytest.mark.parametrize("data", [*BUDGETS, "shoppers"])
def test_every_variant_can_be_planned_and_trained_as_it_says(data, monkeypatch):
    for name, each in VARIANTS.items():
        assert each.model in {**MODELS, **BASELINES}, name
        settings = budget.model_settings(each, BUDGETS.get(data, Budget()))
        if each.counts:
            assert not settings
            continue
        model, config = MODELS[each.model]
        length = {"history_length": 50} if "history_length" in config.__dataclass_fields__ else {}
        made = model(config(n_items=5, **length, **settings))
        assert made.causal or each.objective != "every-position", name
        if each.released:
            assert settings.get("mode") == "official" or each.model == "ssd4rec", name
        if data == "amazon-beauty":
            own = {"gru4rec": 0.3, "fmlprec": 0.5, "mlsa4rec": 0.1, "echomamba4rec": 0.2}
            assert made.config.dropout == own.get(each.model, 0.4), name
