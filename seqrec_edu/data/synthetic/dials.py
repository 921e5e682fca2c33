"""The dials of the shop, and the tables of chances that they make for whoever draws from it or reasons about it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np

from seqrec_edu.data.check import BadInput
from seqrec_edu.data.synthetic import catalogue
from seqrec_edu.data.synthetic.clock import DAY

_SIZE = catalogue.STEPS * catalogue.LINES  # items per genre
_STEP_SALES = np.array([20.0, 4.0, 2.0, 1.0, 1.0]) / 28.0  # people come for the first step; the chain leads on
_LINE_SALES = np.array([2.0, 7.0, 1.0]) / 10.0
_SALES_FROM = np.stack([np.roll(_LINE_SALES, -line) for line in range(catalogue.LINES)])  # own line first


@dataclass(frozen=True)
class Dials:
    """The dials of the shop; `shop` says what each does. They are checked when they are set.

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


def _neighbours(steps_ahead: int) -> np.ndarray:
    """Items so many steps further in the project, "v 3", beginning with the item's own line; row 0 is 0."""
    genre, step, line = np.unravel_index(
        np.arange(len(catalogue.IDS) - 1), (len(catalogue.GENRES), catalogue.STEPS, catalogue.LINES)
    )
    step = (step + steps_ahead) % catalogue.STEPS
    lines = (line[:, None] + np.arange(catalogue.LINES)) % catalogue.LINES
    table = 1 + genre[:, None] * _SIZE + step[:, None] * catalogue.LINES + lines
    return np.concatenate([np.zeros((1, catalogue.LINES), dtype=np.int64), table])
