"""The training cockpit: beside a running `fit`, on finished runs, on several; and what a test may see of it."""

from importlib import import_module
from types import SimpleNamespace

import pytest

from seqrec_edu.data.split import leave_one_out
from seqrec_edu.data.synthetic import shoppers
from seqrec_edu.figures.cockpit_layout import PARTS
from seqrec_edu.models import build
from seqrec_edu.panels import live_loss, show
from seqrec_edu.panels.cockpit import Cockpit
from seqrec_edu.training import FitSettings, fit
from tests.figures.samples import flight

WIDGET = "application/vnd.jupyter.widget-view+json"
LOG = [{**record, "NDCG@10": 0.1 * n, "dt ssds.0": 0.2, "dt ssds.1": 0.5} for n, record in enumerate(flight(4), 1)]


@pytest.fixture
def clock(monkeypatch):
    """Time that passes only when told to; outside a test, as a reader runs it."""
    now = SimpleNamespace(value=100.0)
    monkeypatch.setattr(live_loss.time, "monotonic", lambda: now.value)
    monkeypatch.setattr(import_module("seqrec_edu.panels.cockpit"), "under_test", lambda: False)
    return now


@pytest.fixture
def reader(monkeypatch):
    """What a reader sees, who is no test."""
    monkeypatch.setattr(import_module("seqrec_edu.panels.cockpit"), "under_test", lambda: False)


def step(epoch, number):
    return {"epoch": epoch, "step": number, "batches": 4, "loss": 5.0, "gradient_norm": 1.0, "steps": number,
            "events": 10 * number, "seconds": 0.1 * number}  # fmt: skip


def lines(panel, key):
    """Thick lines of the panel's figure that hold these values of every record."""
    return [t for t in thick(panel) if list(t.y) == [record.get(key) for record in LOG]]


def thick(panel):
    return [t for t in panel.figure.data if t.line.width == 2 and t.mode != "markers"]


def test_it_is_shown_and_filled_while_a_model_trains(notebook, capsys):
    split = leave_one_out(shoppers(users=30, seed=0))
    model = build("tim4rec", n_items=split.histories.n_items, d_model=16, d_state=8, head_dim=8, n_layers=2, seed=0)
    panel = Cockpit()
    result = fit(model, split, FitSettings(epochs=2, batch_size=64, history_length=20), callbacks=[panel])
    ((data, _),) = notebook.outputs
    assert set(data) == {WIDGET, "text/plain"} and notebook.drawings == 1
    assert panel.runs["this run"].records == result.log and panel.runs["this run"].ended == "full"
    assert panel._layer.max == 2 and not panel._layer.disabled
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("[Training cockpit] Figure: Training cockpit") and "0." not in line
    assert "2 epochs" in panel._status.value and len(panel.table.cells) == 2
    trail = next(t for t in panel.figure.data if t.line.width == 1)
    assert trail.y[0] > 4 and 0 < trail.x[0] < 0.5 and trail.x[-1] == 2


def test_the_page_gets_new_pictures_while_the_cell_runs(notebook, clock):
    panel = Cockpit()
    panel.on_fit_begin(FitSettings(), 4, 0)
    revisions = [panel.plot.revision]
    for record in LOG:
        for number in range(1, 5):
            clock.value += 1.0
            panel.on_step_end(step(record["epoch"], number))
            revisions.append(panel.plot.revision)
        said = panel._status.value
        clock.value += 1.0
        panel.on_epoch_end(record)
        revisions.append(panel.plot.revision)
        assert panel._status.value != said and f"{record['epoch']} epoch" in panel._status.value
    assert revisions == sorted(set(revisions)), "every one was drawn anew"
    assert panel.plot.label and panel.runs["this run"].settings["clip"] == 1.0


def test_an_epoch_that_ends_between_two_drawings_is_told_at_the_next(notebook, clock):
    panel = Cockpit()
    panel.on_fit_begin(FitSettings(), 4, 0)
    clock.value += 1.0
    panel.on_step_end(step(1, 4))
    panel.on_epoch_end(LOG[0])  # at once after the step: not yet time
    assert "1 epoch" not in panel._status.value
    clock.value += 1.0
    panel.on_step_end(step(2, 1))
    assert "1 epoch" in panel._status.value


