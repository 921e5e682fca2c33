"""The unattended grader: a folder of submissions in, a grade book out; each answer runs where nothing else is."""

from seqrec_edu.teaching.grading.questions import Assignment, Limits, Question, Result

__all__ = ["Assignment", "Limits", "Question", "Result", "grade", "publish"]


def __getattr__(name):
    if name == "grade":  # loaded late: a checker imports this package too, and needs no scheduler
        from seqrec_edu.teaching.grading.run import grade as found
    elif name == "publish":
        from seqrec_edu.teaching.grading.publish import publish as found
    else:
        raise AttributeError(f"{__name__} has no {name!r}")
    globals()[name] = found
    return found
