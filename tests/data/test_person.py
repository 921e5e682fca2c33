"""One person's history with names."""

import numpy as np
import pytest

from seqrec_edu.data import BadInput, Histories, Person
from seqrec_edu.data.batches import Batch
from seqrec_edu.data.synthetic import shoppers

NAMES = ["<pad>", "tent", "stove", "map"]


def somebody(items=(1, 2, 1), times=(5, 5, 9)):
    return Person(items, times, NAMES, "user 0")


def test_it_reads_as_a_history():
    person = somebody()
    assert len(person) == 3 and person.n_items == 3 and person.timed
    assert person.labels == ["tent", "stove", "tent"] and person.label(3) == "map"
    assert person.last(2).items.tolist() == [2, 1] and person.last(9).items.tolist() == [1, 2, 1]


def test_an_edit_is_put_in_order_and_leaves_the_original():
    person = somebody()
    moved = person.edited([1, 2, 3], [9, 5, 5])
    assert moved.items.tolist() == [2, 3, 1] and moved.times.tolist() == [5, 5, 9]
    assert person.items.tolist() == [1, 2, 1] and moved.name == "user 0"


def test_times_that_are_all_the_same_say_nothing():
    assert not somebody(times=(7, 7, 7)).timed


@pytest.mark.parametrize(
    ("items", "times", "said"),
    [
        ([], [], "no events"),
        ([1, 4], [1, 2], "1..3"),
        ([0], [1], "padding"),
        ([1, 2], [2, 1], "backwards"),
        ([1], [1, 2], "one length"),
    ],
)
def test_what_is_no_history_says_so(items, times, said):
    with pytest.raises(BadInput, match=said):
        somebody(items, times)


def test_a_dataset_hands_out_its_people():
    items, times = np.array([1, 2, 2], np.int32), np.array([3, 4, 5], np.int64)
    data = Histories(items, times, np.array([0, 2, 3]), ["<pad>", "a", "b"], ["u", "w"], "tiny")
    person = data.user(0)
    assert person.name == "user 0 of tiny" and person.labels == ["a", "b"] and person.n_items == 2
    with pytest.raises(BadInput, match=r"0\.\.1"):
        data.user(2)


def test_one_history_is_a_batch_of_one():
    batch = Batch.of([1, 2], [5, 9], pads=3)
    assert batch.item.tolist() == [[1, 2, 0, 0, 0]] and batch.time.tolist() == [[5, 9, 0, 0, 0]]
    assert batch.length.tolist() == [2] and batch.mask.sum() == 2


@pytest.mark.parametrize("events", [0, -1])
def test_the_last_none_is_refused(events):
    with pytest.raises(BadInput, match="at least 1 event"):
        shoppers(users=3).user(1).last(events)
