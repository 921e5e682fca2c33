"""Filters: their gains against the layer itself, circular and causal against loops, bands that hold every wave once."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqrec_edu import ops
from seqrec_edu.lens import filters, mixing_matrix
from tests.lens.support import LENGTH, batch, model


def draw(places, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=places // 2 + 1) + 1j * rng.normal(size=places // 2 + 1)


def by_loop(x, lags, reads):
    return np.array(
        [sum(lags[(t - s) % len(lags)] * x[s] for s in range(len(x)) if reads(s, t)) for t in range(len(x))]
    )


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 12), st.integers(0, 9), st.integers(0, 99))
def test_circular_and_causal_are_the_sums_they_claim_to_be(events, more, seed):
    x, W = np.random.default_rng(seed).normal(size=events), draw(events + more, seed)
    found = filters.filtered(x, W, places=events + more)
    lags = np.fft.irfft(W, n=events + more)
    np.testing.assert_allclose(found.circular, by_loop(x, lags, lambda s, t: True), atol=1e-12)
    np.testing.assert_allclose(found.causal, by_loop(x, lags, lambda s, t: s <= t), atol=1e-12)
    np.testing.assert_allclose(found.later, by_loop(x, lags, lambda s, t: s > t), atol=1e-12)


def test_an_impulse_leaks_before_itself_and_nothing_else_does():
    found = filters.filtered(filters.impulse(9, 4), filters.Bands(9).low_pass(4))
    assert (found.causal[:4] == 0).all() and (found.later[4:] == 0).all() and np.abs(found.later[:4]).max() > 0.1
    share = (found.circular[:4] ** 2).sum() / (found.circular**2).sum()
    assert found.leak == pytest.approx(share)
    assert filters.filtered(np.zeros(4), np.ones(3)).leak == 0


def test_a_filter_that_passes_all_changes_nothing():
    x = np.random.default_rng(0).normal(size=11)
    found = filters.filtered(x, np.ones(11), places=20)
    np.testing.assert_allclose(found.circular, x, atol=1e-12)
    np.testing.assert_allclose(found.causal, x, atol=1e-12)
    assert found.leak < 1e-20


@pytest.mark.parametrize("kind", ["circular", "causal"])
def test_gains_are_those_of_the_layer(kind):
    found = model("fmlprec", filter=kind)
    W = filters.filter_gains(found, "filters.1")
    M = mixing_matrix(found, batch(LENGTH, LENGTH), layer="filters.1", channels=[3]).history()[0]
    out = filters.filtered(filters.impulse(LENGTH, 2), W[:, 3])
    np.testing.assert_allclose(getattr(out, kind), M[:, 2], atol=1e-9)


def test_layers_are_found_by_path_and_named_where_there_are_none():
    assert filters.filter_layers(model("echomamba4rec")) == ["layers.0.filter"]
    assert filters.filter_layers(model("sasrec")) == []
    with pytest.raises(filters.NoFilter, match=r"no spectral filter 'filters.9'; there is filters.0, filters.1"):
        filters.filter_gains(model("fmlprec"), "filters.9")
    with pytest.raises(filters.NoFilter, match="fmlprec and echomamba4rec"):
        filters.trained_filters({"a": model("sasrec")})


def test_trained_filters_stand_beside_those_before_training():
    first, later = model("fmlprec"), model("fmlprec")
    found = filters.trained_filters({"a": later}, {"other name": first})
    assert list(found) == ["filters.0", "filters.1"] and found["filters.0"].places == LENGTH
    np.testing.assert_array_equal(found["filters.1"].first, filters.filter_gains(first, "filters.1"))
    both = filters.trained_filters({"a": later, "b": model("echomamba4rec")}, {"a": first})
    assert both["b: layers.0.filter"].first is None and both["a: filters.0"].first is not None
    with pytest.raises(ValueError, match="before training"):
        filters.trained_filters({"a": later}, {"a": model("fmlprec", d_model=8)})


def test_the_start_is_drawn_as_the_layer_draws_it():
    sizes = np.abs(filters.filter_at_start(20_001))
    assert sizes.mean() == pytest.approx(0.02 * np.sqrt(np.pi / 2), rel=0.03)
    assert (filters.filter_at_start(9, seed=1) == filters.filter_at_start(9, seed=1)).all()


@pytest.mark.parametrize("places", [7, 20, 21])
def test_power_is_where_the_wave_is_and_sums_to_one(places):
    t = np.arange(places)
    power = filters.wave_power(2 + np.cos(2 * np.pi * 3 * t / places))
    assert power.argmax() == 3 and power[3] == pytest.approx(1) and power.sum() == pytest.approx(1)
    x = np.random.default_rng(1).normal(size=places)
    waves = [
        (np.fft.irfft(np.eye(len(power))[f] * np.fft.rfft(x - x.mean()), n=places) ** 2).sum()
        for f in range(len(power))
    ]
    np.testing.assert_allclose(filters.wave_power(x), np.array(waves) / np.sum(waves), atol=1e-12)
    assert not filters.wave_power(np.full(places, 3.0)).any()
    assert filters.wave_power(x, places=2 * places).sum() == pytest.approx(1)


def test_a_history_that_repeats_has_the_period_it_repeats_with():
    items = np.tile([5, 9, 5, 7], 6)
    assert filters.indicators(items).shape == (24, 3) and (filters.indicators(items).sum(1) == 1).all()
    assert filters.wave_power(filters.indicators(items)).argmax() in (6, 12)
    assert filters.wave_power(filters.wave(24, 6)).argmax() == 4


def test_the_coordinate_is_the_direction_that_varies_most():
    found, history = model("sasrec"), batch(9, 5)
    with torch.no_grad():
        found.item_embedding.weight[:, 0] = 100 * torch.arange(len(found.item_embedding.weight))
    along, item = filters.embedding_coordinate(found, history), history.item[0, :9].numpy().astype(float)
    assert abs(np.corrcoef(along, item)[0, 1]) > 0.999 and along.std() == pytest.approx(1)
    assert along[np.abs(along).argmax()] > 0
    history.item[0] = 4
    assert not filters.embedding_coordinate(found, history).any()
    with pytest.raises(ValueError, match="no item_embedding"):
        filters.embedding_coordinate(torch.nn.Linear(2, 2), history)


@given(st.integers(1, 400), st.integers(2, 30))
@settings(max_examples=60, deadline=None)
def test_bands_hold_every_wave_once_and_never_more_than_asked(places, most):
    bands = filters.Bands(places, most)
    assert bands.edges[0] == 0 and bands.edges[-1] == places // 2 + 1 and (np.diff(bands.edges) > 0).all()
    assert len(bands) <= max(most, 2) and len(bands.periods) == len(bands)
    for band, (longest, shortest) in enumerate(bands.periods[1:], 1):
        assert longest >= shortest >= 2
        assert bands.holding(longest) == band


def test_turning_bands_keeps_phases_and_shapes():
    bands, W = filters.Bands(60, 8), draw(60)
    np.testing.assert_allclose(bands.turned(W, bands.of(W)), W)
    wanted = bands.of(W)
    wanted[3] *= 2
    turned = bands.turned(W, wanted)
    np.testing.assert_allclose(np.angle(turned), np.angle(W))
    np.testing.assert_allclose(bands.of(turned), wanted)
    inside = slice(bands.edges[3], bands.edges[4])
    np.testing.assert_allclose(turned[inside], 2 * W[inside])
    silent = np.zeros_like(W)
    np.testing.assert_array_equal(bands.turned(silent, wanted)[inside], wanted[3])


def test_presets_let_through_what_they_say():
    bands = filters.Bands(28)
    assert bands.low_pass(7).tolist() == [1] * 5 + [0] * 10 and bands.keep(7).nonzero()[0].tolist() == [4]
    x = filters.wave(28, 7) + filters.wave(28, 2)
    np.testing.assert_allclose(filters.filtered(x, bands.keep(7)).circular, filters.wave(28, 7), atol=1e-12)
    np.testing.assert_allclose(filters.filtered(x, 1 - bands.low_pass(7)).circular, filters.wave(28, 2), atol=1e-12)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: filters.filtered(np.ones(4), np.ones(4)), "places ≥ events and gains 'f' with 3"),
        (lambda: filters.filtered(np.ones(4), np.ones(2), places=3), "places ≥ events"),
        (lambda: filters.filtered(np.ones(4), [1, np.nan, 1]), "not finite"),
        (lambda: filters.filtered(np.ones((2, 2)), np.ones(2)), "finite numbers 'n'"),
        (lambda: filters.filtered([], np.ones(1)), "at least one"),
        (lambda: filters.wave_power(np.ones(4), places=3), "n ≤ 3 places"),
        (lambda: filters.impulse(4, 4), "within 0…3"),
        (lambda: filters.wave(4, 0), "above 0"),
        (lambda: filters.Bands(0), "places ≥ 1"),
        (lambda: filters.Bands(9).holding(1), "at least 2 events"),
        (lambda: filters.Bands(9).of(np.ones(9)), "take 5 factors"),
        (lambda: filters.Bands(9).turned(np.ones(5), np.ones(3)), "there are 5 bands"),
    ],
)
def test_what_cannot_be_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_it_is_the_operation_that_does_the_work(monkeypatch):
    asked = []
    run = ops.spectral_filter
    monkeypatch.setattr(ops, "spectral_filter", lambda *args, **more: asked.append(more) or run(*args, **more))
    filters.filtered(np.ones(4), np.ones(3))
    assert [more.get("causal", False) for more in asked] == [False, True]
