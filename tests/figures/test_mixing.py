"""Mixing matrices: what is read, what cannot be, what should not be, and the words for all three."""

import numpy as np
import pytest

from seqrec_edu.figures import digest, heads_grid, mask_table, mixing_heatmap, mixing_table, time_mask
from seqrec_edu.figures.heat import values_of
from seqrec_edu.figures.template import MAGNITUDE, SIGNED, WORSE
from tests.figures.samples import attention, names, times

CAUSAL = np.array([[1.0, 0.0, 0.0], [0.25, 0.75, 0.0], [0.5, 0.125, 0.375]])


def test_the_matrix_is_drawn_with_the_first_output_on_top():
    figure = mixing_heatmap(CAUSAL, ["Tent", "Stove", "Novel"])
    assert np.allclose(values_of(figure.data[0]), CAUSAL)
    assert list(figure.layout.yaxis.range) == [2.5, -0.5] and figure.layout.yaxis.scaleanchor == "x"
    assert list(figure.layout.yaxis.ticktext) == ["Tent  1", "Stove  2", "Novel  3"]
    assert digest(figure) == (
        "Figure: Mixing matrix (no output reads a later event (hatched)) | 1 trace "
        "| heatmap z [3×3] 0.0…1.0 mean 0.33333 "
        '| 3 shapes x [0] | x "reads event s" -0.5 to 2.5 | y "" 2.5 to -0.5'
    )


def test_a_large_matrix_keeps_every_event_and_its_numbers():
    matrix = attention(200)
    figure = mixing_heatmap(matrix)
    assert figure.data[0].z.dtype == np.int16 and np.abs(values_of(figure.data[0]) - matrix).max() < 1e-4
    assert "heatmap z [200×200] 0.0…1.0 mean 0.005" in digest(figure)  # in words it has its own numbers again
    assert "× 10⁻⁴" in figure.data[0].hovertemplate


def test_beyond_200_events_a_cell_is_a_block_and_says_so():
    figure = mixing_heatmap(attention(500))
    assert figure.data[0].z.shape == (167, 167) and "one cell is 3 × 3 events" in figure.layout.title.subtitle.text
    assert figure.data[0].x[1] == "4 to 6"


def test_the_future_is_hatched_only_where_nothing_is_read():
    full = attention(3, causal=False)
    assert len(mixing_heatmap(CAUSAL).layout.shapes) == 3  # shade, hatching, diagonal
    assert len(mixing_heatmap(full).layout.shapes) == len(mixing_heatmap(CAUSAL, causal=False).layout.shapes) == 1
    assert not mixing_heatmap([[1.0]]).layout.shapes


def test_a_broken_claim_to_be_causal_is_shown_and_said():
    figure = mixing_heatmap(CAUSAL.T, causal=True)
    (border,) = figure.layout.shapes
    assert border.line.color == WORSE
    assert figure.layout.title.subtitle.text == (
        "<b>claims to be causal, but</b> 3 of 3 weights on later events are not zero, the largest is 0.5"
    )


def test_rounding_of_a_fourier_transform_is_not_the_future():
    rounded = CAUSAL + 1e-8 * np.triu(np.ones((3, 3)), 1)
    assert "no output reads" in mixing_heatmap(rounded, causal=True).layout.title.subtitle.text
    assert "claims" in mixing_heatmap(rounded, causal=True, tolerance=0).layout.title.subtitle.text


def test_magnitudes_start_at_zero_and_signs_are_centred():
    scale = mixing_heatmap(CAUSAL).layout.coloraxis
    assert (scale.cmin, scale.cmax) == (0, 1) and scale.colorscale == mixing_heatmap(
        [[1.0]]
    ).layout.coloraxis.colorscale
    assert MAGNITUDE.lower() == "cividis"
    signed = mixing_heatmap(CAUSAL - 0.5).layout.coloraxis
    assert signed.cmin == -signed.cmax and [list(stop) for stop in signed.colorscale] == SIGNED


