"""The filter bench: bands drawn with the pointer and set with the keyboard, in a real page."""

import pytest


@pytest.fixture
def panel(gallery):
    return gallery.panel("filter")


@pytest.fixture
def bands(panel):
    """The sliders, as a hand-made filter that lets everything through."""
    if panel.control("filter").evaluate("node => node.selectedOptions[0].label") != "All pass":
        panel.choose("filter", "All pass")
    return panel.root.locator(".seqrec-equaliser input")


def gains(bands):
    return [float(gain) for gain in bands.evaluate_all("nodes => nodes.map(node => node.value)")]


def gain_line(panel):
    names = panel.values("name")
    return panel.values("y")[names.index("gain")]


def test_every_control_is_reached_by_keyboard(panel):
    assert panel.reached(["filter", "signal"]) == []


def test_a_band_is_set_by_keys_and_the_page_keeps_its_place(panel, bands):
    bands.first.focus()
    assert bands.evaluate_all("nodes => nodes.filter(node => node.tabIndex === 0).length") == 1
    panel.page.keyboard.press("ArrowRight")
    assert bands.nth(1).evaluate("node => node === document.activeElement")
    with panel.redrawn():
        panel.page.keyboard.press("ArrowDown")
    assert bands.nth(1).get_attribute("aria-valuetext") == "gain 0.98" and "redrawn" in panel.status
    assert bands.nth(1).evaluate("node => node === document.activeElement")  # JupyterLab did not take the key
    assert min(gain_line(panel)) == pytest.approx(0.98)


def test_a_curve_is_drawn_across_the_bands(panel, bands, pictures):
    bands.first.scroll_into_view_if_needed()
    first, last = bands.first.bounding_box(), bands.last.bounding_box()
    mouse = panel.page.mouse
    mouse.move(first["x"] + 3, first["y"] + 0.1 * first["height"])
    with panel.redrawn():
        mouse.down()
        mouse.move(last["x"] + 3, last["y"] + 0.9 * last["height"], steps=4)
        mouse.up()
    drawn = gains(bands)
    assert drawn == sorted(drawn, reverse=True) and drawn[0] == pytest.approx(0.9, abs=0.03)
    assert drawn[-1] == pytest.approx(0.1, abs=0.03) and len(set(drawn)) > len(drawn) / 2
    panel.page.wait_for_function(
        "([node, wanted]) => Math.abs(node._fullData.find(trace => trace.name === 'gain').y.at(-1) - wanted) < 1e-3",
        arg=[panel.plot.element_handle(), drawn[-1]],
    )
    panel.picture(pictures / "filter.png")


def test_one_event_leaks_before_itself_in_the_circular_output_alone(panel, bands):
    panel.choose("filter", "Low pass")
    panel.choose("signal", "one event alone")
    lines = dict(zip(panel.values("name"), panel.values("y"), strict=True))
    at = lines["before"].index(1)
    assert at > 0 and not any(lines["causal"][:at]) and any(lines["circular"][:at])
    panel.click("Causal")
    assert "circular" not in panel.values("name")
    panel.click("Both")


def test_a_slider_is_answered_at_once(panel, bands, measured):
    panel.choose("signal", "one event alone") if not panel.control("at event").is_visible() else None
    measured("filter: place of the event", panel.latency("at event", ["ArrowLeft", "ArrowRight"] * 5))
