"""A tap is nothing until somebody records, and then everything has the name of the module it passed in."""

import threading
import timeit

import pytest
import torch
from torch import nn

from seqrec_edu.models import build
from seqrec_edu.taps import recording, tap
from tests.lens.support import batch, model


class Doubled(nn.Module):
    def forward(self, x):
        y = tap("doubled", x * 2, "b l")
        tap("exp", lambda: torch.exp(y), "b l")
        tap("absent", None, "b l")
        return y


class Nested(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = Doubled()
        self.more = nn.ModuleList([Doubled(), Doubled()])

    def forward(self, x):
        for module in (self.first, *self.more, self.first):
            x = module(x)
        return tap("hidden", x, "b l")


NAMES = [
    "first.doubled", "first.exp", "more.0.doubled", "more.0.exp", "more.1.doubled", "more.1.exp",
    "first.doubled@2", "first.exp@2", "hidden",
]  # fmt: skip


def test_names_are_the_paths_of_the_modules_and_repeated_calls_are_counted():
    nested, x = Nested(), torch.ones(2, 3)
    with recording(nested) as recorder:
        nested(x)
    assert list(recorder.taps) == NAMES
    assert recorder.taps["more.1.exp"].module == "more.1" and recorder.taps["hidden"].module == ""
    assert [each.own_name for each in recorder.taps.values()][-3:] == ["doubled", "exp", "hidden"]
    assert torch.equal(recorder.taps["first.doubled@2"].tensor, 16 * x)
    assert torch.equal(recorder.taps["more.0.exp"].tensor, torch.exp(4 * x))


def test_without_a_model_names_stand_alone():
    with recording() as recorder:
        Nested()(torch.ones(1, 2))
    assert list(recorder.taps)[:3] == ["doubled", "exp", "doubled@2"]


def test_a_tap_returns_its_tensor_and_a_copy_is_kept():
    x = torch.ones(2, 3, requires_grad=True)
    with recording() as recorder:
        y = tap("y", x * 1, "b l")
    assert y.requires_grad and not recorder.taps["y"].tensor.requires_grad
    with torch.no_grad():
        y.mul_(5)
    assert torch.equal(recorder.taps["y"].tensor, torch.ones(2, 3))


def test_off_nothing_is_computed_stored_or_hooked():
    def fails():
        raise AssertionError("computed for nobody")

    x = torch.ones(2)
    assert tap("x", x, "b") is x
    tap("never", fails, "b")
    nested = Nested()
    with recording(nested, only=["hidden"]) as recorder:
        tap("never", fails, "b")  # nor is what is not asked for
        nested(torch.ones(1, 2))
    assert list(recorder.taps) == ["hidden"]
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in nested.modules())


def test_axes_must_fit():
    with recording(), pytest.raises(ValueError, match=r"tap x: 'b l d' names 3 axes, got \(2, 3\)"):
        tap("x", torch.ones(2, 3), "b l d")


def test_a_module_that_raises_leaves_the_names_in_order():
    nested = Nested()

    def fail_on_ones(module, inputs):
        if inputs[0].any():
            raise ZeroDivisionError

    nested.more[0].register_forward_pre_hook(fail_on_ones)
    with recording(nested) as recorder:
        with pytest.raises(ZeroDivisionError):
            nested(torch.ones(1, 2))
        nested(torch.zeros(1, 2))
    assert "more.1.doubled" in recorder.taps and "first.doubled@3" in recorder.taps


def test_blocks_nest_and_other_threads_are_not_recorded():
    nested = Nested()
    with recording(nested) as outer:
        with recording(nested) as inner:
            nested(torch.ones(1, 2))
        other = threading.Thread(target=nested, args=(torch.ones(1, 2),))
        other.start()
        other.join()
        nested.first(torch.ones(1, 2))
    assert list(inner.taps) == NAMES and list(outer.taps) == NAMES[:2]


def test_taps_survive_compilation_into_one_graph():
    torch._dynamo.reset()
    nested, x = Nested(), torch.ones(2, 3)
    compiled = torch.compile(nested, backend="eager", fullgraph=True)
    assert torch.equal(compiled(x), 16 * x)
    with recording(compiled) as recorder:
        compiled(x)
    assert list(recorder.taps) == NAMES
    frames = torch._dynamo.utils.counters["frames"]["total"]
    assert torch.equal(compiled(x), 16 * x) and torch._dynamo.utils.counters["frames"]["total"] == frames


def test_a_model_full_of_taps_compiles_into_one_graph():
    linrec, history = model("linrec"), batch(7, 5)
    torch._dynamo.reset()
    with torch.no_grad():
        expected = linrec(history)
        torch.testing.assert_close(torch.compile(linrec, backend="eager", fullgraph=True)(history), expected)


def test_off_the_taps_cost_less_than_a_percent_of_a_model():
    """Both measured here and now, each the least of many: one tap times their number, and a forward pass."""
    sasrec, history = build("sasrec", n_items=30, d_model=64).eval(), batch(50)
    with recording(sasrec) as recorder, torch.no_grad():
        sasrec(history)
    x = torch.ones(2, 3)
    one = min(timeit.repeat(lambda: tap("gate", lambda: torch.exp(x), "b l"), number=1000, repeat=20)) / 1000
    with torch.no_grad():
        whole = min(timeit.repeat(lambda: sasrec(history), number=1, repeat=50))
    assert len(recorder.taps) * one < 0.01 * whole
