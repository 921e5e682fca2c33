"""The time mask lab, moved as a reader moves it."""

import pytest


@pytest.fixture
def panel(gallery):
    return gallery.panel("time-lab")


def handle(panel):
    """The handle of the slider of moves, which stands in no box of its own kind."""
    return panel.root.locator(".widget-hslider").filter(has_text="move it").locator(".noUi-handle")


def test_every_control_is_reached_by_keyboard(panel):
    assert panel.reached(["user", "event", "pads", "head"]) == []
    names = ("30 days' pause", "same second", "reset", "whole history", "the layer", "Relations")
    for control in (handle(panel), *(panel.button(name) for name in names)):
        control.focus()
        assert control.evaluate("node => node === document.activeElement")


def test_an_event_moves_and_comes_back(panel):
    before = panel.values("y")[0]
    handle(panel).focus()
    with panel.redrawn():
        panel.page.keyboard.press("ArrowRight")
    assert panel.values("y")[0] != before
    panel.click("reset")
    assert panel.values("y")[0] == before


def test_a_pause_is_the_longest_gap(panel, pictures):
    longest = max(panel.values("y")[0])
    panel.click("30 days' pause")
    assert max(panel.values("y")[0]) >= 30 * 86_400 > longest
    panel.picture(pictures / "time-lab-pause.png")
    panel.click("reset")


def test_relations_and_masks(panel, pictures):
    panel.click("Relations")
    assert len(panel.values("z")) == 1
    panel.picture(pictures / "time-lab-relations.png")
    panel.click("Masks")
    assert len(panel.values("z")) == 3
    panel.picture(pictures / "time-lab-masks.png")
    panel.click("One axis")
