"""The cockpit's parts: what is drawn in each, what is marked, and what is said where nothing was recorded."""

import json

import numpy as np
import plotly.graph_objects as go
import pytest

from seqrec_edu.figures import cockpit, cockpit_sentence, cockpit_table, dark
from seqrec_edu.figures.cockpit_layout import PARTS
from seqrec_edu.figures.log import best, first_at, layers, smoothed, step_key, values
from tests.figures.samples import flight

SCORES = (0.10, 0.20, 0.30, 0.30, 0.25)
LOG = [{**record, "NDCG@10": score, "NDCG@10 low": score - 0.02, "NDCG@10 high": score + 0.02, "HR@10": 2 * score}
       for record, score in zip(flight(5), SCORES, strict=True)]  # fmt: skip
OLD = [{"epoch": e, "loss": 5.0 / e, "NDCG@10": 0.1 * e, "seconds": 2.0 * e} for e in (1, 2, 3)]


def within(figure, part, parts=PARTS):
    """Traces of one part that hold something."""
    end = str(parts.index(part) + 1) if parts.index(part) else ""
    return [t for t in figure.data if (t.yaxis or "y") == "y" + end and any(y is not None for y in t.y)]


def thick(traces):
    return [t for t in traces if t.fill is None and t.mode != "markers" and t.line.width == 2]


def notes(figure):
    return [note.text for note in figure.layout.annotations]


def test_every_part_has_its_line():
    figure = cockpit({"a": LOG})
    expected = ("loss", "NDCG@10", "gradient_norm", "dt ssds.0", "events_per_second", "learning_rate")
    for part, key in zip(PARTS, expected, strict=True):
        (line,) = thick(within(figure, part))
        assert list(line.y) == [record[key] for record in LOG] and list(line.x) == [1, 2, 3, 4, 5]
    assert next(axis.title.text for axis in figure.select_yaxes()) == "nats per target"
    assert not figure.layout.yaxis2.type and figure.layout.yaxis3.type == figure.layout.yaxis4.type == "log"
    assert (
        figure.layout.xaxis4.matches == "x" and not figure.layout.xaxis.title.text and figure.layout.xaxis5.title.text
    )


def test_bands_hold_the_interval_and_both_widths_of_the_step_sizes():
    figure = cockpit({"a": LOG})
    (band,) = [t for t in within(figure, "quality") if t.fill]
    assert max(band.y) == pytest.approx(0.32) and min(band.y) == pytest.approx(0.08)
    outer, inner = [t for t in within(figure, "step size") if t.fill]
    assert min(outer.y) < min(inner.y) and max(outer.y) > max(inner.y) and len(outer.x) == 10


def test_kept_stopped_and_reached_are_marked():
    figure = cockpit({"a": LOG}, level=0.2, stopped=["a"])
    marks = {t.name: (t.x[0], t.y[0], t.marker.symbol) for t in within(figure, "quality") if t.mode == "markers"}
    assert marks == {
        "a, kept": (3, 0.30, "circle-open"),
        "a, stopped": (5, 0.25, "x-thin"),
        "a, reached": (2, 0.20, "diamond-open"),
    }
    assert "patience used up" in figure.layout.title.subtitle.text
    assert [(shape.y0, shape.yref) for shape in figure.layout.shapes] == [(0.2, "y2")]
    quiet = cockpit({"a": LOG}, level=0.9)
    assert "a, reached" not in [t.name for t in quiet.data] and "a, stopped" not in [t.name for t in quiet.data]


def test_what_was_kept_is_decided_by_ndcg_whatever_is_looked_at():
    other = [{**record, "HR@10": 0.1 * i} for i, record in enumerate(LOG)]
    (kept,) = [t for t in cockpit({"a": other}, metric="HR@10").data if t.name == "a, kept"]
    assert (kept.x[0], kept.y[0]) == (3, other[2]["HR@10"])


