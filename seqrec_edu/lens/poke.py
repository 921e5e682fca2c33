"""One place of a history changed, and how far every output moves: dependence in numbers, on somebody's own history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from seqrec_edu.lens.rows import HALF_AN_HOUR, ITEM, NUMBER, TIME, Rows
from seqrec_edu.lens.subject import Subject, subject

STREAMS = {"item": (ITEM,), "time": (TIME,), "both": (ITEM, TIME)}
SIDES = ("right", "left")
TOGETHER = 8  # changed histories in one forward pass: more save little and hold a scan's states all at once


@dataclass(frozen=True, eq=False)
class Poked:
    """What pokes did.

    Attributes:
        change: "s t": how far the output at place t moves when place s is poked, as a share of the largest output; 0.0
            where not one bit differs, and at pads, whose outputs mean nothing.
        places: int "s", the places poked, counted from 0 at the start of the row.
        events: bool "t", True at places that hold an event.
        tolerance: a change up to here is rounding.
    """

    change: np.ndarray
    places: np.ndarray
    events: np.ndarray
    tolerance: float

    @property
    def moved(self) -> np.ndarray:
        """bool "s t": where an output moves by more than rounding."""
        return self.change > self.tolerance

    @property
    def ahead(self) -> np.ndarray:
        """bool "s t": where the output at an event moves with a later event."""
        earlier = np.arange(len(self.events)) < self.places[:, None]
        return self.moved & earlier & self.events[self.places][:, None]


class Poker:
    """A model in front of one history in a row of places, to be changed place by place.

    ``change[s, t] = max_d |y'[t, d] - y[t, d]| / max |y|``, y the outputs at events, y' those with place s changed.

    An item becomes the next one of the catalogue; a time is tried twice, half an hour later and one second after the
    event before, as in `dependence`, and the larger change counts. In float64 where the model computes in it. Every
    poke is compared with the untouched history at the same place of a batch of the same size, so that the same sums
    run in the same order: what is not read gives 0.0, not rounding.

    module: a model (or any ``nn.Module`` that `audit` can call with items), or its `Subject` where it is used again.
    items, times: int64 "l", oldest first. ``pads`` empty places stand behind the events (side "right", as everywhere
    here: the model is told the length), or in front of them ("left"): many implementations feed such rows to models
    without a mask, so the model is told that the whole row is history. Pads are item 0 at time 0 in both.
    Cost: a forward pass of one row per poke, ``TOGETHER`` at a time, two per poke of a time.
    Errors: ``ValueError`` on a module that reads no items, an unknown side, stream or place, a history of no event,
    times of another length, or outputs that are not finite; `CannotCall` as `audit`.
    """

    def __init__(
        self,
        module: nn.Module | Subject,
        items: Sequence[int],
        times: Sequence[int],
        *,
        pads: int = 0,
        side: str = "right",
    ) -> None:
        self.subject = module if isinstance(module, Subject) else subject(module)
        self.rows = _row(self.subject, items, times, pads, side)
        left = pads if side == "left" else 0
        self.events = np.zeros(self.rows.width, dtype=bool)
        self.events[left : left + len(items)] = True
        self._untouched: dict[int, Tensor] = {}
        self._size = float(self._before(1)[0, self.events].abs().max())
        if not np.isfinite(self._size):
            name = type(self.subject.module).__name__
            raise ValueError(f"{name} gives outputs that are not finite for this history, so nothing can be compared")

    @property
    def tolerance(self) -> float:
        """Share of the largest output up to which a change is rounding: of a transform, for instance, that sums zeros.

        Closer than the audit's: with equal sums in equal order far less is left over, and a time branch at its first
        weights may move outputs by 1e-11.
        """
        return 1e-12 if self.subject.exact else self.subject.tolerance

    @property
    def streams(self) -> tuple[str, ...]:
        """The streams the model is given: "item", and "time" where it takes timestamps."""
        return tuple(name for name in ("item", "time") if STREAMS[name][0] in self.rows.kinds.values())

    def poke(self, *places: int, stream: str = "item") -> Poked:
        """Change these places one at a time; all of the row where none is named.

        ``stream``: "item", "time", or "both" at once.
        """
        chosen = np.asarray(places or range(self.rows.width))
        if stream not in STREAMS:
            raise ValueError(f"stream must be one of {', '.join(STREAMS)}, got {stream!r}")
        if chosen.min() < 0 or chosen.max() >= self.rows.width:
            raise ValueError(f"places must be among 0…{self.rows.width - 1} of this row, got {chosen.tolist()}")
        tries = [(n, rows) for n, place in enumerate(chosen.tolist()) for rows in _changed(self.rows, place, stream)]
        change = np.zeros((len(chosen), self.rows.width))
        for first in range(0, len(tries), TOGETHER):
            some = tries[first : first + TOGETHER]
            for (n, _), found in zip(some, self._changes([rows for _, rows in some]), strict=True):
                change[n] = np.maximum(change[n], found)
        return Poked(change, chosen, self.events, self.tolerance)

    def instead(self, place: int) -> int:
        """The item that stands at this place when it is poked."""
        (changed,) = _changed(self.rows, place, "item")
        return int(next(v[0, place] for name, v in changed.streams.items() if changed.kinds[name] == ITEM))

    def apart(self, other: Poker) -> float:
        """Largest difference of the outputs at events between two rows of one history, as a share of the largest.

        What pads do by their number: ``Poker(model, …, pads=8).apart(Poker(model, …))``.
        """
        mine, theirs = (each._before(1)[0, each.events] for each in (self, other))
        return float((mine - theirs).abs().max()) / max(self._size, 1e-30)

    def _changes(self, tries: list[Rows]) -> np.ndarray:
        before = self._before(len(tries))
        after = self.subject(_stacked(tries))
        moved = (after - before).abs().reshape(*before.shape[:2], -1).amax(-1) / max(self._size, 1e-30)
        # What is no number any more has moved as far as anything can.
        return moved.nan_to_num(nan=1.0, posinf=1.0).cpu().double().numpy() * self.events

    def _before(self, many: int) -> Tensor:
        """Outputs of the untouched history, in a batch of so many."""
        if many not in self._untouched:
            self._untouched[many] = self.subject(_stacked([self.rows] * many))
        return self._untouched[many]


def _row(found: Subject, items: Sequence[int], times: Sequence[int], pads: int, side: str) -> Rows:
    name = type(found.module).__name__
    if side not in SIDES:
        raise ValueError(f"side must be one of {', '.join(SIDES)}, got {side!r}")
    if not len(items) or len(items) != len(times) or pads < 0:
        raise ValueError(f"needs items and times 'l' of at least one event, got {len(items)} and {len(times)}, {pads=}")
    if NUMBER in found.kinds.values() or ITEM not in found.kinds.values():
        raise ValueError(f"{name} reads {', '.join(found.kinds)}, no items: a history cannot be given to it")
    around = (0, pads) if side == "right" else (pads, 0)
    given = {ITEM: items, TIME: times}
    streams = {
        key: torch.from_numpy(np.pad(np.asarray(given[kind], dtype=np.int64), around))[None].to(found.like.device)
        for key, kind in found.kinds.items()
    }
    length = torch.tensor([len(items) + around[0]], device=found.like.device)
    return Rows(streams, found.kinds, length, found.n_items)


def _changed(rows: Rows, place: int, stream: str) -> list[Rows]:
    """The row with one place changed; every way to change it that is tried."""
    names = [name for name, kind in rows.kinds.items() if kind in STREAMS[stream]]
    tries = [rows]
    for name in names:
        if rows.kinds[name] == TIME and rows.width == 1:  # no neighbour to come close to
            found = [rows.moved_in_time(lambda time: time + HALF_AN_HOUR)]
        else:
            found = rows.changed(name, place)
        tries = [replace(each, streams=each.streams | {name: way.streams[name]}) for each in tries for way in found]
    return tries if names else []


def _stacked(rows: list[Rows]) -> Rows:
    """Several rows of one width as one batch."""
    streams = {name: torch.cat([each.streams[name] for each in rows]) for name in rows[0].streams}
    return replace(rows[0], streams=streams, length=torch.cat([each.length for each in rows]))
