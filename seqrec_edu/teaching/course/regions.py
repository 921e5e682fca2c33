"""The marked regions of a cell: what a solution or a hidden test is, and the cell without it.

The marks are nbgrader's, so that a source is at home in both: ``### BEGIN SOLUTION … ### END SOLUTION`` and
``### BEGIN HIDDEN TESTS … ### END HIDDEN TESTS``.
"""

from collections.abc import Iterator

SOLUTION = "SOLUTION"
HIDDEN_TESTS = "HIDDEN TESTS"
KINDS = (SOLUTION, HIDDEN_TESTS)
STUB = 'raise NotImplementedError("not written yet")'
ANSWER = "*Your answer here.*"


class BadMarks(ValueError):
    """Marks that do not come in pairs."""


def split(source: str, kind: str) -> list[tuple[bool, list[str]]]:
    """The cell's lines in order, in pieces ``(inside a region, lines)``; the marks themselves belong to no piece.

    Raises BadMarks, a ValueError, for a mark that opens twice, or that has no partner.
    """
    pieces: list[tuple[bool, list[str]]] = [(False, [])]
    for number, line in enumerate(source.splitlines(), start=1):
        begins, ends = f"BEGIN {kind}" in line, f"END {kind}" in line
        if begins and pieces[-1][0]:
            raise BadMarks(f"line {number}: BEGIN {kind} inside a region that is already open")
        if ends and not pieces[-1][0]:
            raise BadMarks(f"line {number}: END {kind} without its BEGIN {kind}")
        if begins or ends:
            pieces.append((begins, []))
        else:
            pieces[-1][1].append(line)
    if pieces[-1][0]:
        raise BadMarks(f"BEGIN {kind} without its END {kind}")
    return pieces


def inside(source: str, kind: str) -> list[str]:
    """The lines of all regions of one kind."""
    return [line for within, lines in split(source, kind) if within for line in lines]


def without(source: str, kind: str, instead: str = "") -> str:
    """The cell without its regions of one kind. ``instead`` is set in each place, as deep as the region was."""
    kept: list[str] = []
    for within, lines in split(source, kind):
        if not within:
            kept += lines
        elif instead:
            kept.append(indent_of(lines) + instead)
    return "\n".join(kept).strip("\n")


def unmarked(source: str) -> str:
    """The whole cell, without the marks."""
    for kind in KINDS:
        source = "\n".join(line for _, lines in split(source, kind) for line in lines)
    return source


def indent_of(lines: list[str]) -> str:
    """What all lines that are not empty are moved in by."""
    return " " * min((len(line) - len(line.lstrip(" ")) for line in lines if line.strip()), default=0)


def has(source: str, kind: str) -> bool:
    return f"BEGIN {kind}" in source or f"END {kind}" in source


def bad_marks(source: str) -> Iterator[str]:
    """What is wrong with the marks of one cell, in words."""
    for kind in KINDS:
        try:
            split(source, kind)
        except BadMarks as wrong:
            yield str(wrong)