def test_any_axis_that_was_recorded_can_be_chosen():
    for across, last in (("steps", 450), ("seconds", 7.5), ("events", 45000)):
        figure = cockpit({"a": LOG}, across=across)
        assert thick(within(figure, "loss"))[0].x[-1] == last
        assert figure.layout.xaxis5.title.text.startswith(("training steps", "seconds", "events"))
    assert cockpit({"a": LOG}, across="events").layout.xaxis.tickformat == "~s"


def test_an_old_log_is_drawn_and_what_it_lacks_is_said():
    figure = cockpit({"old": OLD})
    assert notes(figure).count("not recorded") == 4 and not within(figure, "gradient")
    assert figure.layout.yaxis3.visible is False and len(thick(within(figure, "quality"))) == 1
    assert not [t for t in figure.data if t.fill]
    steps = cockpit({"old": OLD}, across="steps")
    assert notes(steps).count("steps were not recorded") == 6
    both = cockpit({"old": OLD, "new": LOG}, across="steps")
    assert {t.name for t in thick(both.data)} == {"new"} and "not recorded" not in notes(both)
    alone = cockpit({"old": OLD, "new": LOG}, parts=["gradient"])
    assert "without old: not recorded" in alone.layout.title.subtitle.text


def test_before_the_first_epoch_it_says_so_and_draws_single_steps():
    figure = cockpit({"run": []}, trails={"run": [{"epoch": 0.5, "loss": 5.0, "gradient_norm": 1.0}]})
    assert notes(figure).count("no epoch has ended yet") == 4 and figure.layout.title.subtitle.text
    (thin,) = within(figure, "loss")
    assert (thin.x, thin.y, thin.line.width) == ((0.5,), (5.0,), 1)


def test_seven_runs_differ_in_colour_or_dash_and_eight_are_refused():
    figure = cockpit({f"run {n}": LOG for n in range(7)})
    lines = thick(within(figure, "loss"))
    assert len({(t.line.color, t.line.dash) for t in lines}) == 7
    assert [t.name for t in figure.data if t.showlegend] == [f"run {n}" for n in range(7)]
    assert not any(t.showlegend for t in cockpit({"a": LOG}).data)
    with pytest.raises(ValueError, match="up to 7 runs"):
        cockpit({f"run {n}": LOG for n in range(8)})


def test_smoothing_keeps_the_values_as_dots():
    dots, line = [t for t in within(cockpit({"a": LOG}, smoothing=0.5), "quality") if t.name == "a"]
    assert dots.mode == "markers" and list(dots.y) == list(SCORES)
    assert line.mode == "lines" and list(line.y) == smoothed(SCORES, 0.5)
    assert [t.showlegend for t in cockpit({"a": LOG, "b": LOG}, smoothing=0.5).data if t.name == "a"].count(True) == 1


def test_smoothing_is_the_weighted_mean_of_what_was_measured():
    given, weight = [3.0, None, 1.0, 2.0], 0.6
    expected = []
    for t in range(4):
        seen = [(weight ** sum(g is not None for g in given[s + 1 : t + 1]), g) for s, g in enumerate(given[: t + 1])]
        w, x = zip(*[(w, g) for w, g in seen if g is not None], strict=True)
        expected.append(None if given[t] is None else np.dot(w, x) / sum(w))
    assert smoothed(given, weight) == pytest.approx(expected)
    assert smoothed(given, 0.0) == given


def test_log_scale_is_for_all_parts():
    figure = cockpit({"a": LOG}, log_scale=True)
    assert {axis.type for axis in figure.select_yaxes()} == {"log"}


def test_reading_off_a_log():
    assert (best(LOG, "NDCG@10"), best(OLD, "HR@10")) == (2, None)
    assert (first_at(LOG, "NDCG@10", 0.2), first_at(LOG, "NDCG@10", 0.31)) == (1, None)
    record = {"dt b.0": 1.0, "dt b.0 low": 0.5, "dt a.1": 2.0, "dt a.1 q25": 1.0}
    assert layers([{"epoch": 1}, record]) == ["b.0", "a.1"]
    assert (step_key([record], 2), step_key([record], 3)) == ("dt a.1", "dt ")
    assert values([{"a": float("nan")}, {"a": True}, {}], "a") == [None] * 3


