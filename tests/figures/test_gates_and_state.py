"""Decay, gate and state over a history: lines or rows, waits as widths, and one frame per event."""

import numpy as np
import pytest

from seqrec_edu.figures import decay_and_gate, decay_table, digest, state_animation, state_table
from seqrec_edu.figures.heat import values_of
from tests.figures.samples import names, times

DECAY = np.array([[0.5, 1.0], [0.25, 0.75]])
RNG = np.random.default_rng(0)


def test_every_head_is_a_line_with_the_items_on_hover():
    figure = decay_and_gate(DECAY, DECAY / 2, ["Tent", "Stove"], heads=["fast", "slow"])
    assert [trace.name for trace in figure.data] == ["fast", "slow", "fast", "slow"]
    assert np.allclose([trace.y for trace in figure.data], [*DECAY.T, *DECAY.T / 2])
    assert list(figure.data[0].customdata) == ["1: Tent", "2: Stove"] and figure.data[2].yaxis == "y2"
    assert figure.layout.title.subtitle.text == (
        "from one event to the next slow keeps most, 0.875 on average, fast least, 0.375"
    )


def test_on_the_axis_of_time_a_wait_is_as_wide_as_it_was_long():
    figure = decay_and_gate(DECAY, None, None, [0, 86400 * 3], scale="time")
    assert list(figure.data[0].x) == [0, 3] and figure.data[0].line.shape == "vh"  # the decay acts on the wait before
    many = decay_and_gate(RNG.uniform(size=(70, 3)), None, None, times(70), scale="time")
    widths = np.diff(many.data[0].x)[1:] * 86400
    assert np.allclose(widths, np.diff(times(70)), atol=1)


def test_many_events_or_heads_become_rows():
    for length, heads in ((61, 2), (5, 8)):
        decay = RNG.uniform(size=(length, heads))
        figure = decay_and_gate(decay, decay[:, :1])
        assert np.allclose(values_of(figure.data[0]), decay.T) and figure.data[1].z.shape == (1, length)
        assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax) == (0, 1)


def test_the_table_has_the_waits():
    assert decay_table(DECAY, DECAY[:, :1], ["Tent", "Stove"], [0, 7200]).splitlines() == [
        "event    waited  least kept  mean kept  most kept  mean gate",
        "1 Tent   –           0.5000     0.7500      1.000     0.5000",
        "2 Stove  2 h         0.2500     0.5000     0.7500     0.2500",
    ]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"decay": -DECAY}, "within 0…1"),
        ({"decay": DECAY, "gate": np.ones((3, 2))}, "3 along axis l where 2"),
        ({"decay": DECAY, "gate": np.ones((2, 3))}, "1 head or 2"),
        ({"decay": DECAY, "scale": "days"}, "scale must be"),
        ({"decay": DECAY, "scale": "time"}, "needs the times"),
        ({"decay": DECAY, "heads": ["a"]}, 'heads must be "h"'),
    ],
)
def test_refusals_of_the_gates(arguments, says):
    with pytest.raises(ValueError, match=says):
        decay_and_gate(**arguments)


def test_one_frame_per_event_named_by_its_item():
    states = RNG.normal(size=(5, 3, 4))
    figure = state_animation(states, names(5), times(5))
    assert [frame.name for frame in figure.frames] == list("12345")
    assert np.allclose([frame.data[0].z for frame in figure.frames], states)
    steps = figure.layout.sliders[0].steps
    assert steps[1].label == "2 Racing swimsuit" and list(steps[1].args[0]) == ["2"] and len(steps[2].label) < 30
    assert [button.label for button in figure.layout.updatemenus[0].buttons] == ["▶ play", "❚❚ pause"]
    sizes = [frame.data[1].y[0] for frame in figure.frames]
    assert np.allclose(sizes, np.sqrt((states**2).mean((1, 2))), rtol=1e-3) and "5 frames" in digest(figure)


def test_a_long_history_shows_its_last_events_in_blocks():
    states = RNG.normal(size=(200, 64, 64))
    figure = state_animation(states, names(200))
    assert len(figure.frames) == 60 and figure.frames[0].name == "141"
    first = figure.frames[0].data[0].z * figure.data[0].meta["unit"]
    assert np.abs(first).max() == pytest.approx(np.abs(states[140]).max(), rel=1e-3)  # the largest entry stays
    assert "the last 60 of 200 events" in figure.layout.title.subtitle.text and len(figure.to_json()) < 120_000


def test_every_frame_has_the_same_scale():
    figure = state_animation(np.array([[[1.0]], [[-4.0]]]))
    assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax) == (-4, 4)


def test_one_event_has_nothing_to_play():
    figure = state_animation(np.ones((1, 2, 2)))
    assert len(figure.frames) == 1 and not figure.layout.sliders and not figure.layout.updatemenus


def test_the_table_says_how_much_each_event_changed():
    states = np.array([[[2.0, 2.0]], [[1.0, 1.0]], [[1.0, 1.0]]])
    assert state_table(states, ["Tent", "Stove", "Map"]).splitlines() == [
        "after event  size of the state  changed by, of the state before",
        "1 Tent                   2.000                                –",
        "2 Stove                  1.000                           0.5000",
        "3 Map                    1.000                            0.000",
    ]


@pytest.mark.parametrize(
    ("states", "frames", "says"),
    [(np.ones((2, 3)), 60, '"l n p"'), (np.ones((2, 0, 3)), 60, "along axis n"), (np.ones((2, 1, 1)), 0, "at least 1")],
)
def test_refusals_of_the_state(states, frames, says):
    with pytest.raises(ValueError, match=says):
        state_animation(states, frames=frames)
