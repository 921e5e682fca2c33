"""Time against length: what is drawn, what is emphasised, and what is refused."""

import pytest

from seqrec_edu.figures import digest
from seqrec_edu.figures.benchmark import benchmark_curves
from seqrec_edu.figures.template import INK

LENGTHS = [50, 200, 800]
TIMES = {"ours": [1.0, 1.0, 2.0], "loop": [10.0, 12.0, 40.0], "scan": [90.0, None, None]}


def line(figure, name):
    (found,) = [trace for trace in figure.data if trace.name.startswith(name)]
    return found


def test_logarithmic_axes_and_gaps():
    figure = benchmark_curves(LENGTHS, TIMES, [0.5, 0.5, 1.0], ours=["ours"], unit="µs per event")
    assert (figure.layout.xaxis.type, figure.layout.yaxis.type) == ("log", "log")
    assert list(figure.layout.xaxis.tickvals) == LENGTHS
    assert list(line(figure, "scan").y) == [90.0, None, None]
    assert figure.layout.yaxis.title.text == "µs per event"


def test_times_within_a_decade_have_more_than_one_number_on_their_axis():
    assert benchmark_curves(LENGTHS, TIMES).layout.yaxis.dtick == 1
    assert benchmark_curves(LENGTHS, {"ours": [2.0, 3.0, 9.0]}).layout.yaxis.dtick == "D2"


def test_ours_is_thick_and_compared_with_the_slowest_and_the_floor():
    figure = benchmark_curves(LENGTHS, TIMES, [0.5, 0.5, 1.0], ours=["ours"])
    assert line(figure, "ours").line.width > line(figure, "loop").line.width and line(figure, "ours").line.color == INK
    subtitle = figure.layout.title.subtitle.text
    assert "20× faster than the slowest" in subtitle and "50% of the floor" in subtitle
    assert line(figure, "floor").line.dash == "dot"


def test_slowest_first_with_the_last_time_in_brackets():
    names = [trace.name for trace in benchmark_curves(LENGTHS, TIMES).data]
    assert names == ["scan (90.0)", "loop (40.0)", "ours (2.0)"]


def test_cases_instead_of_lengths():
    figure = benchmark_curves(["2,048 × 3,416", "512 × 1,000,000"], {"naive": [1.0, 14.0], "ours": [0.5, 4.0]})
    assert figure.layout.xaxis.type is None and figure.layout.xaxis.title.text is None


def test_many_lines_differ_in_colour_or_marker():
    figure = benchmark_curves(LENGTHS, {f"way {n}": [n + 1.0] * 3 for n in range(20)})
    looks = {(trace.line.color, trace.marker.symbol, trace.line.dash) for trace in figure.data}
    assert len(looks) == 20


def test_digest_tells_what_is_seen():
    text = digest(benchmark_curves(LENGTHS, TIMES, [0.5, 0.5, 1.0], ours=["ours"], title="ssd"))
    assert text.startswith("Figure: ssd (thick: 20× faster") and "4 traces" in text


@pytest.mark.parametrize(
    ("times", "floor", "says"),
    [
        ({}, None, "at least one"),
        ({"a": [1.0]}, None, "1 times for 3 lengths"),
        ({"a": [1.0, 0.0, 1.0]}, None, "not above zero"),
        ({"a": [1.0, 1.0, 1.0]}, [1.0, float("nan"), 1.0], "not above zero"),
    ],
)
def test_refusals(times, floor, says):
    with pytest.raises(ValueError, match=says):
        benchmark_curves(LENGTHS, times, floor)
