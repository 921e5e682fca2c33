"""The live loss: redrawn in place while it runs, drawn once under a test, silent outside a notebook."""

from types import SimpleNamespace

import pytest

from seqrec_edu.panels import LiveLoss, live_loss
from seqrec_edu.panels.mime import PLOTLY

LOG = [{"epoch": n, "loss": 5 / n, "NDCG@10": 0.2 - 0.1 / n, "seconds": 1.0} for n in range(1, 6)]


def run(live, log=LOG, result=None):
    live.on_fit_begin(None, 7, 0)
    for record in log:
        live.on_step_end({"epoch": record["epoch"], "step": 1, "loss": 3.0})
        live.on_epoch_end(record)
    live.on_fit_end(result)
    return live


@pytest.fixture
def clock(monkeypatch):
    """Time that passes only when told to; outside a test, as a reader runs it."""
    now = SimpleNamespace(value=100.0)
    monkeypatch.setattr(live_loss.time, "monotonic", lambda: now.value)
    monkeypatch.setattr(live_loss, "under_test", lambda: False)
    return now


def test_under_a_test_it_is_drawn_once_with_a_line_that_does_not_depend_on_the_run(notebook, capsys):
    run(LiveLoss())
    ((data, _),) = notebook.outputs
    assert notebook.drawings == 1 and set(data) == {PLOTLY, "text/plain"}
    line = capsys.readouterr().out
    assert line.startswith("Figure: Training | 3 traces") and "0." not in line
    run(LiveLoss(), LOG[:2])
    assert capsys.readouterr().out == line


def test_one_output_is_updated_and_ends_as_the_figure(notebook, clock, capsys):
    live = LiveLoss()
    live.on_fit_begin(None, 7, 0)
    for record in LOG:
        live.on_epoch_end(record)
        assert "<svg" in notebook.outputs[0][0]["text/html"]
        clock.value += 1
    live.on_fit_end()
    assert notebook.drawings == len(LOG) + 1 and len(notebook.outputs) == 1
    assert PLOTLY in notebook.outputs[0][0] and "text/html" not in notebook.outputs[0][0]


def test_it_draws_no_faster_than_every_third_of_a_second(notebook, clock):
    live = LiveLoss()
    for record in LOG:
        live.on_epoch_end(record)
        clock.value += 0.1
    assert notebook.drawings == 2  # at 0.0 and at 0.3 (or 0.4) s


def test_outside_a_notebook_nothing_is_printed(capsys):
    assert len(run(LiveLoss()).log) == 5
    assert capsys.readouterr().out == ""


def test_a_resumed_run_shows_all_its_epochs():
    assert len(run(LiveLoss(), LOG[3:], SimpleNamespace(log=LOG)).log) == 5


def test_a_second_run_starts_afresh(notebook):
    live = run(run(LiveLoss()), LOG[:1])
    assert len(live.log) == 1 and len(notebook.outputs) == 2


def test_earlier_runs_stand_beside_it():
    names = {trace.name for trace in run(LiveLoss(earlier={"SASRec": LOG}, name="TiM4Rec")).figure.data}
    assert names == {"SASRec", "TiM4Rec", "best"}


def test_it_stays_two_lines_where_the_log_holds_intervals():
    log = [{**record, "NDCG@10 low": 0.0, "NDCG@10 high": 1.0} for record in LOG]
    assert len(run(LiveLoss(), log).figure.data) == 3 and len(run(LiveLoss(), log).log[0]) == 6


def test_drawing_takes_a_tenth_of_the_time_at_most(clock):
    pace = live_loss.Pace()
    assert pace.due
    with pytest.raises(ValueError), pace.drawing():
        clock.value += 0.5
        raise ValueError
    assert not pace.due, "also after a drawing that failed"
    clock.value += 4.9
    assert not pace.due
    clock.value += 0.2
    assert pace.due


def test_a_run_without_epochs_draws_nothing(notebook, capsys):
    run(LiveLoss(), [])
    assert not notebook.outputs and capsys.readouterr().out == ""
