"""The mixer explorer, and through it the frame that all panels share."""

import numpy as np
import pytest
import torch

from seqrec_edu import lens
from seqrec_edu.data.batches import Batch
from seqrec_edu.data.synthetic import shoppers
from seqrec_edu.models import build
from seqrec_edu.panels.mixer import Mixer

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def data():
    return shoppers(users=30, seed=0)


@pytest.fixture(scope="module")
def models(data):
    sizes = {"n_items": data.n_items, "d_model": 16, "seed": 0}
    return {"TiM4Rec": build("tim4rec", head_dim=16, **sizes), "SASRec": build("sasrec", **sizes)}


@pytest.fixture
def panel(models, data):
    return Mixer(models, data, user=3)


def drawn(panel):
    """What the browser was last sent, as arrays."""
    figure = panel.figure
    assert panel.plot.figure["layout"]["title"]["text"] == figure.layout.title.text
    return figure


def test_it_draws_the_matrix_of_the_chosen_head(panel, models, data):
    person = data.user(3)
    truth = lens.mixing_matrix(models["TiM4Rec"], Batch.of(person.items, person.times), layer="ssds.0").history()
    panel._head.value = 1
    assert np.array_equal(panel.chosen["TiM4Rec: ssds.0, head 1"], truth[1])
    assert f"{lens.effective_rank(truth[1]):.3g}" in panel.sentence and "no later event is read" in panel.sentence


def test_views_show_what_the_lens_measures(panel):
    matrix = next(iter(panel.chosen.values()))
    panel._view.value = "spectrum"
    sigma = lens.spectrum(matrix)
    assert np.allclose(
        drawn(panel).data[0].y, np.where(sigma > 1e-9 * sigma[0], sigma / sigma[0], np.nan), equal_nan=True
    )
    panel._view.value = "memory"
    assert np.allclose(drawn(panel).data[0].y, lens.fading(matrix))
    assert panel.table.header[0] == "age (events)" and len(panel.table.cells) == len(matrix)
    assert np.allclose([float(row[1]) for row in panel.table.cells], lens.fading(matrix), rtol=1e-3, atol=1e-9)


def test_a_second_block_stands_beside_the_first(panel):
    assert panel._other.disabled
    panel._beside.value = "SASRec: attentions.0"
    figure = drawn(panel)
    assert not panel._other.disabled and [trace.type for trace in figure.data] == ["heatmap", "heatmap"]
    assert "SASRec: attentions.0" in panel.sentence
    assert {row[0] for row in panel.table.cells} == set(panel.chosen) and len(panel.chosen) == 2


def test_of_two_blocks_that_read_as_far_back_as_they_may_the_common_events_are_shown(models, data):
    short = build("echomamba4rec", n_items=data.n_items, d_model=16, history_length=6, filter="causal", backward="off")
    panel = Mixer({**models, "EchoMamba4Rec": short}, data, user=3, beside="EchoMamba4Rec: layers.0.filter")
    assert len(data.user(3)) > 6 and [np.shape(trace.z) for trace in drawn(panel).data] == [(6, 6), (6, 6)]


def test_the_head_slider_goes_as_far_as_the_block_has_heads(models, data):
    panel = Mixer(models, data, block="TiM4Rec: ssds.0", head=1)
    panel._block.value = "SASRec: attentions.0"
    assert len(panel._matrices("SASRec: attentions.0")) == panel._head.max + 1


def test_what_was_computed_is_not_computed_again(panel, monkeypatch):
    panel._head.value = 1
    asked = []
    monkeypatch.setattr(lens, "mixing_matrix", lambda *a, **k: asked.append(a))
    panel._head.value = 0
    panel._view.value = "spectrum"
    assert not asked


def test_another_person_is_drawn_once_and_said(panel, data):
    before = panel.plot.revision
    panel._people.control.value = 5
    assert panel.plot.revision == before + 1 and f"on {len(data.user(5))} events" in panel.sentence
    assert panel.sentence in panel.plot.label and panel.sentence in panel._table.value
    assert '<th scope="col">output at</th>' in panel._table.value


def test_an_error_of_the_model_is_shown_and_the_panel_lives(panel, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("no <memory> left")

    monkeypatch.setattr(lens, "mixing_matrix", broken)
    panel._people.control.value = 6
    assert 'role="alert"' in panel._status.value and "no &lt;memory&gt; left" in panel._status.value
    monkeypatch.undo()
    panel._people.control.value = 7
    assert 'role="status"' in panel._status.value


def test_several_changes_together_draw_once(panel):
    before = panel.plot.revision
    with panel.together():
        panel._head.value, panel._view.value, panel._people.control.value = 1, "memory", 9
    assert panel.plot.revision == before + 1


def test_one_person_needs_no_control_and_one_model_no_name(models, data):
    panel = Mixer(models["SASRec"], data.user(4))
    assert panel._people.controls == [] and list(panel.chosen) == ["attentions.0, head 0"]


def test_without_a_kernel_it_is_a_picture_and_text(panel, monkeypatch):
    monkeypatch.setattr("seqrec_edu.panels.mime.picture", lambda *_: b"png")
    monkeypatch.setenv("SEQREC_EDU_PICTURES", "1")
    content, size = panel.bundle()
    assert content["text/plain"] == "[Mixer explorer]" and content["image/png"] == "cG5n" and size["image/png"]
    assert "application/vnd.jupyter.widget-view+json" in content
    lines = panel.digest().splitlines()
    assert lines[0] == panel.sentence and lines[1].startswith("Figure: ") and lines[2].startswith("output at")
    assert "…" not in panel.digest(values=False) and panel.sentence not in panel.digest(values=False)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"block": "ssds.9"}, "there is no block 'ssds.9'; there are TiM4Rec: ssds.0"),
        ({"head": 7}, "head must be within 0…1 for this block, got 7"),
        ({"show": "rank"}, 'show must be "matrix"'),
        ({"user": 99}, "user must be in 0..29"),
    ],
)
def test_wrong_calls_explain_themselves(models, data, wrong, said):
    with pytest.raises(ValueError, match=said):
        Mixer(models, data, **wrong)


def test_a_model_of_another_dataset_explains_itself(data):
    other = build("sasrec", n_items=data.n_items + 1, d_model=16)
    with pytest.raises(ValueError, match=r"knows \d+ items, but the data of user 0 .* have"):
        Mixer(other, data)


def test_what_is_no_model_or_no_person_explains_itself(models, data):
    with pytest.raises(ValueError, match="a baseline cannot be opened"):
        Mixer({"counts": object()}, data)
    with pytest.raises(ValueError, match="expected a person"):
        Mixer(models, data.history(0))
    with pytest.raises(lens.NoMixingMatrix, match="no layer has a mixing matrix"):
        Mixer(build("gru4rec", n_items=data.n_items, d_model=16), data)
