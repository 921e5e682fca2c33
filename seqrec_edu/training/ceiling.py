"""A score beside the best possible one: in a world whose next-item distribution is known, who lies above is leaking.

split = fresh_users(world, train=300)                    # train on some people, ask others
found = against_ceiling(evaluate(model, split, "test"), world, split)
found.leaking, print(found), found.check()
against_ceiling(every_position(model, split), world, split)   # as every-position training sees it
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from seqrec_edu import ops
from seqrec_edu.data.batches import EventStore, windows
from seqrec_edu.data.check import BadInput
from seqrec_edu.data.split import Split, ranges
from seqrec_edu.data.synthetic import World
from seqrec_edu.training.evaluate import Evaluation, check_finite, inference
from seqrec_edu.training.metrics import intervals, metrics

ASKED_SEED = 2**62 + 1  # of the people who are asked; far from the seeds that anybody chooses
METRICS = ("HR@1", "HR@10", "NDCG@10")
SURE = 0.999
RESAMPLES = 10_000  # so that five of them lie beyond each end of an interval at 99.9 %
_ROUNDING = 1e-9  # a sum of probabilities stops this short of the 1 that a cutoff above the number of items reaches

_WHERE_TO_LOOK = (
    "The model has read the target, an event after it, or something computed from them. Look for a filter, an "
    "attention or a backward scan that reads ahead and was trained or asked at every position (lens.audit shows which "
    "events an output reads), for features taken over whole histories, and for targets among the training events. "
    "People who were trained on can also be known by heart: ask others (fresh_users)."
)


class Leaking(ValueError):
    """A model scored more than anybody can who sees only what came before."""


@dataclass(frozen=True)
class Standing:
    """One metric beside its ceiling; [low, high] is the bootstrap interval over users."""

    metric: str
    value: float
    low: float
    high: float
    ceiling: float

    @property
    def leaking(self) -> bool:
        """Whether the whole interval lies above the ceiling."""
        return self.low > self.ceiling + _ROUNDING

    def __str__(self) -> str:
        where = "ABOVE" if self.leaking else f"{self.value / self.ceiling:.0%} of"
        return (
            f"{self.metric} {self.value:.4f} [{self.low:.4f}, {self.high:.4f}], {where} the ceiling {self.ceiling:.4f}"
        )


@dataclass(frozen=True)
class AgainstCeiling:
    """What `against_ceiling` found: one `Standing` per metric."""

    world: str
    targets: int
    level: float
    standings: dict[str, Standing]

    @property
    def leaking(self) -> tuple[Standing, ...]:
        """The metrics that lie above their ceiling; none for an honest model."""
        return tuple(each for each in self.standings.values() if each.leaking)

    def check(self) -> AgainstCeiling:
        """Itself. Raises Leaking, with where to look, if a metric lies above its ceiling."""
        if self.leaking:
            raise Leaking(str(self))
        return self

    def __str__(self) -> str:
        lines = [
            f"{self.world}, {self.targets:,} targets, intervals at {self.level:.1%}",
            *map(str, self.standings.values()),
        ]
        if self.leaking:
            above = " and ".join(each.metric for each in self.leaking)
            lines.append(f"Leaking: {above} cannot be reached from what came before the target. {_WHERE_TO_LOOK}")
        return "\n".join(lines)


def against_ceiling(
    evaluation: Evaluation,
    world: World,
    split: Split,
    *,
    names: Sequence[str] = METRICS,
    level: float = SURE,
    resamples: int = RESAMPLES,
) -> AgainstCeiling:
    """Put an evaluation beside the ceiling of the very same targets, and say where it lies above.

    ceiling = mean over targets of the metric that the true next-item distribution expects (`World.ceiling`). Given the
    histories, no predictor that reads only them has a higher expectation; what it scores differs from that by chance.
    So a metric whose whole interval lies above its ceiling has a cause, and the cause is a leak.

    evaluation: of histories that `world` made, on `split`, seen items unmasked.
    names: of metrics, "HR@K", "NDCG@K" and "MRR@K".
    level: of the intervals. An honest model at the ceiling lies above it by chance in (1 - level) / 2 of all checks: at
    95 % that would be one in forty, so the default is 99.9 %, and one in two thousand. Leaks are far larger.

    Where many items tie, a metric of the expected rank (see `metrics`) can pay a tie at the cutoff more than its share;
    scores of a trained model do not tie. Cost: the truth of every target, and `resamples` bootstrap means.
    Raises ValueError for another split, masked seen items, or a metric of another kind; BadInput for another world.
    """
    if evaluation.split_hash != split.hash:
        raise ValueError("expected the split that the evaluation was made on, got another; its targets would differ")
    if evaluation.seen != "unmasked":
        raise ValueError('expected an evaluation with seen="unmasked": the ceiling ranks all items, seen ones too')
    cutoffs = tuple(dict.fromkeys(_cutoff(name) for name in names))
    best = world.ceiling(split.histories, evaluation.targets.numpy(), cutoffs=cutoffs).metrics
    options = {"cutoffs": cutoffs, "level": level, "resamples": resamples}
    reached, ends = metrics(evaluation.ranks, cutoffs), intervals(evaluation.ranks, evaluation.users, **options)
    standings = {name: Standing(name, reached[name], *ends[name], best[name]) for name in names}
    return AgainstCeiling(split.histories.name or "histories", len(evaluation.targets), level, standings)


def every_position(model: Any, split: Split, *, history_length: int = 200, batch_size: int = 256) -> Evaluation:
    """Rank the training events of a split as every-position training asks for them: one pass over each whole window.

    The output at each event is asked for the next one, while that and all later ones stand in the input. A causal model
    reads none of them and scores as in `evaluate`; one that reads ahead finds the answer. For a check without memory,
    give a split of people whom the model has not been trained on.
    Events that begin a history are not asked for. Without intervals. Raises ValueError without training events,
    and for NaN or infinite outputs.
    """
    start, stop = windows(split, history_length)
    if len(start) == 0:
        raise ValueError(f"the split leaves no training events to ask for: {split.summary()}")
    items = model.item_embedding.weight
    store, ranks = EventStore(split.histories, device=items.device), []
    with inference(model):
        for first in range(0, len(start), batch_size):
            batch = store.gather(start[first : first + batch_size], stop[first : first + batch_size], target="next")
            asked = batch.target != 0
            hidden = model(batch)[asked]
            check_finite(hidden, "hidden states")  # NaN would rank first: an accusation out of nothing
            ranks.append(ops.target_rank(hidden.to(items.dtype), items, batch.target[asked]).double().cpu())
    targets = ranges(start + 1, stop)
    users, ranks = torch.from_numpy(split.users_of(targets)), torch.cat(ranks)
    return Evaluation(
        ranks=ranks, users=users, targets=torch.from_numpy(targets), metrics=metrics(ranks), intervals={},
        which="train", seen="unmasked", history_length=history_length, n_users=len(users.unique()),
        n_items=split.histories.n_items, split_hash=split.hash, level=0.0, resamples=0, seed=0, sampled=False,
    )  # fmt: skip


def fresh_users(
    world: World,
    train: int,
    *,
    valid: int = 400,
    test: int = 2_000,
    seed: int = 0,
    asked: int = ASKED_SEED,
    length: int | None = None,
) -> Split:
    """Train on whole histories of some people, validate and test on the last events of others, all of one world.

    Few users to learn from and many to be asked: what leave-one-out, which asks the same people, cannot have. Who is
    asked depends on `asked`, `valid` and `test` alone, so models trained on other people (`seed`) can be paired.
    Raises BadInput when the two seeds are equal, and when somebody who is asked has fewer than two events.
    """
    if seed == asked:
        raise BadInput(f"seed and asked are both {seed}: people would be asked whom the model was trained on")
    mine, others = world.sample(seed, train, length), world.sample(asked, valid + test, length)
    starts, stops = others.offsets[:-1], others.offsets[1:]
    if (stops - starts < 2).any():
        raise BadInput("people who are asked need at least two events, one to read and one to ask for; raise length")
    histories = replace(
        mine,
        items=np.concatenate([mine.items, others.items]),
        times=np.concatenate([mine.times, others.times]),
        offsets=np.concatenate([mine.offsets, mine.n_events + stops]),
        user_ids=[*(f"trained {user}" for user in mine.user_ids), *(f"asked {user}" for user in others.user_ids)],
    )
    train_end = np.concatenate([mine.offsets[1:], mine.n_events + starts])
    last = mine.n_events + stops - 1
    return Split(histories, "fresh-users", train_end, last[:valid], last[valid:])


def _cutoff(name: str) -> int:
    kind, _, k = name.partition("@")
    if kind not in ("HR", "NDCG", "MRR") or not k.isdigit() or int(k) < 1:
        raise ValueError(f"expected metrics such as {', '.join(METRICS)}, got {name!r}")
    return int(k)
