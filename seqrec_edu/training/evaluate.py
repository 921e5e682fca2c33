"""Full-ranking evaluation: where does the item that came next stand among all items of the catalogue?

No sampled negatives: they change which model looks better (Krichene & Rendle 2020). Items the person already had are
ranked like any other unless `seen="masked"`; the published tables of sequential models leave them in, and the two
settings must never stand in one column.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seqrec_edu import ops
from seqrec_edu.data.batches import Batch, EventStore, prefix_targets
from seqrec_edu.data.split import Split
from seqrec_edu.training.metrics import (
    CUTOFFS,
    LEVEL,
    RESAMPLES,
    Difference,
    expected_rank,
    intervals,
    metrics,
    paired_difference,
)

# A baseline's dense scores for one batch, in numbers: 8 MiB of float64 stay in the processor's cache.
_SCORES_AT_ONCE = 2**20

Ranker = Callable[[Batch, Tensor, Tensor | None], Tensor]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What one model did on one set of targets; `targets`, `users` and `ranks` are in the order of the split."""

    ranks: Float[Tensor, " u"]
    users: Int[Tensor, " u"]
    targets: Int[Tensor, " u"]  # event index of each target in the histories
    metrics: dict[str, float]
    intervals: dict[str, tuple[float, float]]  # empty when resamples=0
    which: str
    seen: str
    history_length: int
    n_users: int
    n_items: int
    split_hash: str
    level: float
    resamples: int
    seed: int
    sampled: bool  # whether max_users left some users out

    def minus(self, other: Evaluation, *, cutoffs: Sequence[int] = CUTOFFS) -> dict[str, Difference]:
        """Paired difference of every metric, this one minus the other, with this evaluation's level and resamples.

        Raises ValueError when the two did not rank the same targets in the same way.
        """
        if self.split_hash != other.split_hash or not torch.equal(self.targets, other.targets):
            raise ValueError(
                f"expected two evaluations of the same targets, got {self.which} with {len(self.targets):,} targets "
                f"and {other.which} with {len(other.targets):,}; use one split, one `which`, one `max_users` and `seed`"
            )
        if self.seen != other.seen:
            raise ValueError(f"expected one rule for seen items, got {self.seen!r} and {other.seen!r}")
        options = {"cutoffs": cutoffs, "level": self.level, "resamples": self.resamples or RESAMPLES, "seed": self.seed}
        return paired_difference(self.ranks, other.ranks, self.users, **options)

    def summary(self) -> dict[str, Any]:
        """What a receipt keeps: values with low and high, and how they came about. Plain JSON types."""
        values = {}
        for name, value in self.metrics.items():
            low, high = self.intervals.get(name, (None, None))
            values[name] = {"value": value, "low": low, "high": high}
        counted = {"users": self.n_users, "targets": len(self.targets), "sampled": self.sampled}
        how = {"history_length": self.history_length, "level": self.level, "resamples": self.resamples}
        return {**counted, **how, "seed": self.seed, "values": values}

    def __repr__(self) -> str:
        head = (
            f"{self.which}: {len(self.targets):,} targets of {self.n_users:,} users{' (a sample)' * self.sampled}, "
            f"ranked among {self.n_items:,} items, seen items {self.seen}"
        )
        lines = [head]
        for name, value in self.metrics.items():
            low_high = self.intervals.get(name)
            lines.append(f"  {name:<8} {value:.4f}" + (f"  [{low_high[0]:.4f}, {low_high[1]:.4f}]" if low_high else ""))
        return "\n".join(lines)


