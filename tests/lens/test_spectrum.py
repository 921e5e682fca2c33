"""Singular values, ranks and ages, against matrices whose answer is known."""

import numpy as np
import pytest
import torch

from seqrec_edu.lens import effective_rank, fading, mean_age, mixing_matrix, numerical_rank, record, spectrum
from tests.lens.support import batch, model


def test_singular_values_of_known_matrices():
    M = np.stack([np.diag([3.0, -2.0, 0.0]), np.ones((3, 3)), np.zeros((3, 3))])
    np.testing.assert_allclose(spectrum(M), [[3, 2, 0], [3, 0, 0], [0, 0, 0]], atol=1e-12)
    draw = torch.randn(2, 5, 5, dtype=torch.float64)
    np.testing.assert_allclose(spectrum(draw), torch.linalg.svdvals(draw))


def test_effective_rank_by_hand():
    M = np.stack([np.eye(4), np.ones((4, 4)), np.zeros((4, 4)), np.diag([2.0, 1, 1, 0])])
    half = np.exp(-(0.5 * np.log(0.5) + 2 * 0.25 * np.log(0.25)))
    np.testing.assert_allclose(effective_rank(M), [4, 1, 0, half])
    assert numerical_rank(M).tolist() == [4, 1, 0, 3]
    np.testing.assert_allclose(effective_rank(7 * M), effective_rank(M))  # the scale says nothing
    assert numerical_rank(np.diag([1.0, 1e-3]), tolerance=1e-2) == 1


def test_low_rank_attention_has_the_rank_of_its_interests_and_attention_all():
    inside = batch(12, 12)
    M = mixing_matrix(model("mlsa4rec"), inside, layer="attention")
    assert (numerical_rank(M) == 3).all() and (effective_rank(M) <= 3).all()
    assert (numerical_rank(mixing_matrix(model("sasrec"), inside, layer="attentions.0")) == 12).all()
    linear = mixing_matrix(model("linrec"), inside, layer="attentions.0")
    assert (numerical_rank(linear) == record(model("linrec"), inside)["attentions.0.q"].tensor.shape[-1]).all()


def test_pads_can_be_left_out():
    M = mixing_matrix(model("sasrec"), batch(9, 4), layer="attentions.0")
    assert spectrum(M).shape == (2, 2, 9) and spectrum(M.history(1)).shape == (2, 4)


def test_mean_age():
    last = np.eye(4)
    mean = np.tril(np.ones((4, 4)))
    assert (mean_age(last) == 0).all()
    np.testing.assert_allclose(mean_age(mean), [0, 0.5, 1, 1.5])
    np.testing.assert_allclose(mean_age(-mean.T), [-1.5, -1, -0.5, 0])  # later events
    days = np.array([0, 1, 2, 10]) * 86_400
    np.testing.assert_allclose(mean_age(mean, days), [0, 0.5, 1, 27 / 4])
    both = mean_age(np.stack([mean, mean])[:, None], np.stack([days, 2 * days]))
    np.testing.assert_allclose(both[:, 0], [[0, 0.5, 1, 27 / 4], [0, 1, 2, 27 / 2]])
    assert (mean_age(np.zeros((2, 2))) == 0).all()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (np.ones((2, 3)), "one square matrix"),
        (np.ones(3), "one square matrix"),
        (np.full((2, 2), np.nan), "not finite"),
        (np.ones((0, 0)), "one square matrix"),
    ],
)
def test_what_is_no_matrix_is_refused(wrong, words):
    for measure in (spectrum, effective_rank, numerical_rank, mean_age):
        with pytest.raises(ValueError, match=words):
            measure(wrong)


def test_times_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="time must be 'l' or 'b l' with l = 3"):
        mean_age(np.eye(3), np.arange(4))


def test_what_an_event_reads_by_age():
    M = np.array([[1.0, 9, 9], [2, 4, 9], [1, 0, -2]])
    np.testing.assert_allclose(fading(M), [1, 0, 0.5])
    np.testing.assert_allclose(fading(M, 1), [1, 0.5, 0])
    np.testing.assert_allclose(fading(np.zeros((2, 2))), [0, 0])
