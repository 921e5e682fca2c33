"""Reasons by running again: the same as `attribution` where both can be asked."""

import numpy as np
import pytest

from seqrec_edu.lens import attribution
from seqrec_edu.lens.reasons import shared_strongest, without_each
from seqrec_edu.training.recommend import recommend
from tests.lens.support import batch, model


def test_a_function_of_a_model_has_the_effects_of_the_model():
    found, history = model("sasrec"), batch(8, 3)
    items, times = history.item[0, :8].numpy(), history.time[0, :8].numpy()
    effects, least = without_each(lambda i, t: recommend(found, i, t, k=None), items, times, [3, 7])
    np.testing.assert_allclose(effects, attribution(found, items, times, target=[3, 7]).effect(), atol=1e-9)
    assert not least.any()


def test_what_leaves_the_list_has_at_least_the_last_score():
    def two(items, times):
        return [(9, 5.0), (8, 3.0)] if 1 in items else [(8, 4.0), (7, 1.0)]

    effects, least = without_each(two, [1, 2], [0, 1], [9, 8])
    assert effects.tolist() == [[4.0, -1.0], [0.0, 0.0]] and least.tolist() == [[True, False], [False, False]]


def test_the_strongest_that_two_arrays_share():
    assert shared_strongest([5, -9, 1, 0], [0, 3, 2, 1], most=2) == (1, 2)
    assert shared_strongest([0, 1, 0], [0, -2, 0]) == (1, 1)
    assert shared_strongest([0.0, 0.0], [1.0, 2.0]) == (0, 2)
    with pytest.raises(ValueError, match="two arrays 'l'"):
        shared_strongest([1], [1, 2])


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="l ≥ 2"):
        without_each(lambda i, t: [(1, 1.0)], [1], [0], [1])
    with pytest.raises(ValueError, match=r"\[2\] are not among the 1"):
        without_each(lambda i, t: [(1, 1.0)], [1, 1], [0, 1], [2])
