"""Interests and the gate, moved as a reader moves them."""

import numpy as np
import pytest

from seqrec_edu import lens
from seqrec_edu.data.synthetic import shoppers
from seqrec_edu.figures.heat import values_of
from seqrec_edu.lens.proposal import proposal
from seqrec_edu.models import build
from seqrec_edu.panels.gate import GateAndInterests
from seqrec_edu.panels.subjects import batch_of

SIZES = {"d_model": 16, "heads": 2, "interests": 3, "seed": 0}


@pytest.fixture(scope="module")
def data():
    return shoppers(users=30, seed=0)


@pytest.fixture(scope="module")
def mlsa(data):
    return build("mlsa4rec", n_items=data.n_items, d_state=4, **SIZES)


@pytest.fixture(scope="module")
def light(data):
    return build("lightsans", n_items=data.n_items, **SIZES)


def of(panel, name, axis):
    return next(t for t in panel.figure.data if t.name == name and t.xaxis == axis).y


def test_it_opens_on_the_gate_at_the_last_event(mlsa, data):
    person = data.user(3)
    panel, found = GateAndInterests(mlsa, person), proposal(mlsa, batch_of(mlsa, person))
    assert panel._view.value == "gate" and panel._event.value == len(person)
    np.testing.assert_allclose(of(panel, "gate by channel", "x4"), found.gate[0, -1], rtol=1e-6)
    np.testing.assert_allclose(of(panel, "let through", "x3"), found.passed[0, -1], rtol=1e-6)
    turned = int((found.gate[0, -1] < 0).sum())
    assert f"{turned} of 16 channels are turned round." in panel.sentence
    assert len(panel.table.cells) == len(person) and "let through" in panel.table


def test_another_event_is_another_column_of_channels(mlsa, data):
    panel = GateAndInterests(mlsa, data.user(3))
    before, said = np.array(of(panel, "gate by channel", "x4")), panel.sentence
    panel._event.value = 2
    assert not np.array_equal(of(panel, "gate by channel", "x4"), before) and panel.sentence != said
    assert panel.sentence.startswith(f"Event 2 of {len(data.user(3))} (")


def test_interests_by_head_and_event(mlsa, data):
    person = data.user(3)
    panel = GateAndInterests(mlsa, person, show="interests", head=1, event=4)
    found = lens.interests(mlsa, batch_of(mlsa, person))
    drawn = values_of(panel.figure.data[1])
    np.testing.assert_allclose(np.sort(drawn, 1), np.sort(found.reads[0, 1].numpy(), 1), rtol=1e-5)
    assert panel.figure.layout.shapes[0].y0 == 2.5
    fed = int(found.feeds[0, 3].argmax()) + 1
    assert f"gives most to interest {fed}, " in panel.sentence and "head 1 reads most of" in panel.sentence
    panel._head.value = 0
    assert not np.array_equal(values_of(panel.figure.data[1]), drawn) and "fed most by" in panel.table


def test_moving_runs_the_model_no_more(mlsa, data, monkeypatch):
    panel, calls = GateAndInterests(mlsa, data.user(3)), []
    monkeypatch.setattr(type(mlsa), "forward", lambda *_: calls.append(1))
    panel._event.value = 3
    panel._view.value = "interests"
    panel._head.value = 1
    panel._event.value = 1
    assert not calls and 'role="status"' in panel._status.value


def test_without_a_gate_it_says_so(light, mlsa, data):
    panel = GateAndInterests(light, data.user(3), layer="layers.1")
    assert panel._view.value == "interests" and panel._view.disabled
    assert "LightSANs has no gate: there is no Mamba" in panel.sentence
    with pytest.raises(ValueError, match="LightSANs has no gate"):
        GateAndInterests(light, data.user(3), show="gate")
    both = GateAndInterests({"M": mlsa, "L": light}, data.user(3))
    assert both._view.value == "gate"
    both._layer.value = "L: layers.0"
    assert both._view.value == "interests" and both._view.disabled and len(both.figure.data) == 2
    both._layer.value = "M: attention"
    assert not both._view.disabled


def test_pads_that_are_pooled_are_said(data):
    official = build("mlsa4rec", n_items=data.n_items, d_state=4, history_length=70, mode="official", **SIZES)
    panel = GateAndInterests(official, data.user(3))
    assert "Pads are pooled like events: 0." in panel.sentence and panel._event.max == len(data.user(3))
    assert "Pads" not in GateAndInterests(build("mlsa4rec", n_items=data.n_items, **SIZES), data.user(3)).sentence


def test_another_person(mlsa, data):
    panel = GateAndInterests(mlsa, data, user=3, event=2)
    panel._people.control.value = 5
    assert panel._event.max == len(data.user(5)) and panel._event.value == 2
    assert panel.sentence.startswith(f"Event 2 of {len(data.user(5))} (")


def test_the_digest_has_sentence_figure_and_table(mlsa, data):
    first, second, third = GateAndInterests(mlsa, data.user(3)).digest().splitlines()[:3]
    assert first.startswith("Event ") and second.startswith("Figure: What Mamba proposed") and third.startswith("event")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"layer": "gate"}, "no layer 'gate' with interests; there are attention"),
        ({"head": 2}, "head must be within 0…1 for this layer, got 2"),
        ({"event": 99}, "event must be within 1…"),
        ({"show": "both"}, 'show must be "interests" or "gate"'),
    ],
)
def test_wrong_calls_explain_themselves(mlsa, data, more, message):
    with pytest.raises(ValueError, match=message):
        GateAndInterests(mlsa, data.user(3), **more)


def test_models_without_interests(data):
    off = build("mlsa4rec", n_items=data.n_items, d_state=4, attention="off", **SIZES)
    for model, name in ((off, "MLSA4Rec"), (build("sasrec", n_items=data.n_items, d_model=16), "SASRec")):
        with pytest.raises(ValueError, match=f"{name}: no layer pools interests"):
            GateAndInterests(model, data.user(3))
