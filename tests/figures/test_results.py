"""Numbers beside other numbers: published, ceilings, roofs, ladders, ranks and what each event contributed."""

import math

import numpy as np
import pytest

from seqrec_edu.figures import (
    attribution_bars,
    attribution_table,
    ceiling_bars,
    ceiling_table,
    digest,
    equality_ladder,
    ladder_table,
    published_table,
    published_versus_ours,
    rank_histogram,
    rank_table,
    roofline,
    roofline_table,
)
from seqrec_edu.figures.template import BETTER, INK, QUIET, WORSE

PUBLISHED = {"SASRec": {"one paper": 0.12, "another": 0.13}, "Mamba4Rec": 0.15}
OURS = {"SASRec": (0.125, 0.119, 0.131), "Mamba4Rec": (0.12, 0.11, 0.13), "popularity": 0.02}


def test_every_model_has_one_row_with_all_its_numbers():
    figure = published_versus_ours(PUBLISHED, OURS, metric="HR@10")
    theirs, ours = figure.data
    assert list(figure.layout.yaxis.ticktext) == ["SASRec", "Mamba4Rec", "popularity"]
    assert list(zip(theirs.x, theirs.y, strict=True)) == [(0.12, 1), (0.13, 1), (0.15, 2)]
    assert list(ours.x) == [0.125, 0.12, 0.02]
    assert np.allclose(ours.error_x.array, [0.006, 0.01, 0]) and np.allclose(ours.error_x.arrayminus, [0.006, 0.01, 0])
    assert [note.text for note in figure.layout.annotations] == ["+4.2% / -3.8%", "-20.0%"]
    assert figure.layout.title.subtitle.text.startswith("for 1 of 2 models a published number lies within our interval")


def test_published_as_text():
    rows = published_table(PUBLISHED, OURS).splitlines()
    assert rows[1].split() == ["SASRec", "one", "paper", "0.1200", "0.1250", "0.1190", "to", "0.1310", "+4.2%"]
    assert rows[4].split() == ["popularity", "–", "–", "0.02000", "–", "–"] and len(rows) == 5


def test_bars_below_the_ceiling_and_the_blind_in_grey():
    figure = ceiling_bars({"a": 0.1, "b": (0.3, 0.28, 0.32)}, (0.4, 0.39, 0.41), blind=["a"])
    (bar,) = figure.data
    assert list(bar.x) == [0.3, 0.1] and list(bar.marker.color) == [BETTER, QUIET]
    assert figure.layout.title.subtitle.text == "b reaches 75% of the ceiling, the best blind predictor (grey) 25%"
    assert [note.text for note in figure.layout.annotations] == ["75%", "25%", "ceiling 0.4000"]
    assert ceiling_table({"a": 0.1}, 0.4, blind=["a"]).splitlines()[1].split() == ["a", "(blind)", "0.1000", "–", "25%"]


def test_above_the_ceiling_is_a_leak():
    figure = ceiling_bars({"a": (0.5, 0.45, 0.55), "b": (0.42, 0.38, 0.46)}, 0.4)
    assert list(figure.data[0].marker.color) == [WORSE, BETTER]  # an interval that reaches below is no proof
    assert "a lies above the ceiling with its whole interval: look for a leak" in digest(figure)


def test_within_what_the_ceiling_may_be_is_none():
    figure = ceiling_bars({"a": (0.52, 0.505, 0.535)}, (0.5, 0.45, 0.55))
    assert list(figure.data[0].marker.color) == [BETTER] and "leak" not in digest(figure)


def test_kernels_stand_below_the_roof():
    figure = roofline({"ours": (2.0, 1e12), "other": (1000.0, 5e13)}, 1e14, 1e12, ours=["ours"])
    points = [trace for trace in figure.data if trace.mode == "markers"]
    assert [trace.name for trace in points] == ["ours (50% of the roof)", "other (50% of the roof)"]
    assert points[0].marker.color == INK != points[1].marker.color
    assert figure.layout.title.subtitle.text == (
        "left of 100 operations per byte memory decides, right of it arithmetic; ours (dark) reach 50%"
    )
    flat, slope = (trace for trace in figure.data if trace.mode == "lines")
    assert set(flat.y) == {1e14} and slope.y[0] / slope.x[0] == pytest.approx(1e12) and slope.y[1] == 1e14
    assert roofline_table({"a": (2.0, 1e12)}, 1e14, 1e12).splitlines()[1].split() == [
        "a", "2.000", "1", "Top/s", "memory", "50%",
    ]  # fmt: skip


PAIRS = {("loop", "matrix"): 3e-7, ("loop", "kernel"): 0.0, ("matrix", "kernel"): 1e-3}


