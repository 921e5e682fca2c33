"""Made-up histories of any kind (items, times, vectors) with the changes an audit makes to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

ITEM, TIME, NUMBER = "item", "time", "number"
HALF_AN_HOUR = 1801  # half the smallest gap, so the order stays; some steps of float32, which are 128 s near 1.7e9 s


@dataclass(frozen=True)
class Rows:
    """Right-padded histories.

    Attributes:
        streams: what happens along time, by the name of the argument that reads it: "b l" or "b l d", 0 at pads.
        kinds: for every stream "item" (int64, 1…n_items), "time" (int64 Unix seconds) or "number".
        length: int64 "b", real events of each history.
        n_items: items there are.
    """

    streams: dict[str, Tensor]
    kinds: dict[str, str]
    length: Tensor
    n_items: int

    @property
    def width(self) -> int:
        """Places of a row, real events and pads."""
        return next(iter(self.streams.values())).shape[1]

    @property
    def mask(self) -> Tensor:
        """bool "b l": True at real events."""
        return torch.arange(self.width, device=self.length.device) < self.length[:, None]

    def map(self, change: Callable[[str, Tensor], Tensor]) -> Rows:
        """The same histories with every stream changed by ``change(kind, stream)``."""
        return replace(self, streams={name: change(self.kinds[name], v) for name, v in self.streams.items()})

    def only(self, history: int) -> Rows:
        """One history on its own."""
        one = slice(history, history + 1)
        return replace(self.map(lambda _, v: v[one]), length=self.length[one])

    def cut(self, width: int) -> Rows:
        """The first ``width`` places of each row."""
        return replace(self.map(lambda _, v: v[:, :width]), length=self.length.clamp(max=width))

    def at(self, place: int) -> Rows:
        """The events at one place, each a history of its own."""
        return replace(self.map(lambda _, v: v[:, place : place + 1]), length=torch.ones_like(self.length))

    def with_pads_from(self, other: Rows) -> Rows:
        """Real events from here, what stands at the pads from ``other``."""
        return replace(
            self, streams={n: torch.where(_over(self.mask, v), v, other.streams[n]) for n, v in self.streams.items()}
        )

    def changed(self, name: str, place: int) -> list[Rows]:
        """The stream ``name`` changed at one place of every history: another item, other numbers, or another time.

        A time is tried twice: half an hour later, and one second from the event before (which makes that the smallest
        gap of the history; some models scale by it).
        """
        before = self.streams[name][:, place]
        if self.kinds[name] == ITEM:
            others = [before % self.n_items + 1]
        elif self.kinds[name] == TIME:
            neighbour = self.streams[name][:, place - 1] + 1 if place else self.streams[name][:, 1] - 1
            others = [before + HALF_AN_HOUR, neighbour]
        else:
            others = [before + 0.5 + before.abs()]
        found = []
        for other in others:
            stream = self.streams[name].clone()
            stream[:, place] = other
            found.append(replace(self, streams=self.streams | {name: stream}))
        return found

    def moved_in_time(self, change: Callable[[Tensor], Tensor]) -> Rows:
        """The timestamps of real events changed, the pads left at 0."""
        return self.map(lambda kind, v: torch.where(self.mask, change(v), v) if kind == TIME else v)


def random_rows(
    kinds: dict[str, str],
    widths: dict[str, tuple[int, ...]],
    lengths: list[int],
    width: int,
    *,
    n_items: int,
    seed: int,
    like: Tensor,
    pads: bool = False,
) -> Rows:
    """Random histories of ``lengths`` events in rows of ``width`` places, with the device and dtype of ``like``.

    Timestamps are some 1.7e9 s with gaps from an hour to a day. The places after a history hold zeros, or random
    content too if ``pads``.
    """
    draw = torch.Generator().manual_seed(seed)
    streams = {}
    for name, kind in kinds.items():
        shape = (len(lengths), width, *widths.get(name, ()))
        if kind == ITEM:
            stream = torch.randint(1, n_items + 1, shape, generator=draw)
        elif kind == TIME:
            stream = 1_700_000_000 + torch.randint(3_600, 86_400, shape, generator=draw).cumsum(1)
        else:
            # Rounded to float32, so that the copies of a module in both precisions read the same numbers.
            stream = torch.randn(shape, generator=draw).to(like.dtype)
        streams[name] = stream.to(like.device)
    rows = Rows(streams, kinds, torch.tensor(lengths, device=like.device), n_items)
    return rows if pads else rows.map(lambda _, v: v * _over(rows.mask, v))


def _over(mask: Tensor, stream: Tensor) -> Tensor:
    """``mask "b l"`` with as many axes as ``stream``."""
    return mask.reshape(*mask.shape, *(1,) * (stream.dim() - 2))
