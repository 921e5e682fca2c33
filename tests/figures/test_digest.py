"""The digest: one line, the same everywhere, without a date, and different when the figure is."""

import re

import numpy as np
import plotly.graph_objects as go
import pytest

from seqrec_edu.figures import digest
from seqrec_edu.figures.text import number, plain, short, span


def timeline(times):
    figure = go.Figure(go.Scatter(x=np.array(times, dtype="datetime64[s]"), y=[1, 2, 3], mode="markers", name="events"))
    figure.update_layout(title={"text": "<b>Title</b>", "subtitle": {"text": "three events"}})
    return figure.update_xaxes(title_text="date", range=[times[0], times[-1]])


def test_one_line_with_titles_sizes_ranges_and_means():
    assert digest(timeline(["2024-01-01", "2024-01-02", "2024-01-05"])) == (
        'Figure: Title (three events) | 1 trace | markers "events" x [3] day 0.0…4.0 mean 1.6667 y [3] 1…3 mean 2.0 '
        '| x "date" day 0.0 to 4.0'
    )


def test_dates_become_days_whatever_form_they_have():
    numpy = timeline(["2024-01-01", "2024-01-02", "2024-01-05"])
    iso = go.Figure(numpy).update_traces(x=["2024-01-01", "2024-01-02", "2024-01-05"])
    assert digest(iso) == digest(numpy)
    assert not re.search(r"\d{4}-\d{2}", digest(numpy))


@pytest.mark.parametrize("place", range(3))
def test_any_changed_point_changes_the_line(place):
    values = np.array([0.25, 0.5, 0.75])
    changed = values.copy()
    changed[place] += 0.01
    assert digest(go.Figure(go.Scatter(y=values))) != digest(go.Figure(go.Scatter(y=changed)))


def test_the_last_bits_do_not_change_the_line():
    values = np.linspace(0.1, 0.7, 50)
    assert digest(go.Figure(go.Scatter(y=values))) == digest(go.Figure(go.Scatter(y=values * (1 + 1e-12))))


def test_without_values_only_the_structure_remains():
    figure = go.Figure(go.Scatter(x=[1, 2], y=[0.1, 0.2], mode="lines", name="run")).update_xaxes(title_text="epoch")
    figure.add_annotation(text="0.2").update_layout(title={"text": "Loss", "subtitle": {"text": "best 0.2"}})
    assert digest(figure, values=False) == 'Figure: Loss | 1 trace | lines "run" | x "epoch"'


def test_matrices_gaps_frames_and_many_traces():
    heat = go.Figure(go.Heatmap(z=np.arange(6.0).reshape(2, 3)), frames=[go.Frame(data=[])] * 4)
    assert "heatmap z [2×3] 0.0…5.0 mean 2.5" in digest(heat) and "4 frames" in digest(heat)
    assert "y [2] 1…3 mean 2.0" in digest(go.Figure(go.Scatter(y=[1, None, 3])))
    many = go.Figure([go.Scatter(y=[n]) for n in range(11)])
    assert "11 traces" in digest(many) and "and 3 more" in digest(many)
    assert digest(go.Figure()) == "Figure: untitled figure | 0 traces"
    assert "y [0]" in digest(go.Figure(go.Scatter(y=[])))


def test_something_else_is_refused():
    with pytest.raises(ValueError, match="plotly Figure, not dict"):
        digest({})


@pytest.mark.parametrize(
    ("value", "text"),
    [(3, "3"), (np.int64(-2), "-2"), (3.0, "3.0"), (0.123456, "0.12346"), (-0.0, "0.0"), (1e-20, "1.0e-20"),
     (123456.7, "1.2346e+05"), (float("nan"), "none"), (float("-inf"), "-inf"), (True, "true"), (100.0, "100.0")],
)  # fmt: skip
def test_number(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (40, "40 s"), (60, "1 min"), (720, "12 min"), (18720, "5.2 h"), (86400, "1 day"),
     (86400 * 2.5, "2.5 days"), (86400 * 23, "23 days"), (86400 * 45, "45 days"), (86400 * 243, "8 months"),
     (86400 * 800, "2.2 years")],
)  # fmt: skip
def test_span(seconds, text):
    assert span(seconds) == text


def test_names_are_cut_at_words_and_freed_of_tags():
    assert short("Tent") == "Tent"
    assert short("Stackable storage jars, set of six", 26) == "Stackable storage jars…"
    assert len(short("x" * 99, 20)) == 20
    assert plain("<b>Top 10</b><br>now") == "Top 10 now" and plain(None) == ""