def evaluate(
    model: Any,
    split: Split,
    which: Literal["valid", "test"] = "valid",
    *,
    history_length: int = 200,
    seen: Literal["unmasked", "masked"] = "unmasked",
    batch_size: int = 256,
    device: torch.device | str | None = None,
    max_users: int | None = None,
    cutoffs: Sequence[int] = CUTOFFS,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Evaluation:
    """Rank the target of every user among all items 1..n_items, by expected rank (see `metrics`).

    model: a neural one, `model(batch) -> hidden "b l d"` with a tied `model.item_embedding.weight "v d"`, read at
    the last event of the history; or a baseline with `scores(batch) -> "b v"`.
    history_length: events of the history that the model sees, the latest ones.
    seen: "masked" leaves out every item in the person's *whole* history before the target, also beyond
    history_length; the target itself always ranks, even when it was seen before.
    batch_size: histories at a time; baselines take fewer where their dense scores would fall out of cache.
    device: where the batches go; None means where the model is. A model elsewhere is an error, it is never moved.
    max_users: rank only so many users, drawn with `seed`: the same ones for every model and every epoch.
    resamples: bootstrap resamples for the intervals, 0 for none (quick validation).

    Runs without gradients and in eval mode; every module's mode is put back, also after an error. Random state is not
    touched. Cost: one forward pass over all prefixes plus u · v · d multiplications; baselines O(u · v).
    Raises ValueError for options outside the lists above, no targets, a model of another number of items, and NaN or
    infinite outputs.
    """
    _check(model, which, seen, batch_size, max_users, resamples)
    check_catalogue(model, split)
    chosen = _targets(split, which, history_length, max_users, seed)
    ranks = _ranks(model, split, chosen, seen, batch_size, _device(model, device))
    options = {"cutoffs": cutoffs, "level": level, "resamples": resamples, "seed": seed}
    return Evaluation(
        ranks=ranks,
        users=chosen.users,
        targets=torch.from_numpy(chosen.stop),
        metrics=metrics(ranks, cutoffs),
        intervals=intervals(ranks, chosen.users, **options) if resamples else {},
        which=which,
        seen=seen,
        history_length=history_length,
        n_users=len(chosen.users.unique()),
        n_items=split.histories.n_items,
        split_hash=split.hash,
        level=level,
        resamples=resamples,
        seed=seed,
        sampled=chosen.sampled,
    )


@dataclass(frozen=True)
class _Targets:
    """Events to rank: event `stop[i]`, after the window `start[i]:stop[i]` of a history that begins at `first[i]`."""

    first: np.ndarray
    start: np.ndarray
    stop: np.ndarray
    users: Tensor
    sampled: bool


def _targets(split: Split, which: str, history_length: int, max_users: int | None, seed: int) -> _Targets:
    start, stop, _ = prefix_targets(split, which, history_length)
    users = split.users_of(stop)
    everyone = np.unique(users)
    if len(everyone) == 0:
        raise ValueError(f"the {split.protocol} split has no {which} targets to rank; see split.summary()")
    sampled = max_users is not None and max_users < len(everyone)
    if sampled:
        # Whole users, in the order of the split, so that evaluations of two models can be paired.
        some = np.random.default_rng(seed).choice(everyone, max_users, replace=False)
        keep = np.isin(users, some)
        start, stop, users = start[keep], stop[keep], users[keep]
    return _Targets(split.histories.offsets[users], start, stop.copy(), torch.from_numpy(users), sampled)


def _ranks(
    model: Any, split: Split, chosen: _Targets, seen: str, batch_size: int, device: torch.device
) -> Float[Tensor, " u"]:
    store = EventStore(split.histories, device=device)
    # A neural model may have `scores` too, for people to read; its hidden states rank without a users × items matrix.
    neural = hasattr(model, "item_embedding")
    rank = _rank_by_hidden(model) if neural else _rank_by_scores(model, split)
    if not neural:
        batch_size = min(batch_size, max(1, _SCORES_AT_ONCE // (split.histories.n_items + 1)))
    ranks = torch.empty(len(chosen.stop), dtype=torch.float64)
    # Neighbours in this order have nearly the same length, so padding costs next to nothing. By whole length, because
    # it sorts both the windows and the longer lists of seen items.
    order = np.argsort(chosen.stop - chosen.first, kind="stable")
    with inference(model):
        for begin in range(0, len(order), batch_size):
            rows = order[begin : begin + batch_size]
            # The target stays out of the batch: a model must not be able to read the answer.
            batch = store.gather(chosen.start[rows], chosen.stop[rows])
            target = store.items[torch.from_numpy(chosen.stop[rows]).to(device)].long()
            exclude = store.gather(chosen.first[rows], chosen.stop[rows]).item if seen == "masked" else None
            ranks[torch.from_numpy(rows)] = rank(batch, target, exclude).double().cpu()
    return ranks


def _rank_by_scores(baseline: Any, split: Split) -> Ranker:
    def rank(batch: Batch, target: Tensor, exclude: Tensor | None) -> Tensor:
        scores = baseline.scores(batch)
        _check_items(f"{type(baseline).__name__} scores", scores.shape[-1] - 1, split, "fit it on this split")
        return expected_rank(scores, target, exclude)

    return rank


def _rank_by_hidden(model: nn.Module) -> Ranker:
    items = model.item_embedding.weight
    check_finite(items, "item embedding")

    def rank(batch: Batch, target: Tensor, exclude: Tensor | None) -> Tensor:
        hidden = model(batch)
        if hidden.ndim != 3 or hidden.shape[:2] != batch.item.shape:
            raise ValueError(
                f"expected hidden 'b l d' with b, l = {tuple(batch.item.shape)} from {type(model).__name__}, "
                f"got shape {tuple(hidden.shape)}"
            )
        last = hidden[torch.arange(len(hidden), device=hidden.device), batch.length - 1]
        # A NaN is neither above nor below anything and would come out as the best rank there is.
        check_finite(last, "hidden state at the last event")
        return ops.target_rank(last.to(items.dtype), items, target, exclude=exclude)

    return rank


def check_catalogue(model: Any, split: Split) -> None:
    """Refuse a model with more or fewer items than the data: its ranks would be among others than they say."""
    if hasattr(model, "item_embedding"):
        cure = f"build it with n_items={split.histories.n_items}"
        _check_items(f"{type(model).__name__} was built for", len(model.item_embedding.weight) - 1, split, cure)


def _check_items(what: str, has: int, split: Split, cure: str) -> None:
    if has != split.histories.n_items:
        raise ValueError(f"{what} {has:,} items, the data has {split.histories.n_items:,}: {cure}")


def check_finite(tensor: Tensor, what: str) -> None:
    if not bool(torch.isfinite(tensor).all()):
        bad = int((~torch.isfinite(tensor)).any(-1).sum())
        raise ValueError(f"{what} holds NaN or infinity in {bad:,} of {len(tensor):,} rows, which cannot be ranked")


@contextmanager
def inference(model: Any) -> Iterator[None]:
    """No gradients and eval mode; every submodule gets its own mode back, which `model.train()` would not do."""
    modes = [(module, module.training) for module in model.modules()] if isinstance(model, nn.Module) else []
    try:
        for module, _ in modes:
            module.training = False
        with torch.no_grad():
            yield
    finally:
        for module, training in modes:
            module.training = training


def _device(model: Any, device: torch.device | str | None) -> torch.device:
    parameter = next(model.parameters(), None) if isinstance(model, nn.Module) else None
    lives_on = torch.device("cpu") if parameter is None else parameter.device
    if device is None:
        return lives_on
    wanted = torch.device(device)
    if parameter is not None and (wanted.type != lives_on.type or wanted.index not in (None, lives_on.index)):
        raise ValueError(f"the model is on {lives_on}, but evaluation was asked for on {wanted}; move it: model.to(…)")
    return wanted


def _check(model: Any, which: str, seen: str, batch_size: int, max_users: int | None, resamples: int) -> None:
    if not (hasattr(model, "scores") or hasattr(model, "item_embedding")):
        raise ValueError(
            f"expected a model with `item_embedding` or a baseline with `scores`, got {type(model).__name__}"
        )
    for name, value, allowed in (("which", which, ("valid", "test")), ("seen", seen, ("unmasked", "masked"))):
        if value not in allowed:
            raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}, got {value!r}")
    for name, value, least in (("batch_size", batch_size, 1), ("max_users", max_users, 1), ("resamples", resamples, 0)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
            raise ValueError(f"{name} must be a whole number of {least} or more, got {value!r}")