def test_a_few_large_weights_do_not_blacken_the_rest():
    matrix = np.full((50, 50), 0.01)
    matrix[0, 0] = 1.0
    scale = mixing_heatmap(matrix).layout.coloraxis
    assert scale.cmax == pytest.approx(0.01) and scale.colorbar.ticktext[-1] == "≥ 0.01"


def test_heads_share_one_scale():
    heads = np.stack([attention(6, n) * (n + 1) for n in range(5)])
    figure = heads_grid(heads, names(6), times(6), heads=list("abcde"))
    assert [note.text for note in figure.layout.annotations] == list("abcde")
    assert {trace.coloraxis for trace in figure.data} == {"coloraxis"} and figure.layout.coloraxis.cmax == heads.max()
    assert np.allclose([values_of(trace) for trace in figure.data], heads)
    large = heads_grid(np.stack([attention(200), attention(200, 1) * 0.01]))
    assert len({trace.meta["unit"] for trace in large.data}) == 1


def test_an_unfilled_row_leaves_no_empty_axes():
    figure = heads_grid(np.stack([attention(4)] * 5))
    assert len(figure.data) == 5 and figure.layout.xaxis6.visible is False and figure.layout.yaxis6.visible is False
    assert figure.layout.yaxis5.scaleanchor == "x5" and figure.layout.shapes[-1].xref == "x5"


def test_heads_that_read_the_future_are_counted():
    figure = heads_grid(np.stack([CAUSAL, CAUSAL.T]))
    assert figure.layout.title.subtitle.text == "1 of 2 heads reads later events"
    named = heads_grid(np.stack([CAUSAL, CAUSAL.T, CAUSAL.T]), heads=["L", "U", "L + U"])
    assert named.layout.title.subtitle.text == "2 of 3 matrices read later events"


def test_the_time_mask_and_its_difference():
    after = CAUSAL * [[1.0], [0.5], [0.5]]
    figure = time_mask(CAUSAL, after, names(3), times(3))
    assert np.allclose([values_of(trace) for trace in figure.data], [CAUSAL, after, after - CAUSAL])
    assert figure.layout.coloraxis2.cmin == -figure.layout.coloraxis2.cmax
    assert figure.layout.title.subtitle.text == "largest change: event 2 in the output at event 2, 0.75 → 0.375"
    assert time_mask(CAUSAL, CAUSAL).layout.title.subtitle.text == "the two are equal"
    assert mask_table(CAUSAL, after, ["Tent", "Stove", "Novel"], [0, 60, 86460]).splitlines() == [
        "read by event 3  age    before    after    change",
        "1 Tent           1 day  0.5000   0.2500   -0.2500",
        "2 Stove          1 day  0.1250  0.06250  -0.06250",
        "3 Novel          0 s    0.3750   0.1875   -0.1875",
    ]


def test_the_table_names_what_each_output_reads_most():
    assert mixing_table(CAUSAL, ["Tent", "Stove", "Novel"], k=2).splitlines() == [
        "output at  reads most (up to 2)",
        "1 Tent     1 Tent (1.0)",
        "2 Stove    2 Stove (0.75), 1 Tent (0.25)",
        "3 Novel    1 Tent (0.5), 3 Novel (0.375)",
    ]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: mixing_heatmap(np.ones((2, 3))), "3 along axis l"),
        (lambda: mixing_heatmap(CAUSAL, ["a"]), "3 are expected, got 1"),
        (lambda: mixing_heatmap(CAUSAL * np.nan), "nan at l = 0"),
        (lambda: heads_grid(CAUSAL), '"h l l"'),
        (lambda: heads_grid(np.ones((17, 2, 2))), "17 heads"),
        (lambda: heads_grid(np.ones((2, 2, 2)), heads=["a"]), 'heads must be "h"'),
        (lambda: time_mask(CAUSAL, np.eye(2)), "2 along axis l where 3"),
    ],
)
def test_refusals(call, says):
    with pytest.raises(ValueError, match=says):
        call()
