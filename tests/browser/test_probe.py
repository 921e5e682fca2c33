"""The causality probe, moved as a reader moves it."""

import pytest


@pytest.fixture
def panel(gallery):
    return gallery.panel("probe")


def colours(panel):
    """Name of every set of bars or rings that is drawn."""
    return panel.plot.evaluate("node => node._fullData.filter(t => t.x?.length && t.visible === true).map(t => t.name)")


def test_every_control_is_reached_by_keyboard(panel):
    assert panel.reached(["user", "model", "event", "pads"]) == []
    for name in ("circular", "both ways", "official", "item", "left"):
        panel.button(name).focus()
        assert panel.button(name).evaluate("node => node === document.activeElement")


def test_a_circular_filter_reads_ahead_until_the_model_is_rewired(panel, pictures):
    assert any("reads a later event" in name for name in colours(panel)) and "read later events" in panel.status
    panel.click("causal")
    panel.click("forward")
    assert not any("later event" in name for name in colours(panel)) and "nobody reads it ahead" in panel.status
    panel.picture(pictures / "probe-causal.png")
    panel.click("both ways")
    panel.click("circular")


def test_the_slider_chooses_the_event(panel):
    before, said = panel.values("y")[0], panel.status
    panel.press("event")
    assert panel.values("y")[0] != before and panel.status != said


def test_pads_in_front_are_read(panel, pictures):
    panel.click("a pad")
    assert "the pad is not read" in panel.status
    panel.click("left")
    assert "the pad is read" in panel.status
    panel.picture(pictures / "probe-left.png")
    panel.click("right")
    panel.click("item")


def test_a_model_without_a_filter_says_so(panel):
    panel.choose("model", "SASRec")
    assert "SASRec has no filter." in panel.root.inner_text()
    panel.choose("model", "EchoMamba4Rec")
