"""Cloze: what is blanked, what it weighs, who may train so, and that a stopped run ends like one that was not."""

import math
from importlib import import_module

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from seqrec_edu.cli import build as cli
from seqrec_edu.data.batches import EventStore, windows
from seqrec_edu.data.synthetic import shoppers
from seqrec_edu.models import MODELS, build
from seqrec_edu.training import NotCausal, Receipt, fit
from seqrec_edu.training.checkpoint import STATE_FILE, read
from seqrec_edu.training.objectives import ClozeLoss, NextItemLoss, Samples, check_objective, draw_blanks, loss_of
from seqrec_edu.training.run import plan_run

fit_module = import_module("seqrec_edu.training.fit")  # the package exports the function of this name


@pytest.fixture
def bert(small):
    """Makes models that train in a moment."""
    return lambda **settings: small("bert4rec", **{"history_length": 20, **settings})


def blanks(*lengths, ratio=0.2, final_ratio=0.0, seed=0):
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return mask, draw_blanks(mask, ratio, final_ratio)


# --- what is blanked -------------------------------------------------------------------------------------------------


def test_every_history_has_a_blank_and_no_pad_is_one():
    for ratio, final_ratio in [(0.01, 0.0), (0.2, 0.5), (0.99, 0.0), (0.5, 1.0)]:
        mask, found = blanks(*range(1, 41), ratio=ratio, final_ratio=final_ratio)
        assert found.any(1).all() and not (found & ~mask).any()


def test_shares_are_those_of_the_settings():
    lengths = [40] * 2000
    _, found = blanks(*lengths, ratio=0.3)
    assert found.double().mean() == pytest.approx(0.3, abs=0.01)  # sd 0.0016
    assert found.double().mean(0).std() < 0.02, "every place alike, the first and the last too"
    _, found = blanks(*lengths, ratio=0.3, final_ratio=0.25)
    only_last = (found.sum(1) == 1) & found[:, -1]
    assert only_last.double().mean() == pytest.approx(0.25, abs=0.04)
    _, found = blanks(1, 2, 7, 40, final_ratio=1.0)
    assert found.nonzero().tolist() == [[0, 0], [1, 1], [2, 6], [3, 39]]


def test_where_no_event_is_hit_the_last_one_is_asked_for():
    _, found = blanks(*[3] * 500, ratio=0.001)
    assert (found.sum(1) == 1).all() and found[:, -1].double().mean() > 0.98


def test_the_stream_decides():
    assert torch.equal(blanks(30, 20, seed=3)[1], blanks(30, 20, seed=3)[1])
    assert not torch.equal(blanks(30, 20, seed=3)[1], blanks(30, 20, seed=4)[1])


# --- what it weighs --------------------------------------------------------------------------------------------------


class Copies(torch.nn.Module):
    """Hands out the embedding of what it is given, and keeps what that was."""

    cloze = True

    def __init__(self, ratio, final_ratio):
        super().__init__()
        self.item_embedding = torch.nn.Embedding(241, 4, dtype=torch.float64)
        self.config = type("Config", (), {"mask_ratio": ratio, "final_item_ratio": final_ratio})

    def fill(self, batch):
        self.seen = batch
        return self.item_embedding(batch.item)


def test_all_training_events_are_read_and_no_others(split, quick):
    settings = quick(objective="cloze", history_length=500)
    samples, store = Samples(split, settings), EventStore(split.histories)
    start, stop = samples.epoch(0)
    assert (stop == split.train_end).all() and (start == split.histories.offsets[:-1]).all()
    found = samples.gather(store, start, stop)
    assert found.target is None and found.length.sum() == split.n_train
    assert torch.equal(found.item[found.mask].int(), torch.from_numpy(split.train_items.copy()))
    assert samples.targets(start, stop).sum() == split.n_train - len(start)
    for epoch in (0, 3):  # the same windows as for every position, with their last event read too
        short, every = (Samples(split, quick(objective=each, history_length=7)) for each in ("cloze", "every-position"))
        assert all((a == b).all() for a, b in zip(short.epoch(epoch), every.epoch(epoch), strict=True))
        assert (np.diff(short.epoch(epoch), axis=0) <= 8).all()


@pytest.mark.parametrize(("ratio", "final_ratio"), [(0.2, 0.5), (0.6, 0.0), (0.3, 1.0)])
def test_loss_by_hand(split, quick, ratio, final_ratio):
    """A window of l events weighs l - 1, shared among its blanks; a blank shows nothing of its item."""
    samples, model = Samples(split, quick(objective="cloze")), Copies(ratio, final_ratio)
    start, stop = (each[:12] for each in samples.epoch(0))
    batch = samples.gather(EventStore(split.histories), start, stop)
    loss = ClozeLoss(model)(batch)
    blank = (model.seen.item == 0) & batch.mask
    assert torch.equal(model.seen.item[~blank], batch.item[~blank]) and torch.equal(model.seen.length, batch.length)
    table = model.item_embedding.weight.detach().numpy()
    expected, weight = 0.0, 0
    for row in range(12):
        asked = batch.item[row][blank[row]].numpy()
        scores = table[1:] @ table[0]
        costs = [math.log(np.exp(scores).sum()) - scores[item - 1] for item in asked]
        expected += (stop[row] - start[row] - 1) * np.mean(costs)
        weight += stop[row] - start[row] - 1
    assert loss.item() == pytest.approx(expected, rel=1e-9)
    assert weight == samples.targets(start, stop).sum()


