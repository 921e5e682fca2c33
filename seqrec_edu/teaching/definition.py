"""What an exercise is made of. Each module in ``exercises/`` builds one ``Exercise`` by decorating functions."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import torch
from torch import Tensor

from seqrec_edu.teaching.inputs import Argument, Case, Sizes, in_dtype, planned

DIFFICULTIES = ("easy", "medium", "hard")
OWN_SIZES = {"h": 2, "p": 3, "n": 4, "e": 3, "d": 3, "r": 2, "g": 1, "v": 9, "u": 3, "k": 4}


@dataclass(frozen=True)
class Mistake:
    """A known wrong solution: its name, what is wrong in axis words, and the function that makes it."""

    name: str
    sentence: str
    function: Callable
    source: str


class Exercise:
    """A task with its solution, others that are right as well, and those that are wrong in a known way.

    ``arguments`` gives each argument's axes and how to draw it (``inputs``); ``result`` the axes of what is returned,
    a tuple of them where several are. ``gradients`` names the arguments whose gradient must arrive. ``own`` are the
    modules of the package that hold this very thing: calling into them is no solution. ``sizes`` and ``least`` set
    the usual and the least size of an axis, ``derived`` one that follows from others (``f`` from ``l``).
    ``tolerance`` multiplies what rounding is allowed.
    """

    def __init__(
        self, name: str, *, title: str, goal: str, notebook: str, minutes: int, difficulty: str, points: int,
        arguments: dict[str, Argument], result: str | tuple[str, ...], hints: tuple[str, ...],
        gradients: tuple[str, ...] = (), own: tuple[str, ...] = (), sizes: Sizes | None = None,
        least: Sizes | None = None, derived: dict | None = None, tolerance: float = 1.0,
    ):  # fmt: skip
        if difficulty not in DIFFICULTIES:
            raise ValueError(f"{name}: difficulty must be one of {', '.join(DIFFICULTIES)}, got {difficulty!r}")
        self.name, self.title, self.goal, self.notebook = name, title, goal, notebook
        self.minutes, self.difficulty, self.points = minutes, difficulty, points
        self.arguments, self.hints, self.gradients, self.own = arguments, tuple(hints), gradients, own
        self.results = (result,) if isinstance(result, str) else result
        self.sizes, self.least, self.derived = OWN_SIZES | (sizes or {}), least or {}, derived or {}
        self.tolerance = tolerance
        self.solved: Callable | None = None
        self.alternatives: list[Callable] = []
        self.mistakes: list[Mistake] = []
        self.specials: list[tuple[str, Callable]] = []
        self.parts: dict[str, Callable] = {}

    # What a module decorates.

    def solution(self, function: Callable) -> Callable:
        """The answer. Its name is that of the exercise, its documentation the task."""
        self.solved = function
        return function

    def alternative(self, function: Callable) -> Callable:
        """Another right answer, of another shape."""
        self.alternatives.append(function)
        return function

    def mistake(self, name: str, sentence: str) -> Callable:
        """A wrong answer that people give."""

        def keep(function: Callable) -> Callable:
            self.mistakes.append(Mistake(name, sentence, function, source_of(function)))
            return function

        return keep

    def slips(self, *slips: tuple) -> None:
        """Wrong answers that are the solution with some text changed: ``(name, sentence, (old, new), …)`` each.

        Every old text must stand exactly once in the solution as it has become by then.
        """
        for name, sentence, *changes in slips:
            head, inside = self._parts()
            for old, new in changes:
                if (count := inside.count(old)) != 1:
                    raise ValueError(f"{self.name}, {name}: {old!r} stands {count} times in the solution, not once")
                inside = inside.replace(old, new)
            source = head + inside
            scope = dict(self.solved.__globals__)
            exec(compile(source, f"<{self.name}: {name}>", "exec"), scope)
            self.mistakes.append(Mistake(name, sentence, scope[self.name], source))

    def special(self, name: str) -> Callable:
        """One more case: the function gets a generator and returns all arguments by name."""

        def keep(function: Callable) -> Callable:
            self.specials.append((name, function))
            return function

        return keep

    def part(self, name: str) -> Callable:
        """A quantity that the result is a sum of, such as a count: lets a check say how often it was counted."""

        def keep(function: Callable) -> Callable:
            self.parts[name] = function
            return function

        return keep

    # What a check asks.

    @cached_property
    def source(self) -> str:
        """Text of the solution."""
        return source_of(self.solved)

    @cached_property
    def stub(self) -> str:
        """Text to start from: the solution without its inside."""
        return self._parts()[0] + '    raise NotImplementedError("your turn")\n'

    def _parts(self) -> tuple[str, str]:
        """The solution's text up to the end of its documentation, and what follows."""
        first = ast.parse(self.source).body[0].body[0]
        lines = self.source.splitlines(keepends=True)
        return "".join(lines[: first.end_lineno]), "".join(lines[first.end_lineno :])

    @lru_cache(maxsize=4)  # noqa: B019  exercises live as long as the process
    def cases(self, seed: int = 0) -> tuple[Case, ...]:
        """The inputs it is tried on, smallest first, then the special ones."""
        found = list(planned(self.arguments, self.sizes, self.least, seed, self.derived))
        axes = {name: each.axes for name, each in self.arguments.items()}
        for index, (name, make) in enumerate(self.specials):
            values = make(torch.Generator().manual_seed(1000 * seed + 500 + index))
            values = {key: values[key] for key in self.arguments}
            sizes = {}
            for key, value in values.items():
                sizes |= dict(zip(self.arguments[key].letters, value.shape, strict=True))
            found.append(Case(name, sizes, values, True, axes))
        return tuple(found)

    def solve(self, case: Case) -> tuple[Tensor, ...]:
        """What the solution returns, computed in double precision."""
        values = [in_dtype(value, torch.float64) for value in case.fresh().values()]
        return as_tuple(self.solved(*values))

    def __repr__(self) -> str:
        return f"Exercise({self.name!r}: {self.title}; {self.difficulty}, {self.minutes} minutes, {self.points} points)"


def as_tuple(value) -> tuple:
    """Several results as they are, one as one of them."""
    return tuple(value) if isinstance(value, tuple | list) else (value,)


def source_of(function: Callable) -> str:
    """Text of a function without its decorators."""
    lines = textwrap.dedent(inspect.getsource(function)).splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith("def "))
    return "\n".join(lines[start:]) + "\n"
