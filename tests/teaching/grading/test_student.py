"""One student's process, with and without walls, and where there is no fork: values, gradients, limits."""

import sys

import pytest
import torch

from seqrec_edu.teaching.grading import Limits, nest, stage
from seqrec_edu.teaching.grading.proxy import Remote, StudentProcessError

LIMITS = Limits(question_seconds=1.0, memory_mib=512, processes=16)
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the nursery forks on Linux only")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stage")
    return folder, stage.make(folder, [("ops._ssd",), ()])


@pytest.fixture(scope="module", params=[pytest.param("full", marks=linux), pytest.param("none", marks=linux), "alone"])
def start(place, request):
    """A function that starts one with some lines, in each of the three ways there are."""
    folder, variants = place
    found = nest.Nest(folder, [], "none" if request.param == "alone" else request.param)
    given = found.for_worker() | ({"commands": None} if request.param == "alone" else {})
    started = []

    def new(source, variant=0):
        remote = Remote(nest.hatch(given, LIMITS, 61199, variants[variant]), "f", LIMITS)
        started.append(remote)
        remote.load(source, 0)
        return remote

    yield new
    for remote in started:
        remote.close()
    found.close()


def test_values_gradients_and_edits_cross(start):
    remote = start("def f(x, *, k=1):\n    return {'y': (x * k).cumsum(0), 'n': [3, x.dtype]}\n")
    x = torch.randn(4, dtype=torch.float64, requires_grad=True)
    got = remote(x, k=2)
    assert got["n"] == [3, torch.float64] and torch.equal(got["y"], (2 * x).cumsum(0))
    assert torch.autograd.gradcheck(lambda v: remote(v, k=3)["y"], x)
    plain = torch.ones(3)
    edits = start("def f(x):\n    x += 1\n    return x\n")
    assert torch.equal(edits(plain), torch.full((3,), 2.0)) and torch.equal(plain, torch.full((3,), 2.0))
    with pytest.raises(IndexError, match="in the line: return x"):
        start("def f(x):\n    return x[9]\n")(plain)


def test_it_ends_and_says_how(start):
    slow = start("def f():\n    while True: pass\n")
    with pytest.raises(StudentProcessError):
        slow()
    slow.close()
    assert slow.failure[0] == "too slow"
    gone = start("import os\ndef f():\n    os._exit(4)\n")
    with pytest.raises(StudentProcessError):
        gone()
    gone.close()
    assert gone.failure[0] == "ended" and gone.student.ended == 4


def test_what_is_asked_for_is_left_out_and_the_rest_is_there(start):
    source = "from seqrec_edu import ops\ndef f():\n    return ops.{}\n"
    remote = start(source.format("ssd()"))
    with pytest.raises(PermissionError, match="what the question asks for"):
        remote()
    assert remote.failure[0] == "not allowed"
    assert start(source.format("flip_history.__name__"))() == "flip_history"
    with pytest.raises(TypeError):  # the other question's variant has the real one
        start(source.format("ssd()"), variant=1)()
