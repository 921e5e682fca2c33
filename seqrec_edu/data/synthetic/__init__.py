"""Synthetic histories with a known truth: the shoppers, planted worlds of one mechanism each, and mixtures of both.

histories = shoppers()                                   # 2,000 people, 25 events each on average; see `shop`
world = shoppers_world()
world.next_distribution(*histories.history(7))           # the exact distribution of what comes next
world.ceiling(histories, split.test)                     # the best score that anybody can reach

world("gap-switch", noise=0.2).sample(seed=0, users=600) # one mechanism; see `worlds`
shoppers(patterns={"gap-switch": 0.3, "periodic": 0.7})  # several; see `mixture`
sweep("gap-switch", "long", [120, 480, 172_800])         # when a mechanism starts to matter
"""

from __future__ import annotations

from collections.abc import Mapping

from seqrec_edu.data.histories import Histories
from seqrec_edu.data.synthetic.mixture import SHOP, Mixture, mixture, shop_with
from seqrec_edu.data.synthetic.shop import Shop
from seqrec_edu.data.synthetic.sweep import sweep
from seqrec_edu.data.synthetic.world import Ceiling, World
from seqrec_edu.data.synthetic.worlds import WORLDS, world

__all__ = [
    "WORLDS",
    "Ceiling",
    "Mixture",
    "Shop",
    "World",
    "mixture",
    "planted",
    "shoppers",
    "shoppers_world",
    "sweep",
    "world",
]


def shoppers(
    users: int = 2_000,
    seed: int = 0,
    length: int | None = None,
    *,
    patterns: Mapping[str, float] | None = None,
    **dials: float,
) -> Histories:
    """Make synthetic histories of people in an outdoor, home and grocery shop: 240 items in 16 genres.

    The same arguments give the same bytes on every machine, and the first users do not depend on how many are made.

    Args:
        users: number of people.
        seed: integer in [0, 2^64).
        length: events of every user; None draws 8 to 60 for each, 25 on average.
        patterns: planted worlds that some people live in instead, name → share; what the shares leave of 1 are
            ordinary shoppers. The items of each world are its own.
        dials: changes to the process, see `Shop`; its truth is then `shoppers_world(**dials)`.

    Raises:
        BadInput: a number or a dial is out of range, or a name is unknown.
    """
    return shoppers_world(patterns=patterns, **dials).sample(seed, users, length)


def shoppers_world(*, patterns: Mapping[str, float] | None = None, **dials: float) -> Shop | Mixture:
    """The process behind `shoppers` made with the same arguments: exact next-item distributions and ceilings.

    Raises:
        BadInput: a dial or a name is unknown or out of range.
    """
    if patterns is None:
        return shop_with(dials)
    return mixture(patterns, {SHOP: dials} if dials else None, rest=SHOP)


def planted(name: str, users: int = 2_000, seed: int = 0, length: int | None = None, **dials: float) -> Histories:
    """Make histories of the planted world of this name: what `load(name)` does.

    Raises:
        BadInput: a name is unknown, or a number or a dial is out of range.
    """
    return world(name, **dials).sample(seed, users, length)
