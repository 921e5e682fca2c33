"""A signal through a filter, and what a trained filter kept: what is drawn is what was given."""

import numpy as np
import pytest

from seqrec_edu.figures.filtering import filtered_signal, filtered_table, kept_periods, kept_table


def after(before):
    return {"causal": np.roll(before, 1), "circular": np.roll(before, -1)}


def named(figure, name):
    (trace,) = [trace for trace in figure.data if trace.name == name]
    return trace


def test_the_outputs_are_drawn_and_what_lies_between_is_shaded():
    x = np.array([0.0, 0, 1, 0, 0])
    figure = filtered_signal(x, after(x), np.array([1.0, 0.5, 0]), np.array([0, 0.75, 0.25]))
    assert named(figure, "causal").y.tolist() == [0, 0, 0, 1, 0]
    assert named(figure, "circular").y.tolist() == [0, 1, 0, 0, 0]
    names = [trace.name for trace in figure.data]
    assert names.index("from later events") == names.index("edge of the shade") + 1  # filled to the one before
    assert named(figure, "from later events").fill == "tonexty"
    assert named(figure, "share of the signal").y.tolist() == [0, 75, 25]
    assert "most at event 2 (100% of the largest output)" in figure.layout.title.subtitle.text
    assert figure.layout.yaxis2.overlaying == "y3"  # the gain above the area


def test_without_a_leak_or_without_the_circular_output_nothing_is_shaded():
    x = np.array([0.0, 1, 0])
    same = {"causal": x, "circular": x + 1e-14}
    assert "from later events" not in {t.name for t in filtered_signal(x, same, np.ones(2)).data}
    alone = filtered_signal(x, after(x), np.ones(2), shown=["causal"])
    assert {t.name for t in alone.data} == {"before", "causal", "gain"}
    assert "later" not in alone.layout.title.subtitle.text


def test_periods_stand_where_they_belong():
    figure = filtered_signal(np.ones(40), after(np.ones(40)), np.arange(21.0))
    gain, axis = named(figure, "gain"), figure.layout.xaxis2
    assert gain.text[0] == "constant part" and gain.text[4] == "period 10" and gain.x[4] == pytest.approx(0.1)
    ticks = dict(zip(axis.ticktext, axis.tickvals, strict=True))
    assert ticks["10"] == pytest.approx(0.1) and ticks["2"] == 0.5 and ticks["40"] == pytest.approx(1 / 40)
    assert ticks["∞"] < ticks["40"] and axis.type == "log"
    near = [np.log10(b / a) for a, b in zip(sorted(ticks.values())[1:], sorted(ticks.values())[2:], strict=False)]
    assert min(near) > 0.1  # no two labels on each other


def test_what_was_kept_is_a_mean_with_four_fifths_of_the_channels():
    gains = np.random.default_rng(0).uniform(size=(6, 30))
    figure = kept_periods(gains, 0.5 * gains, np.full(6, 1 / 6), places=10)
    np.testing.assert_allclose(named(figure, "after training").y, gains.mean(1), rtol=1e-6)
    np.testing.assert_allclose(named(figure, "before training").y, 0.5 * gains.mean(1), rtol=1e-6)
    np.testing.assert_allclose(named(figure, "four fifths of the channels").y, np.quantile(gains, 0.9, 1), rtol=1e-6)
    assert "2.0 times the gain it started with" in figure.layout.title.subtitle.text
    bare = kept_periods(gains, places=10)
    assert {t.name for t in bare.data} == {"tenth of the channels", "four fifths of the channels", "mean over channels"}
    assert kept_periods(np.ones((6, 2)), places=10).layout.title.subtitle.text == "the same for every wave"


def test_the_tables_say_the_same():
    x = np.array([0.0, 1, 0])
    assert filtered_table(x, after(x), ["a", "b", "c"]).cells[0] == ["1 a", "0.000", "1.000", "0.000", "1.000"]
    table = kept_table(np.ones((3, 2)), 2 * np.ones((3, 2)), np.array([0, 0.5, 0.5]), places=4)
    assert table.cells[1] == ["period 4", "1.000", "1.000", "1.000", "2.000", "0.5000"]
    assert table.header[-2:] == ["before training", "share of this history"]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: filtered_signal(np.ones(3), {"causal": np.ones(3)}, np.ones(2)), "after must hold"),
        (lambda: filtered_signal(np.ones(3), after(np.ones(4)), np.ones(2)), "axis n"),
        (lambda: filtered_signal(np.ones(3), after(np.ones(3)), np.ones(3)), "axis f"),
        (lambda: filtered_signal(np.ones(3), after(np.ones(3)), np.ones(2), shown=["both"]), "shown may hold"),
        (lambda: kept_periods(-np.ones((2, 2)), places=3), "never negative"),
        (lambda: kept_periods(np.ones((2, 2)), np.ones((3, 2)), places=3), "axis f"),
    ],
)
def test_what_does_not_fit_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
