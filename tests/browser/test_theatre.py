"""The state theatre, played, and an event moved with the keys and with the pointer."""

import re

import pytest
from nbconvert import HTMLExporter
from nbformat.v4 import new_code_cell, new_notebook, new_output
from playwright.sync_api import expect

from seqrec_edu.data.synthetic import shoppers
from seqrec_edu.models import build
from seqrec_edu.panels.theatre import Theatre


@pytest.fixture
def panel(gallery):
    panel = gallery.panel("theatre")
    back = panel.button("Put all back")
    if back.is_enabled():
        with panel.redrawn():
            back.click()
    return panel


def chosen(panel):
    """The event that the keyboard is on, and what a screen reader is told of it."""
    event = panel.root.locator(".event.now")
    event.focus()
    return event


def focused(panel):
    return panel.page.evaluate("document.activeElement.getAttribute('aria-label')")


def test_every_control_is_reached_by_keyboard(panel):
    assert panel.reached(["state of", "head"]) == []
    said = chosen(panel).get_attribute("aria-label")
    assert focused(panel) == said and "dt" in said and "decay" in said
    panel.page.keyboard.press("Tab")
    assert panel.page.evaluate("document.activeElement.innerText") == "▶ Play"
    panel.page.keyboard.press("Tab")
    assert focused(panel) == "State after event"


def test_arrows_choose_events_and_all_follows(panel):
    chosen(panel)
    panel.page.keyboard.press("End")
    last, bars = focused(panel), panel.root.locator(".rows rect[height='0']")
    panel.page.keyboard.press("ArrowLeft")
    assert focused(panel) != last
    assert bars.count() == 1, "nothing of the one event to come is in the state"
    panel.page.keyboard.press("Home")
    assert focused(panel).startswith("1 of")
    assert panel.root.locator(".said").inner_text().startswith("After event 1 of")


def test_play_goes_on_and_pause_stops(panel):
    chosen(panel)
    panel.page.keyboard.press("Home")
    said = panel.root.locator(".said")
    panel.root.get_by_role("button", name="Play").click()
    expect(said).to_have_text(_after(3), timeout=10_000)
    panel.root.get_by_role("button", name="Pause").click()
    stood = said.inner_text()
    panel.page.wait_for_timeout(1_200)
    assert said.inner_text() == stood


def _after(event):
    return re.compile(f"After event ({'|'.join(map(str, range(event, event + 20)))}) of")


def test_a_key_moves_an_event_and_delete_puts_it_back(panel):
    before = panel.root.locator(".curve").get_attribute("points")
    chosen(panel)
    panel.page.keyboard.press("End")
    with panel.redrawn():
        panel.page.keyboard.press("Shift+ArrowRight")
    assert "moved by" in panel.status and "in the top 10" in panel.status
    assert "moved" in focused(panel), "the focus stays on the event that moves"
    assert panel.root.locator(".home").count() == 1
    with panel.redrawn():
        panel.page.keyboard.press("Delete")
    assert panel.root.locator(".home").count() == 0
    assert panel.root.locator(".curve").get_attribute("points") == before


def test_an_event_is_dragged_past_others(panel, pictures):
    chosen(panel)
    panel.page.keyboard.press("End")
    place = panel.root.locator(".event.now .body").bounding_box()
    x, y = place["x"] + place["width"] / 2, place["y"] + place["height"] / 2
    mouse = panel.page.mouse
    mouse.move(x, y)
    mouse.down()
    with panel.redrawn():
        for step in range(1, 16):
            mouse.move(x - 20 * step, y)
    mouse.up()
    expect(panel.root.locator("caption", has_text="against before")).to_be_visible()
    expect(panel.root.locator("[role=status]")).to_contain_text("past")
    moved = panel.root.locator(".event.now .body").bounding_box()
    assert moved["x"] == pytest.approx(place["x"] - 300, abs=2)
    assert panel.root.locator("td.mark").count() >= 10
    panel.picture(pictures / "theatre.png")


