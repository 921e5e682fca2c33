"""What the log says of each epoch, beside the loss: gradients, speed, intervals and step sizes; and old checkpoints."""

import json
import statistics
import time
from importlib import import_module

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from seqrec_edu import taps
from seqrec_edu.data.batches import EventStore
from seqrec_edu.training import fit
from seqrec_edu.training.checkpoint import STATE_FILE, read, read_about
from seqrec_edu.training.log import OF_THE_MACHINE, Position
from seqrec_edu.training.step_sizes import KEY, StepSizes

fit_module = import_module("seqrec_edu.training.fit")  # the package exports the function of this name
ADDED = ("steps", "events", "epoch_events", "epoch_seconds", "epoch_cpu_seconds", "norms")  # since the first version


def without_time(log):
    return [{key: value for key, value in record.items() if key not in OF_THE_MACHINE} for record in log]


def test_gradient_norms_are_those_that_the_steps_told(split, small, quick, recorder):
    watch = recorder()
    result = fit(small(), split, quick(clip=0.5), callbacks=[watch])
    for record in result.log:
        norms = [log["gradient_norm"] for log in watch.logs if log["epoch"] == record["epoch"]]
        assert record["gradient_norm"] == statistics.median(norms)
        assert (record["gradient_norm low"], record["gradient_norm high"]) == (min(norms), max(norms))
        assert record["clipped"] == sum(norm > 0.5 for norm in norms) / len(norms)
    assert any(record["clipped"] > 0 for record in result.log) and result.settings == quick(clip=0.5)


def test_steps_and_events_are_counted_over_the_whole_run(split, small, quick, recorder):
    watch = recorder()
    log = fit(small(), split, quick(), callbacks=[watch]).log
    run = fit_module._Run(small(), split, quick(), None, [], "cpu")
    events = [int((stop - start).sum()) for start, stop, _ in (run._batches(0), run._batches(1))]
    assert [record["events"] for record in log] == [events[0], sum(events)]
    assert log[-1]["steps"] == len(watch.logs) == watch.logs[-1]["steps"]
    assert watch.logs[-1]["events"] == sum(events) and watch.logs[-1]["seconds"] <= log[-1]["seconds"]
    assert np.all(np.diff([told["events"] for told in watch.logs]) > 0)


def test_what_a_callback_takes_is_no_time_of_the_run(split, small, quick, recorder):
    watch = recorder()
    watch.at_step = lambda log: time.sleep(0.05)
    began = time.monotonic()
    result = fit(small(), split, quick(), callbacks=[watch])
    slept = 0.05 * len(watch.logs)
    assert slept > 0.5 and result.seconds < time.monotonic() - began - 0.9 * slept
    for record in result.log:
        assert record["events_per_second"] > 0 and record["events_per_cpu_second"] > 0


def test_speed_is_events_over_the_time_of_the_steps():
    at = Position(loss=3.0, targets=2)
    wall, cpu = time.monotonic(), time.process_time()
    for _ in range(3):
        at.count(1000, 0.5, (wall - 10.0, cpu - 2.5), processes=2)
    record = at.end_epoch(clip=1.0)
    assert record["events_per_second"] == pytest.approx(100.0, rel=1e-2)
    assert record["events_per_cpu_second"] == pytest.approx(3000 / 15, rel=1e-2)
    assert (record["loss"], record["epoch"], at.events, at.steps) == (1.5, 1, 3000, 3)
    assert (at.norms, at.epoch_events, at.epoch_seconds, at.epoch_cpu_seconds) == ([], 0, 0.0, 0.0)


def test_every_metric_has_an_interval_around_it(split, small, quick):
    (record,) = fit(small(), split, quick(epochs=1)).log
    names = [key for key in record if "@" in key and " " not in key]
    assert len(names) == 12
    for name in names:
        assert record[name + " low"] <= record[name] <= record[name + " high"]
    assert record["HR@50 low"] < record["HR@50 high"]


