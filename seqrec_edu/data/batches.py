"""Histories as tensors: batches are gathered from the flat arrays by index, with no Python per sample."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from seqrec_edu.data.check import BadInput
from seqrec_edu.data.histories import Histories
from seqrec_edu.data.split import Split, ranges


@dataclass(frozen=True)
class Batch:
    """A batch of right-padded histories.

    Attributes:
        item: int64 "b l", 0 at pads.
        time: int64 "b l", Unix seconds, 0 at pads.
        length: int64 "b", number of real events.
        target: int64 "b" (one per history) or "b l" (one per position), 0 = none; or None.
        user: int64 "b", user index; None for histories that are nobody's, for instance typed in by hand.
    """

    item: Tensor
    time: Tensor
    length: Tensor
    target: Tensor | None = None
    user: Tensor | None = None

    @property
    def mask(self) -> Tensor:
        """bool "b l": True at real events."""
        return torch.arange(self.item.shape[1], device=self.item.device) < self.length[:, None]

    @classmethod
    def of(cls, items: Sequence[int], times: Sequence[int], *, pads: int = 0) -> Batch:
        """One history as a batch of one, with ``pads`` empty places behind it: item and time 'l', oldest first."""
        item, time = (torch.from_numpy(np.pad(np.asarray(row, dtype=np.int64), (0, pads))) for row in (items, times))
        return cls(item[None], time[None], torch.tensor([len(item) - pads]))

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on another device."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return Batch(**{name: value if value is None else value.to(device) for name, value in values.items()})

    def __len__(self) -> int:
        return self.item.shape[0]


class EventStore:
    """The flat arrays of `Histories` as tensors on one device: `items` int32, `times` int64, `offsets` int64.

    On the CPU they are the arrays themselves: histories that are memory-mapped stay so, and however many processes on a
    machine train on them, they are in its memory once. Never write to them.
    """

    def __init__(self, histories: Histories, device: torch.device | str = "cpu"):
        self.items, self.times, self.offsets = (
            _shared(array).to(device) for array in (histories.items, histories.times, histories.offsets)
        )
        self.device = self.items.device

    def gather(self, start, stop, length: int | None = None, *, target=None) -> Batch:
        """Events `start[i]:stop[i]` of one user each, as a right-padded batch.

        Args:
            start, stop: int "b" (numpy or torch), event indices, start < stop.
            length: pad to this length; a longer window keeps its LAST `length` events. None pads to the longest.
            target: None; or event indices "b", whose items become `target` "b"; or "next": the last event of each
                window is only a target, and `target` "b l" holds the item that follows each position.
        Raises:
            BadInput: for empty windows, windows outside the events or over two users, or of one event with "next".
        """
        start, stop, user = self._checked(start, stop)
        every = int(isinstance(target, str))
        if every and target != "next":
            raise BadInput(f'target must be None, event indices, or "next", got {target!r}')
        if length is not None and length < 1:
            raise BadInput(f"length must be at least 1, got {length}")
        size = stop - start - every
        if (size < 1).any():
            raise BadInput('target="next" needs windows of at least two events: one read, one to predict')
        width = int(size.max()) if length is None else length
        size = size.clamp(max=width)
        start = stop - every - size
        place = torch.arange(width, device=self.device)
        mask = place < size[:, None]
        index = torch.where(mask, start[:, None] + place, 0)
        item, time = (torch.where(mask, values[index].long(), 0) for values in (self.items, self.times))
        if every:
            target = torch.where(mask, self.items[torch.where(mask, index + 1, 0)].long(), 0)
        elif target is not None:
            target = self.items[self._indices(target, "target")].long()
        return Batch(item, time, size, target, user)

    def _indices(self, values, name: str) -> Tensor:
        index = torch.as_tensor(values)  # checked where it lies, so that indices from the CPU cost no GPU wait
        if index.ndim != 1 or (index < 0).any() or (index >= self.items.numel()).any():
            raise BadInput(
                f"{name} must be event indices 'b' in 0..{self.items.numel() - 1}, got shape {tuple(index.shape)}"
            )
        return index.to(self.device, torch.int64)

    def _checked(self, start, stop) -> tuple[Tensor, Tensor, Tensor]:
        start = self._indices(start, "start")
        last = self._indices(torch.as_tensor(stop) - 1, "stop - 1")
        if start.shape != last.shape or start.numel() == 0:
            raise BadInput(
                f"start and stop must both be 'b' with b ≥ 1, got {start.numel()} and {last.numel()} entries"
            )
        user = torch.searchsorted(self.offsets, start, right=True) - 1
        if (last < start).any() or (last >= self.offsets[user + 1]).any():
            raise BadInput("each window start:stop must hold at least one event and stay inside one user's history")
        return start, last + 1, user


def _shared(array: np.ndarray) -> Tensor:
    """A tensor on the memory of an array, read-only as it may be."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(np.ascontiguousarray(array))


