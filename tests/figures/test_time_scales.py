"""Four scales over one axis of events, the relations, and the table of both."""

import numpy as np
import pytest

from seqrec_edu.figures import gap_scales, gap_table, relation_map
from seqrec_edu.figures.heat import values_of

GAPS = np.array([0, 40, 0, 86_400, 3600])
COARSE = np.array([0, 0, 0, 86_400, 3584.0])
SCALED = {"official": np.array([5.0, 5.1, 5.1, 7.0, 5.2]), "corrected": np.array([-2.0, 0, -2, 2, 1])}
BUCKETS = np.array([256, 256, 256, 90, 0])
KEPT = {form: np.linspace(low, 1, 5) for form, low in (("without times", 0.5), ("official", 0.4), ("corrected", 0.1))}
ALL = (GAPS, COARSE, SCALED, BUCKETS, KEPT)


def traces(figure):
    return {(trace.name, trace.yaxis): trace for trace in figure.data}


def test_every_scale_has_its_numbers():
    found = traces(gap_scales(*ALL, event=3))
    seconds = found["seconds", "y"]
    np.testing.assert_allclose(seconds.y, [0.1, 40, 0.1, 86_400, 3600])  # 0 on the floor of a logarithmic axis
    assert "24 h" in seconds.customdata[3] or "1 day" in seconds.customdata[3]
    float32 = found["float32 seconds, where they differ", "y"]
    assert list(float32.x) == [2, 5] and float32.y[1] == 3584
    np.testing.assert_allclose(found["official", "y2"].y, SCALED["official"] - 5.15, rtol=1e-5)
    np.testing.assert_allclose(found["corrected", "y2"].y, SCALED["corrected"] - 0.5)
    assert list(found["TiSASRec's bucket", "y3"].y) == BUCKETS.tolist()
    for form, values in KEPT.items():
        np.testing.assert_allclose(found[form, "y4"].y, values, rtol=1e-6)
    shown = [trace.name for trace in found.values() if trace.showlegend]
    assert sorted(shown) == ["corrected", "float32 seconds, where they differ", "official", "without times"]


def test_the_chosen_event_is_marked_and_the_summary_compares():
    figure = gap_scales(*ALL, event=3)
    assert [(s.x0, s.x1) for s in figure.layout.shapes if s.type == "rect"] == [(3.6, 4.4)]
    assert figure.layout.title.subtitle.text == ("all gaps but the longest lie within 0.1 (official), 3.0 (corrected)")
    one = gap_scales([0], [0], {"official": [0.0]}, [0], {"without times": [1.0]})
    assert "there is no gap" in one.layout.title.subtitle.text and len(gap_scales(*ALL).layout.shapes) == 1


def test_the_table_has_a_row_for_every_event():
    table = gap_table(*ALL, ["Tent", "Stove", "Novel", "Lamp", "Map"])
    assert table.header[:6] == ["event", "seconds before", "in float32", "official", "corrected", "bucket"]
    assert table.cells[3][:6] == ["4 Lamp", "86400", "86400", "7.000", "2.000", "90"] and len(table.cells) == 5


def test_relations_are_those_of_earlier_events():
    apart = np.array([[0, 256, 256], [256, 0, 9], [256, 9, 0]])
    figure = relation_map(apart, ["Tent", "Stove", "Novel"])
    assert np.allclose(values_of(figure.data[0]), np.tril(apart))
    assert figure.layout.title.subtitle.text == "2 of 3 pairs lie in the last bucket, 256"
    assert list(figure.layout.coloraxis.colorbar.ticktext) == ["0", "128", "256"]
    assert "no pair" in relation_map([[0]]).layout.title.subtitle.text


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({0: -GAPS}, "must not be negative, but event 2 is before"),
        ({1: COARSE[:3]}, "3 along axis l where 5"),
        ({2: {"ours": GAPS}}, "forms are without times, official, corrected"),
        ({4: {"official": KEPT["official"][:2]}}, "2 along axis l where 5"),
    ],
)
def test_wrong_calls(changed, words):
    with pytest.raises(ValueError, match=words):
        gap_scales(*(changed.get(i, value) for i, value in enumerate(ALL)))