def test_guessing_costs_the_logarithm_of_the_catalogue(split, bert, quick, recorder):
    watch = recorder()
    log = fit(bert(), split, quick(objective="cloze", epochs=1), callbacks=[watch]).log
    assert watch.logs[0]["loss"] == pytest.approx(math.log(240), rel=0.05), "untrained it guesses"
    assert min(r["loss"] for r in watch.logs) < log[0]["loss"] < max(r["loss"] for r in watch.logs)


def test_mixed_precision_and_gradients(split, bert, quick):
    samples = Samples(split, quick(objective="cloze"))
    start, stop = (each[:8] for each in samples.epoch(0))
    model, batch = bert(), samples.gather(EventStore(split.histories), start, stop)
    with torch.random.fork_rng(), torch.autocast("cpu", torch.bfloat16):
        loss = ClozeLoss(model)(batch)
    loss.backward()
    assert loss.isfinite() and all(p.grad.isfinite().all() and p.grad.any() for p in model.parameters())
    assert not model.item_embedding.weight.grad[0].any()


# --- who may ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_only_models_with_a_mask_token_take_it(name):
    model = build(name, n_items=3)
    if name == "bert4rec":
        check_objective(model, "cloze"), check_objective(model, "prefix")
        assert isinstance(loss_of(model, "cloze"), ClozeLoss) and isinstance(loss_of(model, "prefix"), NextItemLoss)
        with pytest.raises(NotCausal, match=r'bert4rec is not causal.*"prefix".*or "cloze": events are blanked out'):
            check_objective(model, "every-position")
        return
    with pytest.raises(ValueError, match=f"{name} has no mask token: cloze training blanks events out") as refused:
        check_objective(model, "cloze")
    assert ("every-position" in str(refused.value)) == model.causal


def test_it_is_refused_before_anything_is_written(split, small, quick, tmp_path):
    with pytest.raises(ValueError, match="sasrec has no mask token"):
        fit(small(), split, quick(objective="cloze"), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    data = shoppers(users=40)
    assert plan_run("bert4rec", data, settings={"objective": "cloze"}).record.training["objective"] == "cloze"
    with pytest.raises(NotCausal, match="bert4rec is not causal"):
        plan_run("bert4rec", data)


# --- a whole run -----------------------------------------------------------------------------------------------------


class Killed(BaseException):
    """Stands for a process that ends between two steps."""


def weights(model):
    return {name: value.numpy().tobytes() for name, value in model.state_dict().items()}


@pytest.mark.parametrize("count", [3, 8, 11])
def test_stopped_after_any_step_it_ends_the_same(split, bert, quick, recorder, tmp_path, monkeypatch, count):
    monkeypatch.setattr(fit_module, "SECONDS_BETWEEN_SAVES", -1.0)
    settings, whole, watch = quick(objective="cloze"), bert(), recorder()
    expected = fit(whole, split, settings, out=tmp_path / "whole")

    def stop(log):
        if len(watch.logs) == count:
            raise Killed

    watch.at_step = stop
    with pytest.raises(Killed):
        fit(bert(), split, settings, out=tmp_path / "stopped", callbacks=[watch])
    again = bert(seed=9)  # its weights come from the checkpoint
    result = fit(again, split, settings, out=tmp_path / "stopped")
    assert weights(again) == weights(whole)
    assert [r["loss"] for r in result.log] == [r["loss"] for r in expected.log]
    one, other = (read(tmp_path / name / STATE_FILE)[0] for name in ("stopped", "whole"))
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_blanks_are_drawn_anew_each_epoch(split, bert, quick):
    """Windows that are never cut, one batch an epoch, nothing learned: only the blanks differ."""
    settings = quick(objective="cloze", history_length=500, epochs=2, batch_size=10_000, learning_rate=1e-12)
    losses = [r["loss"] for r in fit(bert(history_length=500, dropout=0.0), split, settings).log]
    assert len(windows(split, 500)[0]) == 40 and losses[0] != losses[1]


def test_from_the_command_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    quick = ["--data-option", "users=60", "--epochs", "1", "--set", "d_model=16", "--set", "n_layers=1"]
    quick += ["--device", "cpu", "--history-length", "20"]

    def call(*more):
        return CliRunner().invoke(cli(), ["train", "bert4rec", "--data", "shoppers", *quick, *more])

    found = call("--objective", "cloze", "--set", "mask_ratio=0.4")
    assert found.exit_code == 0 and "cloze, histories of 20 events" in found.output
    receipt = Receipt.read("runs/bert4rec-shoppers/receipt.json")
    assert receipt.protocol["objective"] == "cloze" and receipt.model["settings"]["mask_ratio"] == 0.4
    refused = call("--out", "other")
    assert refused.exit_code == 1 and refused.stderr.startswith("error: bert4rec is not causal")
    assert '"cloze": events are blanked out' in refused.stderr and not (tmp_path / "other").exists()
