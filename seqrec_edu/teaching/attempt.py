"""One function tried on the inputs of one exercise, and the means for further experiments with it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from seqrec_edu.teaching.compare import Results, plain, same
from seqrec_edu.teaching.definition import Exercise
from seqrec_edu.teaching.guard import Outcome, call
from seqrec_edu.teaching.inputs import Case

EXPERIMENTS = 2.0  # seconds for all experiments that look for the name of a mistake


@dataclass(frozen=True)
class Finding:
    """A verdict in the making: its kind, a short name, the sentence, how it was found and on which case."""

    kind: str
    name: str
    sentence: str
    found_by: str = ""
    case: Case | None = None


class Attempt:
    """``outcomes`` are those of the cases in their order, up to the first that makes the rest pointless."""

    def __init__(self, task: Exercise, function: Callable, seed: int, seconds: float):
        self.task, self.function, self.seed = task, function, seed
        self.cases = task.cases(seed)
        self.clock = time.monotonic
        self.end = self.clock() + seconds
        self.outcomes: list[Outcome] = []
        for case in self.cases:
            outcome = self.call(case)
            self.outcomes.append(outcome)
            if outcome.slow or outcome.borrowed or isinstance(outcome.error, NotImplementedError):
                break

    def call(self, case: Case, values: dict[str, Tensor] | None = None) -> Outcome:
        """Run the learner's function on a case; with values of its own it is asked for gradients."""
        left = max(self.end - self.clock(), 0.01)
        with torch.set_grad_enabled(values is not None):
            return call(self.function, case.fresh() if values is None else values, self.task.own, left)

    def begin_experiments(self) -> None:
        """From here on the clock is that of the experiments: the processor's, or a busy machine would find less."""
        self.clock = time.process_time
        self.end = self.clock() + EXPERIMENTS

    def results(self, case: Case) -> Results | None:
        """What the learner's function returns for another case; None if that is no tensor."""
        if self.clock() > self.end:
            return None
        outcome = self.call(case)
        return None if outcome.error is not None or outcome.slow else plain(outcome.value)

    def solve(self, case: Case, values: dict[str, Tensor] | None = None) -> Results | None:
        """What the solution returns, with other values in place of the case's where given; None if it cannot."""
        if self.clock() > self.end:
            return None
        try:
            with torch.no_grad():
                return self.task.solve(case if values is None else case.other(values))
        except Exception:
            return None

    @cached_property
    def wanted(self) -> list[Results]:
        """The right results of all cases."""
        return [wanted(self.task, self.seed, index) for index in range(len(self.cases))]

    @cached_property
    def got(self) -> list[Results | None]:
        """The learner's results of all cases; None where there was an error or no tensor."""
        return [None if each.error is not None else plain(each.value) for each in self.outcomes]

    @cached_property
    def failing(self) -> list[int]:
        """Cases whose result is not right, smallest first."""
        return [at for at in range(len(self.got)) if not self.right(at)]

    def right(self, at: int) -> bool:
        return self.same(at, self.wanted[at])

    def same(self, at: int, other: Results | None) -> bool:
        """Whether the learner's result of a case is ``other``."""
        return same(self.got[at], other, self.cases[at].single, self.task.tolerance)

    def everywhere(self, other: Callable[[int], Results | None]) -> bool:
        """Whether the learner's results of all cases are those of ``other``; failing ones are asked first."""
        order = [*self.failing, *(at for at in range(len(self.got)) if at not in self.failing)]
        return all((found := other(at)) is not None and self.same(at, found) for at in order)


_WANTED: dict[tuple[str, int, int], Results] = {}


def wanted(task: Exercise, seed: int, index: int) -> Results:
    """The solution's result of a case, computed once per process."""
    key = task.name, seed, index
    if key not in _WANTED:
        with torch.no_grad():
            _WANTED[key] = task.solve(task.cases(seed)[index])
    return _WANTED[key]
