"""One measured property: its verdict, the number behind it and one sentence."""

from __future__ import annotations

import math
from dataclasses import dataclass

HOLDS, FAILS, NOT_APPLICABLE, UNKNOWN = "holds", "fails", "does not apply", "cannot tell"


@dataclass(frozen=True)
class Property:
    """One row of an audit.

    Attributes:
        name: for instance "padding content".
        verdict: "holds", "fails", "does not apply" or "cannot tell".
        measured: the number the verdict rests on; None where nothing was measured.
        sentence: what the number says, in one sentence.
        expected: the verdict the module declares for itself; "holds" unless it declares otherwise.
        names: the parameters a verdict is about.
    """

    name: str
    verdict: str
    measured: float | None
    sentence: str
    expected: str = HOLDS
    names: tuple[str, ...] = ()

    @property
    def passes(self) -> bool:
        """Whether the module does as it declares. What does not apply passes; what cannot be told does not."""
        return self.verdict in (self.expected, NOT_APPLICABLE)

    @property
    def number(self) -> str:
        """``measured`` in a few characters."""
        if self.measured is None:
            return ""
        if not math.isfinite(self.measured) or self.measured == int(self.measured):
            return f"{self.measured:g}"
        return f"{self.measured:.3g}"


def within(name: str, change: float, allowed: float, holds: str, fails: str) -> Property:
    """A property that holds while a relative change stays within ``allowed``. NaN is no small change."""
    return Property(name, HOLDS, change, holds) if change <= allowed else Property(name, FAILS, change, fails)
