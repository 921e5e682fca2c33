"""Pure functions on tensors: every operation of the course, in a readable and a fast version with one signature.

``ops.ssd(…)`` is the public call. Its versions live in the folder of the same name with an underscore, ``ops/_ssd/``,
so that the function and the folder never compete for one name.
"""

from seqrec_edu.ops._attention import attention
from seqrec_edu.ops._causal_conv1d import causal_conv1d
from seqrec_edu.ops._linear_cross_entropy import linear_cross_entropy
from seqrec_edu.ops._selective_scan import selective_scan
from seqrec_edu.ops._ssd import ssd
from seqrec_edu.ops._target_rank import target_rank
from seqrec_edu.ops.backends import BackendError, explain, explain_all, use
from seqrec_edu.ops.checks import ShapeError

__all__ = [
    "BackendError",
    "ShapeError",
    "attention",
    "causal_conv1d",
    "explain",
    "explain_all",
    "linear_cross_entropy",
    "selective_scan",
    "ssd",
    "target_rank",
    "use",
]
