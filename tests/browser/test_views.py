"""Five views of a state space, scrubbed as a reader scrubs them."""

import pytest

WEIGHTS = 1  # the trace of what the sum weighs


@pytest.fixture
def panel(gallery):
    return gallery.panel("views")


def test_every_control_is_reached_by_keyboard(panel):
    assert panel.reached(["user", "block", "head", "event", "chunk", "precision"]) == []


def test_one_event_back_is_one_term_less(panel, pictures):
    before, said = len(panel.values("y")[WEIGHTS]), panel.status
    panel.press("event", "ArrowLeft", times=2)
    assert len(panel.values("y")[WEIGHTS]) == before - 2
    assert f"the sum weighs {before - 2} events" in panel.status != said
    assert "all five agree" in panel.status
    panel.picture(pictures / "views.png")


def test_the_differences_stay_while_time_is_scrubbed(panel):
    differences = panel.values("x")[-1]
    panel.press("event", "ArrowLeft")
    assert panel.values("x")[-1] == differences


def test_chunks_and_precision_are_chosen(panel):
    said = panel.status
    panel.choose("chunk", "1")
    assert "chunk 1 of" not in panel.status != said
    panel.choose("chunk", "16")
    panel.choose("precision", "float64")
    assert "In float64 all five agree" in panel.status
    panel.choose("precision", "float32")


def test_another_head_has_another_state(panel):
    before = panel.values("z")[0]
    panel.press("head")
    assert panel.values("z")[0] != before
    panel.press("head", "ArrowLeft")
    assert panel.values("z")[0] == before
