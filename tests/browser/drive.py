"""JupyterLab in a real browser: open a notebook, run it, move a panel's controls, read back what was drawn.

Run as a program it opens a notebook and leaves pictures of its panels in a folder:

    python tests/browser/drive.py notebooks/gallery.ipynb FOLDER
"""

import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
# A test may run as root in a container, without a graphics card, and must not call home.
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run",
)  # fmt: skip
LAB = (
    "--no-browser", "--ip=127.0.0.1", "--allow-root", "--IdentityProvider.token=", "--ServerApp.password=",
    "--LabApp.news_url=", "--ServerApp.port_retries=0", "--expose-app-in-browser",
)  # fmt: skip
MINUTES = 60_000  # milliseconds in one
VIEW = {"width": 1300, "height": 1200}
IDLE = ".jp-Notebook-ExecutionIndicator[data-status=idle]"
NUMBERED = re.compile(r"\[\d+\]:")

# Arrays travel as base64 of a typed array; plotly.js leaves them so in what it was given, and unpacks in _fullData.
READ = """(node, axis) => {
    const isList = value => value?.length !== undefined && typeof value !== "string";
    const plain = value => isList(value) ? Array.from(value, plain) : value ?? null;
    return node._fullData.map(trace => plain(trace[axis]));
}"""


def browser() -> str | None:
    """Path of a Chromium or Chrome on this machine: BROWSER_PATH, or the first on the PATH."""
    named = os.environ.get("BROWSER_PATH")
    return named if named and Path(named).exists() else next(filter(None, map(shutil.which, BROWSERS)), None)


class PanelDriver:
    """One panel on the page, found by its class."""

    def __init__(self, page: Page, name: str, place: int = 0):
        self.page, self.name = page, name
        self.root = page.locator(f".seqrec-{name}").nth(place)

    @property
    def plot(self) -> Locator:
        return self.root.locator(".seqrec-plot").first

    @property
    def revision(self) -> int:
        """How many figures were drawn here."""
        return int(self.plot.get_attribute("data-revision") or 0)

    @property
    def status(self) -> str:
        """The sentence that a screen reader is told."""
        return self.root.locator("[role=status], [role=alert]").first.inner_text()

    def show(self) -> "PanelDriver":
        """Scroll it into view and wait until it is drawn."""
        self.root.scroll_into_view_if_needed()
        expect(self.plot).to_have_attribute("data-revision", _number(), timeout=MINUTES)
        return self

    def values(self, axis: str = "y") -> list:
        """That axis of every trace, as the browser holds it drawn."""
        return self.plot.evaluate(READ, axis)

    def titles(self) -> str:
        """Title and subtitle as drawn."""
        return " ".join(self.plot.locator(".g-gtitle text, .gtitle, .gtitle-subtitle").all_text_contents())

    def control(self, description: str) -> Locator:
        """What the keyboard reaches of the control with this label: handle, list, box or buttons."""
        label = self.page.locator(f'label.widget-label:text-is("{description}")')
        box = self.root.locator(".jupyter-widgets, .widget-inline-hbox").filter(has=label).last
        return box.locator(".noUi-handle, select, input, textarea").first

    def button(self, text: str) -> Locator:
        return self.root.locator("button").filter(has_text=text).first

    @contextmanager
    def redrawn(self, timeout: float = 10_000) -> Iterator[None]:
        """Whatever is done inside must end in a newly drawn figure."""
        before = self.revision
        yield
        self.page.wait_for_function(
            "([node, before]) => Number(node.dataset.revision) > before", arg=[self.plot.element_handle(), before],
            timeout=timeout,
        )  # fmt: skip

    def press(self, description: str, key: str = "ArrowRight", times: int = 1) -> None:
        """Keys on a control, each waited for."""
        control = self.control(description)
        control.focus()
        for _ in range(times):
            with self.redrawn():
                self.page.keyboard.press(key)

    def choose(self, description: str, option: str) -> None:
        """An entry of a list."""
        with self.redrawn():
            self.control(description).select_option(label=option)

    def click(self, text: str) -> None:
        """A button."""
        with self.redrawn():
            self.button(text).click()

    def reached(self, descriptions: Sequence[str]) -> list[str]:
        """Those controls that cannot be focused: none, if all is well."""
        missed = []
        for description in descriptions:
            control = self.control(description)
            control.focus()
            if not control.evaluate("node => node === document.activeElement"):
                missed.append(description)
        return missed

    def latency(self, description: str, keys: Sequence[str]) -> list[float]:
        """Milliseconds from each key to the frame after the figure that it brought was drawn."""
        self.control(description).focus()
        taken = []
        for key in keys:
            self.plot.evaluate(
                """node => { window.__drawn = new Promise(done => {
                    let start = null;
                    const begin = () => { start ??= performance.now(); };
                    document.addEventListener("keydown", begin, {capture: true, once: true});
                    const seen = new MutationObserver(() => requestAnimationFrame(() => {
                        seen.disconnect(); done(performance.now() - start);
                    }));
                    seen.observe(node, {attributes: true, attributeFilter: ["data-revision"]});
                }); }"""
            )
            self.page.keyboard.press(key)
            late = "new Promise((_, no) => setTimeout(() => no(new Error('no figure in 20 s')), 20_000))"
            taken.append(self.page.evaluate(f"Promise.race([window.__drawn, {late}])"))
        return taken

    def picture(self, path: Path) -> None:
        """A screenshot of this panel alone."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.root.screenshot(path=path)


class Notebook:
    """A notebook open in JupyterLab, and what the browser's console said of it."""

    def __init__(self, page: Page, address: str):
        self.page, self.complaints, self.outside = page, [], []
        page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda asked: self._note(asked.url))
        page.goto(address)
        page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=2 * MINUTES)
        self._idle()

    def start(self) -> "Notebook":
        """Begin to run all cells, in the kernel that came with the page."""
        prompts = self.page.locator(".jp-CodeCell .jp-InputPrompt")
        for _ in range(3):
            # An idle kernel may not be connected yet: what it sends before is lost, and with it the widgets.
            self.page.evaluate("""async () => {
                const context = jupyterapp.shell.currentWidget.sessionContext;
                await context.ready;
                await context.session.kernel.info;
                jupyterapp.commands.execute("notebook:run-all-cells");
            }""")
            with suppress(AssertionError):  # on a crowded machine the first command may come too early, to no effect
                expect(prompts.first).to_have_text(_number(r"\[[\d*]+\]:"), timeout=20_000)
                return self
        raise AssertionError("no cell began to run")

    def run(self) -> "Notebook":
        """Run all cells, to the end, or to the first that fails: then AssertionError with what it said."""
        self.start()
        ended, end = False, time.monotonic() + 5 * MINUTES / 1000
        while not ended:
            ended = NUMBERED.fullmatch(self.page.locator(".jp-CodeCell .jp-InputPrompt").last.inner_text())
            if not ended and (time.monotonic() > end or (self._rests and self.errors())):
                raise AssertionError("\n".join(["the notebook did not run to its end", *self.errors()]))
            self.page.wait_for_timeout(200)
        self._idle()
        return self

    @property
    def _rests(self) -> bool:
        return self.page.locator(IDLE).count() > 0

    def errors(self) -> list[str]:
        """Tracebacks and messages to stderr among the outputs; JupyterLab shows both alike."""
        kinds = ("application/vnd.jupyter.error", "application/vnd.jupyter.stderr")
        found = self.page.locator(", ".join(f".jp-OutputArea-output[data-mime-type='{kind}']" for kind in kinds))
        return found.all_inner_texts()

    def panel(self, name: str, place: int = 0) -> PanelDriver:
        return PanelDriver(self.page, name, place).show()

    def _idle(self) -> None:
        self.page.wait_for_selector(IDLE, timeout=2 * MINUTES)

    def _note(self, url: str) -> None:
        if not url.startswith(("http://127.0.0.1", "data:", "blob:", "ws://127.0.0.1")):
            self.outside.append(url)


