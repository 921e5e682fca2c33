"""The blocks with parameters: one idea per file, each over one operation of ``ops``."""

from seqrec_edu.layers.attention import SelfAttention
from seqrec_edu.layers.bidirectional import BidirectionalConfig, BidirectionalMamba
from seqrec_edu.layers.conv import CausalConv
from seqrec_edu.layers.dropout import Dropout
from seqrec_edu.layers.feed_forward import FeedForward
from seqrec_edu.layers.gate import InteractionGate
from seqrec_edu.layers.glu import GatedLinearUnit
from seqrec_edu.layers.initialise import initialise, step_bias
from seqrec_edu.layers.linear_attention import LinearAttention
from seqrec_edu.layers.low_rank_attention import LowRankAttention, LowRankAttentionConfig
from seqrec_edu.layers.mamba import MambaConfig, MambaLayer
from seqrec_edu.layers.norm import GatedRMSNorm
from seqrec_edu.layers.recurrent import Recurrent
from seqrec_edu.layers.relative_time_attention import RelativeTimeAttention, RelativeTimeAttentionConfig, time_buckets
from seqrec_edu.layers.spectral_filter import SpectralFilter, SpectralFilterConfig
from seqrec_edu.layers.ssd import SSDConfig, SSDLayer
from seqrec_edu.layers.time import ForgettingMap, LogGap, PersonalGap, SecondsGap, TimeStepMap
from seqrec_edu.layers.time_aware_ssd import CORRECTED, OFFICIAL, TimeAwareSSDLayer, TimeQuirks, time_aware_ssd
from seqrec_edu.layers.time_official import GapUpdate, PositionMap, RowGap, RowNorm

__all__ = [
    "CORRECTED",
    "OFFICIAL",
    "BidirectionalConfig",
    "BidirectionalMamba",
    "CausalConv",
    "Dropout",
    "FeedForward",
    "ForgettingMap",
    "GapUpdate",
    "GatedLinearUnit",
    "GatedRMSNorm",
    "InteractionGate",
    "LinearAttention",
    "LogGap",
    "LowRankAttention",
    "LowRankAttentionConfig",
    "MambaConfig",
    "MambaLayer",
    "PersonalGap",
    "PositionMap",
    "Recurrent",
    "RelativeTimeAttention",
    "RelativeTimeAttentionConfig",
    "RowGap",
    "RowNorm",
    "SSDConfig",
    "SSDLayer",
    "SecondsGap",
    "SelfAttention",
    "SpectralFilter",
    "SpectralFilterConfig",
    "TimeAwareSSDLayer",
    "TimeQuirks",
    "TimeStepMap",
    "initialise",
    "step_bias",
    "time_aware_ssd",
    "time_buckets",
]
