"""The what-if recommender, moved as a reader moves it."""

import pytest


@pytest.fixture
def panel(gallery):
    return gallery.panel("what-if")


def test_every_control_is_reached_by_keyboard(panel):
    assert panel.reached(["event"]) == []


def test_another_event_is_another_list(panel, pictures):
    said = panel.status
    panel.press("event", "ArrowLeft")
    assert panel.status != said and "ithout event" in panel.status
    panel.picture(pictures / "what-if.png")
    panel.press("event", "ArrowRight")


def test_an_item_is_added_by_its_name(panel):
    panel.click("Add")
    assert "type a part of the name" in panel.status
    box = panel.control("item")
    with panel.redrawn():
        box.fill(box.evaluate("node => node.list.options[0].value"))
    panel.page.wait_for_function("node => node.innerText.includes(' added on day ')", arg=panel.root.element_handle())
    with panel.redrawn():
        panel.button("Keep edit").click()
    assert panel.status.startswith("After 1 edit:")
    panel.click("As it was")
    assert "nothing changed" in panel.status
    panel.click("Remove")


def test_the_reasons_of_an_item_are_bars(panel, pictures):
    panel.click("Reasons")
    assert panel.reached(["why"]) == [] and "taking out" in panel.status
    target = panel.control("why").locator("option").nth(1).inner_text()
    panel.choose("why", target)
    assert " at rank 2, " in panel.status
    panel.picture(pictures / "what-if-reasons.png")
    panel.click("Top 10")


def test_a_slider_is_answered_at_once(panel, measured):
    measured("what-if: event", panel.latency("event", ["ArrowLeft"] * 5 + ["ArrowRight"] * 5))
