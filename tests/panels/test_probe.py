"""The probe: what its controls poke and rewire, and what it says of models that read ahead, or pads."""

import numpy as np
import pytest
from torch import nn

from seqrec_edu.data.synthetic import shoppers
from seqrec_edu.models import build
from seqrec_edu.panels.probe import Probe

DATA = shoppers(users=30, seed=0)
PERSON = DATA.user(3).last(9)


def tiny(name, **settings):
    return build(name, n_items=DATA.n_items, d_model=16, **settings)


@pytest.fixture(scope="module")
def echo():
    return tiny("echomamba4rec", d_state=4, history_length=40)


def heights(panel):
    """Name of each set of bars → height by event."""
    return {bar.name: dict(zip(bar.x, bar.y, strict=True)) for bar in panel.figure.data[:3] if len(bar.x)}


def test_a_circular_filter_reads_ahead_and_a_causal_wiring_does_not(echo):
    panel = Probe(echo, PERSON, event=4)
    assert list(heights(panel)["output before event 4: reads a later event"]) == [1, 2, 3]
    assert "3 of the 3 before it move too" in panel.sentence
    assert "The circular filter and the backward Mamba read later events, up to 8 for one output" in panel.sentence
    assert "36 of 36 pairs in all, as it declares." in panel.sentence and "random weights" not in panel.sentence
    panel._axes["filter"].value = "causal"
    assert "The backward Mamba reads later events" in panel.sentence
    panel._axes["direction"].value = "forward"
    assert not any("later event" in name for name in heights(panel))
    assert "nobody reads it ahead" in panel.sentence and "At random weights." in panel.sentence
    assert not panel._done(None).ahead.any()


def test_the_slider_chooses_the_event_and_the_map_holds_its_row(echo):
    panel = Probe(echo, PERSON, event=2)
    first = panel._row.copy()
    panel._place.value = 7
    assert panel.sentence.startswith(f"Event 7 of 9, {PERSON.labels[6]}, becomes ")
    assert not np.array_equal(panel._row, first)
    heat = panel.figure.data[-1]
    np.testing.assert_allclose(10.0 ** heat.z[6][:9], panel._row[:9], rtol=1e-5)
    panel._map.value = False
    assert len(panel.figure.data) == 4 and panel.plot.figure["layout"]["height"] < 500


def test_the_map_is_measured_once(echo, monkeypatch):
    panel = Probe(echo, PERSON)
    bench, poked = panel._bench, []
    monkeypatch.setattr(bench.poker, "poke", lambda *places, **more: poked.append(places))
    panel._place.value = 5
    panel._place.value = 6
    assert not poked
    panel._map.value = False
    assert poked[0] == (5,)


def test_pads_on_either_side_and_poked(echo):
    panel = Probe(echo, PERSON, pads=3)
    assert "3 pads behind the history change no output" in panel.sentence
    panel._poke.value = "both"
    assert panel._place.description == "pad" and panel._place.max == 3 and "the pad is not read" in panel.sentence
    panel._side.value = "left"
    assert "outputs move" in panel.sentence and "the pad is read" in panel.sentence
    assert "3 pads in front of the history change outputs by " in panel.sentence
    panel._side.value = "right"
    panel._axes["mode"].value = "official"
    assert "9 of 9 outputs move" in panel.sentence
    assert "This wiring fills every row to 40 places with pads of its own." in panel.sentence
    panel._pads.value = 0
    assert panel._poke.value == "item" and len(panel._poke.options) == 2 and panel._place.description == "event"


def test_times_are_a_stream_of_their_own():
    panel = Probe(tiny("tim4rec", head_dim=8, history_length=40), PERSON, poke="time", event=5)
    assert panel.sentence.startswith("The time of event 5 of 9,") and "nobody reads it ahead" in panel.sentence
    panel._axes["mode"].value = "official"
    assert "The time branch, which normalises and mixes the gaps of the whole row, reads later events" in panel.sentence
    blind = Probe(tiny("sasrec", heads=2, history_length=40), PERSON, poke="time")
    assert "no output moves (0 exactly): it is not read" in blind.sentence


