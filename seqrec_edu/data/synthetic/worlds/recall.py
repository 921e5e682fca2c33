"""Recall: one event long ago decides, and everything since is a distraction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from seqrec_edu.data.check import BadInput
from seqrec_edu.data.synthetic import splitmix
from seqrec_edu.data.synthetic.world import BAYES
from seqrec_edu.data.synthetic.worlds.planted import PAD, Planted, dial, numbered, pick

_WINDOW = 20


@dataclass(frozen=True)
class Recall(Planted):
    """Histories are rounds of `round` events. A round ends with trigger and answer; d distractors before the trigger
    stands a key, and more distractors fill the round before it; with chance `older`, one of them is an older key.

        p(next = y | trigger just came) = (1 − noise) · [y = answer of the last key] + noise / keys        y an answer

    d is log-uniform: p(d) ∝ log((d + 1) / d), shortest ≤ d ≤ longest. The older key is another one, its place is any
    before the key. Elsewhere in a round the row is exact as well: the trigger comes at its fixed place, a key by what
    d can still be (`_hazards`), else any distractor.

    The last event of a whole round is an answer, so ask for a length of whole rounds; the usual length has two: one
    to learn from and one to be tested on. Leave-one-out then tests on the answer, but validates on the trigger, which
    says nothing about recall: choose the step to stop at in another way.

    In a history that the world cannot make (a trigger too soon), a trigger still asks for the last key, and a new
    round begins after it.

    Blind: "window of 20" forgets keys further back; it still knows the place in the round.
    """

    keys: int = dial(16, 2, 1_000, "number of keys, and of answers")
    distractors: int = dial(200, 1, 20_000, "number of distractors")
    round: int = dial(50, 5, 1_000, "events from one answer to the next")
    shortest: int = dial(2, 0, 1_000, "fewest distractors between key and trigger")
    longest: int = dial(45, 0, 1_000, "most distractors between key and trigger")
    older: float = dial(0.5, 0, 1, "share of rounds with an older key that must be overwritten")
    noise: float = dial(0.05, 0, 1, "share of answers that are any answer")

    name = "recall"
    decides = "one key, 2 to 45 events before the trigger"
    winner = "every mixer with a full view; a window does not"
    lesson = "Whoever keeps the key in its state has the answer: look for the state that holds it."
    usual_length = 100
    predictors = (BAYES, "window of 20")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not max(self.shortest, 1) <= self.longest <= self.round - 4:
            raise BadInput(
                f"longest must be at least 1, at least shortest ({self.shortest}), and at most round − 4 "
                f"({self.round - 4}), so that older key, key, trigger and answer fit in; got {self.longest}"
            )

    @cached_property
    def item_ids(self) -> list[str]:
        keys, answers = numbered("key", self.keys), numbered("answer", self.keys)
        return [PAD, *keys, *answers, "trigger", *numbered("distractor", self.distractors)]

    @cached_property
    def genres(self) -> list[str]:
        parts = {"key": self.keys, "answer": self.keys, "trigger": 1, "distractor": self.distractors}
        return ["", *(word for word, n in parts.items() for _ in range(n))]

    @property
    def _trigger(self) -> int:
        return 1 + 2 * self.keys

    @cached_property
    def _distances(self) -> np.ndarray:
        """log((d + 1) / d) for d = 0 … round − 1, 0 outside the limits; of d = 0, as much as of 1."""
        d = np.arange(self.round)
        weights = splitmix.log((np.maximum(d, 1) + 1.0) / np.maximum(d, 1))
        return np.where((d >= self.shortest) & (d <= self.longest), weights, 0.0)

    def draw(self, seed: int, users: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
        """See `Planted.draw`."""
        (u,) = self._events(seed, users, length, 1)
        items = 1 + self._trigger + pick(u, self.distractors)
        rows = np.arange(users.size)
        for number in range(-(-length // self.round)):
            keys = splitmix.key(seed, self.name, "round", number, users)
            u = [splitmix.uniform(keys, draw) for draw in range(7)]
            start = number * self.round
            at = self.round - 3 - splitmix.categorical(u[0], self._distances)
            key = pick(u[1], self.keys)
            older_at = np.where(u[2] < self.older, pick(u[3], at), at)  # without one, the key is written twice
            older = (key + 1 + pick(u[4], self.keys - 1)) % self.keys
            answer = np.where(u[5] < self.noise, pick(u[6], self.keys), key)
            for place, item in (
                (older_at, 1 + older),
                (at, 1 + key),
                (np.full(users.size, self.round - 2), np.full(users.size, self._trigger)),
                (np.full(users.size, self.round - 1), 1 + self.keys + answer),
            ):
                here = start + place < length
                items[rows[here], start + place[here]] = item[here]
        return items, self._visits(seed, users, length)

    @cached_property
    def _hazards(self) -> tuple[np.ndarray, np.ndarray]:
        """Chance that event j of a round is a key: "j" if no key came yet, and "first j" if one came at `first`.

        With P(p) the chance that the key stands at p: until an older key, p carries (1 − older) + older · (p − j) / p
        of its weight; an older key at `first` leaves older / p of it to each p beyond.
        """
        n, p = self.round, np.arange(self.round)
        chance = np.zeros(n)
        chance[: n - 2] = self._distances[n - 3 :: -1] / self._distances.sum()
        each = self.older * chance / np.maximum(p, 1)  # an older key at one given place before p, and the key at p
        alone = (1.0 - self.older) * chance
        beyond = np.append(np.cumsum(each[::-1])[::-1], 0.0)  # Σ_{p ≥ j} each
        none_yet = np.array([(alone[j:] + each[j:] * (p[j:] - j)).sum() for j in range(n)])
        comes = alone + beyond[1:]
        one_yet = alone[:, None] + beyond[:n]  # "first j"
        no_key = np.divide(comes, none_yet, out=np.zeros(n), where=none_yet > 0)
        one_key = np.divide(np.broadcast_to(each, (n, n)), one_yet, out=np.zeros((n, n)), where=one_yet > 0)
        return np.minimum(no_key, 1.0), np.minimum(one_key, 1.0)

    def walk(self, items: np.ndarray, times: np.ndarray, predictor: str = BAYES) -> Iterator[np.ndarray]:
        """See `World.walk`."""
        sight = items.shape[1] if predictor == BAYES else _WINDOW
        state = _Round(len(items))
        for k in range(items.shape[1] + 1):
            yield self._rows(state, state.last_at >= k - sight, state.first_at >= k - sight, k)
            if k < items.shape[1]:
                state.see(items[:, k], k, self)

    def _rows(self, state: _Round, last_seen: np.ndarray, first_seen: np.ndarray, k: int) -> np.ndarray:
        """Rows "u v" before event k, by what each predictor still sees of the keys."""
        users, keys = np.arange(len(state.start)), self.keys
        known = (state.last >= 0) & last_seen
        in_round = known & (state.last_at >= state.start)
        first = np.where(first_seen & (state.first_at >= state.start), state.first_at, state.last_at) - state.start
        place = np.minimum(k - state.start, self.round - 1)
        no_key, one_key = self._hazards
        two = in_round & (first < state.last_at - state.start)
        comes = np.where(in_round, one_key[np.clip(first, 0, self.round - 1), place], no_key[place])
        comes = np.where(two, 0.0, comes)
        due = place >= self.round - 2  # the trigger, at its place or overdue

        rows = np.zeros((users.size, self._v))
        new = np.where(in_round, keys - 1, keys)  # a second key is another than the first
        rows[:, 1 : 1 + keys] = (comes / new)[:, None]
        rows[users[in_round], 1 + state.last[in_round]] = 0.0
        rows[:, 1 + self._trigger :] = ((1.0 - comes) / self.distractors)[:, None]
        rows[due] = 0.0
        rows[due, self._trigger] = 1.0
        rows[state.asked] = 0.0
        rows[state.asked, 1 + keys : self._trigger] = np.where(known, self.noise, 1.0)[state.asked, None] / keys
        sure = state.asked & known
        rows[users[sure], 1 + keys + state.last[sure]] += 1.0 - self.noise
        return rows


class _Round:
    """Where each user stands: when the round began, first and last key of it, and whether a trigger just came."""

    def __init__(self, users: int):
        self.start = np.zeros(users, dtype=np.int64)
        self.first_at, self.last_at = np.full(users, -(2**40)), np.full(users, -(2**40))
        self.last = np.full(users, -1)
        self.asked = np.zeros(users, dtype=bool)

    def see(self, item: np.ndarray, k: int, world: Recall) -> None:
        """Take in event k of each user."""
        self.start[self.asked] = k + 1
        is_key = (item >= 1) & (item <= world.keys)
        self.first_at = np.where(is_key & (self.first_at < self.start), k, self.first_at)
        self.last_at, self.last = np.where(is_key, k, self.last_at), np.where(is_key, item - 1, self.last)
        self.asked = item == world._trigger
