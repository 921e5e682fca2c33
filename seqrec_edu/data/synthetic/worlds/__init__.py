"""The planted worlds by name: each has one mechanism, an exact truth, and a block that should win.

world("gap-switch").sample(seed=0, users=600)            # histories
world("gap-switch", noise=0.3).ceiling(histories, split.test)
"""

from __future__ import annotations

import difflib
from dataclasses import fields

from seqrec_edu.data.check import BadInput
from seqrec_edu.data.synthetic.worlds.decay_repeat import DecayRepeat
from seqrec_edu.data.synthetic.worlds.gap_switch import GapSwitch
from seqrec_edu.data.synthetic.worlds.noise_hmm import NoiseHMM
from seqrec_edu.data.synthetic.worlds.periodic import Periodic
from seqrec_edu.data.synthetic.worlds.planted import Planted
from seqrec_edu.data.synthetic.worlds.recall import Recall
from seqrec_edu.data.synthetic.worlds.slow_interest import SlowInterest
from seqrec_edu.data.synthetic.worlds.taste import Taste
from seqrec_edu.data.synthetic.worlds.taste_chain import TasteChain
from seqrec_edu.data.synthetic.worlds.threads import Threads

__all__ = [
    "WORLDS",
    "DecayRepeat",
    "GapSwitch",
    "NoiseHMM",
    "Periodic",
    "Planted",
    "Recall",
    "SlowInterest",
    "Taste",
    "TasteChain",
    "Threads",
    "world",
]

WORLDS: dict[str, type[Planted]] = {
    kind.name: kind
    for kind in (GapSwitch, DecayRepeat, Periodic, NoiseHMM, Recall, SlowInterest, Taste, TasteChain, Threads)
}


def world(name: str, **dials: float) -> Planted:
    """The planted world of this name, its dials turned.

    Raises:
        BadInput: no world or no dial has this name (the message lists those there are), or a dial is out of range.
    """
    if name not in WORLDS:
        close = difflib.get_close_matches(str(name), WORLDS, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise BadInput(f"no world is called {name!r}.{hint} The worlds are: {', '.join(WORLDS)}")
    known = [each.name for each in fields(WORLDS[name])]
    if unknown := sorted(set(dials) - set(known)):
        raise BadInput(f"{name} has no dial {', '.join(unknown)}. Its dials are: {', '.join(known)}")
    return WORLDS[name](**dials)
