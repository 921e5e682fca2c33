"""Which events train, which validate, which test: two protocols, as an object that can be shown and hashed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from seqrec_edu.data.check import BadInput
from seqrec_edu.data.histories import Histories
from seqrec_edu.data.statistics import as_date


@dataclass(frozen=True, eq=False)
class Split:
    """Training part and targets of one evaluation protocol over `histories`.

    Events `offsets[u]:train_end[u]` of user `u` may be trained on. A target's history is everything the same user did
    before it, whichever part that belongs to.

    Attributes:
        protocol: "leave-one-out" or "global-time".
        train_end: int64 "users", end (exclusive) of the training events of each user.
        valid, test: int64, event indices of the targets, ascending.
        cuts: global-time only: Unix seconds at which validation and test begin.
    """

    histories: Histories
    protocol: str
    train_end: np.ndarray
    valid: np.ndarray
    test: np.ndarray
    cuts: tuple[int, int] | None = None

    @cached_property
    def hash(self) -> str:
        """SHA-256 (hex) over the histories' hash, the protocol and the three arrays."""
        digest = hashlib.sha256(f"seqrec_edu split 1 {self.histories.hash} {self.protocol}".encode())
        for array in (self.train_end, self.valid, self.test):
            digest.update(f" {array.size} ".encode())
            digest.update(np.ascontiguousarray(array, dtype="<i8").data)
        return digest.hexdigest()

    def users_of(self, events: np.ndarray) -> np.ndarray:
        """User index of each event index, int64, same shape."""
        return np.searchsorted(self.histories.offsets, events, side="right") - 1

    def events(self, which: str) -> np.ndarray:
        """Event indices of the targets of one part: "valid" or "test"."""
        if which not in ("valid", "test"):
            raise BadInput(f'which must be "valid" or "test", got {which!r}')
        return self.valid if which == "valid" else self.test

    @property
    def n_train(self) -> int:
        """Number of training events over all users."""
        return int((self.train_end - self.histories.offsets[:-1]).sum())

    @cached_property
    def train_items(self) -> np.ndarray:
        """Item of every training event, int32: what popularity may be counted from."""
        starts, stops = self.histories.offsets[:-1], self.train_end
        return self.histories.items[ranges(starts, stops)]

    def summary(self) -> str:
        """Counts of every part, of users without targets and of targets whose item is never trained on."""
        n_users = self.histories.n_users
        lines = [f"{self.protocol} split of {self.histories.name or 'histories'} (hash {self.hash[:12]})"]
        if self.cuts:
            lines.append(f"  validation from {as_date(self.cuts[0])}, test from {as_date(self.cuts[1])} (UTC)")
        trained = int((self.train_end > self.histories.offsets[:-1]).sum())
        lines.append(f"  train: {self.n_train:,} events of {trained:,} users")
        known = np.zeros(self.histories.n_items + 1, dtype=bool)
        known[self.train_items] = True
        for name, events in (("validation", self.valid), ("test", self.test)):
            users = np.unique(self.users_of(events)).size
            unseen = int((~known[self.histories.items[events]]).sum())
            lines.append(
                f"  {name}: {events.size:,} targets of {users:,} users; {n_users - users:,} users without a target; "
                f"{unseen:,} targets whose item is never trained on"
            )
        if self.protocol == "leave-one-out":
            short = int((np.diff(self.histories.offsets) < 3).sum())
            lines.append(f"  {short:,} users with fewer than 3 events are only trained on")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return (
            f"Split({self.protocol}: {self.n_train:,} training events, {self.valid.size:,} validation and "
            f"{self.test.size:,} test targets, hash {self.hash[:12]})"
        )


def leave_one_out(histories: Histories) -> Split:
    """Last event of each user = test target, the one before = validation target, the rest trains.

    Users with fewer than three events only train. Targets of different users lie at different times, so a model may
    have trained on events later than a target: comparable with the literature, not a forecast. See `global_time`.

    Raises:
        BadInput: when no user has three events.
    """
    starts, stops = histories.offsets[:-1], histories.offsets[1:]
    long = stops - starts >= 3
    if not long.any():
        raise BadInput(
            "leave-one-out needs users with at least 3 events (train, validation, test); no user has so many"
        )
    train_end = np.where(long, stops - 2, stops)
    return Split(histories, "leave-one-out", train_end, stops[long] - 2, stops[long] - 1)


def global_time(histories: Histories, valid: float = 0.8, test: float = 0.9, targets: str = "last") -> Split:
    """Cut all histories at the same two moments: what comes before trains, what comes after is asked for.

    Args:
        valid, test: the quantiles of all timestamps at which validation and test begin, 0 < valid < test < 1.
        targets: "last" takes each user's last event inside a part, "all" takes every event in it. An event with
            nothing before it in its user's history is never a target.
    Raises:
        BadInput: for quantiles out of order, or when a part would be empty (for instance constant timestamps).
    """
    if not 0 < valid < test < 1:
        raise BadInput(f"expected 0 < valid < test < 1, quantiles of all timestamps, got valid={valid}, test={test}")
    if targets not in ("last", "all"):
        raise BadInput(f'targets must be "last" or "all", got {targets!r}')
    times, offsets = histories.times, histories.offsets
    if times.size == 0:
        raise BadInput("global-time split: the histories hold no events")
    places = [int(times.size * valid), int(times.size * test)]
    valid_from, test_from = (int(moment) for moment in np.partition(times, places)[places])
    part = (times >= valid_from).astype(np.int8) + (times >= test_from)  # 0 train, 1 validation, 2 test
    user = np.repeat(np.arange(histories.n_users), np.diff(offsets))
    train_end = offsets[:-1] + np.bincount(user[part == 0], minlength=histories.n_users)
    first = np.zeros(times.size, dtype=bool)
    first[offsets[:-1][np.diff(offsets) > 0]] = True
    last = np.ones(times.size, dtype=bool)  # the last event of its user inside its part
    last[:-1] = (user[1:] != user[:-1]) | (part[1:] != part[:-1])
    chosen = ~first & (last if targets == "last" else True)
    events = [np.flatnonzero(chosen & (part == number)) for number in (1, 2)]
    for name, found in (("training", part == 0), ("validation", events[0]), ("test", events[1])):
        if not np.any(found if name == "training" else found.size):
            raise BadInput(
                f"global-time split: no {name} events with cuts at {as_date(valid_from)} and {as_date(test_from)}; "
                "the timestamps are too coarse, constant, or too few: use leave_one_out or other cuts"
            )
    return Split(histories, "global-time", train_end, *events, cuts=(valid_from, test_from))


def ranges(starts: np.ndarray, stops: np.ndarray) -> np.ndarray:
    """All integers of the ranges `starts[i]:stops[i]`, one after another, int64, without a Python loop."""
    sizes = stops - starts
    ends = np.cumsum(sizes)
    return np.arange(ends[-1] if ends.size else 0) + np.repeat(starts - (ends - sizes), sizes)
