"""The mixer explorer, moved as a reader moves it."""

import numpy as np
import pytest


@pytest.fixture
def panel(gallery):
    return gallery.panel("mixer")


def test_every_control_is_reached_by_keyboard(panel):
    assert panel.reached(["user", "block", "head", "beside it"]) == []


def test_another_head_is_another_matrix(panel, pictures):
    before, said = np.array(panel.values("z")[0]), panel.status
    panel.press("head")
    after = np.array(panel.values("z")[0])
    assert after.shape == before.shape and not np.array_equal(after, before)
    assert panel.status != said
    panel.picture(pictures / "mixer.png")


def test_another_person_is_another_history(panel):
    before = panel.titles()
    panel.press("user", "ArrowUp")
    assert panel.titles() != before


def test_a_second_block_stands_beside_the_first(panel):
    assert len(panel.values("z")) == 1
    block = panel.control("beside it").locator("option").last.inner_text()
    panel.choose("beside it", block)
    assert len(panel.values("z")) == 2
    panel.choose("beside it", "–")


def test_spectrum_falls_and_memory_starts_at_age_zero(panel):
    panel.click("Spectrum")
    shares = [value for value in panel.values("y")[0] if value is not None]
    assert shares == sorted(shares, reverse=True) and shares[0] == 1
    panel.click("Memory")
    assert panel.values("x")[0][0] == 0
    panel.click("Matrix")


def test_a_slider_is_answered_at_once(panel, measured):
    measured("mixer: head", panel.latency("head", ["ArrowLeft", "ArrowRight"] * 5))
