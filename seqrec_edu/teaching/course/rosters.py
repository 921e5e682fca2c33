"""One release per student of a roster, each with the student's numbers."""

import csv
import io
import re
import unicodedata
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from seqrec_edu.data.files import write_whole
from seqrec_edu.teaching.course import rules, versions
from seqrec_edu.teaching.course.building import NotReady
from seqrec_edu.teaching.course.leaks import leaks
from seqrec_edu.teaching.course.source import Assignment, read, tags
from seqrec_edu.teaching.course.variation import Variant, numbers, rewritten, variant

TAG = "variant"
COLUMNS = ("id", "student", "student_id", "student id", "matriculation")
FOLDER_NAME = re.compile(r"[^\W_][\w.@+-]*")


def variants(
    path: str | Path, roster: str | Path, out: str | Path, *, say: Callable[[str], None] = lambda line: None
) -> list[Variant]:
    """Write ``out/STUDENT/NAME.ipynb`` for every student of a roster, and ``out/NAME.csv`` with everyone's numbers.

    The cells tagged ``variant`` get the student's numbers; the table is for looking at, not needed for grading, which
    computes them from the id. ``say`` hears who drew the same. Raises NotReady where the source breaks a rule,
    ValueError where it has no variant cell or the roster cannot be used; then nothing is written.
    """
    assignment = read(path)
    release = versions.release(assignment)
    if problems := [*rules.problems(assignment), *leaks(release, assignment)]:
        raise NotReady({assignment.name: problems})
    everyone = [variant(student, assignment.name) for student in students(roster)]
    made = [(mine, personal(release, mine)) for mine in everyone]
    out = Path(out)
    for mine, notebook in made:
        text = nbformat.writes(notebook, version=nbformat.NO_CONVERT) + "\n"
        write_whole(out / mine.student / f"{assignment.name}.ipynb", text.encode())
    write_whole(out / f"{assignment.name}.csv", table(assignment, everyone).encode())
    for names in sharing(assignment, everyone):
        say(f"{', '.join(names[:-1])} and {names[-1]} share all numbers")
    return everyone


def personal(release: NotebookNode, mine: Variant) -> NotebookNode:
    """A release with one student's numbers. Raises ValueError where no cell is tagged ``variant``."""
    notebook = deepcopy(release)
    cells = [cell for cell in notebook.cells if TAG in tags(cell)]
    if not cells:
        raise ValueError(f"{mine.assignment}: no cell is tagged {TAG!r}, so every student would get the same")
    for cell in cells:
        cell.source = rewritten(cell.source, mine)
    notebook.metadata["seqrec_edu"]["student"] = mine.student
    return notebook


def sharing(assignment: Assignment, everyone: list[Variant]) -> list[list[str]]:
    """The students whose numbers are all the same, in groups: ranges are small, so most classes have a pair."""
    groups: dict[tuple, list[str]] = {}
    for mine in everyone:
        drawn = tuple(value for value in _numbers(assignment, mine).values() if value != mine.student)
        groups.setdefault(drawn, []).append(mine.student)
    return [names for names in groups.values() if len(names) > 1]


def _numbers(assignment: Assignment, mine: Variant) -> dict[str, object]:
    sources = [cell.source for cell in assignment.notebook.cells if TAG in tags(cell)]
    return {name: value for source in sources for name, value in numbers(source, mine).items()}


def table(assignment: Assignment, everyone: list[Variant]) -> str:
    """Everyone's numbers as CSV."""
    rows = [{"id": mine.student, "seed": mine.seed} | _numbers(assignment, mine) for mine in everyone]
    lines = io.StringIO()
    writer = csv.DictWriter(lines, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return lines.getvalue()


def students(roster: str | Path) -> list[str]:
    """The ids of a roster: a CSV file in UTF-8 with a header; the column ``id`` or ``student``.

    Raises ValueError for a roster that is missing, empty, not UTF-8 or without such a column, for an id twice, and for
    an id that cannot name a folder.
    """
    roster = Path(roster)
    rows = _lines(roster)
    if len(rows) < 2:
        raise ValueError(f"{roster}: no student; expected a header and a line for each")
    header = [name.strip().lower() for name in rows[0][1]]
    column = next((header.index(name) for name in COLUMNS if name in header), None)
    if column is None:
        raise ValueError(f"{roster} has no column id (found {', '.join(header)})")
    found: dict[str, int] = {}
    names = []
    for number, row in rows[1:]:
        name = unicodedata.normalize("NFC", row[column]).strip() if column < len(row) else ""
        if not FOLDER_NAME.fullmatch(name) or name.endswith("."):
            raise ValueError(f"{roster}, line {number}: id {name!r} cannot name a folder (letters, digits, . - _ @ +)")
        if (before := found.setdefault(name.casefold(), number)) != number:
            raise ValueError(f"{roster}, lines {before} and {number}: the id {name!r} twice (case does not count)")
        names.append(name)
    return names


def _lines(roster: Path) -> list[tuple[int, list[str]]]:
    """The lines of a roster that are not blank, split into cells, each with its number in the file."""
    try:
        text = roster.read_text(encoding="utf-8-sig")
    except (FileNotFoundError, IsADirectoryError):
        raise ValueError(f"no roster {roster}: expected a CSV file with ids in the column id") from None
    except UnicodeDecodeError:
        raise ValueError(f"{roster} is not UTF-8: save it as CSV UTF-8") from None
    lines = text.splitlines()
    reader = csv.reader(lines, delimiter=max(",;\t", key=(lines[0] if lines else "").count))
    return [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
