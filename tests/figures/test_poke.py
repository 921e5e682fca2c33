"""What a poke moved: which output in which colour, what is zero and what rounding, and the words for it."""

import numpy as np
import pytest

from seqrec_edu.figures import poke_response, poke_sentence, poke_table
from seqrec_edu.figures.template import BETTER, CARD, LINE, MUTED, QUIET, WORSE

CAUSAL = np.array([0.0, 0.0, 0.9, 0.1, 1e-4])
LEAKS = np.array([0.02, 0.0, 0.9, 0.1, 1e-15])


def bars(figure):
    drawn = (trace for trace in figure.data if trace.type != "heatmap" and len(trace.x))
    return {trace.name: (list(trace.x), trace.marker.color) for trace in drawn}


def test_each_output_has_the_colour_of_its_side():
    assert bars(poke_response(CAUSAL, 2)) == {
        "output from event 3 on": ([3, 4, 5], BETTER), "0 exactly": ([1, 2], MUTED),
    }  # fmt: skip
    found = bars(poke_response(LEAKS, 2))
    assert found["output before event 3: reads a later event"] == ([1], WORSE)
    assert found["rounding"] == ([5], QUIET) and found["0 exactly"][0] == [2]
    figure = poke_response(LEAKS, 2)
    np.testing.assert_allclose(figure.data[1].y, LEAKS[2:4], rtol=1e-6)
    assert figure.data[-1].y[0] < 1e-12 and figure.layout.yaxis.type == "log"  # a ring on the floor
    assert "<b>1 of 2 earlier outputs move</b>" in figure.layout.title.subtitle.text


def test_pads_are_hatched_and_numbered_apart():
    right = poke_response(np.append(CAUSAL, [0, 0]), 2, pads=2)
    left = poke_response(np.insert(CAUSAL, 0, [0, 0]), 4, pads=2, side="left")
    for figure in (right, left):
        assert bars(figure) == bars(poke_response(CAUSAL, 2)) and any(
            n.text == "pads" for n in figure.layout.annotations
        )
    np.testing.assert_allclose([right.layout.xaxis.range, left.layout.xaxis.range], [[0.3, 7.7], [-1.7, 5.7]])
    edges = [{s.x0, s.x1} for f in (right, left) for s in f.layout.shapes if s.type == "rect" and s.xref is None]
    assert edges == [{5.5, 7.5}, {-1.5, 0.5}]


def test_a_poked_pad_has_no_past_and_no_future():
    read = poke_response(np.append(CAUSAL, 0), 5, pads=1)
    assert bars(read)["output that reads the pad"] == ([3, 4, 5], WORSE)
    assert poke_sentence(np.append(CAUSAL, 0), 5, pads=1) == (
        "3 of 5 outputs move, by up to 0.9 of the largest: the pad is read"
    )
    assert poke_sentence(np.zeros(6), 5, pads=1).endswith("(0 exactly): the pad is not read")
    assert "none of 5" in poke_response(np.zeros(6), 5, pads=1).layout.title.subtitle.text


def test_the_map_has_bands_for_rounding_and_for_zero():
    whole = np.array([[0.5, 0.01, 1e-14], [0, 0.5, 0.05], [1e-16, 0, 0.5]])
    heat = poke_response(whole[1], 1, whole=whole).data[-1]
    np.testing.assert_allclose(heat.z, [[np.log10(0.5), -2, -3], [-4, np.log10(0.5), np.log10(0.05)],
                                        [-3, -4, np.log10(0.5)]], rtol=1e-6)  # fmt: skip
    colours = [colour for _, colour in heat.colorscale]
    assert colours[0] == CARD and LINE in colours and (heat.zmin, heat.x0, heat.dx) == (-4.5, 1, 1)
    large = poke_response(np.full(70, 0.03), 1, whole=np.full((70, 70), 0.03)).data[-1]
    assert large.z.dtype == np.int8 and (large.z == -2).all()
    assert poke_response(CAUSAL * 0, 2, whole=np.zeros((5, 5))).data[-1].z.max() == -4


def test_words():
    assert poke_sentence(CAUSAL, 2) == (
        "3 of 3 outputs from it on move, by up to 0.9 of the largest; none before it (0 exactly): nobody reads it ahead"
    )
    assert poke_sentence(LEAKS, 2).endswith("1 of the 2 before it move too, by up to 0.02")
    assert "none before it (rounding)" in poke_sentence(np.array([1e-15, 0.5]), 1)
    assert poke_sentence(CAUSAL * 0, 2) == "no output moves (0 exactly): it is not read"
    assert poke_sentence(CAUSAL[2:], 0).endswith("none is before it")
    table = poke_table(LEAKS, 2, ["Tent", "Stove", "Novel", "Lamp", "Map"])
    said = [row[2] for row in table.cells]
    assert said == ["reads a later event", "0 exactly", "reads itself", "reads it", "rounding"]
    assert [row[1] for row in table.cells] == ["0.02", "0", "0.9", "0.1", "< 1e-12"]
    assert [row[2] for row in poke_table(np.append(CAUSAL, 0), 5, pads=1).cells][2:] == ["reads the pad"] * 3


@pytest.mark.parametrize(
    ("change", "more", "words"),
    [
        (-CAUSAL, {}, "not be negative"),
        (CAUSAL, {"place": 5}, "place must be within 0…4"),
        (CAUSAL, {"pads": 5}, "must leave an event"),
        (CAUSAL, {"side": "top"}, '"right" or "left"'),
        (CAUSAL, {"names": ["a"]}, "5 are expected, got 1"),
        (CAUSAL, {"whole": np.zeros((4, 4))}, "4 along axis s where 5"),
        (CAUSAL * np.nan, {}, "only finite numbers"),
    ],
)
def test_wrong_calls(change, more, words):
    with pytest.raises(ValueError, match=words):
        poke_response(change, **({"place": 2} | more))