def test_another_head_is_another_state(panel):
    before = panel.root.locator(".curve").get_attribute("points")
    panel.press("head")
    assert panel.root.locator(".curve").get_attribute("points") != before
    panel.press("head", "ArrowLeft")


def test_moves_and_heads_are_answered_at_once(panel, measured):
    measured("theatre: head", panel.latency("head", ["ArrowRight", "ArrowLeft"] * 5))
    taken = []
    chosen(panel)
    for key in ["[", "]"] * 5:
        panel.page.evaluate("window.__start = performance.now()")
        with panel.redrawn():
            panel.page.keyboard.press(key)
        taken.append(panel.page.evaluate("performance.now() - window.__start"))
        panel.page.wait_for_timeout(120)  # the stage asks at most ten times a second
    measured("theatre: one event moved", taken)


# --- without a kernel ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def page(gallery, tmp_path_factory):
    """A theatre with a moved event as nbconvert writes it, opened from its file with the network off."""
    path = tmp_path_factory.mktemp("page") / "theatre.html"
    path.write_text(exported(), encoding="utf-8")
    context = gallery.page.context.browser.new_context(offline=True, viewport={"width": 1000, "height": 1200})
    page = context.new_page()
    page.asked = []
    page.on("request", lambda asked: page.asked.append(asked.url))
    page.goto(path.as_uri(), wait_until="commit")
    page.locator(".seqrec-stage .dot").wait_for()
    yield page
    context.close()


def exported():
    """The panel as the only output of a notebook, as HTML."""
    data = shoppers(users=30, seed=0)
    panel = Theatre(build("tim4rec", n_items=data.n_items, d_model=16, head_dim=8, seed=0), data.user(24))
    panel.move(40, -30)
    bundle, metadata = panel.bundle()
    cell = new_code_cell("panel", outputs=[new_output("display_data", data=bundle, metadata=metadata)])
    return HTMLExporter().from_notebook_node(new_notebook(cells=[cell]))[0]


def test_it_plays_and_scrubs_from_a_file(page):
    said = page.locator(".seqrec-stage .said")
    assert said.inner_text().startswith("After event 49 of 49") and page.locator(".instead").count() == 0
    page.get_by_role("button", name="Play").click()
    expect(said).to_have_text(_after(3), timeout=10_000)
    page.get_by_role("button", name="Pause").click()
    page.locator(".seqrec-stage input[type=range]").focus()
    page.keyboard.press("Home")
    assert said.inner_text().startswith("After event 1 of 49")
    page.keyboard.press("ArrowRight")
    assert said.inner_text().startswith("After event 2 of 49")
    assert not [url for url in page.asked if "seqrec" in url or url.endswith((".png", ".json"))]


def test_it_shows_what_was_moved_and_says_that_more_takes_a_kernel(page, pictures):
    assert page.get_by_text("moving an event takes a running kernel").is_visible()
    assert page.locator(".home").count() == 1 and page.locator("caption").inner_text() == "Top 10 now, against before"
    event = page.locator(".event.now")
    event.focus()
    before = event.locator(".body").get_attribute("cx")
    page.keyboard.press("Shift+ArrowRight")
    assert event.locator(".body").get_attribute("cx") == before
    page.locator(".seqrec-stage").screenshot(path=pictures / "theatre-without-kernel.png")


def test_a_frame_takes_less_than_a_blink(page, measured):
    taken = page.evaluate("""() => {
        const range = document.querySelector(".seqrec-stage input[type=range]"), taken = [];
        for (let event = 1; event <= 40; event += 1) {
            const start = performance.now();
            range.value = event;
            range.dispatchEvent(new Event("input"));
            range.getBoundingClientRect();
            taken.push(performance.now() - start);
        }
        return taken;
    }""")
    measured("theatre: one frame", taken)