def test_it_draws_no_faster_than_every_third_of_a_second(notebook, clock):
    panel = Cockpit()
    panel.on_fit_begin(FitSettings(), 4, 0)
    begun = panel.plot.revision
    for number in range(1, 13):
        clock.value += 0.1
        panel.on_step_end(step(1, number))
    assert panel.plot.revision - begun in (3, 4)  # the first at once, then every third of a second, to rounding


def test_outside_a_notebook_it_only_listens(capsys):
    panel = Cockpit()
    panel.on_fit_begin(FitSettings(), 4, 0)
    begun = panel.plot.revision
    for record in LOG:
        panel.on_step_end(step(1, 1))
        panel.on_epoch_end(record)
    assert panel.plot.revision == begun
    panel.on_fit_end()
    assert panel.plot.revision > begun and "4 epochs" in panel.sentence and capsys.readouterr().out == ""


def test_what_the_reader_has_shown_is_not_shown_again(notebook):
    panel = Cockpit()
    panel._repr_mimebundle_()
    for outputs in (0, 1):
        panel.on_fit_begin(FitSettings(), 4, 0)
        assert len(notebook.outputs) == outputs, "the second fit is shown below its own cell"
        panel.on_epoch_end(LOG[0])
        panel.on_fit_end()


def test_after_an_interrupted_run_the_next_is_shown_below_its_own_cell(notebook):
    panel = Cockpit()
    for outputs in (1, 2):
        panel.on_fit_begin(FitSettings(), 4, 0)
        assert len(notebook.outputs) == outputs and not panel.runs["this run"].records
        panel.on_epoch_end(LOG[0])


def test_the_stored_picture_is_that_of_the_end(notebook, monkeypatch):
    monkeypatch.setenv("SEQREC_EDU_PICTURES", "1")
    monkeypatch.setattr("seqrec_edu.panels.mime.picture", lambda *_: b"PNG")
    panel = Cockpit()
    panel.on_fit_begin(FitSettings(), 4, 0)
    assert "image/png" not in notebook.outputs[0][0]
    panel.on_epoch_end(LOG[0])
    panel.on_fit_end()
    ((data, metadata),) = notebook.outputs
    assert set(data) == {WIDGET, "text/plain", "image/png"} and metadata["image/png"]["height"] > 500


def test_a_resumed_run_shows_all_its_epochs_and_a_second_one_starts_afresh():
    panel = Cockpit()
    panel.on_fit_begin(FitSettings(), 4, 2)
    panel.on_epoch_end(LOG[2])
    panel.on_fit_end(SimpleNamespace(log=None))
    assert len(panel.runs["this run"].records) == 1
    split = leave_one_out(shoppers(users=30, seed=0))
    settings = FitSettings(epochs=1, batch_size=64, history_length=20)
    result = fit(build("sasrec", n_items=split.histories.n_items, d_model=16, seed=0), split, settings)
    panel.on_fit_begin(settings, 4, 0)
    panel.on_fit_end(result)
    assert panel.runs["this run"].records == result.log


def test_an_error_while_drawing_does_not_stop_the_training(notebook, clock):
    panel = Cockpit()
    panel.on_fit_begin(FitSettings(), 4, 0)
    panel.on_epoch_end({**LOG[0], "epoch": "first"})
    assert 'role="alert"' in panel._status.value


def test_finished_runs_stand_beside_each_other_and_beside_one_that_trains():
    panel = Cockpit({"a": LOG, "b": LOG[:2]}, run="new")
    assert list(panel.runs) == ["a", "b"] and "a: 4 epochs" in panel.sentence and "b: 2 epochs" in panel.sentence
    panel.on_fit_begin(FitSettings(), 4, 0)
    panel.on_epoch_end(LOG[0])
    panel.on_fit_end()
    assert list(panel.runs) == ["a", "b", "new"] and "new: 1 epoch, and more were planned;" in panel.sentence
    assert {t.name for t in panel.figure.data if t.showlegend} == {"a", "b", "new"}


def test_it_opens_a_folder_of_runs(tmp_path):
    split = leave_one_out(shoppers(users=30, seed=0))
    model = build("sasrec", n_items=split.histories.n_items, d_model=16, seed=0)
    fit(model, split, FitSettings(epochs=1, batch_size=64, history_length=20), out=tmp_path / "first")
    assert list(Cockpit.from_runs(tmp_path, view="loss").runs) == ["first"]
    with pytest.raises(ValueError, match="no folder"):
        Cockpit.from_runs(tmp_path / "second")


