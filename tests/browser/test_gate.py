"""Interests and the gate, moved as a reader moves them."""

import pytest


@pytest.fixture
def panel(gallery):
    return gallery.panel("gate")


def test_every_control_is_reached_by_keyboard(panel):
    assert panel.reached(["user", "layer", "head", "event"]) == []


def test_another_event_has_another_gate(panel, pictures):
    before, said = panel.values("y")[-1], panel.status
    panel.press("event", "ArrowLeft")
    assert panel.values("y")[-1] != before and panel.status != said
    panel.picture(pictures / "gate.png")


def test_interests_are_two_heat_maps_and_heads_read_differently(panel, pictures):
    panel.click("Interests")
    feeds, reads = panel.values("z")
    panel.press("head")
    assert panel.values("z")[0] == feeds and panel.values("z")[1] != reads
    panel.picture(pictures / "interests.png")
    panel.press("head", "ArrowLeft")
    panel.click("Gate")


def test_another_person_is_another_history(panel):
    said = panel.status
    panel.press("user", "ArrowUp")
    assert panel.status != said
    panel.press("user", "ArrowDown")
