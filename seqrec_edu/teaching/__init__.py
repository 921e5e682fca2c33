"""Checks that name the mistake, and the exercises they know."""

from seqrec_edu.teaching.checking import check
from seqrec_edu.teaching.listing import exercise, exercises
from seqrec_edu.teaching.verdict import Verdict

__all__ = ["Verdict", "check", "exercise", "exercises"]
