"""Reasons: bars of effects beside the row that reads, in either direction."""

import numpy as np
import pytest

from seqrec_edu.figures.reasons import reason_bars, reason_table
from seqrec_edu.figures.template import BETTER, WORSE

EFFECTS, ROW = np.array([0.5, -2.0, 0.0]), np.array([0.7, 0.2, 0.1])


def test_effects_and_row_stand_beside_each_other():
    figure = reason_bars(EFFECTS, ROW, ["a", "b", "c"], target="Tent", reader="ssds.0, head 1")
    first, second = figure.data
    assert np.allclose(first.x, EFFECTS) and np.allclose(second.x, ROW) and first.orientation == "h"
    assert list(first.marker.color) == [BETTER, WORSE, BETTER]
    assert list(figure.layout.yaxis.ticktext) == ["a  1", "b  2", "c  3"] and not figure.layout.yaxis2.showticklabels
    assert figure.layout.xaxis2.title.text == "weight in ssds.0, head 1"
    assert figure.layout.title.subtitle.text == "counts most: 2 b, -2.0; read most: 1 a, 0.7"


def test_long_histories_stand_upright_and_without_a_row_there_is_one_plot():
    effects = np.arange(60.0)
    first, second = reason_bars(effects, effects[::-1]).data
    assert np.allclose(first.y, effects) and np.allclose(second.y, effects[::-1]) and first.orientation == "v"
    (alone,) = reason_bars(effects).data
    assert np.allclose(alone.y, effects)
    assert reason_bars(np.zeros(2)).layout.title.subtitle.text == "no event changes the score"


def test_the_table_has_the_strongest_first():
    table = reason_table(EFFECTS, ROW, ["a", "b", "c"])
    assert table.cells[0] == ["2 b", "-2.000", "0.2000"] and table.header[-1] == "weight in the row"
    assert reason_table(EFFECTS).header == ["event", "adds to the score"]


def test_arrays_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="row"):
        reason_bars(EFFECTS, ROW[:2])
    with pytest.raises(ValueError, match="only finite"):
        reason_bars(np.array([np.nan]))