def test_the_ladder_tells_equal_from_not():
    figure = equality_ladder(PAIRS, 1e-5)
    named = {trace.name: trace for trace in figure.data}
    assert list(named["within the tolerance"].x) == [3e-7] and list(named["beyond the tolerance"].x) == [1e-3]
    assert list(figure.layout.yaxis.ticktext) == ["loop = kernel", "loop = matrix", "matrix ≠ kernel"]
    assert (
        figure.layout.xaxis.ticktext[0] == "0"
        and named["equal to the last bit"].x[0] == figure.layout.xaxis.tickvals[0]
    )
    (line,) = figure.layout.shapes
    assert line.x0 == 1e-5 and math.isclose(figure.layout.annotations[0].x, -5)
    assert "<b>1 of 3 pairs differ" in figure.layout.title.subtitle.text
    assert ladder_table(PAIRS, 1e-5).splitlines()[3].split() == ["matrix", "kernel", "0.001000", "NOT", "equal"]


def test_views_that_agree_say_so():
    assert equality_ladder({("a", "b"): 0.0}, 1e-9).layout.title.subtitle.text == "the views agree to the last bit"
    assert "2 views agree; furthest apart" in equality_ladder({("a", "b"): 1e-12}, 1e-9).layout.title.subtitle.text


def test_ranks_are_counted_in_doublings_and_summed_to_hit_rates():
    ranks = np.array([1, 2, 2, 4, 9, 100])
    figure = rank_histogram({"m": ranks}, 100, k=4)
    chance, bins, hits = figure.data
    assert chance.y[-1] == 1 and list(bins.x[:5]) == [0.5, 1.5, 2.5, 4.5, 8.5] and bins.x[-1] == 100.5
    assert np.allclose(bins.y[:5] * 6, [1, 2, 1, 0, 1]) and bins.y[:-1].sum() == pytest.approx(1)
    assert bins.text[2] == "ranks 3 to 4"
    assert np.allclose([y for x, y in zip(hits.x, hits.y, strict=True) if x in (1, 4)], [1 / 6, 4 / 6])
    assert figure.layout.title.subtitle.text == "HR@4 (shaded) of 6 users: m 66.7%"
    assert rank_table(ranks, 100, cutoffs=(1, 4)).splitlines()[1].split() == ["ranks", "3.000", "16.7%", "66.7%"]


def test_half_ranks_of_ties_are_counted_once():
    bins = rank_histogram([1.5, 2.5, 8.5], 10).data[1]
    assert bins.y[:-1].sum() == pytest.approx(1)


def test_events_that_speak_for_and_against():
    figure = attribution_bars([0.5, -1.0], ["Tent", "Stove"], target="Lamp", unit="log-probability")
    (bar,) = figure.data
    assert list(bar.x) == [0.5, -1.0] and list(bar.marker.color) == [BETTER, WORSE]
    assert figure.layout.title.text == "<b>What speaks for Lamp</b>"
    assert figure.layout.title.subtitle.text == "strongest: event 2 Stove, -1.0"
    assert attribution_bars(np.ones(100)).data[0].orientation == "v"
    assert attribution_bars([0.0]).layout.title.subtitle.text == "no event changes the score"
    assert attribution_table([0.5, -1.0], ["Tent", "Stove"]).splitlines()[1] == "2 Stove  -1"


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: published_versus_ours({}, {}), "at least one model"),
        (lambda: published_versus_ours({"a": math.nan}, {}), "leave out what is not known"),
        (lambda: published_versus_ours({}, {"a": (1.0, 2.0, 3.0)}), "outside its own interval"),
        (lambda: ceiling_bars({}, 0.4), "at least one predictor"),
        (lambda: ceiling_bars({"a": 0.1}, 0.0), "above zero"),
        (lambda: ceiling_bars({"a": 0.1}, 0.4, blind=["b"]), r"blind names \['b'\]"),
        (lambda: roofline({}, 1.0, 1.0), "at least one kernel"),
        (lambda: roofline({"a": (0.0, 1.0)}, 1.0, 1.0), "both above zero"),
        (lambda: roofline({"a": (1.0, 1.0)}, -1.0, 1.0), 'peak "arithmetic"'),
        (lambda: roofline({"a": (1.0, 1.0)}, 1.0, 1.0, ours=["b"]), r"ours names \['b'\]"),
        (lambda: equality_ladder({}, 1.0), "at least one pair"),
        (lambda: equality_ladder({"ab": 1.0}, 1.0), "keyed by pairs"),
        (lambda: equality_ladder({("a", "b"): math.nan}, 1.0), "finite and not negative"),
        (lambda: equality_ladder({("a", "b"): 1.0}, 0.0), "tolerance"),
        (lambda: rank_histogram([0], 10), "within 1…10"),
        (lambda: rank_histogram([1], 10, k=11), "k must lie"),
        (lambda: rank_histogram([], 10), "nothing along axis u"),
        (lambda: attribution_bars([[1.0]]), 'the axes "l"'),
    ],
)
def test_refusals(call, says):
    with pytest.raises(ValueError, match=says):
        call()
