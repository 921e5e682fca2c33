"""How long a reader waits: from a key to the picture that it brought, with a trained model and 200 events.

    python tests/browser/latency.py [PATH]        a table, and the same as JSON in PATH

Leave the machine alone meanwhile. Models have width 64 and are trained for an epoch on `shoppers`; the history is 200
events of people who follow one another. A slider of events walks back and forth again, one of heads goes to and fro: as
for a reader, some of what they ask for was computed before.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from seqrec_edu.data.files import write_whole
from seqrec_edu.training.machine import versions
from tests.browser import drive

SETUP = """
import numpy as np, torch
from seqrec_edu.data import Person, leave_one_out
from seqrec_edu.data.synthetic import shoppers
from seqrec_edu.models import build
from seqrec_edu.panels import *
from seqrec_edu.training import FitSettings, fit
torch.set_num_threads(1)
data = shoppers(users=400, seed=0)
split = leave_one_out(data)
sizes = {"n_items": data.n_items, "d_model": 64, "seed": 0}
models = {
    "TiM4Rec": build("tim4rec", **sizes),
    "EchoMamba4Rec": build("echomamba4rec", filter="causal", backward="off", **sizes),
    "MLSA4Rec": build("mlsa4rec", attention="running", **sizes),
}
runs = {name: fit(model, split, FitSettings(epochs=1, history_length=50)) for name, model in models.items()}
items, times, end = [], [], 0
for user in range(data.n_users):
    some, when = data.history(user)
    items.append(some), times.append(when - when[0] + end)
    end = times[-1][-1] + 86_400
person = Person(np.concatenate(items)[:200], np.concatenate(times)[:200] + 1_700_000_000, data.item_names, "200 events")
"""
# Panel, how it is opened, and what is moved: label of the control, and the keys.
MOVES = 20
TURN, WALK = ["ArrowRight", "ArrowLeft"] * (MOVES // 2), ["ArrowLeft"] * (MOVES // 2) + ["ArrowRight"] * (MOVES // 2)
PANELS = (
    ("theatre", 'Theatre(models["TiM4Rec"], person)', [("head", TURN)]),
    ("views", 'FiveViews(models["TiM4Rec"], person)', [("event", WALK), ("head", TURN)]),
    ("mixer", "Mixer(models, person)", [("head", TURN)]),
    ("probe", 'Probe(models["EchoMamba4Rec"], person, events=188)', [("event", WALK)]),
    ("time-lab", "TimeMaskLab(person, events=200)", [("event", WALK), ("move it", TURN)]),
    ("filter", 'FilterBench(models["EchoMamba4Rec"], person)', [("channel", TURN)]),
    ("gate", 'GateAndInterests(models["MLSA4Rec"], person)', [("event", WALK)]),
    ("cockpit", "Cockpit(runs)", [("smoothing", TURN)]),
    ("what-if", 'WhatIf(models["TiM4Rec"], person)', [("event", WALK)]),
)  # fmt: skip


def measure() -> dict[str, dict[str, float]]:
    """Median and 95th percentile, in milliseconds, of every control."""
    cells = [SETUP, *(f"display({call})" for _, call, _ in PANELS)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "written" / "latency.ipynb"
        path.parent.mkdir()
        notebook = new_notebook(cells=[new_code_cell(cell.strip()) for cell in cells])
        notebook.metadata.kernelspec = {"display_name": "Python 3", "language": "python", "name": "python3"}
        nbformat.write(notebook, path)
        with drive.opened(path, Path(folder)) as page:
            page.run()
            if page.errors():
                raise RuntimeError("\n".join(page.errors()))
            return {
                f"{name}: {control[0]}": timed(page.panel(name), *control)
                for name, _, moved in PANELS
                for control in moved
            }


def timed(panel: drive.PanelDriver, control: str, keys: list[str]) -> dict[str, float]:
    """One control of a panel."""
    panel.latency(control, keys[:1] + keys[-1:])  # what is loaded with the first move is not asked for again
    median, high = drive.quantiles(panel.latency(control, keys))
    return {"median": round(median), "95 %": round(high)}


def main() -> None:
    load = os.getloadavg()[0]
    found = measure()
    print(f"{'control':<22} {'median':>6} {'95 %':>6}   (milliseconds, load {load:.1f})")
    for what, taken in found.items():
        print(f"{what:<22} " + " ".join(f"{value:>6}" for value in taken.values()))
    if len(sys.argv) > 1:
        about = {"unit": "ms", "events": 200, "moves": MOVES, "load before": load, "cores": os.cpu_count()}
        text = json.dumps({**about, "controls": found, "versions": versions()}, indent=2) + "\n"
        write_whole(Path(sys.argv[1]), text.encode())


if __name__ == "__main__":
    main()
