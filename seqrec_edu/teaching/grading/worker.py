"""A checker's process: takes one submission after the other, asks students' processes, never runs a student's line.

Started by ``run.Checker``; jobs come as lines of JSON, and reports go back so.
"""

import json
import os
import sys
import time
from dataclasses import asdict

from seqrec_edu.teaching.grading import nest
from seqrec_edu.teaching.grading.collect import Submission
from seqrec_edu.teaching.grading.inside import jail
from seqrec_edu.teaching.grading.inside.wire import WireError
from seqrec_edu.teaching.grading.proxy import Remote
from seqrec_edu.teaching.grading.questions import UNGRADED, Assignment, Limits

STOPPED = ("missing", "unreadable", "ended", "memory", "too slow", UNGRADED)


def grade_one(paths, student, assignment, limits, started, user, variants):
    """The report of one submission as plain data. ``started`` is what ``Nest.for_worker`` gave."""
    submission = Submission(paths, limits.submission_mib, assignment.release)
    end = time.monotonic() + limits.total_seconds
    results, held, began = [], set(), time.monotonic()
    for question, variant in zip(assignment.questions, variants, strict=True):
        if time.monotonic() > end:
            result = question.result("too slow", "The time for the whole submission was over.")
        else:
            seed = assignment.seed(student)
            result = _answer(submission, question, seed, limits, (started, limits, user, variant), held)
        results.append(result)
    state, reason = _state(submission, results)
    reason = "; ".join(filter(None, [reason, _sources(submission, results)]))
    return {
        "student": student, "assignment": assignment.name, "state": state, "reason": reason,
        "points": sum(each.points for each in results), "out_of": sum(each.out_of for each in results),
        "notes": submission.notes, "questions": [asdict(each) for each in results], "held": sorted(held),
        "seconds": round(time.monotonic() - began, 3),
    }  # fmt: skip


def _answer(submission, question, seed, limits, order, held):
    answer = submission.answer(question.function)
    if (ungraded := question.ungraded()) is not None:
        result = ungraded
    elif answer.trouble:
        result = question.result(answer.kind, answer.trouble)
    else:
        result = _tried(answer, question, seed, limits, order, held)
    result.notes, result.code, result.file = answer.notes + result.notes, answer.source, answer.file
    return result


def _sources(submission, results):
    """Which of several files was graded; "" for a single one."""
    if len(submission.files) < 2:
        return ""
    taken = list(dict.fromkeys(each.file for each in results if each.file))
    taken = f"the answers were taken from {' and '.join(taken)}" if taken else "none holds an answer"
    return f"{len(submission.files)} files were handed in ({', '.join(submission.files)}): {taken}"


def _tried(answer, question, seed, limits, order, held):
    """Hatch a student's process, let the check call it, and see how it ended."""
    limits = question.limits(limits)
    started, _, user, variant = order

    def hatch():
        return nest.hatch(started, limits, user, variant)

    student = hatch()
    held.update(student.held)
    remote = Remote(student, question.function, limits, answer.signature, hatch)
    try:
        try:
            remote.load(answer.source, seed, question.answer())
            result = question.ask(remote, seed, limits)
        except Exception as error:
            result = question.result("error", f"{type(error).__name__}: {error}")
    finally:
        remote.close()
    if remote.failure is not None:
        kind, sentence = remote.failure
        result = question.result(kind, sentence)
        if kind == "ended" and student.ended is not None:
            result.sentence += f" Exit status {student.ended}."
    if student.printed > limits.output_kb << 10:
        result.notes.append(f"It printed more than {limits.output_kb} kB: the rest was thrown away.")
    return result


def _state(submission, results):
    """graded: every question was judged; partly: some could not be; refused: there was nothing to judge."""
    lost = [each for each in results if each.kind in STOPPED]
    if not submission.statements:
        return "refused", "; ".join(submission.notes) or "There is no code in it."
    judged = [each for each in results if each.kind != UNGRADED]
    if judged and all(each.kind in ("missing", "unreadable") for each in judged):
        return "refused", "; ".join(dict.fromkeys(each.sentence for each in lost))
    return ("partly", "; ".join(f"{each.question}: {each.sentence}" for each in lost)) if lost else ("graded", "")


def main():
    """Serve until standard input ends."""
    jail.undumpable()
    jobs, reports = sys.stdin, os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # nothing but reports goes where the reports go
    setup = json.loads(jobs.readline())
    sys.path[:0] = setup["path"]
    assignment, limits = Assignment.from_json(setup["assignment"]), Limits(**setup["limits"])
    import torch

    torch.set_num_threads(1)
    for question in assignment.questions:
        question.blocked()  # loads the exercises before the first job
    print(json.dumps({"ready": os.getpid()}), file=reports, flush=True)
    for line in jobs:
        job = json.loads(line)
        try:
            report = grade_one(
                job["paths"], job["student"], assignment, limits, setup["nest"], setup["user"], setup["variants"]
            )
        except WireError as error:
            report = {"trouble": str(error)}
        print(json.dumps(report), file=reports, flush=True)