def test_another_layer_is_another_line():
    log = [{**record, "dt ssds.1": 0.5} for record in LOG]
    assert list(thick(within(cockpit({"a": log}, layer=2), "step size"))[0].y) == [0.5] * 5
    assert "layer 2" in " ".join(notes(cockpit({"a": log}, layer=2)))


@pytest.mark.parametrize(
    ("options", "message"),
    [({"parts": ["los"]}, "no part 'los'"), ({"parts": []}, "no part"), ({"across": "epoch"}, "across must be epochs"),
     ({"smoothing": 1.0}, r"smoothing must lie in \[0, 1\)")],
)  # fmt: skip
def test_wrong_calls_explain_themselves(options, message):
    with pytest.raises(ValueError, match=message):
        cockpit({"a": LOG}, **options)


def test_the_table_of_one_run_has_a_row_per_epoch():
    table = cockpit_table({"a": LOG})
    assert len(table.cells) == 5 and table.header[:3] == ["epoch", "loss", "NDCG@10"] and table.header[-1] == "seconds"
    assert "seconds" not in cockpit_table({"a": LOG}, timed=False).header
    assert cockpit_table({"a": OLD}).cells[0].count("–") == 8


def test_the_table_of_several_has_a_row_each():
    table = cockpit_table({"a": LOG, "old": OLD}, level=0.3)
    rows = {cells[0]: dict(zip(table.header, cells, strict=True)) for cells in table.cells}
    assert rows["a"]["in epoch"] == rows["a"]["reached in"] == "3" and rows["old"]["gradient norm"] == "–"
    assert float(rows["a"]["best NDCG@10"]) == 0.3 and rows["old"]["epochs"] == "3"


def test_the_sentence_says_when_the_level_was_reached():
    said = cockpit_sentence({"a": LOG}, level=0.2, share=60, ends={"a": "early"})
    assert "5 epochs, then patience was used up" in said and "best NDCG@10 0.3 (0.28 to 0.32) in epoch 3" in said
    assert "0.2 first in epoch 2, after 3 s" in said and "6,005 events per second" in said
    quiet = cockpit_sentence({"a": LOG}, level=0.2, timed=False)
    assert "after" not in quiet and "per second" not in quiet
    both = cockpit_sentence({"a": LOG, "old": OLD}, level=0.31, share=100)
    assert both.count("0.31 never reached") == 2 and "100 % of the best" in both


def test_the_sentence_says_what_is_missing():
    said = cockpit_sentence({"old": OLD})
    assert said.endswith("Not recorded: gradient norms, step sizes, speed, intervals.")
    without = [{key: v for key, v in record.items() if not key.startswith("dt ")} for record in LOG]
    assert "No layer has step sizes" in cockpit_sentence({"a": without})
    assert "no layer 2 with step sizes" in cockpit_sentence({"a": LOG}, layer=2)
    assert cockpit_sentence({"a": []}) == "No epoch has ended yet."
    assert "b: no epoch has ended yet" in cockpit_sentence({"a": LOG, "b": []})
    assert "HR@5 not recorded" in cockpit_sentence({"a": LOG}, metric="HR@5")


def test_the_dark_copy_has_the_dark_colours():
    figure = cockpit({"a": LOG})
    assert dark(figure).data[0].line.color != figure.data[0].line.color


def test_what_is_drawn_unchecked_is_what_plotly_would_accept():
    figure = cockpit({"a": LOG, "old": OLD}, level=0.1, clip=1.0, smoothing=0.5)
    checked, unchecked = (json.loads(each.to_json()) for each in (go.Figure(figure.to_dict()), figure))
    assert checked == unchecked
