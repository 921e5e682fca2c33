"""Looking inside: what a model or layer does to a history, measured rather than believed."""

from seqrec_edu.lens.audit import Audit, AuditError, audit
from seqrec_edu.lens.dependence import dependence
from seqrec_edu.lens.subject import CannotCall, Subject, subject
from seqrec_edu.lens.verdict import Property

__all__ = [
    "Audit",
    "AuditError",
    "CannotCall",
    "Property",
    "Subject",
    "audit",
    "dependence",
    "subject",
]
