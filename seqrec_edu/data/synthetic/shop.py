"""The shop: the process behind the synthetic shoppers, its dials, and how histories are made from it.

A person of a hidden *kind* (say, Camper) visits on some days and, within a visit, looks at items minutes apart.
Given the events so far, the last of them item x at time t, the next item comes from one of five sources. With the
default dials:

    chain   .32  the project at hand. If x opened a visit, the person mostly *compares* (.95): another line of the
                 same step. Later in a visit they mostly move on (.97) to the *next step*: with .3 they stay in the
                 line of x, else they take a line by its sales.
    resume  .04  a project left open: another genre, by how long ago its last event was; the step after that event.
    again   .12  an item met before, by how long ago that was.
    taste   .48  the favourite genres of the kind, and what sells in them.
    noise   .04  any item.

"By how long ago" is hyperbolic forgetting: weight 1 / (1 + age / 1 day). A source that has nothing to work on (no
other genre, no other item, no item at all) leaves its share to taste.

*When* the next event comes is independent of *what* it is. So the distribution of the next item needs no guess about
its time; it averages over the kind only, by Bayes' rule (`belief`). Time matters through the gap before x (did x open
a visit?) and through ages.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np

from seqrec_edu.data.check import BadInput, Report
from seqrec_edu.data.histories import Histories
from seqrec_edu.data.synthetic import catalogue, splitmix
from seqrec_edu.data.synthetic.belief import beliefs
from seqrec_edu.data.synthetic.blind import mean_decay, mean_rows
from seqrec_edu.data.synthetic.clock import opens_visit, visit_times
from seqrec_edu.data.synthetic.dials import Dials
from seqrec_edu.data.synthetic.draw import draw_items, draw_kinds
from seqrec_edu.data.synthetic.world import BAYES, World

_SHORTEST, _LONGEST, _MEAN_BEYOND = 8, 60, 19.5  # events per user: an exponential beyond the shortest, cut; mean 25


@dataclass(frozen=True)
class Shop(Dials, World):
    """The shop with its dials: `sample` makes histories; `bayes_rows`, `next_distribution`, `ceiling` tell the truth.

    Blind predictors, each scored under the same truth: "popularity" (one fixed ranking), "last item only" (the mean
    row after that item), "without time" (the same reasoning over the order of events: a visit opens by chance, and
    forgetting has its mean for so many events back; a good predictor, not proved the best one without time).

    Raises:
        BadInput: a dial is no probability, the sources take more than the whole, or `forget_days` is not above 0.
    """

    predictors = (BAYES, "popularity", "last item only", "without time")
    item_ids = catalogue.IDS

    def sample(self, seed: int, users: int, length: int | None = None) -> Histories:
        """Make histories: user u depends on (seed, u, dials) only, and its first events not on the length asked for.

        Args:
            seed: integer in [0, 2^64).
            users: at least 1.
            length: events of every user; None draws 8 to 60 for each, 25 on average.
        """
        for name, value in (("users", users), ("length", 1 if length is None else length)):
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
                raise BadInput(f"{name} must be a whole number, at least 1, got {value!r}")
        numbers = np.arange(users)
        lengths = _lengths(seed, numbers) if length is None else np.full(users, length)
        times = visit_times(splitmix.key(seed, "shoppers", "times", numbers), int(lengths.max()), self.new_visit)
        items = draw_items(self, seed, numbers, times)
        kept = np.arange(times.shape[1]) < lengths[:, None]
        return Histories(
            items=items[kept].astype(np.int32),
            times=times[kept],
            offsets=np.append(0, np.cumsum(lengths)),
            item_ids=list(self.item_ids),
            user_ids=[f"U{number:06d}" for number in range(1, users + 1)],
            name="shoppers",
            item_names=list(catalogue.NAMES),
            item_genres=list(catalogue.GENRE_OF),
            report=self._report(seed, users),
        )

    def _report(self, seed: int, users: int) -> Report:
        report = Report(source="shoppers (synthetic)")
        report.note("synthetic", "synthetic histories, drawn by a known process: no person or purchase is real", users)
        dials = ((dial.name, getattr(self, dial.name), dial.default) for dial in fields(self))
        changed = ", ".join(f"{name}={value:g}" for name, value, default in dials if value != default)
        report.note("recipe", f"seed {seed}, {users:,} users, dials: {changed or 'default'}")
        return report

    def kinds(self, seed: int, users: int) -> list[str]:
        """The hidden kind of each user of `sample(seed, users)`; models never see it."""
        names = list(catalogue.SHOPPERS)
        return [names[kind] for kind in draw_kinds(self, seed, np.arange(users))]

    def walk(self, items: np.ndarray, times: np.ndarray, predictor: str = BAYES) -> Iterator[np.ndarray]:
        """See `World.walk`."""
        if predictor == BAYES:
            return beliefs(self, items, times, opens_visit(times).astype(np.float64), self.decay)
        positions = np.broadcast_to(np.arange(items.shape[1]), items.shape)
        if predictor == "without time":
            opened = np.where(positions == 0, 1.0, self.new_visit)
            worth = mean_decay(self, items.shape[1])
            return beliefs(self, items, positions, opened, lambda age: worth[age])
        last = np.zeros((len(items), items.shape[1] + 1), dtype=np.int64)
        if predictor == "last item only":
            last[:, 1:] = items
        return (mean_rows(self)[item] for item in last.T)


def _lengths(seed: int, users: np.ndarray) -> np.ndarray:
    drawn = splitmix.exponential(splitmix.uniform(splitmix.key(seed, "shoppers", "length", users), 0), _MEAN_BEYOND)
    return np.minimum(_SHORTEST + np.floor(drawn).astype(np.int64), _LONGEST)
