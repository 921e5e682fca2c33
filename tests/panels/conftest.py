"""Stand-ins: a small dataset, a recommender to check by hand, and a notebook that keeps what is displayed."""

from importlib import import_module
from types import SimpleNamespace

import numpy as np
import pytest

DAY = 86400
LABELS = ["<pad>", "Tent", "Stove", "Novel <1>", "Lamp", "Map", "Rope"]


class Shop:
    """Three people: one with four events, one with a single event, one with none."""

    n_users = 3

    def history(self, user):
        items = [[1, 2, 3, 1], [4], []][user]
        return np.array(items, dtype=np.int32), 1_700_000_000 + DAY * np.array([0, 1, 8, 9])[: len(items)]

    def label(self, item):
        return LABELS[item]


def recommend(items, times):
    """Recency: an item scores 1 / (1 + days since its last event), items never seen score minus their index."""
    last = {int(item): float(time) for item, time in zip(items, times, strict=True)}
    score = {item: 1 / (1 + (times[-1] - last[item]) / DAY) if item in last else -item for item in range(1, 7)}
    return sorted(score.items(), key=lambda pair: -pair[1])


@pytest.fixture
def shop():
    return Shop()


@pytest.fixture
def rank():
    return recommend


class Notebook:
    """What a cell shows: (mime bundle, metadata) of every output, with later updates in place."""

    def __init__(self):
        self.outputs, self.drawings = [], 0

    def display(self, data, *, raw=False, metadata=None, display_id=None):
        assert raw
        self.outputs.append((data, metadata))
        self.drawings += 1
        place = len(self.outputs) - 1

        def update(data, *, raw, metadata):
            self.outputs[place] = (data, metadata)
            self.drawings += 1

        return SimpleNamespace(update=update) if display_id else None


@pytest.fixture
def notebook(monkeypatch):
    """Pretend to run in a notebook."""
    shown = Notebook()
    for name in ("seqrec_edu.panels.cockpit", "seqrec_edu.panels.live_loss", "seqrec_edu.panels.show"):
        module = import_module(name)
        monkeypatch.setattr(module, "get_ipython", lambda: object())
        monkeypatch.setattr(module, "display", shown.display)
    return shown
