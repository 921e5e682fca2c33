"""A small split and a small model, and one thread: two threads may add in another order."""

import pytest
import torch

from seqrec_edu.data.split import leave_one_out
from seqrec_edu.data.synthetic import shoppers
from seqrec_edu.models import build
from seqrec_edu.training import Callback, FitSettings


@pytest.fixture(scope="module")
def split():
    return leave_one_out(shoppers(users=40))


@pytest.fixture
def small():
    """Makes models that train in a moment: `small()` and again `small()` are equal."""

    def make(name="sasrec", **settings):
        return build(name, **{"n_items": 240, "d_model": 16, "n_layers": 1, **settings})

    return make


@pytest.fixture
def quick():
    """Settings for a few steps."""

    def make(**settings):
        return FitSettings(**{"epochs": 2, "batch_size": 96, "history_length": 20, **settings})

    return make


class Recorder(Callback):
    """Keeps what it is told; `at_step` is called after each step."""

    def __init__(self, at_step=lambda log: None):
        self.events, self.logs, self.at_step = [], [], at_step

    def on_fit_begin(self, settings, batches, first_epoch):
        self.events.append(("begin", batches, first_epoch))

    def on_step_end(self, log):
        self.events.append(("step", log["epoch"], log["step"]))
        self.logs.append(log)
        self.at_step(log)

    def on_epoch_end(self, log):
        self.events.append(("epoch", log["epoch"]))

    def on_fit_end(self, result):
        self.events.append(("end", result))


@pytest.fixture
def recorder():
    return Recorder


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