def _number(pattern: str = r"\d+") -> re.Pattern:
    return re.compile(pattern)


@contextmanager
def lab(folder: Path) -> Iterator[str]:
    """JupyterLab on a folder of notebooks, on a port of its own; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "jupyterlab", *LAB, f"--ServerApp.port={port}", f"--ServerApp.root_dir={folder}"]
    with (folder / "lab.log").open("w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
    try:
        _answering(port, server, folder / "lab.log")
        yield f"http://127.0.0.1:{port}/lab"
    finally:
        server.terminate()
        server.wait(30)


def _answering(port: int, server: subprocess.Popen, log: Path) -> None:
    for _ in range(600):
        if server.poll() is not None:
            break
        with socket.socket() as asked:
            if asked.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()[-2000:]}")


@contextmanager
def started() -> Iterator[Browser]:
    """A browser. One process can have only one at a time."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser(), args=list(FLAGS))
        yield chromium
        chromium.close()


@contextmanager
def opened(path: Path, folder: Path, chromium: Browser | None = None) -> Iterator[Notebook]:
    """A copy of a notebook, open in a browser: in this one, or in one of its own. Beside it stand its receipts."""
    copy = folder / "notebooks" / path.name
    copy.parent.mkdir()
    shutil.copy(path, copy)
    if (receipts := path.parents[1] / "benchmarks").is_dir():
        (folder / "benchmarks").symlink_to(receipts)
    with lab(folder) as address, nullcontext(chromium) if chromium else started() as running:
        page = running.new_page(viewport=VIEW)
        page.set_default_timeout(30_000)
        yield Notebook(page, f"{address}/tree/notebooks/{path.name}?reset")
        page.close()


def quantiles(taken: Sequence[float]) -> tuple[float, float]:
    """Median and 95th percentile."""
    return statistics.median(taken), sorted(taken)[min(len(taken) - 1, round(0.95 * len(taken)))]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place, opened(Path(sys.argv[1]), Path(place)) as notebook:
        notebook.run()
        for one in notebook.page.locator(".seqrec-panel").all():
            classes = [each for each in one.get_attribute("class").split() if each.startswith("seqrec-")]
            name = next(each for each in classes if each != "seqrec-panel").removeprefix("seqrec-")
            notebook.panel(name).picture(Path(sys.argv[2]) / f"{name}.png")
        print(*notebook.errors(), *notebook.complaints, *notebook.outside, sep="\n")
