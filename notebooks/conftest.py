"""How nbval compares the notebooks here: words and integers exactly, decimal numbers within a tolerance.

nbval itself compares text character by character, and trained numbers differ in their last digits between machines.
"""

import math
import re

RELATIVE = 1e-3
ABSOLUTE = 1e-3 * (1 + 1e-9)  # 0.124 - 0.123 is a little more than 0.001 in binary
# A decimal point or an exponent makes a number; an integer, a version such as 2.13.0 or a name such as w2.5 is a word.
DECIMAL = re.compile(r"(?<![\w.])([-+]?(?:\d+\.\d*|\.\d+)(?:[eE][-+]?\d+)?(?!\.?\d)|[-+]?\d+[eE][-+]?\d+(?!\w))")
BLANKS = re.compile(r"[ \t]+")
# A figure is compared by its picture's digest line: its JSON holds every number of the data, exactly.
NOT_COMPARED = ("application/vnd.plotly.v1+json", "image/svg+xml")


class Text(str):
    """Text that equals another when its words are the same and its decimal numbers agree within the tolerance."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return agree(str(self), str(other)) if isinstance(other, str) else NotImplemented

    def __ne__(self, other: object) -> bool:
        return not self == other


def agree(reference: str, found: str) -> bool:
    """Whether two texts have the same words and integers, and decimal numbers within the tolerance, in the same places.

    Blanks beside a number do not count: a minus sign that comes or goes at zero moves a column by one.
    """
    if reference == found:
        return True
    ours, theirs = DECIMAL.split(reference), DECIMAL.split(found)
    if len(ours) != len(theirs) or list(map(_words, ours[::2])) != list(map(_words, theirs[::2])):
        return False
    pairs = zip(map(float, ours[1::2]), map(float, theirs[1::2]), strict=True)
    return all(math.isclose(a, b, rel_tol=RELATIVE, abs_tol=ABSOLUTE) for a, b in pairs)


def _words(text: str) -> str:
    return BLANKS.sub(" ", text).strip(" ")


def pytest_itemcollected(item) -> None:
    """Give each notebook cell the tolerant comparison. Everything else that pytest collects is left alone."""
    if not hasattr(item, "sanitize") or not hasattr(item.parent, "skip_compare"):
        return
    exact = item.sanitize

    def tolerant(value):
        cleaned = exact(value)
        return Text(cleaned) if isinstance(cleaned, str) else cleaned

    item.sanitize = tolerant
    missing = tuple(kind for kind in NOT_COMPARED if kind not in item.parent.skip_compare)
    item.parent.skip_compare += missing
