"""Whom a panel looks at: one person, or one of many."""

import ipywidgets as widgets

from seqrec_edu.data.histories import Histories
from seqrec_edu.data.person import Person
from seqrec_edu.lens.reading import batch_of, models_of, named, places_of

from .panel import FULL

__all__ = ["MOST", "People", "batch_of", "models_of", "named", "places_of"]

MOST = 200  # events that are drawn, unless the model reads fewer


class People:
    """One `Person`, or all of a dataset with a control to choose among them.

    Args:
        given: a `Person` or `Histories`.
        user: index of the first one to look at, of `Histories`.
        most: newest events that are shown.

    Raises:
        ValueError: neither of both; `BadInput` for a user there is not or who has no events.
    """

    def __init__(self, given: Person | Histories, *, user: int = 0, most: int = MOST) -> None:
        if not isinstance(given, (Person, Histories)):
            raise ValueError(f"expected a person (histories.user(7)) or histories, got {type(given).__name__}")
        self._given, self._most, self.control = given, most, None
        if isinstance(given, Histories):
            given.user(user)
            self.control = widgets.BoundedIntText(
                value=user, min=0, max=given.n_users - 1, description="user", layout=FULL
            )

    @property
    def controls(self) -> list[widgets.Widget]:
        """The control, where there is a choice."""
        return [] if self.control is None else [self.control]

    @property
    def now(self) -> Person:
        """Who is looked at, with the newest events."""
        person = self._given if self.control is None else self._given.user(self.control.value)
        return person.last(self._most)

    @property
    def key(self) -> int:
        """Stands for the choice, where results are remembered."""
        return -1 if self.control is None else self.control.value
