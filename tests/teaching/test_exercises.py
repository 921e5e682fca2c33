"""Every exercise: right answers pass, every known mistake is named, the stub is not written, and the form is kept."""

import ast
import time
from pathlib import Path

import pytest

from seqrec_edu.teaching import check, exercise, exercises
from seqrec_edu.teaching.exercises import names
from seqrec_edu.teaching.guard import AUTOGRAD, TORCH
from tests.teaching.support import learner, right_answers

ROOT = Path(__file__).resolve().parents[2]
every = pytest.mark.parametrize("name", names())
MISTAKES = [(name, mistake.name) for name in names() for mistake in exercise(name).mistakes]


@every
def test_right_answers_pass(name):
    for source in right_answers(exercise(name)):
        for seed in (0, 1):
            verdict = check(learner(source), name, seed=seed)
            assert verdict, f"{source}\n{verdict}"
            assert verdict.kind == "right" and verdict.mistake == "" and verdict.position == ""


@every
def test_the_stub_is_not_written(name):
    stub = exercise(name).stub
    verdict = check(learner(stub), name)
    assert not verdict and verdict.kind == "not written" and verdict.mistake == ""
    arguments = [each.arg for each in ast.parse(stub).body[0].args.args]
    assert arguments == list(exercise(name).arguments), "the stub's arguments are those of the exercise"
    assert stub.startswith(f"def {name}(") and ast.get_docstring(ast.parse(stub).body[0])


@pytest.mark.parametrize(("name", "mistake"), MISTAKES, ids=[f"{a}-{b}".replace(" ", "_") for a, b in MISTAKES])
def test_every_known_mistake_is_named(name, mistake):
    known = next(each for each in exercise(name).mistakes if each.name == mistake)
    for seed in (0, 1):
        verdict = check(learner(known.source), name, seed=seed)
        assert not verdict
        assert (verdict.mistake, verdict.found_by) == (mistake, "catalogue"), str(verdict)
        assert verdict.sentence == known.sentence and verdict.kind == "mistake" and verdict.example is not None


@every
def test_form(name):
    """What howto and issue ask of every exercise."""
    task = exercise(name)
    assert len(task.alternatives) >= 3 and len(task.mistakes) >= 8 and len(task.hints) >= 3
    assert len({each.name for each in task.mistakes}) == len(task.mistakes), "two mistakes of one name"
    assert all(each.sentence.endswith((".", "?")) for each in task.mistakes) and all(task.hints)
    assert task.title and task.goal.endswith(".") and task.minutes > 0 and task.points > 0
    assert len(task.source.splitlines()) <= 25
    assert len((ROOT / f"seqrec_edu/teaching/exercises/{name}.py").read_text(encoding="utf-8").splitlines()) <= 300
    for module in task.own:
        path = (TORCH.parent if module in AUTOGRAD else ROOT / "seqrec_edu") / Path(*module.split("."))
        assert path.is_dir() or path.with_suffix(".py").is_file(), f"own names {module}, which is not there"
    assert {letter for axes in task.results for letter in axes.split()} <= set(task.cases()[0].sizes)


@every
def test_inputs(name):
    """Length 1 and 2, odd ones, a batch of one, float32, memory with gaps; pads where there is a mask."""
    task = exercise(name)
    cases = task.cases()
    assert any(case.single for case in cases) and any(not case.contiguous for case in cases)
    if "l" in cases[0].sizes:
        assert {1, 2, 3, 63} <= {case.sizes["l"] for case in cases}
    for case, again, other in zip(cases, task.cases(), task.cases(1), strict=True):
        assert all(bool((value == again.values[key]).all()) for key, value in case.values.items())
        assert {key: value.shape for key, value in case.values.items()} == {
            key: value.shape for key, value in other.values.items()
        }


@every
def test_seconds(name):
    """Under 2 s even when wrong, on one core that others use as well; the first call pays for imports."""
    check(learner(exercise(name).source), name)
    for source in (exercise(name).source, exercise(name).mistakes[-1].source):
        began = time.process_time()
        check(learner(source), name)
        assert time.process_time() - began < 2


def test_the_table_lists_every_exercise():
    table = exercises()
    assert sorted(each.name for each in table) == list(names())
    assert all(name in str(table) and name in table._repr_html_() for name in names())


# Wrong answers that every drawn input had let pass.
SLIPPED_THROUGH = {
    "fade_backward": ("a borrowed answer", """
def fade_backward(dy, x, dt, A, D):
    with torch.enable_grad():
        leaves = [v.detach().clone().requires_grad_() for v in (x, dt, A, D)]
        x, dt, A, D = leaves
        h, loss = 0.0, 0.0
        for t in range(x.shape[1]):
            h = torch.exp(dt[:, t] * A) * h + dt[:, t] * x[:, t]
            loss = loss + (dy[:, t] * (h + D * x[:, t])).sum()
        return torch.autograd.grad(loss, leaves)
"""),
    "ssd": ("written over", """
def ssd(x, dt, A, B, C):
    b, l, h, p = x.shape
    H = torch.zeros(b, l + 1, h, p, B.shape[-1], dtype=x.dtype)
    for t in range(l):
        new = torch.einsum("bh,bhp,bhn->bhpn", dt[:, t], x[:, t], B[:, t])
        H[:, t + 1] = torch.exp(dt[:, t] * A)[..., None, None] * H[:, t] + new
    return torch.einsum("blhpn,blhn->blhp", H[:, 1:], C)
"""),
    "time_to_quality": (None, """
def time_to_quality(seconds, quality, level):
    for i in range(1, len(seconds)):
        if quality[i - 1] < level <= quality[i]:
            share = (level - quality[i - 1]) / (quality[i] - quality[i - 1])
            return seconds[i - 1] + share * (seconds[i] - seconds[i - 1])
    return torch.full_like(level, torch.inf) if quality[0] < level else seconds[0].clone()
"""),
    "target_rank": (None, """
def target_rank(scores, target):
    own, items = scores.gather(1, target[:, None]), scores[:, 1:]
    level = torch.isclose(items, own)
    return (1 + ((items > own) & ~level).sum(1) + (level.sum(1) - 1) / 2).to(scores.dtype)
"""),
    "time_gaps": (None, """
def time_gaps(time, mask, mean, std):
    since = (time - time[:, :1]).float()
    gap = torch.diff(since, dim=1, prepend=since[:, :1]).to(mean.dtype)
    return torch.where(mask, (gap.log1p() - mean) / std, 0)
"""),
}  # fmt: skip


@pytest.mark.parametrize("name", SLIPPED_THROUGH)
def test_what_once_slipped_through_is_refused(name):
    mistake, source = SLIPPED_THROUGH[name]
    for seed in range(3):
        verdict = check(learner(source), name, seed=seed)
        assert not verdict.passed and verdict.mistake == (mistake or verdict.mistake), verdict
