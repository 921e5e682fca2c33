"""Five views of a state space, moved as a reader moves them."""

import numpy as np
import pytest

from seqrec_edu.data.synthetic import shoppers
from seqrec_edu.lens import views as lens_views
from seqrec_edu.models import build
from seqrec_edu.panels import views as module
from seqrec_edu.panels.views import FiveViews


@pytest.fixture(scope="module")
def data():
    return shoppers(users=30, seed=0)


@pytest.fixture(scope="module")
def model(data):
    return build("tim4rec", n_items=data.n_items, d_model=16, d_state=4, head_dim=8, seed=0)


def weights(panel):
    return next(trace for trace in panel.figure.data if trace.name == "weights of past events").y


def test_it_opens_at_the_last_event_and_all_agree(model, data):
    panel = FiveViews(model, data.user(3))
    length = len(data.user(3))
    assert panel._event.value == panel._event.max == length and len(weights(panel)) == length
    assert panel.sentence.startswith(f"After event {length} of {length} (")
    assert panel.sentence.endswith("In float32 all five agree within 2.0e-05 of the largest output.")
    assert f"the matrix has all its {length**2:,} weights at hand" in panel.sentence


def test_scrubbing_shows_each_moment_and_computes_nothing(model, data, monkeypatch):
    panel, calls = FiveViews(model, data.user(3), chunk=4), []
    for name in ("compute", "state_space"):
        monkeypatch.setattr(module, name, lambda *_, name=name, **__: calls.append(name))
    monkeypatch.setattr(type(model), "forward", lambda *_: calls.append("forward"))
    state = np.array(panel.figure.data[0].z)
    panel._event.value = 6
    assert not calls and len(weights(panel)) == 6 and not np.array_equal(panel.figure.data[0].z, state)
    assert "the sum weighs 6 events" in panel.sentence and "chunk 2 of" in panel.sentence
    np.testing.assert_allclose(weights(panel), panel.views.matrix[5, :6], rtol=1e-6)
    panel._event.value = 1
    assert not calls and "the sum weighs 1 event," in panel.sentence


def test_chunk_and_precision_are_computed_once_each(model, data, monkeypatch):
    panel, calls = FiveViews(model, data.user(3), event=5), []

    def counted(space, **how):
        calls.append(how)
        return lens_views.five_views(space, **how)

    monkeypatch.setattr(module, "compute", counted)
    panel._chunk.value = 2
    assert "chunk 3 of" in panel.sentence
    panel._precision.value = "float64"
    assert "In float64 all five agree within 1.0e-09" in panel.sentence
    panel._precision.value = "float32"
    assert [how["chunk"] for how in calls] == [2, 2]


def test_a_difference_is_said(model, data):
    panel = FiveViews(model, data.user(3))
    panel.views.outputs["matrix"][0] += 1.0
    panel.views.__dict__.pop("differences")
    said = panel.sentence
    assert "4 of 10 pairs differ by more than 2.0e-05 of the largest output, each of them with the matrix." in said


def test_head_block_and_person(model, data):
    panel = FiveViews(model, data, user=3)
    before = np.array(panel.figure.data[0].z)
    panel._head.value = 2
    assert "head 2 of ssds.0" in panel.sentence and not np.array_equal(panel.figure.data[0].z, before)
    panel._block.value = "ssds.1"
    assert "head 2 of ssds.1" in panel.sentence
    panel._event.value = 4
    panel._people.control.value = 5
    assert panel._event.max == len(data.user(5)) and panel._event.value == 4
    panel._event.value = panel._event.max
    panel._people.control.value = 3
    assert panel._event.value == len(data.user(3))  # who looked at the last event still does


def test_several_models_and_a_mamba(model, data):
    mamba = build("mamba4rec", n_items=data.n_items, d_model=16, d_state=4, seed=0)
    panel = FiveViews({"TiM": model, "Mamba": mamba}, data.user(3), block="Mamba: mambas.0", head=31)
    assert "channel 31 of mambas.0" in panel.sentence and panel._head.description == "channel"
    panel._block.value = "TiM: ssds.1"
    assert panel._head.max == 3 and panel._head.description == "head" and "head 3 of ssds.1" in panel.sentence


def test_a_reading_newest_first_says_which_event_it_is_at(data):
    both = build("ssd4rec", n_items=data.n_items, d_model=16, d_state=4, head_dim=8, seed=0)
    person = data.user(3)
    panel = FiveViews(both, person, block="layers.0.ssd@2", event=1)
    assert f"After step 1 of {len(person)} of the reading newest first (event {len(person)}, " in panel.sentence


def test_the_digest_is_the_same_on_every_machine(model, data):
    panel = FiveViews(model, data.user(3))
    text = panel.digest()
    slower = panel.views
    slower.milliseconds.update(dict.fromkeys(slower.milliseconds, 99.0))
    slower.differences.update(dict.fromkeys(slower.differences, 1e-9))
    object.__setattr__(slower, "backend", "kernel")
    object.__setattr__(slower, "tile", 32)
    slower.__dict__.pop("costs", None)
    assert panel.digest() == text and " ms" not in text and "cpu" not in text
    assert "99.00" in panel.table and any("99 ms" in t for trace in panel.figure.data for t in trace.text or ())
    assert panel.digest(values=False).startswith("[Five views] Figure: ssds.0 in five ways | ")
    assert "Triton" in panel._note.value


def test_nothing_is_lost_where_a_person_has_no_events(model, data):
    panel = FiveViews(model, data, user=3)
    panel._people._given = _without_events(data)
    panel._people.control.value = 4
    assert 'role="alert"' in panel._status.value
    panel._people._given = data
    panel._people.control.value = 5
    assert 'role="status"' in panel._status.value


def _without_events(data):
    class Empty:
        def user(self, index):
            return data.user(0).edited([], [])

    return Empty()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"block": "ssds.9"}, "no block 'ssds.9'; there are ssds.0, ssds.1"),
        ({"head": 4}, "head must be within 0…3 for this block, got 4"),
        ({"event": 0}, "event must be within 1…"),
        ({"chunk": 3}, "no chunk 3; there are 1, 2, 4"),
        ({"precision": "float16"}, "no precision 'float16'; there are float64, float32, bfloat16"),
    ],
)
def test_wrong_calls_explain_themselves(model, data, more, message):
    with pytest.raises(ValueError, match=message):
        FiveViews(model, data.user(3), **more)


def test_models_without_a_state_and_of_other_items(data):
    with pytest.raises(ValueError, match=r"SASRec: no layer carries a state with decays .Mamba, SSD.; tim4rec"):
        FiveViews(build("sasrec", n_items=data.n_items, d_model=16), data.user(3))
    with pytest.raises(ValueError, match="built for another dataset"):
        FiveViews(build("mamba4rec", n_items=7, d_model=16), data.user(3))
    with pytest.raises(ValueError, match="expected a person"):
        FiveViews(build("mamba4rec", n_items=7, d_model=16), [1, 2])
