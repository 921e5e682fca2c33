"""Pure functions on tensors: every operation of the course, in a readable and a fast version with one signature.

``ops.ssd(…)`` is the public call. Its versions live in the folder of the same name with an underscore, ``ops/_ssd/``,
so that the function and the folder never compete for one name.
"""

from seqrec_edu.ops._attention import attention
from seqrec_edu.ops._causal_conv1d import causal_conv1d
from seqrec_edu.ops._flip_history import flip_history
from seqrec_edu.ops._gated_norm import gated_norm
from seqrec_edu.ops._glu import glu
from seqrec_edu.ops._linear_cross_entropy import linear_cross_entropy
from seqrec_edu.ops._low_rank_attention import low_rank_attention
from seqrec_edu.ops._selective_scan import selective_scan
from seqrec_edu.ops._spectral_filter import spectral_filter
from seqrec_edu.ops._ssd import ssd
from seqrec_edu.ops._target_rank import target_rank
from seqrec_edu.ops.backends import BackendError, explain, explain_all, mixing_matrix, use
from seqrec_edu.ops.checks import RangeError, ShapeError

__all__ = [
    "BackendError",
    "RangeError",
    "ShapeError",
    "attention",
    "causal_conv1d",
    "explain",
    "explain_all",
    "flip_history",
    "gated_norm",
    "glu",
    "linear_cross_entropy",
    "low_rank_attention",
    "mixing_matrix",
    "selective_scan",
    "spectral_filter",
    "ssd",
    "target_rank",
    "use",
]
