"""How far back a state reaches, against the closed form of a constant decay and against the matrix itself."""

import math

import numpy as np
import pytest
import torch
from einops import rearrange

from seqrec_edu.lens import memory_length, mixing_matrix, record
from seqrec_edu.ops._ssd.reference import semiseparable_mask
from tests.lens.support import batch, model

DAY = 86_400


@pytest.mark.parametrize("threshold", [1 / math.e, 0.5, 0.01])
def test_a_constant_decay_in_closed_form(threshold):
    a = np.array([0.5, 0.8, 0.3])
    found = memory_length(np.broadcast_to(a, (2, 60, 3)), threshold=threshold)
    expected = math.log(threshold) / np.log(a)
    np.testing.assert_allclose(found.last()[0], expected)
    np.testing.assert_allclose(found.typical, [expected, expected])
    assert found.last()[2].all() and found.days is None
    # An event earlier than that, the history is too short: what there is, and said to be a bound.
    early = int(expected.min())
    assert not found.reached[:, : early + 1].any() and (found.steps[:, early] == early).all()


def test_days_are_those_of_the_events():
    a = np.full((1, 6, 1), 0.5)
    time = np.array([[0, 1, 3, 7, 8, 20]]) * DAY
    found = memory_length(a, threshold=0.25, time=time + 1_700_000_000)
    np.testing.assert_allclose(found.steps[0, :, 0], [0, 1, 2, 2, 2, 2])
    np.testing.assert_allclose(found.days[0, :, 0], [0, 1, 3, 6, 5, 13])
    between = memory_length(a, threshold=0.5**1.5, time=time)  # half way between two events
    np.testing.assert_allclose(between.last()[0], [1.5])
    np.testing.assert_allclose(between.last()[1], [20 - (8 + 7) / 2])


def test_it_is_where_the_semiseparable_mask_crosses_the_threshold():
    tim, inside = model("tim4rec"), batch(12, 12)
    tap = record(tim, inside)["ssds.0.decay"].tensor
    found = memory_length(tap, threshold=0.6)
    L = semiseparable_mask(torch.log(tap)).numpy()
    for b, t, h in np.ndindex(*tap.shape):
        steps = found.steps[b, t, h]
        if found.reached[b, t, h]:
            assert L[b, h, t, t - math.floor(steps)] >= 0.6 - 1e-9 >= L[b, h, t, t - math.ceil(steps)] - 2e-9
        else:
            assert steps == t and L[b, h, t, 0] > 0.6


def test_from_a_record_with_time_factor_and_padding():
    tim, inside = model("tim4rec", time="decay"), batch(12, 5)
    found = record(tim, inside)
    memory = memory_length(found, layer="ssds.1")
    again = memory_length(found["ssds.1.decay"].tensor, time=inside.time, length=inside.length)
    np.testing.assert_allclose(memory.steps, again.steps)
    np.testing.assert_allclose(memory.days, again.days)
    np.testing.assert_allclose(memory.typical, again.typical)
    assert memory.length.tolist() == [12, 5] and memory.last(1)[0].shape == (memory.steps.shape[2],)
    alone = memory_length(record(tim, batch(12, 5, l=20)), layer="ssds.1")
    for theirs, ours in zip(alone.last(1), memory.last(1), strict=True):
        np.testing.assert_allclose(theirs, ours)


def test_a_mamba_has_one_per_channel_and_state_number():
    found = record(model("mamba4rec"), batch(9))
    memory = memory_length(found, threshold=0.9)
    assert memory.steps.shape == (1, 9, 32, 4)
    flat = memory_length(rearrange(found.find("decay")[0].tensor, "b l e n -> b l (e n)"), threshold=0.9)
    np.testing.assert_allclose(memory.steps.reshape(1, 9, -1), flat.steps)


def test_a_matrix_of_one_state_number_agrees_with_its_memory():
    """Weights of a mixing matrix over B, C and dt are the decays that memory is counted in."""
    mamba, inside = model("mamba4rec", d_state=1), batch(12)
    M = mixing_matrix(mamba, inside).values[0]
    taps = record(mamba, inside).of("mambas.0")
    written = taps["C"][0, :, None, 0] * taps["B"][0, None, :, 0] * taps["dt"][0].T[:, None, :]
    weight = (M / written)[:, 11]  # what each event still weighs at the last one
    steps, _, reached = memory_length(record(mamba, inside), threshold=0.9).last()
    assert reached.any()
    for e, back in enumerate(steps[:, 0]):
        assert weight[e, 11 - math.floor(back)] >= 0.9 - 1e-9
        assert not reached[e, 0] or weight[e, 11 - math.ceil(back)] <= 0.9 + 1e-9


def test_the_half_that_reads_newest_first_has_no_days():
    echo = record(model("echomamba4rec"), batch(9, 4))
    assert memory_length(echo, layer="layers.0.pairs.0.mambas.0").days is not None
    assert memory_length(echo, layer="layers.0.pairs.0.mambas.1").days is None
    both = record(model("ssd4rec"), batch(9, 4))
    assert memory_length(both, layer="layers.0.ssd").days is not None
    assert memory_length(both, layer="layers.0.ssd@2").days is None


def test_nothing_decays_and_a_single_event():
    found = memory_length(np.ones((1, 5, 2)))
    assert np.isinf(found.typical).all() and not found.reached.any() and (found.last()[0] == 4).all()
    single = memory_length(np.full((1, 1, 2), 0.5))
    assert np.isinf(single.typical).all() and (single.last()[0] == 0).all()


def test_the_table():
    memory = memory_length(record(model("tim4rec"), batch(12, 5)), layer="ssds.0")
    lines = repr(memory).splitlines()
    assert "ssds.0" in lines[0] and "0.368" in lines[0] and len(lines) == 2 + memory.steps.shape[2]
    assert memory._repr_html_().count("<tr>") == 1 + memory.steps.shape[2]
    assert "≥ 4" in memory_length(np.full((1, 5, 1), 0.99)).table()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: memory_length(np.full((1, 2, 1), 1.5)), "above 0 and be at most 1"),
        (lambda: memory_length(np.zeros((1, 2, 1))), "above 0 and be at most 1"),
        (lambda: memory_length(np.ones((1, 2))), "'b l h' or 'b l e n'"),
        (lambda: memory_length(np.ones((1, 2, 1)), threshold=1), "between 0 and 1"),
        (lambda: memory_length(np.ones((1, 2, 1)), length=[3]), "1 to 2 events"),
        (lambda: memory_length(np.ones((1, 2, 1)), time=[1, 2]), r"time must be 'b l' \(1, 2\)"),
        (lambda: memory_length(record(model("sasrec"), batch(3))), "SASRec has no decays.*mean_age"),
        (lambda: memory_length(record(model("tim4rec"), batch(3))), "give layer=, one of ssds.0, ssds.1"),
        (lambda: memory_length(record(model("tim4rec"), batch(3)), layer="norms.0"), "these have: ssds.0, ssds.1"),
    ],
)
def test_errors(call, words):
    with pytest.raises(ValueError, match=words):
        call()