def prefix_targets(split: Split, which: str, history_length: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One window per target: the last `history_length` events before it.

    Args:
        which: "valid", "test", or "train" (every training event but each user's first is then a target).
        history_length: most events in a window, ≥ 1.
    Returns:
        start, stop, target: int64 event indices, one entry per target; the window is start:stop and stop = target.
    """
    if history_length < 1:
        raise BadInput(f"history_length must be at least 1, got {history_length}")
    offsets = split.histories.offsets[:-1]
    if which == "train":
        target = ranges(np.minimum(offsets + 1, split.train_end), split.train_end)
    else:
        target = split.events(which)
    start = np.maximum(offsets[split.users_of(target)], target - history_length)
    return start, target, target


def windows(split: Split, length: int, seed: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Windows for the every-position objective: all events but the last are read, all but the first asked.

    Neighbouring windows of a user share one event, so each training event but each user's first is a target exactly
    once. Users with fewer than two training events give none.

    Args:
        length: most positions read per window, so a window has at most length + 1 events.
        seed: shifts the cuts of each history that needs cutting by a uniform random number of events, so that over
            epochs each event is seen with different amounts of past. None cuts from the end. A history that fits in
            one window is never cut: that would only take away past.
    Returns:
        start, stop: int64 event indices, by user, then time.
    """
    if length < 1:
        raise BadInput(f"length must be at least 1, got {length}")
    offsets = split.histories.offsets[:-1]
    targets = np.maximum(split.train_end - offsets - 1, 0)  # "users"
    last = np.full(targets.size, length, dtype=np.int64)  # targets in each user's last window
    if seed is not None:
        phase = np.random.default_rng(seed).integers(1, length + 1, targets.size)
        last = np.where(targets > length, phase, length)
    pieces = np.where(targets > 0, 1 + np.maximum(0, -((last - targets) // length)), 0)
    user = np.repeat(np.arange(targets.size), pieces)
    behind = np.repeat(np.cumsum(pieces), pieces) - 1 - np.arange(user.size)  # windows of this user still to come
    stop = np.where(behind == 0, targets[user], targets[user] - last[user] - (behind - 1) * length)
    start = np.maximum(0, targets[user] - last[user] - behind * length)
    return offsets[user] + start, offsets[user] + stop + 1


def bucketed(
    lengths: np.ndarray,
    batch_size: int,
    generator: np.random.Generator | None = None,
    *,
    weights: np.ndarray | None = None,
    buckets_of: int = 50,
) -> list[np.ndarray]:
    """Batches of similar length, so that little is padded: each index once, the same for the same generator state.

    Shuffles, sorts by length inside groups of about `buckets_of` batches, cuts into batches of equal weight, shuffles
    their order. Without a generator nothing is shuffled.

    Args:
        lengths: int "n", cost of each sample.
        batch_size: summed weight of a batch; it misses this by less than the heaviest sample of all.
        weights: int "n", at least 1; None counts samples.
    Returns:
        int64 index arrays, none of them empty.
    """
    if batch_size < 1 or buckets_of < 1:
        raise BadInput(f"batch_size and buckets_of must be at least 1, got {batch_size} and {buckets_of}")
    lengths = np.asarray(lengths)
    weights = np.ones(lengths.size, np.int64) if weights is None else np.asarray(weights)
    order = np.arange(lengths.size) if generator is None else generator.permutation(lengths.size)
    group = _before(weights[order]) // (batch_size * buckets_of)
    order = order[np.lexsort((lengths[order], group))]
    batch = _before(weights[order]) // batch_size
    batches = np.split(order, np.flatnonzero(np.diff(batch)) + 1) if order.size else []
    if generator is not None:
        batches = [batches[i] for i in generator.permutation(len(batches))]
    return batches


def _before(weights: np.ndarray) -> np.ndarray:
    """Sum of all weights in front of each."""
    return np.cumsum(weights) - weights
