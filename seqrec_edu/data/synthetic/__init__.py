"""Synthetic shoppers: the default dataset, always there, with a known truth. See `shop` for the process.

histories = shoppers()                                   # 2,000 people, 25 events each on average
world = shoppers_world()
world.next_distribution(*histories.history(7))           # the exact distribution of what comes next
world.ceiling(histories, split.test)                     # the best score that anybody can reach
"""

from __future__ import annotations

from dataclasses import fields

from seqrec_edu.data.check import BadInput
from seqrec_edu.data.histories import Histories
from seqrec_edu.data.synthetic.shop import Shop
from seqrec_edu.data.synthetic.world import Ceiling, World

__all__ = ["Ceiling", "Shop", "World", "shoppers", "shoppers_world"]


def shoppers(users: int = 2_000, seed: int = 0, length: int | None = None, **dials: float) -> Histories:
    """Make synthetic histories of people in an outdoor, home and grocery shop: 240 items in 16 genres.

    The same arguments give the same bytes on every machine, and the first users do not depend on how many are made.

    Args:
        users: number of people.
        seed: integer in [0, 2^64).
        length: events of every user; None draws 8 to 60 for each, 25 on average.
        dials: changes to the process, see `Shop`; its truth is then `shoppers_world(**dials)`.

    Raises:
        BadInput: a number or a dial is out of range.
    """
    return shoppers_world(**dials).sample(seed, users, length)


def shoppers_world(**dials: float) -> Shop:
    """The process behind `shoppers` made with the same dials: exact next-item distributions and ceilings.

    Raises:
        BadInput: a dial is unknown or out of range.
    """
    known = [dial.name for dial in fields(Shop)]
    if unknown := sorted(set(dials) - set(known)):
        raise BadInput(f"unknown dial: {', '.join(unknown)}. The dials are: {', '.join(known)}")
    return Shop(**dials)
