"""The capstone's score: what is read is found, what is reached and spent is paid for, what cheats is named."""

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from seqrec_edu.teaching import try_mixer
from seqrec_edu.teaching.course import read
from seqrec_edu.teaching.course.regions import unmarked
from seqrec_edu.teaching.grading.inside.modules import Held, Operations
from seqrec_edu.teaching.mixer import exercise, people, recommender
from seqrec_edu.teaching.mixer.audit import audit, jittered
from seqrec_edu.teaching.mixer.cost import cost
from seqrec_edu.teaching.mixer.people import TASKS

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
import answers  # noqa: E402

SOURCE = HERE.parents[2] / "notebooks" / "assignments" / "6_design_your_own_mixer.ipynb"


def reference():
    """The notebook's own solution."""
    assignment = read(SOURCE)
    scope = {"torch": torch, "nn": nn}
    exec(unmarked(assignment.notebook.cells[assignment.questions[0].solution].source), scope)
    return scope["build_mixer"]


@pytest.fixture
def few_steps(monkeypatch):
    monkeypatch.setattr(recommender, "STEPS", 12)


def faults_of(build):
    held = Held(build)
    return {fault.name: fault for fault in audit(held, jittered(held("build", 32, 0), 0), 0)}


@pytest.mark.parametrize(
    ("build", "names"),
    [
        (answers.attention, set()),
        (answers.mean, set()),
        (answers.nearly_nothing, set()),
        (answers.constant, {"does not mix"}),
        (answers.ahead, {"future read"}),
        (answers.clock_ahead, {"future read", "pads read"}),
        (answers.pads_counted, {"pads counted"}),
        (answers.not_finite, {"pads not finite"}),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_experiments_find_what_a_mixer_reads(build, names):
    assert set(faults_of(build)) == names


def test_it_says_where_the_future_is_read():
    assert "output at event 0 changes with the item of event 1" in faults_of(answers.ahead)["future read"].sentence
    assert "one event ahead" in faults_of(answers.ahead)["future read"].sentence
    assert "the time of event 1" in faults_of(answers.clock_ahead)["future read"].sentence


class Made(nn.Module):
    """A mixer out of a function of x, times and mask."""

    def __init__(self, forward):
        super().__init__()
        self.made, self.kept = forward, nn.Parameter(torch.zeros(1))

    def forward(self, x, times, mask):
        return self.made(x, times, mask)


@pytest.mark.parametrize(
    ("forward", "name"),
    [
        (lambda x, times, mask: None, "no tensor"),
        (lambda x, times, mask: x[:, :1], "shape"),
        (lambda x, times, mask: x.double(), "shape"),
        (lambda x, times, mask: x / 0, "not finite"),
        (lambda x, times, mask: torch.rand_like(x), "random"),
        (lambda x, times, mask: x.mul_(2), "argument changed in place"),
        (lambda x, times, mask: x.cumsum(0) + x.cumsum(1), "histories mixed"),
        (lambda x, times, mask: x.mean(1, keepdim=True).expand_as(x), "future read"),
    ],
)
def test_other_faults_have_names(forward, name):
    assert name in faults_of(lambda d: Made(forward))


def test_a_weight_that_begins_at_zero_hides_nothing():
    class Zero(nn.Module):
        def __init__(self):
            super().__init__()
            self.much = nn.Parameter(torch.zeros(()))

        def forward(self, x, times, mask):
            return x.cumsum(1) + self.much * x.flip(1)

    assert "future read" in faults_of(lambda d: Zero())


def test_operations_are_those_of_the_formulas():
    x, w = torch.randn(2, 7, 8), torch.randn(8, 5)
    convolution = nn.Conv1d(8, 4, 3, padding=1)
    for run, expected in (
        (lambda: x @ w, 2 * 7 * 8 * 5),
        (lambda: torch.einsum("bld,bmd->blm", x, x), 2 * 7 * 7 * 8),
        (lambda: convolution(x.mT), 2 * 7 * 4 * 8 * 3),
        (lambda: x[0] + 1, 7 * 8),
        (lambda: x[0].T.reshape(8, 7), 0),
        (lambda: x.clone().add_(1), 2 * 2 * 7 * 8),
        (lambda: nn.functional.scaled_dot_product_attention(*[x[:, None]] * 3), 2 * 7 * 7 * (2 * 8 + 5)),
    ):
        with torch.no_grad(), Operations() as seen:
            run()
        assert seen.operations == expected


def test_costs_are_counted_and_grow_as_they_should():
    found = {}
    for name, build in (("mean", answers.mean), ("attention", answers.attention), ("reference", reference())):
        held = Held(build)
        found[name] = cost(held, held("build", 32, 0))
    assert found["attention"].share == pytest.approx(1.0, abs=0.1) and found["attention"].growth > 1.8
    assert found["mean"].growth == pytest.approx(1.0, abs=0.02) == found["reference"].growth
    assert found["mean"].operations < found["reference"].operations < 0.1 * found["attention"].operations


def test_nobody_expects_more_than_the_ceiling_and_the_truth_expects_it():
    for task in TASKS:
        found = people.people(task, 3)
        best = found.ceiling
        drawn = torch.rand(found.truth.shape, generator=torch.Generator().manual_seed(0))
        assert (found.expected(drawn) <= best + 1e-12).all()
        histories = task.world.sample(5, 50, 12)
        targets = histories.offsets[1:] - 1
        gains = found.gains.numpy()
        rows = torch.from_numpy(task.world.bayes_rows(histories, targets))
        stated = task.world.ceiling(histories, targets, cutoffs=(int(task.metric.split("@")[1]),)).metrics[task.metric]
        ordered = rows[:, 1:].sort(dim=1, descending=True).values.numpy()
        assert (ordered @ gains).mean() == pytest.approx(stated)
        assert not torch.equal(found.items, people.people(task, 4).items)


def test_the_reference_earns_all_points_and_the_mean_a_third():
    before = torch.get_rng_state()
    best, weak = try_mixer(reference(), seed=11), try_mixer(answers.mean, seed=11)
    assert torch.equal(before, torch.get_rng_state())
    assert best.passed and best.kind == "right" and best.points >= 19.5 and best.out_of == exercise().points == 20
    assert not weak and weak.kind == "wrong" and 4 <= weak.points <= 8 and weak.share == weak.points / 20
    assert [part.name for part in best.parts][2:4] == [task.name for task in TASKS] and len(best.notes) == 6
    assert "of the ceiling" in str(weak) and "<table>" in weak._repr_html_()


def test_cheats_are_named_in_the_notebook_too(few_steps):
    for build, kind, mistake in (
        (answers.by_heart, "mistake", "remembers earlier calls"),
        (answers.ahead_when_it_matters, "mistake", "future read"),
        (answers.borrowed, "not allowed", "a borrowed answer"),
        (answers.no_module, "error", "TypeError"),
    ):
        found = try_mixer(build)
        assert (found.kind, found.mistake) == (kind, mistake), str(found)
        assert found.points <= 1


def test_what_is_not_written_or_breaks_says_so():
    def unwritten(d):
        raise NotImplementedError

    def breaks(d):
        return Made(lambda x, times, mask: x @ torch.ones(7, 7))

    assert try_mixer(unwritten).kind == "not written" and not try_mixer(unwritten).parts
    found = try_mixer(breaks)
    assert found.kind == "error" and "RuntimeError" in found.sentence
    with pytest.raises(ValueError, match="one exercise"):
        exercise("ssd")
