"""What must hold for every figure: small, titled, named axes, one line of text, and the same in the dark."""

import json

import numpy as np
import plotly.graph_objects as go
import pytest

from seqrec_edu.figures import dark, digest
from seqrec_edu.figures.dark import _PAIRS
from seqrec_edu.figures.template import CARD
from tests.figures.samples import LONG, of_results, over_events

FIGURES = {(name, length): figure for length in (1, 10, 200) for name, figure in over_events(length).items()}
FIGURES |= {(name, 0): figure for name, figure in of_results().items()}
each = pytest.mark.parametrize("which", FIGURES, ids=lambda which: f"{which[0]}-{which[1]}")
LIMITS = {0: 8_000, 1: 14_000, 10: 36_000, 200: 135_000}  # bytes of JSON, by number of events


@each
def test_a_stored_figure_is_small(which):
    assert len(FIGURES[which].to_json()) < LIMITS[which[1]]


@each
def test_title_subtitle_and_axes_are_named(which):
    figure = FIGURES[which]
    assert figure.layout.title.text.startswith("<b>") and figure.layout.title.subtitle.text
    assert len(figure.layout.title.subtitle.text) < 130  # pixels end at about there
    assert any(axis.title.text for axis in figure.select_xaxes())
    for axis in figure.select_yaxes():  # a title, or names that say it themselves, or the neighbour's
        assert axis.title.text or axis.ticktext or axis.matches or axis.showticklabels is False or axis.tickvals


@each
def test_no_word_on_an_axis_or_in_the_title_is_endless(which):
    figure = FIGURES[which]
    words = [t for axis in (*figure.select_xaxes(), *figure.select_yaxes()) for t in axis.ticktext or ()]
    assert all(len(word) < 45 for word in words)
    assert all(len(note.text) < 60 for note in figure.layout.annotations)


@each
def test_the_digest_is_one_line_without_a_date(which):
    for text in (digest(FIGURES[which]), digest(FIGURES[which], values=False)):
        assert text.startswith("Figure: ") and "\n" not in text and "2023-" not in text
    assert digest(FIGURES[which]) == digest(go.Figure(FIGURES[which]))


@each
def test_the_dark_copy_changes_colours_and_nothing_else(which):
    figure, copy = FIGURES[which], dark(FIGURES[which])
    assert digest(copy) == digest(figure) and len(copy.frames) == len(figure.frames)
    assert not [colour for colour in _PAIRS if f'"{colour}"' in copy.to_json()]
    assert copy.layout.template.layout.paper_bgcolor == _PAIRS[CARD]
    assert figure.layout.template.layout.paper_bgcolor == CARD  # the original is left as it was


@each
def test_every_number_can_be_drawn(which):
    """JSON has no NaN: Plotly writes null for those, and a gap is only meant where a phase or a value has no number."""
    for trace in FIGURES[which].data:
        if trace.type == "heatmap":
            assert np.isfinite(np.asarray(trace.z, float)).all()
    json.loads(FIGURES[which].to_json())


def test_the_full_name_is_on_hover_where_the_axis_cuts_it():
    heat = FIGURES["mixing_heatmap", 10]
    assert any(LONG in label for label in heat.data[0].y) and not any(
        LONG in text for text in heat.layout.yaxis.ticktext
    )
    assert "2023-11-14 22:14" in heat.data[0].x[1]


def test_something_else_than_a_figure_stays_light():
    with pytest.raises(ValueError, match="plotly Figure, not dict"):
        dark({})
