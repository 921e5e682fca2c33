"""What a check does beside knowing exercises: guarding the caller, diagnosing in general, saying the same twice."""

import functools
import random
import signal
import threading
import time

import numpy as np
import pytest
import torch

from seqrec_edu import ops
from seqrec_edu.teaching import check, exercise
from tests.teaching.support import learner

SSD = exercise("ssd").source


def changed(old: str, new: str, source: str = SSD):
    """The solution of ``ssd`` with some text changed, as a learner's function."""
    assert old in source
    return learner(source.replace(old, new))


def wrapped(before: str, after: str = "return y"):
    """A right ``ssd`` inside a function that also does something it should not."""
    inside = "\n".join("    " + line for line in SSD.splitlines())
    return learner(f"def ssd(x, dt, A, B, C):\n{inside}\n    {before}\n    y = ssd(x, dt, A, B, C)\n    {after}\n")


# Finding the exercise.


def test_the_name_of_the_function_says_which():
    source = SSD.replace("def ssd", "def my_ssd")
    assert check(learner(source)).exercise == "ssd"
    assert check(learner(SSD)).passed
    assert check(learner(SSD.replace("def ssd", "def solve")), "ssd").passed


def test_another_name_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"'solve'.*decay_mask.*ssd"):
        check(learner(SSD.replace("def ssd", "def solve")))
    with pytest.raises(ValueError, match=r"no exercise 'sdd'; there are .*ssd"):
        check(learner(SSD), "sdd")
    with pytest.raises(ValueError, match="decay_mask"):
        exercise("nothing")


def test_names_and_aliases_make_no_difference():
    mistaken = changed("state + written", "(state + written)")
    renamed = learner(
        SSD.replace("state + written", "(state + written)").replace("state", "H").replace("def ssd", "def f")
    )
    verdicts = [
        check(mistaken),
        check(renamed, "ssd"),
        check(functools.partial(mistaken), "ssd"),
        check(lambda *a: mistaken(*a), "ssd"),
    ]
    assert {each.mistake for each in verdicts} == {"decay shifted by one event"}
    assert len({str(each) for each in verdicts}) == 1


# Not a solution.


@pytest.mark.parametrize(
    "function",
    [
        ops.ssd,
        functools.partial(ops.ssd, chunk_size=8),
        functools.wraps(ops.ssd)(lambda *a: ops.ssd(*a)),
        lambda x, dt, A, B, C: ops.ssd(x, dt, A, B, C),
        lambda x, dt, A, B, C: ops.ssd(x, dt, A, B, C, backend="reference") + 0,
        lambda *a: exercise("ssd").solved(*a),
        exercise("ssd").solved,
        exercise("ssd").alternatives[0],
    ],
    ids=["itself", "partial", "wraps", "wrapper", "reference", "solution called", "solution", "alternative"],
)
def test_the_packages_own_is_no_solution(function):
    verdict = check(function, "ssd")
    assert verdict.kind == "not allowed" and not verdict.passed
    assert "ops.ssd" in verdict.sentence or "the solution" in verdict.sentence


def test_an_alias_taken_earlier_is_seen():
    aliased = learner("def ssd(x, dt, A, B, C):\n    return taken(x, dt, A, B, C)\n")
    aliased.__globals__["taken"] = ops.ssd
    assert check(aliased).kind == "not allowed"
    unwatched = learner(
        "import sys\ndef ssd(x, dt, A, B, C):\n    sys.setprofile(None)\n    return taken(x, dt, A, B, C)\n"
    )
    unwatched.__globals__["taken"] = ops.ssd
    assert check(unwatched).kind == "not allowed"


# Not written, errors.


@pytest.mark.parametrize("inside", ["return None", "pass", "...", "raise NotImplementedError", '"""only this"""'])
def test_empty_functions_are_not_written(inside):
    assert check(learner(f"def ssd(x, dt, A, B, C):\n    {inside}\n")).kind == "not written"


def test_a_missing_return_is_another_thing():
    verdict = check(changed("    return torch.stack", "    torch.stack"))
    assert (verdict.kind, verdict.mistake) == ("mistake", "nothing returned")


def test_an_error_shows_the_learners_line():
    verdict = check(changed("dt[:, t] * A)", "dt[:, t] @ A.undefined)"))
    assert verdict.kind == "error" and verdict.mistake == "AttributeError" and "undefined" in verdict.sentence
    verdict = check(changed("range(x.shape[1])", "range(x.shape[1] - 1)"))
    assert verdict.kind == "error" and "only at length 1" in verdict.sentence
    assert check(learner("def ssd(x):\n    return x\n")).kind == "error"
    assert check(3, "ssd").kind == "error"


