"""Arrays on their way into a figure: the axis is named when one is wrong, and few bytes keep four digits."""

import numpy as np
import pytest

from seqrec_edu.figures.arrays import checked, compact, pooled
from seqrec_edu.figures.events import Events


@pytest.mark.parametrize(
    ("value", "axes", "sizes", "says"),
    [
        (np.zeros(3), "l l", {}, r'the axes "l l", 2 in all, but its shape is \(3,\)'),
        (np.zeros((3, 4)), "l l", {}, "4 along axis l where 3 are expected"),
        (np.zeros((3, 2)), "l h", {"l": 5}, "3 along axis l where 5 are expected"),
        (np.zeros((0, 2)), "l h", {}, "nothing along axis l"),
        ([[1.0, float("nan")]], "l h", {}, "holds nan at l = 0, h = 1"),
        ([float("inf")], "l", {}, "holds inf at l = 0"),
        ([[1.0], [1.0, 2.0]], "l h", {}, "no array of numbers"),
    ],
)
def test_what_is_wrong_is_named_by_its_axis(value, axes, sizes, says):
    with pytest.raises(ValueError, match=says):
        checked("gate", value, axes, **sizes)


def test_lists_and_tensors_are_welcome():
    torch = pytest.importorskip("torch")
    assert checked("x", [[1, 2], [3, 4]], "l l").dtype == np.float64
    assert checked("x", torch.eye(3), "l l").sum() == 3


@pytest.mark.parametrize("scale", [1e-12, 1.0, 7e8])
def test_many_values_keep_four_digits_of_the_largest(scale):
    values = np.random.default_rng(0).normal(size=(80, 80)) * scale
    stored, unit = compact(values)
    assert stored.dtype == np.int16 and np.log10(unit) == round(np.log10(unit))
    assert np.abs(stored * unit - values).max() <= 0.5 * unit <= 2e-4 * np.abs(values).max()


def test_few_values_are_kept_and_a_unit_can_be_shared():
    few, unit = compact(np.array([0.1, -0.2]))
    assert few.dtype == np.float32 and unit == 1
    assert compact(np.zeros((80, 80)))[1] == 1
    shared, unit = compact(np.array([0.5]), 1e-3)
    assert shared.tolist() == [500] and unit == 1e-3


def test_pooling_keeps_the_strongest_entry_of_each_block():
    values = np.zeros((2, 5, 5))
    values[0, 0, 1], values[0, 4, 4], values[1, 3, 0] = -3.0, 0.25, 2.0
    small, step = pooled(values, 3)
    assert step == 2 and small.shape == (2, 3, 3)
    assert small[0, 0, 0] == -3.0 and small[0, 2, 2] == 0.25 and small[1, 1, 0] == 2.0
    assert np.count_nonzero(small) == 3 and pooled(values, 5)[1] == 1


def test_events_have_unique_full_labels_and_short_ticks():
    events = Events(3, ["Tent", "Tent", "A name of more than thirty characters"], [0, 60, 120])
    assert events.labels[:2] == ["1: Tent, 1970-01-01 00:00", "2: Tent, 1970-01-01 00:01"]
    assert events.ticks(named=True, width=12)["ticktext"] == ["Tent  1", "Tent  2", "A name of…  3"]
    assert Events(2).labels == ["1", "2"] and Events(1).called(0) == "event 1"


def test_many_events_have_round_numbers_on_the_axis():
    ticks = Events(200).ticks()
    assert ticks["ticktext"] == ["1", *(str(n) for n in range(20, 201, 20))]
    assert np.allclose(ticks["tickvals"], [0, *range(19, 200, 20)], atol=0.5)
    assert all(value != round(value) for value in ticks["tickvals"])  # or hover would show the tick, not the name
    assert Events(7, step=3).labels == ["1 to 3", "4 to 6", "7 to 7"]


@pytest.mark.parametrize(
    ("names", "times", "says"),
    [
        (["a"], None, 'names must be "l"'),
        (None, [1], 'times must be "l"'),
        (None, [2, 1], "event 2 is earlier than event 1"),
        (None, [0.5, 1.5], "integers"),
    ],
)
def test_names_and_times_must_fit(names, times, says):
    with pytest.raises(ValueError, match=says):
        Events(2, names, times)
