"""How fast a state forgets: from its decays, in events and in days."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqrec_edu.lens.record import Record
from seqrec_edu.lens.spectrum import DAY
from seqrec_edu.lens.state import layer_with_state, reads_newest_first
from seqrec_edu.lens.table import as_html, as_text

HEAD = ("head", "typical steps", "steps", "days")


@dataclass(frozen=True, repr=False)
class Memory:
    """How far back each event's state reaches, per head (h), or per channel and state number (e n).

    Attributes:
        steps: "b l h": events back from event t at which the weight of a past event falls below ``threshold``, a
            fraction of a step where it falls between two; where it never does, the events there are, t.
        days: the same in days; None where no times are known.
        reached: bool "b l h": whether it does fall below; elsewhere steps and days are lower bounds.
        typical: "b h": steps under a constant decay with the same mean log, ``log θ / mean(log a)``: infinite where
            nothing decays or there is one event.
        threshold: θ.
        length: "b" real events.
        layer: path of the layer.
    """

    steps: np.ndarray
    days: np.ndarray | None
    reached: np.ndarray
    typical: np.ndarray
    threshold: float
    length: np.ndarray
    layer: str

    def last(self, history: int = 0) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
        """Steps, days and whether they were reached, seen from the last event of a history, where the next item is
        predicted: "h" each."""
        t = int(self.length[history]) - 1
        days = None if self.days is None else self.days[history, t]
        return self.steps[history, t], days, self.reached[history, t]

    def table(self, history: int = 0) -> str:
        """One line per head, seen from the last event; "≥" where the history is shorter than the memory."""
        return as_text(self._title, HEAD, self._rows(history))

    def __repr__(self) -> str:
        return self.table()

    def _repr_html_(self) -> str:
        return as_html(self._title, HEAD, self._rows(0))

    @property
    def _title(self) -> str:
        return f"Memory of {self.layer or 'a state'}: until a weight falls below {self.threshold:.3g}, last event"

    def _rows(self, history: int) -> list[tuple[str, str, str, str]]:
        steps, days, reached = self.last(history)
        rows = []
        for head in np.ndindex(steps.shape):
            bound = "" if reached[head] else "≥ "
            shown = "" if days is None else f"{bound}{days[head]:.3g}"
            name = ", ".join(map(str, head))
            rows.append((name, f"{self.typical[(history, *head)]:.3g}", f"{bound}{steps[head]:.3g}", shown))
        return rows


def memory_length(
    source: Record | Any,
    *,
    layer: str | None = None,
    threshold: float = 1 / math.e,
    time: Any = None,
    length: Any = None,
) -> Memory:
    """How far back a state remembers: events, and days, until what was written has faded to ``threshold``.

    What event s wrote has at event t the weight ``exp(Σ_{r=s+1}^{t} log a[r])`` with a = exp(τ dt A) the decays. For
    every t, s is looked for at which that is θ, on a straight line between the logarithms of two events: so a constant
    decay gives ``log θ / log a`` exactly. θ = 1/2 gives the half-life.

    source: a `Record`, whose layer has the taps "dt" and "A" (all of a Mamba or SSD layer), or decays "b l h" or
        "b l e n" in (0, 1] themselves.
    layer: path of the layer, where the record has several; "layers.0.ssd@2" for a second call.
    time: Unix seconds "b l", length: "b" real events; a record of a batch brings both. The half of a layer that
        reads newest first counts its steps from the oldest event on; its days are left out.
    Cost b·l·log l per head or channel, in NumPy.
    Errors: ``ValueError`` on a record without decays, several layers and no choice, decays outside (0, 1], a threshold
    outside (0, 1), or shapes that do not fit.
    """
    if not 0 < threshold < 1:
        raise ValueError(f"memory_length: threshold must lie between 0 and 1, for instance 0.5, got {threshold}")
    if isinstance(source, Record):
        layer = layer_with_state("memory_length", source, layer)
        log_a = _log_decays(source, layer)
        if source.batch is not None and log_a.shape[:2] == tuple(source.batch.item.shape):
            length = source.batch.length.cpu().numpy() if length is None else length
            time = source.batch.time.cpu().numpy() if time is None and not reads_newest_first(source, layer) else time
    else:
        a = np.asarray(source, dtype=np.float64)
        if not ((a > 0) & (a <= 1)).all():
            raise ValueError(f"memory_length: decays must lie above 0 and be at most 1, got {a.min()} … {a.max()}")
        log_a = np.log(a)
    time, length = _checked(log_a, time, length)
    steps, days, reached = _looking_back(log_a, math.log(threshold), time)
    return Memory(steps, days, reached, _typical(log_a, math.log(threshold), length), threshold, length, layer or "")


def _log_decays(source: Record, layer: str) -> np.ndarray:
    path, _, call = layer.partition("@")
    taps = source.of(path, int(call or 1))
    dt, A = taps["dt"].double(), taps["A"].double()
    log_a = dt[..., None] * A if A.dim() == 2 else dt * A
    if "decay_scale" in taps:
        log_a = log_a * taps["decay_scale"].double()
    return log_a.numpy()


def _checked(log_a: np.ndarray, time: Any, length: Any) -> tuple[np.ndarray | None, np.ndarray]:
    if log_a.ndim not in (3, 4) or 0 in log_a.shape:
        raise ValueError(f"memory_length: decays must be 'b l h' or 'b l e n', got {log_a.shape}")
    b, l = log_a.shape[:2]
    length = np.full(b, l) if length is None else np.asarray(length)
    if length.shape != (b,) or (length < 1).any() or (length > l).any():
        raise ValueError(f"memory_length: length must be 'b' with 1 to {l} events for {b} histories, got {length}")
    if time is not None:
        time = np.asarray(time)
        if time.shape != (b, l):
            raise ValueError(f"memory_length: time must be 'b l' ({b}, {l}), got {time.shape}")
    return time, length


def _looking_back(log_a: np.ndarray, log_threshold: float, time: np.ndarray | None):
    """Steps, days and reached, "b l h"."""
    flat = log_a.reshape(*log_a.shape[:2], -1)
    # Minus the log of what is left at event t of a weight of 1 at the first event, whose own decay has no part in it.
    faded = -np.concatenate([np.zeros_like(flat[:, :1]), flat[:, 1:].cumsum(1)], axis=1)
    wanted = faded + log_threshold
    reached = wanted >= 0
    place = np.arange(flat.shape[1], dtype=np.float64)
    at = np.empty_like(faded)
    for b, c in np.ndindex(flat.shape[0], flat.shape[2]):
        at[b, :, c] = np.interp(wanted[b, :, c], faded[b, :, c], place)
    days = None
    if time is not None:
        days = np.empty_like(at)
        for b in range(flat.shape[0]):
            since = (time[b] - time[b, 0]) / DAY
            days[b] = since[:, None] - np.interp(at[b], place, since)
    shape = log_a.shape
    steps = place[:, None] - at
    return steps.reshape(shape), None if days is None else days.reshape(shape), reached.reshape(shape)


def _typical(log_a: np.ndarray, log_threshold: float, length: np.ndarray) -> np.ndarray:
    mean = np.stack(
        [row[1:n].mean(0) if n > 1 else np.zeros(row.shape[1:]) for row, n in zip(log_a, length, strict=True)]
    )
    return np.divide(log_threshold, mean, out=np.full_like(mean, np.inf), where=mean < 0)
