"""The state theatre: what it sends to the stage, and what a moved event changes."""

import numpy as np
import pytest
import torch

from seqrec_edu import lens
from seqrec_edu.data import Person
from seqrec_edu.data.batches import Batch
from seqrec_edu.data.synthetic import shoppers
from seqrec_edu.models import build
from seqrec_edu.panels import theatre
from seqrec_edu.panels.stage import Stage
from seqrec_edu.panels.theatre import Theatre
from seqrec_edu.training.recommend import recommend

torch.set_num_threads(1)
USER = 24  # 49 events in five months
DAY = 86_400


@pytest.fixture(scope="module")
def data():
    return shoppers(users=30, seed=0)


def made(name, data, **settings):
    model = build(name, n_items=data.n_items, d_model=16, seed=0, **settings).eval()
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if "in_proj" in key or "embedding.weight" in key:
                parameter.mul_(5)
    return model


@pytest.fixture(scope="module")
def tim(data):
    return made("tim4rec", data, head_dim=8)


@pytest.fixture
def panel(tim, data):
    return Theatre(tim, data, user=USER)


def sent(panel):
    """What the browser was last sent: the scene, and the bytes as arrays."""
    stage, scene = panel.plot, panel.plot.scene
    frames = np.frombuffer(stage.frames, np.int8).reshape(-1, *scene["grid"]) * scene["unit_of_state"]
    return scene, frames, square(stage.left, len(scene["id"])), square(stage.was, len(scene["id"]))


def square(triangle, length):
    whole = np.zeros((length, length))
    if triangle:
        whole[np.tril_indices(length)] = np.frombuffer(triangle, "<u2") / 65_535
    return whole


def opened(model, person, **where):
    found = lens.record(model, Batch.of(person.items, person.times))
    return lens.states(found, **where)[0], lens.event_steps(found, **where), lens.remaining(found, **where)[0]


def test_the_stage_gets_the_state_of_the_chosen_head(panel, tim, data):
    panel._layer.value, panel._head.value = "ssds.1", 2
    scene, frames, left, was = sent(panel)
    states, steps, remaining = opened(tim, data.user(USER), layer="ssds.1", channel=2)
    states = states.numpy().swapaxes(1, 2)
    assert scene["head"] == "head 2" and scene["pooled"] == 1 and frames.shape == states.shape == (49, 32, 8)
    np.testing.assert_allclose(frames, states, atol=np.abs(states).max() / 250)
    np.testing.assert_allclose(left, remaining, atol=1e-5)
    assert not was.any() and not scene["moved"]
    for name in ("dt", "decay", "gate"):
        np.testing.assert_allclose(scene[name], getattr(steps, name)[0], rtol=1e-3)
    np.testing.assert_allclose(scene["size"], np.sqrt((states**2).mean((1, 2))), rtol=1e-3)


def test_many_events_are_pooled_to_few_cells(data):
    wide = made("tim4rec", data, head_dim=32)
    panel = Theatre(wide, data, user=USER)
    scene = panel.plot.scene
    assert scene["pooled"] == 2 and scene["grid"] == [16, 16] and len(panel.plot.frames) == 49 * 256 <= 24_000
    states = opened(wide, data.user(USER), layer="ssds.0")[0].numpy()
    assert sent(panel)[1].max() == pytest.approx(states.max(), rel=0.01), "the largest of each block stays"


def test_times_are_the_real_ones(panel, data):
    scene, person = panel.plot.scene, data.user(USER)
    assert scene["unit"] == "day" and scene["timed"] and scene["steps"] == [("1 day", DAY), ("1 hour", 3_600)]
    np.testing.assert_allclose(scene["home"], (person.times - person.times[0]) / DAY, atol=1e-5)
    assert scene["span"][0] < 0 and scene["span"][1] > scene["home"][-1]
    assert scene["names"][3] == person.labels[3]


