"""The training cockpit in a real browser: redrawn while its cell still runs, and moved afterwards."""

import time

import nbformat
import pytest

drive = pytest.importorskip("tests.browser.drive", reason="needs playwright")

SETUP = """\
import os, time
os.environ.pop("PYTEST_VERSION", None)  # a reader's kernel: under a test the panel is drawn at the end alone
import torch
from seqrec_edu.data import leave_one_out
from seqrec_edu.data.synthetic import shoppers
from seqrec_edu.models import build
from seqrec_edu.panels.cockpit import Cockpit
from seqrec_edu.training import Callback, FitSettings, fit

class Patient(Callback):  # on a busy machine training would be over before the browser has drawn its second figure
    def on_epoch_end(self, log):
        time.sleep(0.5)

torch.set_num_threads(1)
split = leave_one_out(shoppers(users=150, seed=0))

def trained(name, callbacks=(), **settings):
    model = build(name, n_items=split.histories.n_items, d_model=32, seed=0, **settings)
    wanted = FitSettings(history_length=30, epochs=8, batch_size=128, learning_rate=2e-2)
    return fit(model, split, wanted, callbacks=callbacks)

first = trained("sasrec")
"""
LIVE = """result = trained("tim4rec", [Cockpit(), Patient()], n_layers=2, d_state=8, head_dim=16)"""
BESIDE = """Cockpit({"SASRec": first, "TiM4Rec": result}, across="seconds")"""


@pytest.fixture(scope="module")
def notebook(tmp_path_factory):
    """Three cells, run; `drawn` are the figures seen while the second one was still at work."""
    folder = tmp_path_factory.mktemp("cockpit")
    cells = [nbformat.v4.new_code_cell(source) for source in (SETUP, LIVE, BESIDE)]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    path = folder / "cockpit.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), path)
    (folder / "lab").mkdir()
    with drive.opened(path, folder / "lab") as opened:
        opened.drawn = []
        watch(opened.start())
        yield opened


def watch(opened):
    """Note every new drawing of the live panel, and the trace of epochs in it, until the second cell has its number."""
    prompt = opened.page.locator(".jp-CodeCell .jp-InputPrompt").nth(1)
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and "[2]" not in prompt.inner_text():
        node = opened.page.locator(".seqrec-cockpit .seqrec-plot[data-revision]")
        if node.count() and (not opened.drawn or node.first.get_attribute("data-revision") != opened.drawn[-1][0]):
            panel = drive.PanelDriver(opened.page, "cockpit")
            opened.drawn.append((str(panel.revision), panel.values("y"), panel.status))
        time.sleep(0.05)
    opened.page.locator(".seqrec-cockpit").nth(1).wait_for(timeout=300_000)


@pytest.fixture
def live(notebook):
    return notebook.panel("cockpit")


@pytest.fixture
def beside(notebook):
    return notebook.panel("cockpit", 1)


def test_it_is_redrawn_while_its_cell_runs(notebook, live, pictures):
    live.picture(pictures / "cockpit-live.png")
    print(f"{len(notebook.drawn)} figures seen while the cell ran, {live.revision} drawn")
    assert notebook.errors() == [] and notebook.outside == []
    early = [(y, status) for _, y, status in notebook.drawn if "8 epochs" not in status]
    assert len(early) >= 3, "figures seen before the last epoch"
    assert len({status for _, status in early}) >= 2, "the sentence follows"
    steps = [len(y[0]) for y, _ in early if y and y[0]]
    assert steps[-1] > steps[0], "the losses of single steps grow"
    assert "8 epochs" in live.status


def test_every_control_is_reached_by_keyboard(beside):
    assert beside.reached(["view", "metric", "x axis", "level (%)", "smoothing"]) == []
    box = beside.root.locator("input[type=checkbox]")
    box.focus()
    with beside.redrawn():
        beside.page.keyboard.press("Space")
    assert box.is_checked() and box.evaluate("node => node === document.activeElement")
    with beside.redrawn():
        beside.page.keyboard.press("Space")


def test_runs_stand_side_by_side_and_the_level_moves(beside, pictures):
    assert "SASRec: 8 epochs" in beside.status and "TiM4Rec: 8 epochs" in beside.status
    before = beside.status
    beside.press("level (%)", "ArrowLeft", times=5)
    assert "85 % of the best" in beside.status and beside.status != before
    beside.picture(pictures / "cockpit-beside.png")


def test_one_part_alone_is_drawn_large(beside, pictures):
    beside.choose("view", "step size")
    assert len([y for y in beside.values("y") if y]) >= 2
    beside.picture(pictures / "cockpit-steps.png")
    beside.choose("view", "all")


def test_a_slider_is_felt_at_once(beside, measured):
    measured("cockpit: smoothing, two runs", beside.latency("smoothing", ["ArrowRight"] * 5 + ["ArrowLeft"] * 5))