def test_wirings_that_a_model_has_not_are_told():
    panel = Probe(tiny("sasrec", heads=2, history_length=40), PERSON)
    assert all(control.disabled for control in panel._axes.values())
    assert "SASRec has no filter." in panel._notes.value and panel._axes["mode"].tooltip.startswith("SASRec is wired")


def test_a_model_that_breaks_its_word_is_named():
    class Liar(nn.Module):
        causal = True

        def __init__(self):
            super().__init__()
            self.items = nn.Embedding(DATA.n_items + 1, 8)

        def forward(self, item):
            x = self.items(item)
            return x + x.mean(1, keepdim=True)

    panel = Probe(Liar(), PERSON, pads=0)
    assert "The Liar reads later events" in panel.sentence
    assert panel.sentence.endswith("though it declares that it is causal.")
    assert "no model of this package" in panel._notes.value


def test_without_a_model_it_builds_small_ones_and_another_can_be_chosen():
    panel = Probe(DATA, user=3)
    assert len(panel._person) == len(DATA.history(3)[0]) and panel.sentence.endswith("At random weights.")
    panel._model.value = "SASRec"
    assert panel._axes["filter"].value == "none" and "nobody reads it ahead" in panel.sentence
    before = panel.sentence
    panel._people.control.value = 5
    assert panel.sentence != before and panel._place.max == len(panel._person) > 14


def test_places_are_left_for_pads():
    person = DATA.user(5)
    panel = Probe(tiny("sasrec", heads=2, history_length=20), person)
    assert len(panel._person) == 8 and list(panel._person.items) == list(person.items[-8:])


def test_what_it_is_without_a_picture(echo):
    panel = Probe(echo, PERSON)
    sentence, figure, head = panel.digest().splitlines()[:3]
    assert sentence == panel.sentence and figure.startswith("Figure: What EchoMamba4Rec reads of user 3")
    assert head.split() == ["output", "at", "moved", "by", "what", "that", "says"] and len(panel.table.cells) == 9
    assert "aria-live" in panel._status.value and "seqrec-probe" in panel._dom_classes


def test_an_error_of_the_wiring_is_shown_and_the_panel_lives():
    panel = Probe(tiny("mlsa4rec", heads=2, interests=3, d_state=4, history_length=40), PERSON)
    panel._axes["mode"].value = "official"
    panel._axes["direction"].value = "forward"
    assert 'role="alert"' in panel._status.value and "running" in panel._status.value
    panel._axes["mode"].value = "corrected"
    assert "nobody reads it ahead" in panel._status.value


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda m: Probe(m), "whose history"),
        (lambda m: Probe(m, PERSON, event=10), "event must be within 1…9"),
        (lambda m: Probe(m, PERSON, model="SASRec"), "no model 'SASRec'; there are EchoMamba4Rec"),
        (lambda m: Probe(m, PERSON, poke="place"), "poke must be"),
        (lambda m: Probe(m, PERSON, poke="pad", pads=0), "where there are pads"),
        (lambda m: Probe(m, PERSON, side="top"), '"right" or "left"'),
        (lambda m: Probe(m, PERSON, pads=13), "0…12 pads"),
        (lambda m: Probe(m, PERSON, events=0), "1…200 events"),
        (lambda m: Probe(m, PERSON, filter="square"), "no wiring filter='square'"),
        (lambda m: Probe(tiny("sasrec", heads=2), PERSON, filter="causal"), "SASRec has no filter"),
        (lambda m: Probe(build("sasrec", n_items=9, d_model=16), PERSON), "built for another dataset"),
        (lambda m: Probe(nn.Linear(4, 4), PERSON), "no items"),
    ],
)
def test_wrong_calls_explain_themselves(echo, call, words):
    with pytest.raises(ValueError, match=words):
        call(echo)
