"""Filters, spectra, memories and interests: what is drawn agrees with a closed form."""

import numpy as np
import pytest

from seqrec_edu.figures import (
    digest,
    filter_response,
    filter_table,
    interest_table,
    low_rank_interests,
    memory_curves,
    memory_table,
    singular_spectrum,
    spectrum_table,
)
from seqrec_edu.figures.heat import values_of

LAG = np.arange(8)


def lines(figure, name, axis):
    return [trace for trace in figure.data if trace.name.startswith(name) and (trace.xaxis or "x") == axis]


def test_a_moving_mean_silences_the_wave_that_fits_into_it():
    figure = filter_response({"mean": np.full(4, 0.25)})
    (gain,) = lines(figure, "mean", "x2")
    quarter = int(np.flatnonzero(np.isclose(gain.x, 0.25))[0])
    assert gain.y[0] == pytest.approx(1) and gain.y[quarter] == pytest.approx(0, abs=1e-6)
    assert gain.text[0] == "∞" and gain.text[quarter] == "4"
    assert "mean (causal): strongest at the constant part" in figure.layout.title.subtitle.text


def test_a_delay_turns_each_wave_by_its_length():
    figure = filter_response({"delay": [0.0, 1.0]})
    assert figure.layout.title.subtitle.text == "delay (causal): the same gain for every wave"
    (phase,) = lines(figure, "delay", "x3")
    assert np.allclose(phase.y, -360 * np.asarray(phase.x), atol=1e-3)


def test_the_phase_has_a_gap_where_it_comes_round():
    (phase,) = lines(filter_response({"delay": [0.0, 0.0, 0.0, 1.0]}), "delay", "x3")
    steps = np.abs(np.diff(phase.y))
    assert np.isnan(phase.y).sum() == 1 and np.nanmax(steps) < 180


def test_what_wraps_round_is_drawn_as_later_events():
    taps = np.arange(1.0, 7.0)
    figure = filter_response({"ring": taps, "line": taps}, circular=["ring"])
    (ring,), (line,) = lines(figure, "ring", "x"), lines(figure, "line", "x")
    assert list(ring.x) == [-2, -1, 0, 1, 2, 3] and list(ring.y) == [5, 6, 1, 2, 3, 4]
    assert list(line.x) == [0, 1, 2, 3, 4, 5]
    assert len(figure.layout.shapes) == 1 and figure.layout.annotations[0].text == "later events"
    (gain,) = lines(figure, "ring", "x2")
    assert np.allclose(gain.y, np.abs(np.fft.rfft(taps)), rtol=1e-5)  # a ring has its own waves and no others
    assert not filter_response({"line": taps}).layout.shapes


def test_the_filter_as_text():
    assert filter_table({"delay": [0.0, 1.0, 0.0, 0.0]}).splitlines() == [
        "period    delay gain  delay phase",
        "constant       1.000        0.000",
        "4 events       1.000       -90.00",
        "2 events       1.000       -180.0",
    ]


def test_singular_values_are_shares_of_the_largest_with_a_ring_at_the_rank():
    figure = singular_spectrum({"M": [4.0, 2.0, 1.0, 0.0]}, {"M": 2.5})
    curve, ring = figure.data
    assert np.allclose(curve.y[:3], [1, 0.5, 0.25]) and np.isnan(curve.y[3])  # a logarithm has no zero
    assert ring.x == (2.5,) and ring.y[0] == pytest.approx(np.sqrt(0.5 * 0.25))
    assert figure.layout.title.subtitle.text == "3 of 4 not zero; the ring is the effective rank"
    assert figure.layout.yaxis.type == "log" and curve.name == "M (effective rank 2.5)"
    assert spectrum_table([4.0, 2.0, 1.0]).splitlines()[2].split() == ["values", "2", "2.000", "95.2%"]


def test_memory_falls_to_a_half_where_the_closed_form_says():
    ages = np.linspace(0, 40, 4001)
    figure = memory_curves(ages, {"head": 0.9**ages, "for ever": np.ones_like(ages)}, unit="days")
    (ring,) = [trace for trace in figure.data if trace.name == "ring"]
    assert ring.x[0] == pytest.approx(np.log(0.5) / np.log(0.9), rel=1e-4) and ring.y == (0.5,)
    assert figure.layout.title.subtitle.text == (
        "days until the weight falls to 0.5 (ringed): head: 6.58, for ever: not reached"
    )
    assert figure.layout.xaxis.title.text == "age of the event (days)"
    assert memory_curves(ages[1:], 0.9 ** ages[1:], logarithmic=True).layout.xaxis.type == "log"


def test_rows_of_weights_are_heads():
    figure = memory_curves(LAG, np.stack([0.5**LAG, 0.25**LAG]), level=1 / np.e)
    assert [trace.name for trace in figure.data if trace.showlegend] == ["head 1", "head 2"]
    assert memory_table(LAG, 0.5**LAG).splitlines()[1].split() == ["weights", "1.0", "0.007812"]


def test_interests_are_sorted_by_the_events_that_feed_them():
    pool = np.array([[0.0, 0.9], [0.1, 0.1], [0.9, 0.0]])
    reading = np.array([[0.2, 0.8], [0.5, 0.5], [1.0, 0.0]])
    figure = low_rank_interests(pool, reading, ["Tent", "Stove", "Novel"], interests=["late", "early"])
    fed, read = figure.data
    assert list(fed.x) == ["interest 2: early", "interest 1: late"]
    assert np.allclose(values_of(fed), pool[:, ::-1]) and np.allclose(values_of(read), reading[:, ::-1])
    assert list(figure.layout.xaxis.ticktext) == ["2", "1"] and "interest 1: late" in digest(figure)
    assert interest_table(pool, reading, ["Tent", "Stove", "Novel"], k=1).splitlines() == [
        "interest  fed most by (up to 1)  read on average",
        "1         3 Novel (0.9)                   0.5667",
        "2         1 Tent (0.9)                    0.4333",
    ]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: filter_response({}), "empty"),
        (lambda: filter_response({"a": [1.0]}, circular=["b"]), r"circular names \['b'\]"),
        (lambda: filter_response({str(n): [1.0] for n in range(8)}), "up to 7"),
        (lambda: filter_response([1.0, float("nan")]), "nan at l = 1"),
        (lambda: singular_spectrum([1.0, 2.0]), "largest first"),
        (lambda: singular_spectrum([1.0, 0.5], 3.0), "within 1…2"),
        (lambda: memory_curves([1.0, 0.5], [1.0, 1.0]), "must not decrease"),
        (lambda: memory_curves([0.0, 1.0], [1.0, 1.0], logarithmic=True), "above zero"),
        (lambda: memory_curves([0.0, 1.0], {"a": [1.0]}), "1 along axis l where 2"),
        (lambda: low_rank_interests(np.ones((3, 2)), np.ones((3, 4))), "4 along axis r where 2"),
        (lambda: low_rank_interests(np.ones((3, 2)), np.ones((3, 2)), interests=["a"]), 'interests must be "r"'),
    ],
)
def test_refusals(call, says):
    with pytest.raises(ValueError, match=says):
        call()
