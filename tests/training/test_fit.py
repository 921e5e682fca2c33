"""`fit`: repeats itself exactly, stops in time with the best weights, and says what it does."""

import math
import random
from importlib import import_module
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from seqrec_edu.models import SASRec
from seqrec_edu.training import Diverged, Progress, evaluate, fit, load_model
from seqrec_edu.training.log import OF_THE_MACHINE

fit_module = import_module("seqrec_edu.training.fit")  # the package exports the function of this name


def weights(model):
    return {name: value.numpy().tobytes() for name, value in model.state_dict().items()}


def without_time(log):
    return [{key: value for key, value in record.items() if key not in OF_THE_MACHINE} for record in log]


def test_a_seed_decides_everything_and_the_callers_stream_is_left_alone(split, small, quick):
    found = []
    for seed, callers in ((0, 1), (0, 2), (1, 1)):
        torch.manual_seed(callers), np.random.seed(callers), random.seed(callers)
        before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
        model = small()
        log = without_time(fit(model, split, quick(seed=seed)).log)
        assert torch.equal(before[0], torch.get_rng_state()) and random.getstate() == before[2]
        assert (np.random.get_state()[1] == before[1]).all()
        found.append((log, weights(model)))
    assert found[0][0] == found[1][0] and found[0][1] == found[1][1]
    assert found[0][0] != found[2][0]


def scripted(monkeypatch, values):
    """Validation finds these values of NDCG@10, one after another."""
    found = iter(values)
    monkeypatch.setattr(
        fit_module,
        "evaluate",
        lambda *_, **__: SimpleNamespace(metrics={"NDCG@10": next(found), "HR@10": 0.0}, intervals={}),
    )


def test_it_stops_early_and_keeps_the_best_weights(split, small, quick, recorder, tmp_path, monkeypatch):
    scripted(monkeypatch, [0.1, 0.3, 0.2, 0.25, 0.9])
    model, kept = small(), []
    watch = recorder()
    watch.on_epoch_end = lambda log: kept.append(weights(model))
    result = fit(model, split, quick(epochs=5, patience=2), out=tmp_path, callbacks=[watch])
    assert (len(result.log), result.best_epoch, result.best) == (4, 2, 0.3)
    assert weights(model) == kept[1] and kept[1] != kept[3]
    assert weights(load_model(tmp_path)) == kept[1] and not model.training
    again = small()
    assert fit(again, split, quick(epochs=5, patience=2), out=tmp_path).log == result.log, "finished: no epoch more"
    assert weights(again) == kept[1]


def test_an_equal_score_is_not_a_better_one(split, small, quick, monkeypatch):
    scripted(monkeypatch, [0.2, 0.2, 0.2, 0.9])
    assert fit(small(), split, quick(epochs=4, patience=2)).best_epoch == 1


def test_validation_may_skip_epochs_but_not_the_last(split, small, quick, monkeypatch):
    scripted(monkeypatch, [0.1, 0.2])
    result = fit(small(), split, quick(epochs=3, validate_every=2))
    assert ["NDCG@10" in record for record in result.log] == [False, True, True] and result.best_epoch == 3


def test_patience_counts_epochs_also_where_validation_skips_some(split, small, quick, monkeypatch):
    scripted(monkeypatch, [0.3, 0.2, 0.1, 0.1, 0.1])
    result = fit(small(), split, quick(epochs=10, validate_every=2, patience=4))
    assert (len(result.log), result.best_epoch) == (6, 2)


def test_best_score_is_that_of_the_weights_it_ends_with(split, small, quick):
    model = small()
    result = fit(model, split, quick(learning_rate=0.02, epochs=4))
    again = evaluate(model, split, "valid", history_length=20, resamples=0)
    assert result.best == again.metrics["NDCG@10"] == result.log[result.best_epoch - 1]["NDCG@10"]


