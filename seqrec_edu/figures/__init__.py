"""Figures: pure functions from arrays to Plotly figures, in one small template, with a text digest for each."""

from .digest import digest
from .history import history_timeline
from .ranking import RankChange, change_table, rank_changes, top_k_bars, top_k_change
from .sketch import sketch
from .training import training_curves

__all__ = [
    "RankChange",
    "change_table",
    "digest",
    "history_timeline",
    "rank_changes",
    "sketch",
    "top_k_bars",
    "top_k_change",
    "training_curves",
]
