"""What a check found, as a value, as text and as HTML."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape

from seqrec_edu.teaching.inputs import Case

KINDS = ("right", "not written", "mistake", "wrong", "error", "too slow", "not allowed")


@dataclass
class Verdict:
    """``kind`` is one of right, not written, mistake, wrong, error, too slow, not allowed.

    ``mistake`` is a short name, empty when right; ``sentence`` says in axis words what is wrong; ``example`` is the
    smallest input that fails; ``position`` the first place of its result that differs, ``got`` and ``expected`` what
    stands there and should. ``found_by`` says how a mistake got its name: "catalogue", "experiment" or "place".
    """

    exercise: str
    kind: str
    mistake: str = ""
    sentence: str = ""
    example: Case | None = None
    position: str = ""
    got: str = ""
    expected: str = ""
    found_by: str = ""
    tried: int = 0
    hints: tuple[str, ...] = ()
    shown: int = field(default=0, repr=False)

    @property
    def passed(self) -> bool:
        return self.kind == "right"

    def __bool__(self) -> bool:
        return self.passed

    def hint(self, number: int | None = None) -> str:
        """Hint 1, 2, …, each one saying more; without a number the next one. After the last it is the last again."""
        if self.passed:
            return "It is right: there is nothing to hint at."
        if not self.hints:
            return "There is no hint for this exercise."
        self.shown = min(max(self.shown + 1 if number is None else number, 1), len(self.hints))
        return f"Hint {self.shown} of {len(self.hints)}: {self.hints[self.shown - 1]}"

    @property
    def _offer(self) -> str:
        """How to get at the hints. A check at the end of a cell has no name, so each hint has a number."""
        if self.passed or not self.hints:
            return ""
        return f"check(…).hint(1) to .hint({len(self.hints)})"

    @property
    def headline(self) -> str:
        """The first line: what came out."""
        if self.passed:
            return f"{self.exercise}: right, on all {self.tried} inputs."
        return f"{self.exercise}: {self.kind}{f', {self.mistake}' if self.mistake else ''}."

    def _facts(self) -> list[tuple[str, str]]:
        found = []
        if self.example is not None:
            found.append(("Smallest input", str(self.example)))
        if self.position:
            found.append(("First difference", f"{self.position}: got {self.got}, expected {self.expected}"))
        return found

    def __str__(self) -> str:
        lines = [self.headline, self.sentence, *(f"{name}: {text}" for name, text in self._facts())]
        if self._offer:
            lines.append(f"Hints: {self._offer}")
        return "\n".join(line for line in lines if line)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        facts = "".join(
            f"<tr><th scope='row' style='text-align:left;vertical-align:top'>{escape(name)}</th>"
            f"<td style='text-align:left'><pre style='margin:0'>{escape(text)}</pre></td></tr>"
            for name, text in self._facts()
        )
        hint = f"<p>Hints: <code>{self._offer}</code></p>" if self._offer else ""
        table = f"<table>{facts}</table>" if facts else ""
        return (
            f"<div role='status'><p><strong>{escape(self.headline)}</strong></p>"
            f"<p>{escape(self.sentence)}</p>{table}{hint}</div>"
        )