def test_errors_that_resist():
    assert check(learner("def ssd(*a):\n    raise SystemExit(3)\n")).kind == "error"
    nasty = learner(
        "class Nasty(Exception):\n    def __str__(self):\n        raise ValueError\ndef ssd(*a):\n    raise Nasty\n"
    )
    assert "Nasty" in check(nasty).sentence
    address = check(learner("def ssd(*a):\n    raise ValueError(object())\n"))
    assert "0x…" in str(address)


def test_a_keyboard_interrupt_gets_through():
    with pytest.raises(KeyboardInterrupt):
        check(learner("def ssd(*a):\n    raise KeyboardInterrupt\n"))


# Time.

LOOPS = {
    "plain": "while True:\n        pass",
    "swallows": "while 1:\n        try:\n            while 1: x = x + 1\n        except Exception: pass",
    "computes": "while True:\n        x = x + 1",
}


@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)
def test_endless_loops_end(loop):
    began = time.monotonic()
    verdict = check(learner(f"def ssd(x, dt, A, B, C):\n    {loop}\n"), seconds=0.3)
    assert verdict.kind == "too slow" and "n=1" in verdict.sentence
    assert time.monotonic() - began < 5
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_endless_loops_end_in_another_thread():
    found = {}
    loop = learner("def ssd(x, dt, A, B, C):\n    while True:\n        pass\n")

    def work():
        found["slow"] = check(loop, seconds=0.3)
        found["right"] = check(learner(SSD))
        found["borrowed"] = check(lambda *a: ops.ssd(*a), "ssd")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(60)
    assert [found[key].kind for key in ("slow", "right", "borrowed")] == ["too slow", "right", "not allowed"]


def test_an_alarm_of_somebody_else_still_rings():
    rang = []
    before = signal.signal(signal.SIGALRM, lambda *_: rang.append(1))
    try:
        signal.setitimer(signal.ITIMER_REAL, 30)
        check(learner(SSD))
        assert 0 < signal.getitimer(signal.ITIMER_REAL)[0] <= 30 and signal.getsignal(signal.SIGALRM) is not before
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


# Side effects.


def test_arguments_changed_in_place():
    verdict = check(wrapped("dt.mul_(1.0).add_(0.1)"))
    assert (verdict.kind, verdict.mistake) == ("mistake", "argument changed in place") and " dt" in verdict.sentence
    assert check(wrapped("pass", "x += 1; return y")).mistake == "argument changed in place"


def test_randomness_and_memory():
    assert check(wrapped("pass", "return y + torch.rand(())")).mistake == "random"
    counting = wrapped("calls.append(1)", "return y + len(calls)")
    counting.__globals__["calls"] = []
    assert check(counting).mistake == "remembers earlier calls"
    late = wrapped("calls.append(1)", f"return y if len(calls) <= {len(exercise('ssd').cases(0))} else 2 * y")
    late.__globals__["calls"] = []
    assert check(late).mistake == "remembers earlier calls"


def test_global_state_is_put_back():
    torch.manual_seed(3), np.random.seed(3), random.seed(3)
    expected = torch.rand(1).item(), np.random.rand(), random.random()
    torch.manual_seed(3), np.random.seed(3), random.seed(3)
    verdict = check(wrapped("torch.manual_seed(9); torch.rand(5)", "return y"))
    assert verdict.passed
    assert (torch.rand(1).item(), np.random.rand(), random.random()) == expected
    for setting in ("torch.set_default_dtype(torch.float64)", "torch.set_grad_enabled(True)"):
        assert check(wrapped(setting)).mistake == "global setting changed"
        assert torch.get_default_dtype() == torch.float32 and torch.is_grad_enabled()


def test_prints_are_held_back(capsys):
    assert check(wrapped("print('loud' * 1000)"))
    assert capsys.readouterr().out == ""


# Kinds of results.