@pytest.mark.parametrize(
    ("objective", "name", "settings"),
    [
        ("every-position", "sasrec", {}),
        ("prefix", "sasrec", {}),
        ("prefix", "tim4rec", {"mode": "official"}),
        ("cloze", "bert4rec", {}),
    ],
)
def test_histories_too_long_for_the_model_are_refused_before_the_first_step(
    split, small, quick, recorder, objective, name, settings
):
    model, watch = small(name, history_length=12, **settings), recorder()
    says = r"is made for histories of 12 events, batches will hold \d+: train with history_length=12 or build"
    with pytest.raises(ValueError, match=says):
        fit(model, split, quick(history_length=50, objective=objective), callbacks=[watch])
    assert watch.events == []


def test_what_limits_no_history_refuses_none(split, small, quick):
    longest = int((split.train_end - split.histories.offsets[:-1]).max())
    assert 12 < longest < 200
    fit(small("tim4rec", history_length=12, d_state=4), split, quick(epochs=1, history_length=50))
    fit(small(history_length=longest), split, quick(epochs=1, history_length=200))
    with pytest.raises(ValueError, match=f"made for histories of {longest - 1} events, batches will hold {longest}"):
        fit(small(history_length=longest - 1), split, quick(epochs=1, history_length=200))


class Poisoned(SASRec):
    """NaN for one user's histories."""

    def forward(self, batch):
        hidden = super().forward(batch)
        return torch.where((batch.user == 7)[:, None, None], torch.nan, hidden) if self.training else hidden


def test_nan_names_epoch_step_and_users(split, small, quick, recorder, tmp_path):
    watch = recorder()
    with pytest.raises(Diverged, match=r"stopped in epoch 1, step \d+: the loss is nan") as stopped:
        fit(Poisoned(small().config), split, quick(), out=tmp_path, callbacks=[watch])
    where = stopped.value.where
    assert where["epoch"] == 1 and where["step"] == len(watch.logs) + 1
    assert split.histories.user_ids[7] in where["users"] and 2 <= len(where["users"]) < 40
    assert where["users"][0] in str(stopped.value) and "learning_rate" in str(stopped.value)
    assert not list(tmp_path.glob("*"))


def test_a_step_size_that_is_nan_names_the_batch_too(split, small, quick):
    model = small("mamba4rec", d_state=4)
    with torch.no_grad():
        next(each for name, each in model.named_parameters() if name.endswith("dt_bias")).fill_(torch.nan)
    with pytest.raises(Diverged, match=r"stopped in epoch 1, step 1: selective_scan: dt .* is nan.*The batch held"):
        fit(model, split, quick())


def test_divergence_is_noticed(split, small, quick):
    with pytest.raises(Diverged, match=r"stopped in epoch \d, step \d+.*learning_rate \(now 1e\+06\)") as stopped:
        fit(small(), split, quick(learning_rate=1e6, epochs=3, clip=1e9))
    assert set(stopped.value.where) == {"epoch", "step", "users"} and stopped.value.where["users"]


def test_a_loss_far_worse_than_guessing_stops_it_but_one_surprise_does_not(split, small, quick, monkeypatch):
    run = fit_module._Run(small(), split, quick(), None, [], "cpu")
    far, event = 3 * math.log(240) + 4, np.array([5])
    run._check_loss(far, 500, event)  # in the first epoch everything may still happen
    run.at.epoch = 1
    run._check_loss(50.0, 4, event)  # a batch of few
    run.at.targets, run.at.loss = 996, 996 * 2.0
    run._check_loss(500.0, 4, event)  # the epoch is fine
    run.at.targets, run.at.loss = 0, 0.0
    with pytest.raises(Diverged, match=r"the loss of this epoch is 20\.4, guessing costs 5\.5"):
        run._check_loss(far, 500, event)


