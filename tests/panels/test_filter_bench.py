"""The filter bench, moved as a reader moves it: bands, presets, signals, and what a trained filter kept."""

import numpy as np
import pytest
import torch

from seqrec_edu.data import Histories
from seqrec_edu.data.synthetic import shoppers
from seqrec_edu.lens import filters
from seqrec_edu.models import build
from seqrec_edu.panels.equaliser import Equaliser
from seqrec_edu.panels.filter_bench import FilterBench

DATA = shoppers(users=30, seed=0)
PERSON = max(range(30), key=lambda user: len(DATA.history(user)[0]))


def model(name="fmlprec", seed=0, **settings):
    torch.manual_seed(seed)
    return build(name, **({"n_items": DATA.n_items, "d_model": 16, "history_length": 50} | settings))


@pytest.fixture
def bench():
    return FilterBench(DATA.user(PERSON))


def line(panel, name):
    """The values of a line as the page has them."""
    (trace,) = [trace for trace in panel.figure.data if trace.name == name]
    return np.asarray(trace.y, dtype=float)


def test_it_needs_no_model_and_opens_with_a_low_pass(bench):
    person = DATA.user(PERSON)
    assert bench._preset.value == "low pass" and len(bench._bands.value) == min(24, len(person) // 2 + 1)
    bands = filters.Bands(len(person))
    wanted = filters.filtered(bench.signal, bands.turned(np.ones(len(person) // 2 + 1), bands.low_pass(7)))
    np.testing.assert_allclose(line(bench, "circular"), wanted.circular, atol=1e-6)
    np.testing.assert_allclose(line(bench, "causal"), wanted.causal, atol=1e-6)
    assert f"later events make up {wanted.leak:.1%}" in bench.sentence
    assert bench.digest().startswith(bench.sentence)


def test_drawing_a_band_changes_gain_output_and_what_the_filter_is_called(bench):
    before, drawn = line(bench, "circular"), bench.plot.revision
    gains = list(bench._bands.value)
    gains[1] = 0.25
    bench._bands.value = gains
    assert bench.plot.revision == drawn + 1 and bench._preset.value == "drawn"
    assert line(bench, "gain")[1] == pytest.approx(0.25) and not np.allclose(line(bench, "circular"), before)
    assert ", redrawn:" in bench.sentence
    bench._preset.value = "low pass"
    np.testing.assert_array_equal(line(bench, "circular"), before)
    assert bench._bands.value[1] == 1.0


@pytest.mark.parametrize(
    ("preset", "passed"),
    [
        ("all pass", lambda bands: np.ones(len(bands))),
        ("low pass", lambda bands: bands.low_pass(5)),
        ("high pass", lambda bands: 1 - bands.low_pass(5)),
        ("keep one period", lambda bands: bands.keep(5)),
    ],
)
def test_a_preset_is_the_bands_it_says(bench, preset, passed):
    bench._preset.value = preset
    bench._period.value = 5
    assert bench._bands.value == passed(filters.Bands(len(DATA.user(PERSON)))).tolist()
    assert (bench._period.layout.display == "none") == (preset == "all pass")


def test_a_random_start_is_small_and_the_bands_show_it(bench):
    bench._preset.value = "random start"
    assert bench._bands.top in (0.05, 0.1) and 0 < max(bench._bands.value) <= bench._bands.top
    np.testing.assert_allclose(bench.gains, filters.filter_at_start(len(DATA.user(PERSON))))


def test_one_event_alone_shows_the_leak_before_it(bench):
    bench._signal.value = ("impulse", "")
    bench._place.value = 20
    assert "holds all periods alike" in bench.sentence
    assert bench._place.layout.display is None and bench._wave.layout.display == "none"
    np.testing.assert_array_equal(np.flatnonzero(line(bench, "before")), [19])
    assert (line(bench, "causal")[:19] == 0).all() and np.abs(line(bench, "circular")[:19]).max() > 0.05
    assert line(bench, "from later events").shape == (len(DATA.user(PERSON)),)
    bench._mode.value = "causal"
    assert {trace.name for trace in bench.figure.data} == {"before", "causal", "share of the signal", "gain"}
    assert "no later event is read" in bench.sentence
    bench._mode.value = "circular"
    assert "causal" not in {trace.name for trace in bench.figure.data}


def test_items_genres_and_waves_go_through(bench):
    person = DATA.user(PERSON)
    items = [key for _, key in bench._signal.options if key[0] == "item"]
    bench._signal.value = items[0]
    np.testing.assert_array_equal(line(bench, "before"), person.items == items[0][1])
    assert person.label(items[0][1]) in bench.sentence and "genre" not in str(bench._signal.options)
    bench._signal.value = ("wave", "")
    bench._wave.value = 5
    np.testing.assert_allclose(line(bench, "before"), np.cos(2 * np.pi * np.arange(len(person)) / 5), atol=1e-6)
    with_genres = FilterBench(person, genres=DATA.item_genres)
    kind, genre = with_genres._signal.value
    assert kind == "genre" and with_genres.signal.sum() == sum(DATA.item_genres[i] == genre for i in person.items)


def test_embeddings_of_a_model_go_through():
    known, person = model(), DATA.user(PERSON)
    panel = FilterBench(known, DATA.user(PERSON))
    panel._signal.value = ("embedding", "FMLPRec")
    table = known.item_embedding.weight.detach().double().numpy()[person.last(50).items]
    along = np.linalg.svd(table - table.mean(0))[2][0] @ (table - table.mean(0)).T
    assert abs(np.corrcoef(along, panel.signal)[0, 1]) == pytest.approx(1)


def test_a_trained_filter_is_the_layer_itself():
    known = model()
    panel = FilterBench(known, DATA, user=PERSON, channel=3)
    assert panel._preset.value == "filters.0" and panel.name == "filter"
    np.testing.assert_allclose(panel.gains, filters.filter_gains(known, "filters.0")[:, 3])
    panel._preset.value = "filters.1"
    panel._channel.value = 5
    np.testing.assert_allclose(panel.gains, filters.filter_gains(known, "filters.1")[:, 5])
    assert "trained filters.1, channel 5" in panel.sentence
    layer, x = known.filters[1].eval(), torch.zeros(1, 50, 16)
    panel._signal.value = ("impulse", "")
    x[0, panel._place.value - 1, 5] = 1
    inside = layer._filter(x, None)[0, :, 5].detach().numpy()
    np.testing.assert_allclose(line(panel, "circular"), inside[: len(panel.person)], atol=1e-6)


def test_a_changed_band_of_a_trained_filter_keeps_its_phases():
    panel = FilterBench(model(), DATA.user(PERSON))
    before, gains = panel.gains, list(panel._bands.value)
    gains[2] *= 0.5
    panel._bands.value = gains
    np.testing.assert_allclose(np.angle(panel.gains), np.angle(before))
    assert np.abs(panel.gains).sum() < np.abs(before).sum()


def test_what_it_kept_is_the_mean_over_channels_beside_the_start():
    known, first = model(seed=1), model(seed=2)
    panel = FilterBench(known, DATA.user(PERSON), show="kept", untrained=first)
    gains = np.abs(filters.filter_gains(known, "filters.0"))
    np.testing.assert_allclose(line(panel, "after training"), gains.mean(1), rtol=1e-5)
    np.testing.assert_allclose(
        line(panel, "before training"), np.abs(filters.filter_gains(first, "filters.0")).mean(1), rtol=1e-5
    )
    np.testing.assert_allclose(line(panel, "four fifths of the channels"), np.quantile(gains, 0.9, axis=1), rtol=1e-5)
    assert line(panel, "share of the history").sum() == pytest.approx(100, rel=1e-4)
    assert "16 channels" in panel.sentence and "Before training" in panel.sentence
    assert len(panel.table.cells) == 26 and "before training" in panel.table.header


def test_several_models_have_their_names_in_front():
    panel = FilterBench({"a": model(), "b": model("echomamba4rec", d_state=4, filter="causal")}, DATA.user(PERSON))
    assert list(panel._filters) == ["a: filters.0", "a: filters.1", "b: layers.0.filter"]
    panel._preset.value = "b: layers.0.filter"
    assert panel.output.causal.any()


def test_another_person_has_other_signals_and_another_circle():
    panel = FilterBench(DATA, user=PERSON)
    bands, key = len(panel._bands.value), panel._signal.value
    other = min(range(30), key=lambda user: len(DATA.history(user)[0]))
    panel._people.control.value = other
    assert len(panel._bands.value) == len(DATA.user(other)) // 2 + 1 != bands
    assert key in [k for _, k in panel._signal.options] or panel._signal.value != key
    assert f"user {other}" in panel.sentence and len(line(panel, "before")) == len(DATA.user(other))


def test_a_history_of_one_event_can_be_filtered(bench):
    panel = FilterBench(DATA.user(PERSON).last(1))
    assert len(panel._bands.value) == 1 and "never changes" in panel.sentence
    assert len(FilterBench(DATA.user(PERSON).last(2))._bands.value) == 2


def test_nothing_is_computed_twice(bench, monkeypatch):
    calls = []
    run = filters.filtered
    monkeypatch.setattr(filters, "filtered", lambda *a, **k: calls.append(1) or run(*a, **k))
    bench._mode.value = "causal"
    bench._mode.value = "both"
    assert not calls
    bench._period.value = 3
    assert len(calls) == 1


def test_bands_say_what_they_are_to_those_who_do_not_see_them():
    panel = FilterBench(DATA.user(PERSON), preset="all pass")
    assert panel._bands.names[0] == "gain of the constant part" and panel._bands.ticks[0] == "∞"
    assert panel._bands.names[1] == f"gain at period {len(DATA.user(PERSON))} events"
    assert any(" to " in name for name in panel._bands.names) and panel._bands.description
    row = Equaliser()
    row.bring([(9.0, 9.0)], [0.03])
    assert (row.top, row.ticks, row.value) == (0.05, ["9"], [0.03])


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        ((7,), {}, "expected a person"),
        (("sasrec",), {}, "expected a person"),
        ((PERSON,), {"preset": "notch"}, "preset must be one of all pass"),
        ((PERSON,), {"show": "kept"}, "show must be one of signal"),
        ((PERSON,), {"period": 1}, "at least 2"),
        ((PERSON,), {"channel": 1}, "within 0…0"),
        (("fmlprec", PERSON), {"channel": 16}, "within 0…15"),
        (("fmlprec", PERSON), {"untrained": 3}, "no model with layers"),
        (("sasrec", PERSON), {}, "no layer is a spectral filter"),
    ],
)
def test_wrong_calls_explain_themselves(arguments, options, words):
    if words == "expected a person":
        given = arguments
    else:
        *names, person = arguments
        sizes = {} if names and names[0] == "fmlprec" else {"history_length": 50, "heads": 2}
        given = (*(model(name, **sizes) for name in names), DATA.user(person))
    with pytest.raises(ValueError, match=words):
        FilterBench(*given, **options)


def test_what_has_no_meaning_for_what_it_kept_is_not_shown():
    panel = FilterBench(model(), DATA.user(PERSON))
    hidden = (panel._bands, panel._signal, panel._mode, panel._channel)
    assert all(control.layout.display != "none" for control in hidden)
    panel._view.value = "kept"
    assert all(control.layout.display == "none" for control in hidden)


def test_a_person_without_events_is_an_alert_and_leaves_no_table_of_another(bench):
    few = Histories(np.array([1, 2], np.int32), np.array([5, 6]), np.array([0, 0, 2]), ["<pad>", "a", "b"], ["x", "y"])
    panel = FilterBench(few, user=1)
    assert "<table" in panel._table.value
    panel._people.control.value = 0
    assert 'role="alert"' in panel._status.value and panel._table.value == ""
    panel._people.control.value = 1
    assert 'role="status"' in panel._status.value and "<table" in panel._table.value