@pytest.mark.parametrize(
    ("after", "mistake"),
    [
        ("return y.numpy()", "not a tensor"),
        ("return y.tolist()", "not a tensor"),
        ("return y, y", "number of results"),
        ("return y.float()", "another kind of number"),
        ("return y.float().to(y.dtype)", "float32 inside"),
        ("return y.to('meta')", "another device"),
        ("return y.detach()", "gradient lost"),
        ("return torch.tensor(y.tolist(), dtype=y.dtype)", "gradient lost"),
        ("return y + B.sum() * 0 - (B.sum() * 0).detach() + (x - x.detach()).sum()", "gradient differs"),
        ("return y.transpose(1, 2)", "axes in another order"),
        ("return y[..., 0]", "axis missing"),
        ("return y[..., None]", "axis too many"),
        ("return y[:, :-1]", "axis of another size"),
        ("return y / 0", "infinity in the result"),
        ("return y + (y < 0).log() * 0", "NaN in the result"),
        ("return -y", "sign of the result"),
        ("return y.flip(1)", "backwards along l"),
        ("return y / x.shape[1]", "a factor of the size of l"),
        ("return 3 * y", "a constant factor"),
        ("return y + 1", "a constant added"),
        ("return y.cumsum(1)", "summed up along l"),
        ("return torch.cat([0 * y[:, :1], y[:, :-1]], 1)", "one l late"),
        ("return y.sum(0, keepdim=True).expand_as(y)", "added up over b"),
        ("return y + x", "x added"),
        ("return y + 0.1 * y.mean(0)", "rows of the batch mixed"),
        ("return y + 0.1 * y.mean(2, keepdim=True) * y", "heads mixed"),
        ("return y + y[:, -1:] ** 3", "future read"),
        ("return y if x.shape[1] % 2 else 0.7 * y + 0.1 * y.abs()", "wrong only at even lengths"),
        ("return y if x.dtype == torch.float64 else y ** 2", "wrong only in float32"),
        ("return y if x.shape[1] > 1 else y + y ** 3", "wrong only at length 1"),
        ("return torch.cat([y[:, :1], y[:, 1:] + y[:, 1:] ** 2], 1)", "wrong only after the first event"),
    ],
)
def test_general_diagnoses(after, mistake):
    verdict = check(wrapped("pass", after))
    assert verdict.mistake == mistake, str(verdict)
    assert not verdict.passed and verdict.sentence


@pytest.mark.parametrize(
    ("before", "mistake"),
    [
        ("x = x.roll(1, 1)", "x of the event before"),
        ("A = A[:1].expand_as(A)", "one h for all in A"),
        ("dt = dt ** 2", "dt squared"),
        ("B = C", "C used for B"),
        ("C = torch.ones_like(C)", "C left out"),
        ("A = 2 * A", "A doubled"),
        ("B = B.abs()", "size of B only"),
    ],
)
def test_diagnoses_of_arguments(before, mistake):
    verdict = check(wrapped(before))
    assert (verdict.mistake, verdict.found_by) == (mistake, "experiment"), str(verdict)


def test_pads_counted_is_found_without_a_catalogue():
    source = exercise("low_rank_attention").source.replace(
        "return y *", "y = y + 0.01 * v.sum((1, 2), keepdim=True)\n    return y *"
    )
    assert check(learner(source)).mistake == "pads counted"


def test_a_tensor_that_lies_is_measured_by_its_numbers():
    liar = learner(
        "class Liar(torch.Tensor):\n"
        "    @classmethod\n"
        "    def __torch_function__(cls, func, types, args=(), kwargs=None):\n"
        "        return torch.tensor(True)\n"
        "def ssd(x, dt, A, B, C):\n    return (x * 0).as_subclass(Liar)\n"
    )
    assert not check(liar).passed


# How it is said.


def test_a_verdict_says_the_same_every_time():
    function = changed("decay[:, :, None, None] * state", "state")
    one, other = check(function), check(function)
    assert str(one) == str(other) == repr(one) and one._repr_html_() == other._repr_html_()
    assert "\x1b" not in str(one) and "0x" not in str(one)
    assert one.position == "b=0, l=1, h=0, p=0" and one.got != one.expected
    assert "l=2" in str(one.example) and one.example.sizes["b"] == 1
    assert str(check(function, seed=4)) != str(one)


def test_hints_by_degrees():
    verdict = check(changed("state + written", "(state + written)"))
    text = str(verdict)
    hints = exercise("ssd").hints
    assert [verdict.hint() for _ in range(5)] == [
        *(f"Hint {place + 1} of {len(hints)}: {hint}" for place, hint in enumerate(hints)),
        f"Hint {len(hints)} of {len(hints)}: {hints[-1]}",
    ]
    assert str(verdict) == text
    assert "right" in check(learner(SSD)).hint()


def test_html_is_escaped():
    verdict = check(learner("def ssd(*a):\n    raise ValueError('<script>alert(1)</script>')\n"))
    assert "<script>" not in verdict._repr_html_() and "&lt;script&gt;" in verdict._repr_html_()
