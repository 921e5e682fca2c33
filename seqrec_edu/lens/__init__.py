"""Looking inside: what a model or layer does to a history, measured rather than believed."""

from seqrec_edu.lens.attribution import Attribution, Outcome, attribution
from seqrec_edu.lens.audit import Audit, AuditError, audit
from seqrec_edu.lens.dependence import dependence
from seqrec_edu.lens.interests import Interests, interests
from seqrec_edu.lens.linearise import linearised
from seqrec_edu.lens.matrix import MixingMatrix
from seqrec_edu.lens.memory import Memory, memory_length
from seqrec_edu.lens.mixing import NoMixingMatrix, layers_with_matrix, mixing_matrix
from seqrec_edu.lens.record import Record, UnknownTap, record
from seqrec_edu.lens.spectrum import effective_rank, fading, mean_age, numerical_rank, spectrum
from seqrec_edu.lens.state import states
from seqrec_edu.lens.subject import CannotCall, Subject, subject
from seqrec_edu.lens.verdict import Property

__all__ = [
    "Attribution",
    "Audit",
    "AuditError",
    "CannotCall",
    "Interests",
    "Memory",
    "MixingMatrix",
    "NoMixingMatrix",
    "Outcome",
    "Property",
    "Record",
    "Subject",
    "UnknownTap",
    "attribution",
    "audit",
    "dependence",
    "effective_rank",
    "fading",
    "interests",
    "layers_with_matrix",
    "linearised",
    "mean_age",
    "memory_length",
    "mixing_matrix",
    "numerical_rank",
    "record",
    "spectrum",
    "states",
    "subject",
]
