"""The blocks with parameters: one idea per file, each over one operation of ``ops``."""

from seqrec_edu.layers.attention import SelfAttention
from seqrec_edu.layers.conv import CausalConv
from seqrec_edu.layers.dropout import Dropout
from seqrec_edu.layers.feed_forward import FeedForward
from seqrec_edu.layers.initialise import initialise, step_bias
from seqrec_edu.layers.mamba import MambaConfig, MambaLayer
from seqrec_edu.layers.norm import GatedRMSNorm
from seqrec_edu.layers.ssd import SSDConfig, SSDLayer
from seqrec_edu.layers.time import LogGap, TimeStepMap

__all__ = [
    "CausalConv",
    "Dropout",
    "FeedForward",
    "GatedRMSNorm",
    "LogGap",
    "MambaConfig",
    "MambaLayer",
    "SSDConfig",
    "SSDLayer",
    "SelfAttention",
    "TimeStepMap",
    "initialise",
    "step_bias",
]
