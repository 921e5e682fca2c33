"""A mixture of worlds: each user lives in one of them, and their items are disjoint.

world = mixture({"gap-switch": 0.3, "periodic": 0.7})
world = mixture({"gap-switch": 0.5, "threads": 0.5}, dials={"gap-switch": {"noise": 0.3}})
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np

from seqrec_edu.data.check import BadInput, Report
from seqrec_edu.data.histories import Histories
from seqrec_edu.data.synthetic import splitmix
from seqrec_edu.data.synthetic.shop import Shop
from seqrec_edu.data.synthetic.world import BAYES, World
from seqrec_edu.data.synthetic.worlds import WORLDS, world
from seqrec_edu.data.synthetic.worlds.planted import PAD

SHOP = "shoppers"
_ROUNDING = 1e-9  # what shares may miss 1 by


def mixture(
    patterns: Mapping[str, float],
    dials: Mapping[str, Mapping[str, float]] | None = None,
    rest: str | None = None,
) -> Mixture:
    """A world whose users live in the named worlds, with these shares.

    Args:
        patterns: name of a planted world, or "shoppers", → share of the users; the shares add up to 1.
        dials: name → changes to that world.
        rest: name of the world that takes what the shares leave of 1; without it they must leave nothing.

    Raises:
        BadInput: a name or a dial is unknown, a share is not above 0, or the shares do not add up to 1.
    """
    patterns, dials = dict(patterns), dict(dials or {})
    for name, share in patterns.items():
        if isinstance(share, bool) or not isinstance(share, int | float) or not share > 0:
            raise BadInput(f"the share of {name!r} must be a number above 0, got {share!r}; leave out unwanted worlds")
    left = 1.0 - sum(patterns.values())
    if rest and rest not in patterns and left > _ROUNDING:
        patterns, left = {rest: left, **patterns}, 0.0
    if not patterns or abs(left) > _ROUNDING:
        raise BadInput(f"the shares must add up to 1, got {1.0 - left:g} from {patterns}")
    if unknown := sorted(set(dials) - set(patterns)):
        raise BadInput(
            f"dials for {', '.join(unknown)}, which this mixture does not have; it has {', '.join(patterns)}"
        )
    parts = tuple(_part(name, dials.get(name, {})) for name in patterns)
    return Mixture(tuple(patterns), tuple(float(share) for share in patterns.values()), parts)


def _part(name: str, dials: Mapping[str, float]) -> World:
    if name == SHOP:
        return shop_with(dials)
    if name not in WORLDS:
        raise BadInput(f"no world is called {name!r}. The worlds are: {', '.join((*WORLDS, SHOP))}")
    return world(name, **dials)


def shop_with(dials: Mapping[str, float]) -> Shop:
    """The shop with these dials. Raises BadInput for a dial that it does not have, or out of range."""
    known = [dial.name for dial in fields(Shop)]
    if unknown := sorted(set(dials) - set(known)):
        raise BadInput(f"unknown dial: {', '.join(unknown)}. The dials are: {', '.join(known)}")
    return Shop(**dials)


@dataclass(frozen=True)
class Mixture(World):
    """Worlds side by side; make one with `mixture`.

        p(next = y | no event yet) = Σ_w share_w · p_w(y | no event yet)
        p(next = y | history)      = p_w(y | history),     w the world that the first item belongs to

    A user's world is hidden until their first event, which tells it, for no item belongs to two worlds. Item ids carry
    the world's name ("periodic: item 17"). Each blind predictor of a part is offered as "world: predictor": blind in
    that world, exact in the others.

    Attributes:
        names, shares, parts: of the worlds, in order.
    """

    names: tuple[str, ...]
    shares: tuple[float, ...]
    parts: tuple[World, ...]

    @cached_property
    def predictors(self) -> tuple[str, ...]:
        blind = ((name, each) for name, part in zip(self.names, self.parts, strict=True) for each in part.predictors)
        return BAYES, *(f"{name}: {each}" for name, each in blind if each != BAYES)

    @cached_property
    def item_ids(self) -> list[str]:
        ids = zip(self.names, (part.item_ids[1:] for part in self.parts), strict=True)
        return [PAD, *(f"{name}: {each}" for name, own in ids for each in own)]

    @cached_property
    def offsets(self) -> np.ndarray:
        """Item y of part w is item `offsets[w]` + y here."""
        return np.append(0, np.cumsum([len(part.item_ids) - 1 for part in self.parts]))

    def world_of(self, seed: int, users: int) -> np.ndarray:
        """Number of the part that each user of `sample(seed, users)` lives in, "u"; models never see it."""
        keys = splitmix.key(seed, "mixture", "world", np.arange(users))
        return splitmix.categorical(splitmix.uniform(keys, 0), np.array(self.shares))

    def sample(self, seed: int, users: int, length: int | None = None) -> Histories:
        """See `World.sample`; a length of None leaves it to each world."""
        made = [part.sample(seed, users, length) for part in self.parts]
        home = self.world_of(seed, users)
        lengths = np.stack([np.diff(each.offsets) for each in made])[home, np.arange(users)]
        offsets = np.append(0, np.cumsum(lengths))
        items, times = np.empty(offsets[-1], dtype=np.int32), np.empty(offsets[-1], dtype=np.int64)
        for number, each in enumerate(made):
            mine = home == number
            kept, places = (np.repeat(mine, np.diff(each.offsets)), np.repeat(mine, lengths))
            items[places], times[places] = each.items[kept] + self.offsets[number], each.times[kept]
        return Histories(
            items=items,
            times=times,
            offsets=offsets,
            item_ids=list(self.item_ids),
            user_ids=list(made[0].user_ids),
            name="mixture",
            item_names=self._labels(made),
            item_genres=[
                "",
                *(genre for name, each in zip(self.names, made, strict=True) for genre in _genres(name, each)),
            ],
            report=self._report(seed, users, made),
        )

    def _labels(self, made: list[Histories]) -> list[str]:
        """The shop's items keep their names, which are all different; those of planted worlds carry its name."""
        named = ((each.item_names or [])[1:] for each in made)
        labels = [own or [None] * each.n_items for own, each in zip(named, made, strict=True)]
        flat = [label for own in labels for label in own]
        return [PAD, *(label or own for label, own in zip(flat, self.item_ids[1:], strict=True))]

    def _report(self, seed: int, users: int, made: list[Histories]) -> Report:
        report = Report(source="mixture (synthetic)")
        report.note("synthetic", "synthetic histories, drawn by known processes: no person or event is real", users)
        shares = ", ".join(f"{name} {share:g}" for name, share in zip(self.names, self.shares, strict=True))
        report.note("recipe", f"seed {seed}, {users:,} users, of these: {shares}")
        for name, each in zip(self.names, made, strict=True):
            dials = each.report.find("recipe").text.split("dials: ")[1]
            report.note("dials", f"{name}: dials: {dials}")
        return report

    def walk(self, items: np.ndarray, times: np.ndarray, predictor: str = BAYES) -> Iterator[np.ndarray]:
        """See `World.walk`.

        Raises:
            BadInput: a history has items of two worlds, which no user has.
        """
        home = self._home(items)
        by_part = [predictor.removeprefix(f"{name}: ") for name in self.names]
        by_part = [own if own in part.predictors else BAYES for own, part in zip(by_part, self.parts, strict=True)]
        return self._rows(items, times, home, by_part)

    def _rows(self, items: np.ndarray, times: np.ndarray, home: np.ndarray, by_part: list[str]) -> Iterator[np.ndarray]:
        first, walks = np.zeros(len(self.item_ids)), []
        nobody = np.zeros((1, 0), dtype=np.int64)
        for number, (share, part, own) in enumerate(zip(self.shares, self.parts, by_part, strict=True)):
            mine, places = np.flatnonzero(home == number), self._places(number)
            first[places] = share * next(iter(part.walk(nobody, nobody, own)))[0, 1:]
            if mine.size:
                inside = np.maximum(items[mine] - self.offsets[number], 0)  # pads stay 0
                walks.append((mine, places, iter(part.walk(inside, times[mine], own))))
        for k in range(items.shape[1] + 1):
            rows = np.zeros((len(items), first.size))
            for mine, places, walk in walks:
                rows[mine, places] = next(walk)[:, 1:]
            yield rows if k else np.repeat(first[None], len(items), axis=0)

    def _places(self, number: int) -> slice:
        return slice(1 + self.offsets[number], 1 + self.offsets[number + 1])

    def _home(self, items: np.ndarray) -> np.ndarray:
        """Part that each history "u l" lives in, by its items; −1 for one without events."""
        if items.shape[1] == 0:
            return np.full(len(items), -1)
        part = np.searchsorted(self.offsets, items, side="left") - 1  # of a pad: −1
        strange = (items > 0) & (part != part[:, :1])
        if strange.any():
            user = np.flatnonzero(strange.any(axis=1))[0]
            two = sorted({self.names[number] for number in part[user][items[user] > 0]})
            raise BadInput(
                f"a history has items of {' and '.join(map(repr, two))}, but everybody of a mixture lives in one "
                "world; ask for histories of one world each"
            )
        return part[:, 0]


def _genres(name: str, made: Histories) -> list[str]:
    return made.item_genres[1:] if name == SHOP and made.item_genres else [name] * made.n_items
