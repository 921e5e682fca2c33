"""The course as static pages: built without executing anything, opened from its folder, read as a reader reads them."""

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup

from tests.browser import drive

ROOT = Path(__file__).resolve().parents[2]
OUTSIDE = ("http://", "https://", "mailto:", "data:")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """All pages, in a folder of their own."""
    folder = tmp_path_factory.mktemp("built") / "site"
    command = [sys.executable, str(ROOT / ".ci" / "build_site.py"), str(folder)]
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
    return folder


@pytest.fixture(scope="module")
def window(site, chromium):
    """An empty window; what its console says and what it asks for from elsewhere is kept and must be nothing."""
    context = chromium.new_context(viewport=drive.VIEW, color_scheme="light")
    page = context.new_page()
    page.set_default_timeout(drive.MINUTES)
    page.wrong = []
    page.on("console", lambda said: page.wrong.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: page.wrong.append(str(error)))
    page.on("requestfailed", lambda asked: note_failed(page, asked))
    page.on("request", lambda asked: note_outside(page, asked.url))
    yield page
    context.close()


def note_failed(page, asked) -> None:
    if "ERR_ABORTED" not in (asked.failure or ""):  # the page was left before the file had come
        page.wrong.append(f"{asked.failure}: {asked.url[:200]}")


def note_outside(page, url: str) -> None:
    if not url.startswith(("file:", "data:", "blob:")):
        page.wrong.append(f"asked for {url}")


@pytest.fixture
def page(window):
    """The window; after each test nothing may have gone wrong in it."""
    window.wrong.clear()
    yield window
    assert window.wrong == []


@pytest.fixture(scope="module")
def trees(site):
    """Every page, parsed."""
    return {path: BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser") for path in site.glob("*.html")}


def test_every_notebook_and_document_has_a_page(site):
    sources = [*ROOT.glob("notebooks/*.ipynb"), *ROOT.glob("docs/*.md")]
    assert {path.stem for path in site.glob("*.html")} == {path.stem for path in sources} | {"index"}


def test_every_link_leads_somewhere(trees):
    names = {path: {node["id"] for node in tree.find_all(id=True)} for path, tree in trees.items()}
    lost = []
    for path, tree in trees.items():
        for node in tree.find_all(["a", "img", "script", "link"]):
            target = node.get("href") or node.get("src")
            if not target or target.startswith(OUTSIDE):
                continue
            parts = urlsplit(target)
            file = path.parent / unquote(parts.path) if parts.path else path
            if not file.is_file() or (parts.fragment and unquote(parts.fragment) not in names[file]):
                lost.append(f"{path.name}: {target}")
    assert lost == []


def test_no_page_asks_for_anything_elsewhere_or_shows_a_picture_without_words(trees):
    for path, tree in trees.items():
        asked = [node.get("src") or node.get("href") for node in tree.find_all(["script", "img", "link", "iframe"])]
        assert not [target for target in asked if target and target.startswith(("http", "//"))], path.name
        assert all(node.get("alt") for node in tree.find_all("img")), path.name


def test_every_page_opens_without_a_complaint_and_with_its_formulas(site, page):
    formulas = 0
    for path in sorted(site.glob("*.html")):
        page.goto(path.as_uri())
        page.wait_for_function("document.readyState === 'complete'")
        assert page.locator(".katex-error").all_inner_texts() == [], path.name
        left = page.evaluate(
            """() => { const copy = document.querySelector("article").cloneNode(true);
            copy.querySelectorAll("pre, code, script, .katex, .drawn, figcaption").forEach((node) => node.remove());
            return copy.textContent; }"""
        )
        assert not re.search(r"\$[^$\n]*\\[a-z]+[^$\n]*\$", left), path.name
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{path.name} is too wide"
        formulas += page.locator(".katex").count()
    assert formulas > 100


def test_a_figure_is_drawn_and_follows_the_theme(site, page):
    page.goto((site / "00_start_here.html").as_uri())
    figure = page.locator("figure.plot").first
    figure.scroll_into_view_if_needed()
    drawn = figure.locator(".main-svg").first
    drawn.wait_for()
    assert figure.locator(".trace, .points, .bars").count() > 0
    light = drawn.evaluate("node => node.style.background")
    page.click(".theme")
    page.wait_for_function("document.querySelector('figure.plot').dataset.drawn === 'dark'")
    assert drawn.evaluate("node => node.style.background") != light
    page.click(".theme")
    page.wait_for_function("document.querySelector('figure.plot').dataset.drawn === 'light'")


def test_a_panel_plays_without_a_kernel(site, page):
    page.goto((site / "gallery.html").as_uri())
    stage = page.locator(".panel.playing .seqrec-stage").first
    stage.scroll_into_view_if_needed()
    stage.wait_for()


def test_the_search_finds_a_section(site, page):
    page.goto((site / "index.html").as_uri())
    page.keyboard.press("/")
    page.keyboard.type("recurrence convol")
    page.wait_for_selector("#found a mark")
    found = page.locator("#found a")
    assert "02_state_spaces.html#" in "".join(link.get_attribute("href") for link in found.all())
    address = found.first.get_attribute("href")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/{address}")
    page.keyboard.press("/")
    page.keyboard.type("zzzz")
    page.wait_for_selector("#found .none")
    page.keyboard.press("Escape")
    assert page.locator("#found").is_hidden()


def test_pages_turn_forward_and_back(site, page):
    page.goto((site / "index.html").as_uri())
    seen = [page.url]
    while (after := page.locator(".turn .after")).count():
        after.click()
        page.wait_for_url(lambda url: url != seen[-1])
        seen.append(page.url)
    assert len(seen) == len(set(seen)) == len(list(site.glob("*.html")))
    page.locator(".turn .before").click()
    page.wait_for_url(seen[-2])