def test_callbacks_hear_every_event_in_order(split, small, quick, recorder, tmp_path, capsys):
    watch = recorder()
    result = fit(small(), split, quick(), callbacks=[watch, Progress()], out=tmp_path)
    steps = watch.events[0][1]
    one_epoch = [[("step", epoch, step + 1) for step in range(steps)] + [("epoch", epoch)] for epoch in (1, 2)]
    assert watch.events == [("begin", steps, 0), *one_epoch[0], *one_epoch[1], ("end", result)]
    own = {"epoch", "step", "batches", "loss", "gradient_norm"}
    assert set(watch.logs[0]) == own | {"steps", "events", "seconds"}
    assert watch.logs[0]["loss"] == pytest.approx(math.log(240), rel=0.05), "untrained it guesses"
    assert {"epoch", "loss", "seconds", "learning_rate", "NDCG@10", "HR@10"} <= set(result.log[0])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines if line] == [["epoch", "1"], ["epoch", "2"]]
    late = recorder()
    fit(small(), split, quick(), callbacks=[late], out=tmp_path)
    assert [event[0] for event in late.events] == ["begin", "end"] and late.events[0][2] == 2


def test_the_loss_of_an_epoch_is_the_mean_over_its_targets(split, small, quick, recorder):
    watch = recorder()
    log = fit(small(), split, quick(epochs=1), callbacks=[watch]).log
    assert min(r["loss"] for r in watch.logs) < log[0]["loss"] < max(r["loss"] for r in watch.logs)


def test_learning_rate_warms_up_and_follows_a_cosine(split, small, quick):
    def rates(**settings):
        run = fit_module._Run(small(), split, quick(**settings), None, [], "cpu")
        return run, [run._learning_rate(epoch) for epoch in np.linspace(0, 10, 1001)]

    run, rate = rates(epochs=10, warmup=2.0, learning_rate=0.1)
    assert 0 < rate[0] < 1e-4 and rate[100] == pytest.approx(0.05, rel=1e-2)
    assert max(rate) <= 0.1 and rate[200] == pytest.approx(0.1)
    assert rate[400] == pytest.approx(0.05 * (1 + math.cos(math.pi / 4)))  # a straight line would give .075
    assert rate[600] == pytest.approx(0.05) and rate[-1] == pytest.approx(0.0, abs=1e-9)
    assert np.all(np.diff(rate[:200]) > 0) and np.all(np.diff(rate[201:]) < 0)
    assert rates(warmup=0.0, schedule="constant", learning_rate=0.1)[1] == [0.1] * 1001
    run._step(*run._batches(0))
    assert {group["lr"] for group in run.optimizer.param_groups} == {rate[0]}


def test_weight_decay_spares_what_is_no_matrix(split, small, quick):
    model = small("mamba4rec")
    decayed, spared = fit_module._Run(model, split, quick(), None, [], "cpu").optimizer.param_groups
    assert decayed["weight_decay"] == 0.01 and spared["weight_decay"] == 0.0
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    assert all(name.endswith("weight") for name in (names[id(p)] for p in decayed["params"]))
    spared_names = {names[id(p)] for p in spared["params"]}
    assert {"item_embedding.weight", "embedding_norm.weight", "mambas.0.A_log", "mambas.0.D"} <= spared_names
    assert len(decayed["params"]) + len(spared["params"]) == len(names)


def test_settings_and_devices_that_do_not_exist_are_refused(split, small, quick):
    for wrong in (
        {"objective": "all"}, {"epochs": 0}, {"learning_rate": 0.0}, {"schedule": "none"}, {"warmup": -1.0},
        {"clip": math.inf}, {"learning_rate": math.inf}, {"weight_decay": math.nan}, {"warmup": math.inf},
        {"precision": "64-true"}, {"seed": 2**63},
    ):  # fmt: skip
        with pytest.raises(ValueError, match=next(iter(wrong))):
            quick(**wrong)
    with pytest.raises(ValueError, match="device must be auto, cpu or cuda, got 'tpu'"):
        fit(small(), split, quick(), device="tpu")
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="torch finds none here"):
            fit(small(), split, quick(), device="cuda")
