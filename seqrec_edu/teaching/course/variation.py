"""Numbers of one student: computed from the id each time they are needed, stored nowhere."""

import ast
import hashlib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")
SPEC = re.compile(
    r"^(?P<name>[A-Za-z_]\w*) = (?P<value>.+?)\s+# variant: (?P<kind>id|seed|integer|number|choice)\b(?P<rest>.*)$"
)
RANGE = re.compile(r"\s*(-?[\d.]+) to (-?[\d.]+)(?:, step ([\d.]+))?\s*$")


@dataclass(frozen=True)
class Variant:
    """A student's numbers in one assignment: ``integer``, ``number`` and ``choice``, each drawn by a name.

    Drawn from SHA-256 of assignment, student and name, so they are the same on every machine and in every year, and
    no draw depends on another. Blanks around an id do not count.
    """

    student: str
    assignment: str

    @property
    def seed(self) -> int:
        """The one seed of a student: the grader draws its inputs from the same number, 0 to 2³² - 1.

        Hidden tests in a notebook have fixed seeds instead: they run where nobody knows who the student is.
        """
        named = f"{self.assignment}\n{self.student}"
        return int.from_bytes(hashlib.sha256(named.encode()).digest()[:4], "big")

    def integer(self, name: str, low: int, high: int) -> int:
        """A whole number from ``low`` to ``high``, both included."""
        if high < low:
            raise ValueError(f"{name}: from {low} to {high} there is no whole number")
        return low + self._draw(name) % (high - low + 1)

    def number(self, name: str, low: float, high: float, step: float) -> float:
        """One of ``low``, ``low + step``, … up to ``high``, rounded to what ``step`` shows."""
        if not (step > 0 and high >= low):
            raise ValueError(f"{name}: expected low ≤ high and a step above 0, got {low} to {high}, step {step}")
        steps = int((high - low) / step + 1e-9)
        return round(low + step * (self._draw(name) % (steps + 1)), 10)

    def choice(self, name: str, options: Sequence[T]) -> T:
        """One of the options."""
        if not options:
            raise ValueError(f"{name}: there is nothing to choose from")
        return options[self._draw(name) % len(options)]

    def _draw(self, name: str) -> int:
        key = "\0".join(("seqrec_edu", self.assignment, self.student, name))
        return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big")


def variant(student: str, assignment: str) -> Variant:
    """The numbers of a student in an assignment. Raises ValueError for an empty id."""
    student = unicodedata.normalize("NFC", str(student)).strip()
    if not student:
        raise ValueError("a student's id is empty")
    return Variant(student, assignment)


def numbers(source: str, mine: Variant) -> dict[str, object]:
    """What the lines of a variant cell become for one student: name → value.

    A line reads ``name = value  # variant: …`` with, after the colon, ``id``; ``seed``; ``integer 3 to 9``;
    ``number 0.7 to 0.9, step 0.05``; or ``choice 5, 6, 7``. Raises ValueError for a line that is none of these.
    """
    found: dict[str, object] = {}
    for line in source.splitlines():
        if match := SPEC.match(line):
            found[match["name"]] = _value(mine, match["name"], match["kind"], match["rest"])
        elif "# variant:" in line:
            raise ValueError(f"not understood: {line.strip()!r}; expected `name = value  # variant: integer 3 to 9`")
    return found


def rewritten(source: str, mine: Variant) -> str:
    """A variant cell with the student's numbers, and without the ranges that they came from."""
    values = numbers(source, mine)
    lines = []
    for line in source.splitlines():
        match = SPEC.match(line)
        lines.append(f"{match['name']} = {_written(values[match['name']])}" if match else line)
    return "\n".join(lines)


def _written(value: object) -> str:
    return '"' + value + '"' if isinstance(value, str) and not set(value) & set('"\\\n') else repr(value)


def _value(mine: Variant, name: str, kind: str, rest: str) -> object:
    if kind == "id":
        return mine.student
    if kind == "seed":
        return mine.seed
    if kind == "choice":
        return mine.choice(name, ast.literal_eval(f"[{rest}]"))
    if (match := RANGE.match(rest)) is None:
        raise ValueError(f"{name}: expected `{kind} LOW to HIGH`, got {rest.strip()!r}")
    low, high, step = match.groups()
    if kind == "integer":
        return mine.integer(name, int(low), int(high))
    if step is None:
        raise ValueError(f"{name}: a number needs a step: `number {low} to {high}, step 0.1`")
    return mine.number(name, float(low), float(high), float(step))
