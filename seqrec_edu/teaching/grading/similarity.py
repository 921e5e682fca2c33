"""Which answers resemble each other more than chance: shingles of normalised syntax, less what everybody was given."""

import ast
import hashlib
from itertools import combinations

from seqrec_edu.teaching.grading.salvage import read_cells

SHINGLE = 8  # tokens in a row that count as one place
FEWEST = 12  # shingles below which an answer is too short to say anything


def shingles(source):
    """Hashes of every run of tokens, with names, numbers, texts and docstrings taken out."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    found = set()
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            continue
        tokens = list(_tokens(node))
        for start in range(max(1, len(tokens) - SHINGLE + 1)):
            found.add(hashlib.blake2b(" ".join(tokens[start : start + SHINGLE]).encode(), digest_size=8).digest())
    return found


def _tokens(node):
    """Kinds of syntax in order; attributes and called names keep theirs, since ``cumsum`` says more than ``x``."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return  # a docstring or a remark
    if isinstance(node, ast.expr_context):
        return
    kind = type(node).__name__
    yield f"{kind}.{node.attr}" if isinstance(node, ast.Attribute) else kind
    for field, child in ast.iter_fields(node):
        if field in ("annotation", "returns", "type_comment"):
            continue
        for each in child if isinstance(child, list) else [child]:
            if isinstance(each, ast.AST):
                yield from _tokens(each)


def similar_pairs(reports, release="", threshold=0.8):
    """Pairs of students per question, most alike first: ``{question, students, percent, shared}``.

    ``percent`` is how much of the shorter answer stands in the longer one as well. Shingles of the release count for
    nobody, nor do those that more than half of a class of at least ten has: the natural way to write it is no secret.
    Who has little beyond those: ``common_answers``.
    """
    found = []
    for question, marks, common in _marked(reports, release):
        own = {student: each - common for student, each in marks.items()}
        for (one, a), (two, b) in combinations(own.items(), 2):
            least = min(len(a), len(b))
            if least >= FEWEST and (shared := len(a & b)) >= threshold * least:
                row = {"question": question, "students": [one, two], "percent": round(100 * shared / least, 1)}
                found.append(row | {"shared": shared})
    return sorted(found, key=lambda row: (-row["percent"], -row["shared"], row["question"], row["students"]))


def common_answers(reports, release=""):
    """Students per question whose answer is long enough, but hardly goes beyond what more than half of the class has.

    No pair tells of them: it may be the natural way to write it, or one answer that went round.
    """
    found = {}
    for question, marks, common in _marked(reports, release):
        alike = [student for student, own in marks.items() if len(own - common) < FEWEST <= len(own)]
        if alike:
            found[question] = alike
    return found


def _marked(reports, release):
    """Per question: the shingles of each student less those of the release, and those that most of a class has."""
    given = set()
    for cell in read_cells("release", release.encode())[0]:
        given |= shingles(cell.source)
    for index, first in enumerate(reports[0]["questions"] if reports else ()):
        marks = {}
        for report in sorted(reports, key=lambda each: each["student"]):
            own = shingles(report["questions"][index]["code"]) - given
            if own:
                marks[report["student"]] = own
        yield first["question"], marks, _common(list(marks.values()))


def _common(sets):
    if len(sets) < 10:
        return set()
    times = {}
    for each in sets:
        for mark in each:
            times[mark] = times.get(mark, 0) + 1
    return {mark for mark, number in times.items() if number > len(sets) / 2}


def _groups(pairs):
    """Pairs put together, most alike first: a group grows by everybody who is alike to all who are in it."""
    left = {(row["question"], *row["students"]): row for row in pairs}
    for row in pairs:
        question, members = row["question"], list(row["students"])
        if (question, *members) not in left:
            continue
        for student in sorted({name for each in left if each[0] == question for name in each[1:]} - set(members)):
            if all((question, *sorted((student, each))) in left for each in members):
                members.append(student)
        yield [left.pop((question, *pair)) for pair in combinations(sorted(members), 2)]


def similarity_text(pairs, common=None):
    """The report as text: a line per group in which every two are alike, and what it means.

    ``common`` are the ``common_answers``, named apart.
    """
    lines = ["Likeness says that two answers share syntax, not who wrote it, and not that anybody copied.", ""]
    for rows in _groups(pairs):
        percents, shared = [row["percent"] for row in rows], min(row["shared"] for row in rows)
        names = sorted({student for row in rows for student in row["students"]})
        share = (
            f"{min(percents):g} %" if min(percents) == max(percents) else f"{min(percents):g} to {max(percents):g} %"
        )
        who = ", ".join(names) if len(names) > 2 else " and ".join(names)
        lines.append(f"{rows[0]['question']}: {who}: {share} ({'at least ' * (len(rows) > 1)}{shared} places)")
    if not pairs:
        lines = [f"No two answers are alike beyond what was given{' and what most wrote' if common else ''}."]
    for question, students in (common or {}).items():
        lines += ["", f"{question}: what more than half of the class wrote is left out of the comparison, and "
                      f"{len(students)} answers hold hardly more than that: {', '.join(students)}. "
                      "It may be the natural way to write it, or one answer that went round."]  # fmt: skip
    return "\n".join(lines) + "\n"
