"""The three papers once more: every variant under one protocol, what they claim, and a page made from the receipts.

reproduce("tim4rec", "ml-100k")       # runs what is not finished: runs/reproduce/ml-100k/VARIANT/seed-S
"""

from seqrec_edu.reproduce.budget import BUDGETS, Budget
from seqrec_edu.reproduce.papers import PAPERS, Claim, Paper
from seqrec_edu.reproduce.ranks import BadRanks, Ranks
from seqrec_edu.reproduce.runner import Reproduction, reproduce
from seqrec_edu.reproduce.variants import VARIANTS, Variant

__all__ = [
    "BUDGETS",
    "PAPERS",
    "VARIANTS",
    "BadRanks",
    "Budget",
    "Claim",
    "Paper",
    "Ranks",
    "Reproduction",
    "Variant",
    "reproduce",
]
