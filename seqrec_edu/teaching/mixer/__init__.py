"""The capstone: a mixer of the learner's own, trained where its numbers cannot be reached, scored beside the ceiling.

from seqrec_edu.teaching import try_mixer

try_mixer(build_mixer)                                   # the grader's table, on people of another seed

``build_mixer(d) -> nn.Module`` with ``forward(x "b l d", times "b l", mask "b l") -> "b l d"``: a module, because that
is how a layer is written anywhere else. It is used as a *function of its parameters*: whoever scores keeps parameters,
item embeddings, targets and optimiser, sends inputs, and gets outputs and gradients back. So the mixer may run in a
process of its own (`teaching.grading`), never sees an item's number or a target, and cannot train itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from seqrec_edu.teaching.grading.inside.modules import Held
from seqrec_edu.teaching.guard import TooSlow, is_borrowed, learners_line, limited, settings_restored, watched
from seqrec_edu.teaching.mixer.audit import histories
from seqrec_edu.teaching.mixer.recommender import WIDTH, TooLong
from seqrec_edu.teaching.mixer.scoring import POINTS, TASKS, Stopped, score
from seqrec_edu.teaching.mixer.verdict import Part, Scored

__all__ = ["Part", "Scored", "check", "exercise", "try_mixer"]

NAME = "build_mixer"
FOLDERS = (
    "bench", "cli", "data", "figures", "layers", "lens", "models", "notation", "ops", "panels", "reproduce", "taps",
    "training",
)  # fmt: skip
PATIENCE = 300  # seconds by the clock for a mixer in the learner's own process
HINTS = (
    "Print the parts that gave few points: a world of your own making tells you which of them you forgot.",
    "In gap-switch the current item and the gap before it decide together. A sum of the two cannot say that: multiply.",
    "In decay-repeat every earlier event counts exp(-age / six hours), however many events lie between. A state that "
    "fades by exp(-gap / tau) before each event adds exactly this up, event by event.",
    "Several heads with a tau of their own each, learnt from its logarithm, need not know the six hours beforehand.",
)
STUB = '''def build_mixer(d):
    """A torch.nn.Module with forward(x "b l d", times "b l" in seconds, mask "b l")  ->  y "b l d"."""
    raise NotImplementedError("your turn")
'''


@dataclass(frozen=True)
class Capstone:
    """What the grader and the course ask of an exercise, for the one that is scored instead of checked."""

    name: str = NAME
    title: str = "A mixer of your own"
    goal: str = "Write a layer that mixes a history, and defend it by what it reads, reaches and costs."
    notebook: str = "07_time_aware_masks"
    minutes: int = 90
    difficulty: str = "hard"
    points: float = sum(POINTS[name] for name in ("causality", "padding", "operations", "growth")) + POINTS[
        "a world"
    ] * len(TASKS)
    own: tuple[str, ...] = FOLDERS
    hints: tuple[str, ...] = HINTS
    stub: str = STUB
    answer: str = "module"  # what the function returns is held in its own process, see `grading.inside.modules`
    seconds: float = 40.0  # of the processor that its process may take

    @property
    def source(self) -> str:
        """Everything a score depends on: when it changes, submissions are graded anew."""
        here = Path(__file__).parent
        held = here.parent / "grading" / "inside" / "modules.py"
        return "\n".join(path.read_text(encoding="utf-8") for path in (*sorted(here.glob("*.py")), held))


def exercise(name: str = NAME) -> Capstone:
    """The capstone. Raises ValueError for any other name."""
    if name != NAME:
        raise ValueError(f"there is one exercise that is scored, {NAME!r}; got {name!r}")
    return Capstone()


def try_mixer(build_mixer: Callable, *, seed: int = 0) -> Scored:
    """Score a mixer as the grader will, on people of this seed. Ten to thirty seconds of the processor.

    Nothing that it does is raised, except a keyboard interrupt. The random generators are as before afterwards.
    """
    return check(build_mixer, seed=seed)


def check(function: Callable, exercise: str = NAME, *, seed: int = 0, seconds: float | None = None) -> Scored:
    """What `try_mixer` gives; ``function`` may also be one that runs in another process (`grading.proxy.Remote`).

    Limits of time belong to that process, and to training; ``seconds`` is there because graders give it.
    """
    remote = hasattr(function, "again")
    mix = function if remote else Held(function)
    with settings_restored():
        try:
            borrowed = "" if remote else limited(lambda: _borrowed(mix), PATIENCE)
            if borrowed:
                sentence = f"It calls {borrowed}. A mixer of your own is written in torch alone."
                return Scored(exercise, "not allowed", "a borrowed answer", sentence, hints=HINTS)
            if remote:  # ended by its own limits
                return score(exercise, mix, seed, HINTS)
            return limited(lambda: score(exercise, mix, seed, HINTS), PATIENCE)
        except NotImplementedError:
            return Scored(exercise, "not written", sentence="The function is not written yet.", hints=HINTS)
        except Stopped as stopped:
            return Scored(exercise, stopped.kind, sentence=str(stopped), hints=HINTS)
        except (TooLong, TooSlow) as error:
            sentence = f"It was stopped: {error or f'it had not ended after {PATIENCE} seconds'}."
            return Scored(exercise, "too slow", sentence=sentence, hints=HINTS)
        except Exception as error:
            where = "" if remote else learners_line(function, error)
            sentence = f"{type(error).__name__}: {error}{f' ({where})' if where else ''}"
            return Scored(exercise, "error", type(error).__name__, sentence, hints=HINTS)


def _borrowed(mix: Held) -> str:
    """The package's own function that building or one pass calls; "" if none."""
    borrowed: list[str] = []
    given = histories(0, [3, 2])
    with watched(FOLDERS, borrowed):
        parameters = mix("build", WIDTH, 0)
        mix("mix", parameters, *given, False)
    return is_borrowed(mix.build, FOLDERS) or next(iter(borrowed), "")
