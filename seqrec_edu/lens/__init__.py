"""Looking inside: what a model or layer does to a history, measured rather than believed."""

from seqrec_edu.lens.attribution import Attribution, Outcome, attribution
from seqrec_edu.lens.audit import Audit, AuditError, audit
from seqrec_edu.lens.dependence import dependence
from seqrec_edu.lens.filters import Bands, NoFilter, filter_gains, filtered, trained_filters, wave_power
from seqrec_edu.lens.interests import Interests, interests
from seqrec_edu.lens.linearise import linearised
from seqrec_edu.lens.matrix import MixingMatrix
from seqrec_edu.lens.memory import Memory, memory_length
from seqrec_edu.lens.mixing import NoMixingMatrix, layers_with_matrix, mixing_matrix
from seqrec_edu.lens.poke import Poked, Poker
from seqrec_edu.lens.proposal import NoGate, Proposal, proposal
from seqrec_edu.lens.reasons import shared_strongest, without_each
from seqrec_edu.lens.record import Record, UnknownTap, record
from seqrec_edu.lens.remaining import EventSteps, event_steps, remaining
from seqrec_edu.lens.runs import RunLog, run_logs
from seqrec_edu.lens.spectrum import effective_rank, fading, mean_age, numerical_rank, spectrum
from seqrec_edu.lens.state import states
from seqrec_edu.lens.subject import CannotCall, Subject, subject
from seqrec_edu.lens.time_scales import TimeMasks, TimeScales, time_masks, time_scales
from seqrec_edu.lens.variants import rewired, wiring
from seqrec_edu.lens.verdict import Property
from seqrec_edu.lens.view_space import StateSpace, state_space
from seqrec_edu.lens.views import Views, five_views

__all__ = [
    "Attribution",
    "Audit",
    "AuditError",
    "Bands",
    "CannotCall",
    "EventSteps",
    "Interests",
    "Memory",
    "MixingMatrix",
    "NoFilter",
    "NoGate",
    "NoMixingMatrix",
    "Outcome",
    "Poked",
    "Poker",
    "Property",
    "Proposal",
    "Record",
    "RunLog",
    "StateSpace",
    "Subject",
    "TimeMasks",
    "TimeScales",
    "UnknownTap",
    "Views",
    "attribution",
    "audit",
    "dependence",
    "effective_rank",
    "event_steps",
    "fading",
    "filter_gains",
    "filtered",
    "five_views",
    "interests",
    "layers_with_matrix",
    "linearised",
    "mean_age",
    "memory_length",
    "mixing_matrix",
    "numerical_rank",
    "proposal",
    "record",
    "remaining",
    "rewired",
    "run_logs",
    "shared_strongest",
    "spectrum",
    "state_space",
    "states",
    "subject",
    "time_masks",
    "time_scales",
    "trained_filters",
    "wave_power",
    "wiring",
    "without_each",
]
