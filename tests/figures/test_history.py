"""The history timeline: every event once, waits to scale, names and dates on hover, and clear refusals."""

import numpy as np
import pytest

from seqrec_edu.figures import history_timeline

DAY = 86400
NAMES = ["<pad>", "Tent", "Stove", "Novel"]
GENRES = ["", "Camping", "Camping|Kitchen", ""]
ITEMS = np.array([1, 2, 3, 1], dtype=np.int32)
TIMES = 1_700_000_000 + np.array([0, 300, 10 * DAY, 10 * DAY + 60])


def by_name(figure):
    return {trace.name: trace for trace in figure.data}


def test_every_event_stands_once_at_its_time_in_its_genre():
    traces = by_name(history_timeline(ITEMS, TIMES, NAMES, GENRES))
    marks = [(x, y) for name in ("Camping", "unknown") for x, y in zip(traces[name].x, traces[name].y, strict=True)]
    assert sorted(y for _, y in marks) == [1, 2, 3, 4]
    drawn = {y: np.datetime64(x, "s").astype(np.int64) for x, y in marks}
    assert [drawn[y] for y in (1, 2, 3, 4)] == TIMES.tolist()
    assert list(traces["Camping"].y) == [1, 2, 4]  # "Camping|Kitchen" counts as its first part


def test_hover_has_name_genre_date_and_wait():
    hover = by_name(history_timeline(ITEMS, TIMES, NAMES, GENRES))["unknown"].hovertext[0]
    assert hover == "<b>Novel</b><br>unknown<br>2023-11-24 22:13 UTC<br>10 days after the event before"


def test_long_waits_are_marked_and_labelled():
    figure = history_timeline(ITEMS, TIMES, NAMES, GENRES)
    assert [note.text for note in figure.layout.annotations] == ["10 days"]
    gap = by_name(figure)["wait of 7.2 h or more"]
    assert list(gap.y) == [2, 2, None] and np.datetime64(gap.x[0], "s").astype(int) == TIMES[1]
    fine = history_timeline(ITEMS, TIMES, NAMES, GENRES, gap=60)
    assert [note.text for note in fine.layout.annotations] == ["5 min", "10 days", "1 min"]


def test_names_stand_on_the_axis_while_they_fit():
    assert list(history_timeline(ITEMS, TIMES, NAMES).layout.yaxis.ticktext) == ["Tent", "Stove", "Novel", "Tent"]
    assert history_timeline(ITEMS, TIMES).layout.yaxis.ticktext[0] == "item 1"
    long = history_timeline(np.tile(ITEMS, 50), TIMES[0] + np.arange(200), NAMES, GENRES)
    assert long.layout.yaxis.ticktext is None and long.layout.height < 800


def test_rare_genres_share_one_colour():
    genres = ["", *(f"genre {i % 9}" for i in range(20))]
    figure = history_timeline(np.arange(1, 21), TIMES[0] + np.arange(20), None, genres)
    assert len(by_name(figure)["other"].x) == 6 and "unknown" not in by_name(figure)


@pytest.mark.parametrize("times", [[5], [5, 5, 5]])
def test_no_span_is_said(times):
    figure = history_timeline(np.ones(len(times), int), np.array(times), NAMES)
    assert "no" in figure.layout.title.subtitle.text and not figure.layout.annotations


def test_the_caller_keeps_its_arrays():
    items, times = ITEMS.copy(), TIMES.copy()
    history_timeline(items, times, NAMES, GENRES)
    assert (items == ITEMS).all() and (times == TIMES).all()


@pytest.mark.parametrize(
    ("items", "times", "names", "message"),
    [
        ([], [], NAMES, "no event"),
        ([1, 2], [5], NAMES, "one length"),
        ([1, 2], [5, 4], NAMES, "event 2 is earlier than event 1"),
        ([1, 7], [4, 5], NAMES, "holds item 7"),
        ([1, 2], [4.5, 5.5], NAMES, "integers"),
    ],
)
def test_bad_input_is_named(items, times, names, message):
    with pytest.raises(ValueError, match=message):
        history_timeline(np.array(items, dtype=int), np.array(times), names)
