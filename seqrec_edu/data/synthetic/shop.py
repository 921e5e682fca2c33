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
from functools import cached_property

import numpy as np

from seqrec_edu.data.check import BadInput, Report
from seqrec_edu.data.histories import Histories
from seqrec_edu.data.synthetic import catalogue, splitmix
from seqrec_edu.data.synthetic.belief import beliefs
from seqrec_edu.data.synthetic.blind import mean_decay, mean_rows
from seqrec_edu.data.synthetic.clock import DAY, opens_visit, visit_times
from seqrec_edu.data.synthetic.draw import draw_items, draw_kinds
from seqrec_edu.data.synthetic.world import BAYES, World

_SIZE = catalogue.STEPS * catalogue.LINES  # items per genre
_STEP_SALES = np.array([20.0, 4.0, 2.0, 1.0, 1.0]) / 28.0  # people come for the first step; the chain leads on
_LINE_SALES = np.array([2.0, 7.0, 1.0]) / 10.0
_SALES_FROM = np.stack([np.roll(_LINE_SALES, -line) for line in range(catalogue.LINES)])  # own line first
_SHORTEST, _LONGEST, _MEAN_BEYOND = 8, 60, 19.5  # events per user: an exponential beyond the shortest, cut; mean 25


@dataclass(frozen=True)
class Shop(World):
    """The shop with its dials: `sample` makes histories; `bayes_rows`, `next_distribution`, `ceiling` tell the truth.

    Blind predictors, each scored under the same truth: "popularity" (one fixed ranking), "last item only" (the mean
    row after that item), "without time" (the same reasoning over the order of events: a visit opens by chance, and
    forgetting has its mean for so many events back; a good predictor, not proved the best one without time).

    Raises:
        BadInput: a dial is no probability, the sources take more than the whole, or `forget_days` is not above 0.
    """

    chain: float = 0.32
    resume: float = 0.04
    again: float = 0.12
    noise: float = 0.04
    compare_when_opened: float = 0.95
    compare_later: float = 0.03
    same_line: float = 0.3
    new_visit: float = 0.4
    forget_days: float = 1.0

    predictors = (BAYES, "popularity", "last item only", "without time")
    item_ids = catalogue.IDS

    def __post_init__(self) -> None:
        for dial in fields(self):
            value = getattr(self, dial.name)
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise BadInput(f"{dial.name} must be a number, got {value!r}")
            if dial.name != "forget_days" and not 0 <= value <= 1:
                raise BadInput(f"{dial.name} is a probability and must lie in 0..1, got {value!r}")
        if not self.forget_days > 0:
            raise BadInput(f"forget_days must be above 0, got {self.forget_days!r}")
        if not self.noise > 0 or self.taste < -1e-9:
            raise BadInput("noise must be above 0, and chain + resume + again + noise at most 1 (taste is the rest)")

    @property
    def taste(self) -> float:
        return 1.0 - self.chain - self.resume - self.again - self.noise

    # Tables; v counts padding. All weights come from +, −, ×, ÷ alone, so they are the same bits everywhere.

    @cached_property
    def genre_of(self) -> np.ndarray:
        """Genre number of each item, "v"; entry 0 is not used."""
        return np.append(0, np.repeat(np.arange(len(catalogue.GENRES)), _SIZE))

    @cached_property
    def line_weights(self) -> np.ndarray:
        """Weights of the three items in a row of `next_step`, "v 3": stay in the line, or take one by its sales."""
        return self.same_line * np.array([1.0, 0.0, 0.0]) + (1.0 - self.same_line) * _SALES_FROM[self._line]

    @cached_property
    def compare_weights(self) -> np.ndarray:
        """Weights of the three items of a step, own line first, "v 3": the other lines by their sales."""
        others = _SALES_FROM[self._line] * np.array([0.0, 1.0, 1.0])
        return others / (others[:, 1:2] + others[:, 2:])

    @property
    def _line(self) -> np.ndarray:
        return (np.arange(self.genre_of.size) - 1) % catalogue.LINES

    @cached_property
    def next_step(self) -> np.ndarray:
        """The items of the next step of the same genre, "v 3": own line first; row 0 is 0."""
        return _neighbours(steps_ahead=1)

    @cached_property
    def alternatives(self) -> np.ndarray:
        """The items of the same step, "v 3": the item itself first; row 0 is 0."""
        return _neighbours(steps_ahead=0)

    @cached_property
    def chain_when_opened(self) -> np.ndarray:
        """Where the project goes from an item that opened a visit, "v v"; row 0 is 0."""
        return self._chain(self.compare_when_opened)

    @cached_property
    def chain_when_later(self) -> np.ndarray:
        """Where the project goes from a later item of a visit, "v v"; row 0 is 0."""
        return self._chain(self.compare_later)

    def _chain(self, compare: float) -> np.ndarray:
        table, rows = np.zeros((self.genre_of.size,) * 2), np.arange(1, self.genre_of.size)[:, None]
        table[rows, self.alternatives[1:]] = compare * self.compare_weights[1:]
        table[rows, self.next_step[1:]] = (1.0 - compare) * self.line_weights[1:]
        return table

    @cached_property
    def kind_prior(self) -> np.ndarray:
        return np.array([share for share, _ in catalogue.SHOPPERS.values()]) / 100

    @cached_property
    def favourites(self) -> np.ndarray:
        """How each kind chooses a genre, "kinds genres"."""
        rows = []
        for _, genres in catalogue.SHOPPERS.values():
            shares = dict(zip(genres, catalogue.FAVOURITES, strict=True))
            rest = (100 - sum(catalogue.FAVOURITES)) / len(catalogue.GENRES)
            rows.append([(shares.get(genre, 0) + rest) / 100 for genre in catalogue.GENRES])
        return np.array(rows)

    @cached_property
    def taste_of_kind(self) -> np.ndarray:
        """taste(item | kind) = favourite genre × what is popular in it, "kinds v"."""
        within = np.outer(_STEP_SALES, _LINE_SALES).ravel()
        items = (self.favourites[:, :, None] * within).reshape(len(self.favourites), -1)
        return np.concatenate([np.zeros((len(items), 1)), items], axis=1)

    def decay(self, age: np.ndarray) -> np.ndarray:
        """Hyperbolic forgetting of an age in seconds: 1 / (1 + age / forget)."""
        return 1.0 / (1.0 + age / (self.forget_days * DAY))

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


def _neighbours(steps_ahead: int) -> np.ndarray:
    """Items so many steps further in the project, "v 3", beginning with the item's own line; row 0 is 0."""
    genre, step, line = np.unravel_index(
        np.arange(len(catalogue.IDS) - 1), (len(catalogue.GENRES), catalogue.STEPS, catalogue.LINES)
    )
    step = (step + steps_ahead) % catalogue.STEPS
    lines = (line[:, None] + np.arange(catalogue.LINES)) % catalogue.LINES
    table = 1 + genre[:, None] * _SIZE + step[:, None] * catalogue.LINES + lines
    return np.concatenate([np.zeros((1, catalogue.LINES), dtype=np.int64), table])


def _lengths(seed: int, users: np.ndarray) -> np.ndarray:
    drawn = splitmix.exponential(splitmix.uniform(splitmix.key(seed, "shoppers", "length", users), 0), _MEAN_BEYOND)
    return np.minimum(_SHORTEST + np.floor(drawn).astype(np.int64), _LONGEST)
