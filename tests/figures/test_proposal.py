"""A gated stream: by event, by channel, and the row of an event framed among interests."""

import numpy as np
import pytest

from seqrec_edu.figures import digest
from seqrec_edu.figures.interests import low_rank_interests
from seqrec_edu.figures.proposal import framed, gate_proposal, proposal_table

PROPOSED = np.array([[3.0, 4.0], [0.0, 2.0], [1.0, 1.0]])
GATE = np.array([[1.0, 0.0], [0.5, 0.5], [-0.1, 2.0]])
RESULT = np.ones((3, 2))


def trace(figure, name, axis="x"):
    (found,) = [each for each in figure.data if each.name == name and each.xaxis == axis]
    return found


def test_sizes_are_roots_of_mean_squares():
    figure = gate_proposal(PROPOSED, GATE, RESULT, ["a", "b", "c"])
    assert trace(figure, "proposed").y.tolist() == pytest.approx(np.sqrt([12.5, 2.0, 1.0]))
    assert trace(figure, "let through").y.tolist() == pytest.approx(np.sqrt([4.5, 0.5, (0.01 + 4) / 2]))
    assert trace(figure, "result").y.tolist() == [1, 1, 1]
    assert trace(figure, "gate, mean", "x2").y.tolist() == pytest.approx([0.5, 0.5, 0.95])


def test_channels_are_those_of_the_event():
    figure = gate_proposal(PROPOSED, GATE, RESULT, ["a", "b", "c"], event=0)
    assert trace(figure, "proposed", "x3").y.tolist() == [3, 4] and trace(figure, "let through", "x3").y.tolist() == [
        3,
        0,
    ]
    assert trace(figure, "gate by channel", "x4").y.tolist() == [1, 0]
    assert "event 1: 0.6 of what was proposed is let through; a" in figure.layout.title.subtitle.text
    assert {shape.x0 for shape in figure.layout.shapes if shape.x0 == shape.x1} == {1}
    last = gate_proposal(PROPOSED, GATE, RESULT)
    assert trace(last, "gate by channel", "x4").y.tolist() == pytest.approx([-0.1, 2.0])
    low, high = last.layout.yaxis4.range
    assert low < -0.1 and high > 2  # a gate that turns round or amplifies is not cut


def test_a_gate_shut_on_nothing():
    nothing = np.zeros((1, 2))
    assert "0.0 of what was proposed" in gate_proposal(nothing, nothing, nothing).layout.title.subtitle.text
    assert "none" not in digest(gate_proposal(nothing, nothing, nothing))


def test_the_table_is_by_event():
    table = proposal_table(PROPOSED, GATE, RESULT, ["a", "b", "c"])
    assert table.cells[1] == ["2 b", "1.414", "0.7071", "0.5000", "0.5000", "0.5000", "0.5000", "1.000"]
    assert table.cells[2][4:7] == ["-0.1000", "0.9500", "2.000"]


def test_the_row_of_an_event_is_framed_in_a_copy():
    pool = np.full((4, 2), 0.25)
    plain = low_rank_interests(pool, pool)
    figure = framed(plain, 2, length=4, columns=2)
    assert [(shape.y0, shape.y1, shape.xref) for shape in figure.layout.shapes] == [(1.5, 2.5, "x"), (1.5, 2.5, "x2")]
    assert not plain.layout.shapes
    tall = framed(plain, -1, length=200, columns=2).layout.shapes[0]
    assert tall.y0 < 198.5 and tall.y1 > 199.5  # a frame as thin as a row of 200 would hide it
    with pytest.raises(ValueError, match="event must be within"):
        framed(plain, 4, length=4, columns=2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((PROPOSED, GATE[:2], RESULT), "gate"),
        ((PROPOSED, GATE, RESULT[:, :1]), "result"),
        ((PROPOSED * np.nan, GATE, RESULT), "proposed holds nan"),
    ],
)
def test_wrong_arrays_explain_themselves(arguments, message):
    with pytest.raises(ValueError, match=message):
        gate_proposal(*arguments)
    with pytest.raises(ValueError, match="event must be within"):
        gate_proposal(PROPOSED, GATE, RESULT, event=3)
