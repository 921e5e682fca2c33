"""The five views at a moment: each picture shows its own part of the computation, and equality is drawn as it is."""

import numpy as np
import pytest

from seqrec_edu.figures import dark, digest
from seqrec_edu.figures.heat import values_of
from seqrec_edu.figures.template import BETTER, WORSE
from seqrec_edu.figures.views import big, five_views, views_table

MATRIX = np.tril(np.arange(1.0, 26).reshape(5, 5)) / 10
STATE = np.array([[1.0, -2.0], [3.0, 0.5], [0.0, 1.0]])
MOMENTS = {
    "recurrence": (6, 10, 4), "sum": (3, 15, 6), "matrix": (25, 25, 25), "chunks": (8, 12, 5), "kernel": (2, 10, 4)
}  # fmt: skip
PAIRS = {("recurrence", "sum"): 1e-7, ("sum", "matrix"): 0.0, ("matrix", "kernel"): 1e-3}


def drawn(step=2, chunk=2, **more):
    return five_views(STATE, MATRIX, MOMENTS, step=step, chunk=chunk, **more)


def trace(figure, name, place=0):
    return [each for each in figure.data if each.name == name][place]


def test_recurrence_shows_its_state_and_the_sum_the_row_of_the_matrix():
    figure = drawn(limit=4.0)
    assert np.array_equal(trace(figure, "state").z, STATE.astype(np.float32))
    assert (trace(figure, "state").zmin, trace(figure, "state").zmax) == (-4, 4)
    assert trace(figure, "weights of past events").y.tolist() == MATRIX[2, :3].astype(np.float32).tolist()
    assert np.allclose(values_of(trace(figure, "matrix")), MATRIX)
    assert list(trace(figure, "row of this event").y) == [3, 3]
    assert drawn().data[0].zmax == 3  # this state's own largest, where no limit is given


def test_the_chunk_of_the_event_is_lit():
    figure = drawn(step=2, chunk=2)
    assert list(trace(figure, "chunk 2 of 3").x[:2]) == [2.5, 4.5]
    assert list(trace(figure, "read through the state").x[:2]) == [0.5, 2.5]
    names = {each.name for each in drawn(step=1, chunk=2).data}
    assert "chunk 1 of 3" in names and "read through the state" not in names
    last = trace(drawn(step=4, chunk=2), "chunk 3 of 3")
    assert list(last.x[:2]) == [4.5, 5.5]  # the last one is cut
    assert trace(drawn(chunk=64), "chunk 1 of 1").x[1] == 5.5


def test_the_kernel_is_named_and_its_tile_stands_where_the_event_is():
    figure = drawn(step=3, kernel=("cpu", 1))
    assert list(trace(figure, "tile at work").x[:2]) == [3.5, 4.5]
    assert any("cpu" in note.text and "event by event" in note.text for note in figure.layout.annotations)
    figure = drawn(step=3, kernel=("kernel", 3))
    assert list(trace(figure, "tile at work").x[:2]) == [3.5, 5.5]
    assert any("3 events at once" in note.text for note in figure.layout.annotations)
    assert not [each for each in drawn().data if each.name == "tile at work"]


def test_work_is_done_and_to_do():
    figure = drawn()
    done, to_do = trace(figure, "done", -1), trace(figure, "to do")
    assert list(done.y) == list(MOMENTS) and list(done.x) == [6, 3, 25, 8, 2]
    assert list(to_do.x) == [4, 12, 0, 4, 8]
    assert "ms" not in "".join(to_do.text)
    timed = drawn(milliseconds=dict.fromkeys(MOMENTS, 1.234))
    assert trace(timed, "to do").text[1] == " 15, 1.2 ms"
    assert any("ms here" in note.text for note in timed.layout.annotations)
    assert any(note.text == "<b>chunks</b><br>holds 5" for note in figure.layout.annotations)


def test_pairs_that_differ_are_crosses_beyond_the_line():
    figure = drawn(differences=PAIRS, tolerance=1e-5)
    names = ("NOT equal", "equal up to rounding", "equal to the last bit")
    wrong, equal, exact = (trace(figure, name) for name in names)
    assert list(wrong.x) == [1e-3] and list(wrong.y) == [3] and wrong.marker.color == WORSE
    assert list(equal.x) == [1e-7] and equal.marker.color == BETTER and exact.marker.symbol == "circle-open"
    assert list(figure.layout.yaxis7.ticktext) == ["recurrence = sum", "sum = matrix", "matrix ≠ kernel"]
    (line,) = figure.layout.shapes
    assert line.x0 == line.x1 == 1e-5
    low, high = figure.layout.xaxis7.range
    assert all(low < np.log10(x) < high for each in (wrong, equal, exact) for x in each.x)


def test_what_differs_between_machines_can_be_left_out():
    figure = five_views(STATE, MATRIX, {k: v for k, v in MOMENTS.items() if k != "kernel"}, step=2, chunk=2)
    text = digest(figure)
    assert " ms" not in text and "difference" not in text and "holds 25" in text
    assert digest(dark(figure)) == text


def test_the_table_has_formulas_and_dashes_where_nothing_is_known():
    formulas = {view: (f"work of {view}", f"space of {view}") for view in MOMENTS}
    table = views_table({k: v for k, v in MOMENTS.items() if k != "kernel"}, formulas)
    assert table.header[-1] == "held at most" and "–" in table.cells[4] and "work of kernel" not in table
    assert table.cells[1][:4] == ["sum", "6", "3", "15"]
    timed = views_table(MOMENTS, formulas, dict.fromkeys(MOMENTS, 2.5))
    assert timed.header[-1] == "ms, measured here" and timed.cells[4][-1] == "2.500" and "work of kernel" in timed


def test_counts_are_short():
    assert [big(n) for n in (999, 1_000, 614_400, 1_286_400, 2 * 10**9)] == ["999", "1 k", "614 k", "1.29 M", "2 G"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"step": 5}, "step must be within 0…4, got 5"),
        ({"chunk": 0}, "chunk must be at least 1"),
        ({"differences": {("sum", "loop"): 0.0}, "tolerance": 1.0}, "no view 'loop'"),
        ({"differences": PAIRS}, "tolerance must be finite and above zero, got 0"),
        ({"differences": {("sum", "matrix"): np.nan}, "tolerance": 1.0}, "difference of sum and matrix must be finite"),
        ({"names": ["a"]}, "5 are expected, got 1"),
    ],
)
def test_wrong_calls_explain_themselves(more, message):
    with pytest.raises(ValueError, match=message):
        drawn(**more)
