"""Training curves and their sketch: gaps where nothing was measured, the best epoch, several runs."""

import xml.etree.ElementTree as ElementTree

import pytest

from seqrec_edu.figures import dark, digest, history_timeline, training_curves, training_table
from seqrec_edu.figures.sketch import sketch

LOG = [
    {"epoch": 1, "loss": 5.0, "NDCG@10": 0.10},
    {"epoch": 2, "loss": float("nan")},
    {"epoch": 3, "loss": 3.0, "NDCG@10": 0.20},
    {"epoch": 4, "loss": 2.5, "NDCG@10": 0.20},
]


def named(figure, name):
    return [trace for trace in figure.data if trace.name == name]


def test_loss_and_metric_with_gaps():
    loss, metric = named(training_curves(LOG), "run")
    assert list(loss.x) == [1, 2, 3, 4] and list(loss.y) == [5.0, None, 3.0, 2.5]
    assert list(metric.y) == [0.10, None, 0.20, 0.20] and metric.yaxis == "y2"


def test_the_ring_is_the_earliest_best_epoch():
    (ring,) = named(training_curves(LOG), "best")
    assert (ring.x, ring.y, ring.text) == ((3,), (0.20,), ("0.2000",))


def test_runs_stand_side_by_side_with_their_own_colour_and_dash():
    figure = training_curves({"a": LOG, "b": LOG[:1]}, references={"popularity": 0.05})
    first, second = named(figure, "a")[0], named(figure, "b")[0]
    assert first.line.color != second.line.color and first.line.dash != second.line.dash
    assert figure.layout.showlegend and "a 0.2000, b 0.1000" in figure.layout.title.subtitle.text
    assert [note.text for note in figure.layout.annotations] == ["popularity 0.0500"]


def test_an_interval_in_the_records_is_a_band():
    log = [{**record, "NDCG@10 low": 0.09, "NDCG@10 high": 0.21} for record in LOG]
    (band,) = named(training_curves(log), "run, interval")
    assert list(zip(band.x, band.y, strict=True)) == [(e, 0.21) for e in (1, 2, 3, 4)] + [
        (e, 0.09) for e in (4, 3, 2, 1)
    ]
    assert band.yaxis == "y2" and band.fill == "toself" and "intervals" in digest(training_curves(log))


def test_seeds_become_their_mean_and_a_band():
    seeds = [[{"loss": 4.0, "NDCG@10": 0.1}, {"loss": 2.0, "NDCG@10": 0.2}], [{"loss": 2.0, "NDCG@10": 0.2}]]
    for figure in (training_curves(seeds), training_curves({"run": seeds})):
        loss, metric = named(figure, "run")
        assert list(loss.y) == [3.0, 2.0] and list(metric.y) == pytest.approx([0.15, 0.2])
        band = named(figure, "run, interval")[0]
        assert list(band.y) == [4.0, 2.0, 2.0, 2.0]  # one seed has stopped: nothing wide in epoch 2
    assert "lowest to highest of 2 seeds" in training_curves(seeds).layout.title.subtitle.text
    assert dark(training_curves(seeds)).data[0].fillcolor != training_curves(seeds).data[0].fillcolor


def test_what_seeds_say_together_replaces_what_each_says_of_itself():
    seeds = [[{"loss": 4.0, "NDCG@10": score, "NDCG@10 low": 0.0, "NDCG@10 high": 1.0}] for score in (0.1, 0.2)]
    (band,) = named(training_curves({"run": seeds}), "run, interval")
    assert sorted(band.y) == [0.1, 0.2]


def test_more_keys_stand_below():
    figure = training_curves([{**record, "gradient_norm": 1.0} for record in LOG], also=["gradient_norm", "missing"])
    assert [figure.layout[f"yaxis{n}"].title.text for n in (3, 4)] == ["gradient norm", "missing"]
    assert list(named(figure, "run")[2].y) == [1.0] * 4 and list(named(figure, "run")[3].y) == [None] * 4
    assert len(sketch(figure)) < 12_000


def test_the_table_has_the_best_epoch():
    assert training_table({"a": LOG, "b": []}).splitlines() == [
        "run  epochs  first loss  last loss  best NDCG@10  in epoch",
        "a         4       5.000      2.500        0.2000         3",
        "b         0           –          –             –         –",
    ]


def test_another_metric_and_missing_epoch_numbers():
    (_, metric) = named(training_curves([{"HR@10": 0.3}, {"HR@10": 0.4}], metric="HR@10"), "run")
    assert list(metric.x) == [1, 2] and list(metric.y) == [0.3, 0.4]


@pytest.mark.parametrize("log", [[], {"a": []}, [{"epoch": 1, "loss": 3.0}]])
def test_nothing_measured_yet_is_said(log):
    assert "yet" in training_curves(log).layout.title.subtitle.text


@pytest.mark.parametrize("log", [{"epoch": 1, "loss": 2.0}, "loss", [1.0, 2.0]])
def test_what_is_no_log_is_refused(log):
    with pytest.raises(ValueError, match="one record per epoch"):
        training_curves(log)


def test_more_runs_than_colours_are_refused():
    with pytest.raises(ValueError, match="up to 7 runs"):
        training_curves({str(n): LOG for n in range(8)})


def test_structure_only_digest_does_not_depend_on_the_run():
    shorter = [{**record, "loss": 1.0, "NDCG@10": 0.3} for record in LOG[:2]]
    assert digest(training_curves(LOG), values=False) == digest(training_curves(shorter), values=False)


@pytest.mark.parametrize("log", [LOG, [], LOG[:1], {"a": LOG, "b <&>": LOG[2:]}, [LOG, LOG[1:]]])
def test_the_sketch_is_well_formed_and_small(log):
    figure = training_curves(log, references={"popularity": 0.05}, title="A < B & C")
    drawing = ElementTree.fromstring(sketch(figure))
    assert drawing.get("role") == "img" and drawing[0].text.startswith("A") and len(sketch(figure)) < 10_000
    lines = [node for node in drawing.iter() if node.tag.endswith("polyline")]  # areas are left to the real figure
    assert len(lines) == sum(any(y is not None for y in t.y) for t in figure.data if "lines" in t.mode and not t.fill)


def test_the_sketch_keeps_points_inside():
    drawing = ElementTree.fromstring(sketch(training_curves(LOG)))
    for node in drawing.iter():
        if node.tag.endswith("circle"):
            assert 0 < float(node.get("cx")) < 800 and 0 < float(node.get("cy")) < 360
    with pytest.raises(ValueError, match="numbers"):
        sketch(history_timeline([1], [5]))
