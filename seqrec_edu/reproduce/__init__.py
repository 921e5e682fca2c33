"""The three papers once more: every variant under one protocol, what they claim, and a page made from the receipts.

reproduce("tim4rec", "ml-100k")       # runs what is not finished: runs/reproduce/ml-100k/VARIANT/seed-S
read_results(Path("benchmarks/results"))   # receipts and ranks that are kept, by dataset and variant
judge(claim, outcomes)                # a verdict from them
"""

from seqrec_edu.reproduce.budget import BUDGETS, Budget
from seqrec_edu.reproduce.curves import BadCurve, Curve
from seqrec_edu.reproduce.papers import PAPERS, Claim, Paper
from seqrec_edu.reproduce.ranks import BadRanks, Ranks
from seqrec_edu.reproduce.results import BadResults, Outcome, collect, read_results, read_runs
from seqrec_edu.reproduce.runner import Reproduction, reproduce
from seqrec_edu.reproduce.variants import VARIANTS, Variant
from seqrec_edu.reproduce.verdict import Verdict, judge

__all__ = [
    "BUDGETS",
    "PAPERS",
    "VARIANTS",
    "BadCurve",
    "BadRanks",
    "BadResults",
    "Budget",
    "Claim",
    "Curve",
    "Outcome",
    "Paper",
    "Ranks",
    "Reproduction",
    "Variant",
    "Verdict",
    "collect",
    "judge",
    "read_results",
    "read_runs",
    "reproduce",
]