def test_a_moved_event_changes_state_mask_and_list(panel, tim, data):
    person, event = data.user(USER), 40
    panel.plot.moved = {str(event): -90 * DAY}
    times = person.times.copy()
    times[event] -= 90 * DAY
    edited = person.edited(person.items, times)
    scene, frames, left, was = sent(panel)
    states, steps, remaining = opened(tim, edited, layer="ssds.0")
    order = np.argsort(times, kind="stable")
    assert scene["id"] == order.tolist() and order[-1] != event and scene["moved"]
    np.testing.assert_allclose(frames[-1], states[-1].T, atol=np.abs(frames).max() / 120)
    np.testing.assert_allclose(left, remaining, atol=1e-5)
    np.testing.assert_allclose(scene["dt"], steps.dt[0], rtol=1e-3)
    before = opened(tim, person, layer="ssds.0")[2].numpy()
    for t, s in ((48, 0), (48, 45), (30, 29)):
        assert was[t, s] == pytest.approx(before[order[t], order[s]], abs=1e-5)
    expected = [item for item, _ in recommend(tim, edited.items, edited.times)]
    listed = [row[3] for row in scene["top"] if row[0] is not None and row[0] <= 10]
    assert listed == [person.label(item) for item in expected]
    place = int(np.flatnonzero(order == event)[0])
    assert (
        f"Event 41 ({person.labels[event]}) moved by -90 days past {event - place} others, now event {place + 1}:"
        in panel.sentence
    )


def test_put_back_gives_the_first_scene_again(panel):
    first = dict(panel.plot.scene), panel.plot.frames
    assert panel._back.disabled
    panel.move(40, -90)
    assert not panel._back.disabled and panel.plot.frames != first[1]
    panel.put_back()
    assert {**panel.plot.scene} == {**first[0]} and panel.plot.frames == first[1] and panel._back.disabled


def test_moving_by_hand_counts_from_home(panel):
    panel.move(40, -90)
    panel.move(40, -10)
    panel.move(3, 1.5)
    assert panel.plot.moved == {"40": -10 * DAY, "3": 1.5 * DAY}
    assert "2 events moved" in panel.sentence
    panel.move(40, 0)
    assert panel.plot.moved == {"3": 1.5 * DAY}


def test_another_person_starts_with_nothing_moved(panel, data):
    panel.move(40, -90)
    panel._people.control.value = 3
    assert panel.plot.moved == {} and panel.plot.scene["id"] == list(range(len(data.user(3))))
    assert panel.plot.scene["person"] == data.user(3).name


def test_the_model_runs_once_per_history(panel, tim, monkeypatch):
    calls, forward = [], type(tim).forward
    monkeypatch.setattr(type(tim), "forward", lambda self, batch: calls.append(1) or forward(self, batch))
    panel._head.value = 1
    panel._layer.value = "ssds.1"
    assert not calls, "other heads and layers are in the same record"
    panel.move(40, -90)
    assert len(calls) == 2, "one run that is recorded, one that recommends"
    panel.digest()
    panel._head.value = 2
    assert len(calls) == 2


def test_a_channel_of_a_mamba(data):
    mamba = made("mamba4rec", data)
    panel = Theatre(mamba, data.user(USER), head=31)
    scene, frames, left, _ = sent(panel)
    states, _, remaining = opened(mamba, data.user(USER), channel=31)
    assert panel._head.description == "channel" and scene["head"] == "channel 31" and scene["grid"] == [32, 1]
    np.testing.assert_allclose(frames[:, :, 0], states, atol=float(states.abs().max()) / 250)
    np.testing.assert_allclose(left, remaining, atol=1e-5)


def test_only_layers_that_carry_a_state_forward_in_time_are_offered(tim, data):
    models = {"TiM4Rec": tim, "SASRec": made("sasrec", data), "SSD4Rec": made("ssd4rec", data, head_dim=8)}
    options = Theatre(models, data.user(USER))._layer.options
    assert options == ("TiM4Rec: ssds.0", "TiM4Rec: ssds.1", "SSD4Rec: layers.0.ssd", "SSD4Rec: layers.1.ssd")


def test_another_layer_may_have_fewer_heads(data):
    mamba, tim = made("mamba4rec", data), made("tim4rec", data, head_dim=8)
    panel = Theatre({"m": mamba, "t": tim}, data.user(USER), head=20)
    panel._layer.value = "t: ssds.0"
    assert panel._head.value == panel._head.max == 3 and panel.plot.scene["head"] == "head 3"