def test_step_sizes_are_the_quantiles_of_what_the_tap_shows(split, small):
    model = small("tim4rec", n_layers=2, head_dim=8).eval()
    store = EventStore(split.histories)
    sizes = StepSizes(split, store, 20)
    found = sizes.measure(model)
    with torch.no_grad(), taps.recording(model, only=["dt"]) as recorder:
        model(sizes.batch)
    assert len(recorder.taps) == 2 and len(found) == 10 and not sizes.batch.mask.all()
    for name, one in recorder.taps.items():
        values = one.tensor[sizes.batch.mask].numpy().ravel()
        layer = KEY + name.removesuffix(".dt")
        for end, q in ((" low", 5), (" q25", 25), ("", 50), (" q75", 75), (" high", 95)):
            assert found[layer + end] == pytest.approx(np.percentile(values, q), rel=1e-5)
    assert sizes.measure(model) == found


def test_a_layer_that_runs_twice_is_there_twice(split, small):
    found = StepSizes(split, EventStore(split.histories), 20).measure(small("ssd4rec", head_dim=8).eval())
    layers = {key.removeprefix(KEY) for key in found if key.count(" ") == 1}
    assert len(layers) == 2 and {layer.partition("@")[2] for layer in layers} == {"", "2"}


def test_without_step_sizes_a_model_is_asked_once(split, small):
    sizes, model, calls = StepSizes(split, EventStore(split.histories), 20), small(), []
    model.register_forward_hook(lambda *_: calls.append(1))
    assert sizes.measure(model) == sizes.measure(model) == {} and len(calls) == 1
    model.train()
    sizes.measure(model)
    assert model.training


def test_measuring_changes_nothing_that_is_learned(split, small, quick, monkeypatch):
    settings = {"n_layers": 1, "head_dim": 8}
    with_sizes, without = small("tim4rec", **settings), small("tim4rec", **settings)
    log = fit(with_sizes, split, quick()).log
    monkeypatch.setattr(StepSizes, "measure", lambda *_: {})
    monkeypatch.setattr(fit_module, "RESAMPLES", 0)
    bare = fit(without, split, quick()).log
    assert any(key.startswith(KEY) for key in log[0]) and "NDCG@10 low" not in bare[0]
    assert [r["loss"] for r in log] == [r["loss"] for r in bare]
    assert all(torch.equal(a, b) for a, b in zip(with_sizes.parameters(), without.parameters(), strict=True))


def aged(path):
    """Write a checkpoint as the first version did: without what is counted since, also in the log."""
    tensors, about = read(path)
    position = about["position"]
    for name in ADDED:
        del position[name]
    kept = ("epoch", "loss", "learning_rate", "seconds")
    position["log"] = [
        {k: v for k, v in r.items() if k in kept or ("@" in k and " " not in k)} for r in position["log"]
    ]
    save_file(tensors, path, metadata={"format": "1", "about": json.dumps(about)})


def test_a_checkpoint_of_an_older_version_goes_on(split, small, quick, recorder, tmp_path, monkeypatch):
    """Stopped in the second epoch by a version that counted nothing."""
    expected = fit(small(), split, quick(epochs=3)).log
    monkeypatch.setattr(fit_module, "SECONDS_BETWEEN_SAVES", -1.0)
    watch = recorder()

    def stop(log):
        if log["epoch"] == 2 and log["step"] == 3:
            raise KeyboardInterrupt

    watch.at_step = stop
    with pytest.raises(KeyboardInterrupt):
        fit(small(), split, quick(epochs=3), out=tmp_path, callbacks=[watch])
    aged(tmp_path / STATE_FILE)
    log = fit(small(), split, quick(epochs=3), out=tmp_path).log
    assert [r["loss"] for r in log] == [r["loss"] for r in expected]
    assert "gradient_norm" not in log[0] and "events" not in log[2], "the count would be wrong"
    assert without_time(log)[2] == {k: v for k, v in without_time(expected)[2].items() if k not in ("steps", "events")}


def test_the_description_of_a_checkpoint_is_read_without_its_tensors(split, small, quick, tmp_path):
    log = fit(small(), split, quick(), out=tmp_path).log
    assert read_about(tmp_path / STATE_FILE)["position"]["log"] == log
    assert read_about(tmp_path / STATE_FILE) == read(tmp_path / STATE_FILE)[1]
