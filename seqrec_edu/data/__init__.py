"""Histories: reading, checking, splitting. Tensors are made in `seqrec_edu.data.batches`, the one module with torch."""

from seqrec_edu.data.check import BadInput, BadRow, BadRows, Finding, Report
from seqrec_edu.data.core import k_core
from seqrec_edu.data.histories import Histories
from seqrec_edu.data.person import Person
from seqrec_edu.data.reading import read
from seqrec_edu.data.shuffle import shuffle_gaps
from seqrec_edu.data.split import Split, global_time, leave_one_out
from seqrec_edu.data.statistics import Statistics

__all__ = [
    "BadInput",
    "BadRow",
    "BadRows",
    "Finding",
    "Histories",
    "Person",
    "Report",
    "Split",
    "Statistics",
    "global_time",
    "k_core",
    "leave_one_out",
    "read",
    "shuffle_gaps",
]
