"""Figures: pure functions from arrays to Plotly figures, in one small template, with a text digest for each.

A figure and its text stand together: `mixing_heatmap` and `mixing_table`, `top_k_change` and `change_table`, …;
`digest` makes one line of any figure, and `dark` a copy for a dark page.
"""

from .attribution import attribution_bars, attribution_table
from .benchmark import benchmark_curves
from .cockpit import cockpit
from .cockpit_text import cockpit_sentence, cockpit_table
from .dark import dark
from .digest import digest
from .filtering import filtered_signal, filtered_table, kept_periods, kept_table
from .filters import filter_response, filter_table
from .gates import decay_and_gate, decay_table
from .history import history_timeline
from .interests import interest_table, low_rank_interests
from .ladder import equality_ladder, ladder_table
from .masks import mask_table, time_mask
from .memory import memory_curves, memory_table
from .mixing import heads_grid, mixing_heatmap, mixing_table
from .poke import poke_response
from .poke_text import poke_sentence, poke_table
from .proposal import framed, gate_proposal, proposal_table
from .ranking import RankChange, change_table, rank_changes, top_k_bars, top_k_change
from .ranks import rank_histogram, rank_table
from .reasons import reason_bars, reason_table
from .results import ceiling_bars, ceiling_table, published_table, published_versus_ours
from .roofline import roofline, roofline_table
from .sketch import sketch
from .spectrum import singular_spectrum, spectrum_table
from .state import state_animation, state_table
from .time_scales import gap_scales, gap_table, relation_map
from .training import training_curves, training_table
from .views import five_views, views_table

__all__ = [
    "RankChange",
    "attribution_bars",
    "attribution_table",
    "benchmark_curves",
    "ceiling_bars",
    "ceiling_table",
    "change_table",
    "cockpit",
    "cockpit_sentence",
    "cockpit_table",
    "dark",
    "decay_and_gate",
    "decay_table",
    "digest",
    "equality_ladder",
    "filter_response",
    "filter_table",
    "filtered_signal",
    "filtered_table",
    "five_views",
    "framed",
    "gap_scales",
    "gap_table",
    "gate_proposal",
    "heads_grid",
    "history_timeline",
    "interest_table",
    "kept_periods",
    "kept_table",
    "ladder_table",
    "low_rank_interests",
    "mask_table",
    "memory_curves",
    "memory_table",
    "mixing_heatmap",
    "mixing_table",
    "poke_response",
    "poke_sentence",
    "poke_table",
    "proposal_table",
    "published_table",
    "published_versus_ours",
    "rank_changes",
    "rank_histogram",
    "rank_table",
    "reason_bars",
    "reason_table",
    "relation_map",
    "roofline",
    "roofline_table",
    "singular_spectrum",
    "sketch",
    "spectrum_table",
    "state_animation",
    "state_table",
    "time_mask",
    "top_k_bars",
    "top_k_change",
    "training_curves",
    "training_table",
    "views_table",
]