def test_each_control_changes_what_it_says():
    panel = Cockpit(LOG)
    assert len(lines(panel, "loss")) == len(lines(panel, "dt ssds.0")) == 1 and not lines(panel, "dt ssds.1")
    panel._layer.value = 2
    assert len(lines(panel, "dt ssds.1")) == 1 and "layer 2 (ssds.1)" in panel.sentence
    panel._metric.value = "HR@10"
    assert "HR@10 not recorded" in panel.sentence and not lines(panel, "NDCG@10")
    panel._metric.value = "NDCG@10"
    panel._across.value = "steps"
    assert list(lines(panel, "loss")[0].x) == [90, 180, 270, 360]
    panel._log.value = True
    assert panel.figure.layout.yaxis.type == "log"
    panel._view.value = "learning rate"
    assert len([t for t in panel.figure.data if any(y is not None for y in t.y)]) == 1
    panel._view.value = "loss"
    panel._smoothing.value = 0.5
    assert not lines(panel, "loss") and len(thick(panel)) == 1
    assert panel.plot.revision == 9, "one drawing at the start and one for each change"


def test_the_level_is_a_share_of_the_best_of_all():
    panel = Cockpit({"good": LOG, "poor": [{**r, "NDCG@10": r["NDCG@10"] / 2} for r in LOG]}, level=50)
    assert panel.level == pytest.approx(0.2)
    assert "0.2 first in epoch 2" in panel.sentence and "0.2 first in epoch 4" in panel.sentence
    panel._level.value = 60
    assert "0.24 first in epoch 3" in panel.sentence and "0.24 never reached" in panel.sentence
    panel._level.value = 100
    assert "0.4 first in epoch 4" in panel.sentence, "the best itself is reached"


def test_patience_and_the_clip_come_from_the_settings():
    from seqrec_edu.lens import RunLog

    settings = {"epochs": 9, "patience": 2, "clip": 0.7}
    log = [{**r, "NDCG@10": score} for r, score in zip(LOG, (0.1, 0.4, 0.3, 0.3), strict=True)]
    panel = Cockpit({"a": RunLog(log, settings)})
    assert "patience was used up" in panel.sentence and "a, stopped" in [t.name for t in panel.figure.data]
    assert 0.7 in [shape.y0 for shape in panel.figure.layout.shapes]
    mixed = Cockpit({"a": RunLog(log, settings), "b": RunLog(log, {**settings, "clip": 1.0})})
    assert len(mixed.figure.layout.shapes) == 1, "only the level: the runs were clipped differently"


def test_under_a_test_no_time_is_told(notebook, capsys):
    panel = Cockpit(LOG, across="seconds")
    show(panel)
    told = capsys.readouterr().out
    assert "seconds" not in told and "per second" not in told and "events/s" not in told and "after" not in told
    assert "4 epochs" in told and "NDCG@10" in told
    assert Cockpit(LOG, view="speed").digest().count("Loss") == 1
    assert "seconds" in panel.sentence or "after" in panel.sentence, "the notebook itself shows them"


def test_a_reader_is_told_the_time(reader):
    told = Cockpit(LOG, across="seconds").digest()
    assert "seconds" in told and "events per second" in told and "after" in told


def test_every_control_is_labelled_and_can_be_reached():
    panel = Cockpit(LOG)
    controls = (panel._view, panel._metric, panel._across, panel._level, panel._layer, panel._smoothing, panel._log)
    assert all(control.description and control.tabbable is not False for control in controls)
    assert list(panel._view.options) == ["all", *PARTS] and Cockpit(LOG[:0])._layer.disabled


@pytest.mark.parametrize(
    ("runs", "options", "message"),
    [
        (LOG, {"view": "los"}, "view must be one of all, loss"),
        (LOG, {"metric": "NDCG"}, "metric must be one of NDCG@10"),
        (LOG, {"across": "days"}, "x axis must be one of epochs"),
        (LOG, {"level": 0}, "percentage of the best quality"),
        (5, {}, "expected a FitResult"),
        ({str(n): LOG for n in range(8)}, {}, "up to 7 runs"),
    ],
)
def test_wrong_calls_explain_themselves(runs, options, message):
    with pytest.raises(ValueError, match=message):
        Cockpit(runs, **options)