def test_a_model_with_few_places_is_shown_what_it_reads(data):
    few = made("mlsa4rec", data, history_length=10, interests=3)
    panel = Theatre(few, data.user(USER))
    assert len(panel.plot.scene["id"]) == 10
    assert panel.plot.scene["names"] == data.user(USER).labels[-10:]


def test_without_timestamps_it_says_so(tim, data):
    person = data.user(USER)
    still = Person(person.items, np.full(len(person), 7), person.catalogue, "somebody")
    panel = Theatre(tim, still)
    scene = panel.plot.scene
    assert not scene["timed"] and scene["home"] == list(range(1, 50)) and "none can be moved" in panel.sentence
    with pytest.raises(ValueError, match="carry the same time"):
        panel.move(3, 1)


def test_a_layer_without_a_gate_says_so(tim, data, monkeypatch):
    monkeypatch.setattr(theatre, "READ", tuple(name for name in theatre.READ if name != "gate"))
    panel = Theatre(tim, data.user(USER))
    assert panel.plot.scene["gate"] is None and panel.plot.scene["note"] == "This layer has no gate."
    assert {row[-1] for row in panel.table.cells} == {"–"}


def test_one_event_alone(tim, data):
    panel = Theatre(tim, data.user(USER).last(1))
    assert sent(panel)[2].tolist() == [[1.0]] and "1 event;" in panel.sentence


def test_sentence_table_and_picture_say_the_same(panel, tim, data):
    states, steps, remaining = opened(tim, data.user(USER), layer="ssds.0")
    size = states.square().mean((1, 2)).sqrt()
    assert f"largest after event {int(size.argmax()) + 1} " in panel.sentence
    row = panel.table.cells[7]
    assert row[1] == data.user(USER).labels[7]
    assert [float(cell) for cell in row[3:6]] == pytest.approx(
        [float(steps.dt[0, 7]), float(steps.decay[0, 7]), float(remaining[-1, 7])], rel=1e-3
    )
    figure = panel.figure
    assert len(figure.frames) == 49 and figure.layout.sliders[0].active == 48
    np.testing.assert_allclose(figure.data[2].y[0], float(size[-1]), rtol=1e-3)
    assert panel.sentence in panel.digest() and "head width p" in panel.digest()


def test_its_bundle_plays_without_a_kernel(panel):
    data, _ = panel.bundle()
    assert data["text/html"].startswith("<!--panel-->") and len(data["text/html"].encode()) < 60_000
    assert data["text/plain"] == "[State theatre]" and "application/vnd.jupyter.widget-view+json" in data


def test_the_code_of_the_stage_is_whole():
    code = Stage()._esm
    assert code.index("class Picture") < code.index("class View extends Picture") < code.index("export default")
    assert "http" not in code.replace("http://www.w3.org/2000/svg", "")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"layer": "norms.0"}, "there is no state 'norms.0'; there are ssds.0, ssds.1"),
        ({"head": 4}, "head must be within 0…3 for ssds.0, got 4"),
        ({"k": 0}, "k must be at least 1"),
    ],
)
def test_wrong_arguments_explain_themselves(tim, data, arguments, words):
    with pytest.raises(ValueError, match=words):
        Theatre(tim, data, **arguments)


def test_wrong_models_and_moves_explain_themselves(panel, data):
    with pytest.raises(ValueError, match=r"SASRec: no layer carries a state with decays"):
        Theatre(made("sasrec", data), data)
    with pytest.raises(ValueError, match="event must be within 0…48"):
        panel.move(49, 1)
    with pytest.raises(ValueError, match=r"can be moved by .* days"):
        panel.move(0, 1e6)


def test_an_error_of_the_model_is_said_and_the_panel_lives(panel, tim, monkeypatch):
    def broken(self, batch):
        raise RuntimeError("out of tune")

    with monkeypatch.context() as patch:
        patch.setattr(type(tim), "forward", broken)
        panel.plot.moved = {"3": 60}
        assert "out of tune" in panel._status.value and "alert" in panel._status.value
    panel.plot.moved = {"3": 120}
    assert "status" in panel._status.value
