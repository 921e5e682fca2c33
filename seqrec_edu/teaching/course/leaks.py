"""Does anything of a solution or a hidden test stand in what learners get? Every text of the file is searched."""

import base64
import binascii
import io
import re
import tokenize
from collections.abc import Iterator
from difflib import SequenceMatcher

from nbformat import NotebookNode

from seqrec_edu.teaching.course.regions import HIDDEN_TESTS, SOLUTION, has, inside
from seqrec_edu.teaching.course.source import Assignment, is_solution
from seqrec_edu.teaching.course.versions import without_solution

SHORTEST = 12  # characters without blanks; shorter lines (`return y`) are in every second program
NEAR = 0.92  # this alike is the same line with a name changed
NEAR_FROM = 24  # characters; below, two different lines may well be this alike
EVERYWHERE = re.compile(r"^(?:from \S+ )?import \S|^@|^def |^class |^#")  # says nothing about a solution


def leaks(released: NotebookNode, assignment: Assignment) -> list[str]:
    """Lines of solutions and hidden tests that are found in the released notebook, in words; [] is a proof.

    A line counts from 12 characters on, blanks and quotes aside, unless the stub of its own cell shows it too.
    Searched: sources, outputs, metadata and attachments, the last also decoded. Of long lines a near copy
    counts as well.
    """
    secrets = [
        (squeezed(line), line.strip(), place)
        for place, lines in _hidden(assignment)
        for line in lines
        if _telling(line)
    ]
    found = []
    for where, text in texts(released):
        lines = [squeezed(line) for line in text.splitlines()]
        whole = "".join(lines)
        for secret, line, place in secrets:
            if secret in whole:
                found.append(f"{where} holds a line of cell {place + 1} that is to be hidden: {line!r}")
            elif near := next((each for each in lines if _alike(secret, each)), None):
                found.append(f"{where} holds nearly a line of cell {place + 1}: {near!r}, there {line!r}")
    return list(dict.fromkeys(found))


def texts(notebook: NotebookNode) -> Iterator[tuple[str, str]]:
    """(where, text) of everything in a notebook's file that is text, or can be decoded to text."""
    yield from _strings("the notebook's metadata", notebook.metadata)
    for place, cell in enumerate(notebook.cells, start=1):
        yield f"cell {place}", cell.source
        for part in ("metadata", "outputs", "attachments"):
            yield from _strings(f"cell {place}, {part},", cell.get(part))


def squeezed(line: str) -> str:
    """A line as it is compared: no blanks, no comment, one kind of quote, one case."""
    return re.sub(r"\s+", "", _without_comment(line)).replace("'", '"').lower()


def _without_comment(line: str) -> str:
    try:
        for token in tokenize.generate_tokens(io.StringIO(line.strip()).readline):
            if token.type == tokenize.COMMENT:
                return line.strip()[: token.start[1]]
    except (tokenize.TokenError, IndentationError, SyntaxError):
        pass  # half of a statement: compared as it stands
    return line


def _telling(line: str) -> bool:
    return len(squeezed(line)) >= SHORTEST and not EVERYWHERE.match(line.strip())


def _hidden(assignment: Assignment) -> Iterator[tuple[int, list[str]]]:
    """(place, lines) of what each cell hides, without those that its stub shows."""
    for place, cell in enumerate(assignment.notebook.cells):
        hidden = inside(cell.source, HIDDEN_TESTS) if has(cell.source, HIDDEN_TESTS) else []
        if is_solution(cell):
            marked = has(cell.source, SOLUTION)
            hidden = hidden + (inside(cell.source, SOLUTION) if marked else cell.source.splitlines())
        shown = {squeezed(line) for line in without_solution(cell).splitlines()} if is_solution(cell) else set()
        yield place, [line for line in hidden if squeezed(line) not in shown]


def _alike(secret: str, line: str) -> bool:
    if len(secret) < NEAR_FROM or not 0.8 < len(line) / len(secret) < 1.25:
        return False
    compared = SequenceMatcher(None, secret, line, autojunk=False)
    return compared.real_quick_ratio() > NEAR and compared.quick_ratio() > NEAR and compared.ratio() > NEAR


def _strings(where: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield where, value
        if decoded := _decoded(value):
            yield f"{where} decoded,", decoded
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield where, str(key)
            yield from _strings(where, inner)
    elif isinstance(value, list | tuple):
        if value and all(isinstance(each, str) for each in value):
            yield where, "".join(value)  # the lines of one text
        for inner in value:
            yield from _strings(where, inner)


def _decoded(text: str) -> str:
    """What a base64 text says; "" where it is none. A picture's comment is found this way."""
    packed = re.sub(r"\s", "", text)
    if len(packed) < SHORTEST or len(packed) % 4 or not re.fullmatch(r"[A-Za-z0-9+/]+=*", packed):
        return ""
    try:
        return base64.b64decode(packed).decode("utf-8", errors="replace")
    except binascii.Error:
        return ""
