"""Training, on one screen: batches, steps, validation, early stopping, resume."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch

from seqrec_edu import ops
from seqrec_edu.data.batches import EventStore, bucketed, prefix_targets
from seqrec_edu.data.split import Split
from seqrec_edu.models.recommender import Recommender
from seqrec_edu.training.callbacks import Callback
from seqrec_edu.training.checkpoint import (
    MODEL_FILE,
    STATE_FILE,
    CheckpointError,
    load_state,
    read,
    read_about,
    save_model,
    save_state,
)
from seqrec_edu.training.engine import start_engine
from seqrec_edu.training.evaluate import check_catalogue, evaluate
from seqrec_edu.training.log import HIGH, LOW, Position, clocks
from seqrec_edu.training.objectives import Samples, check_objective, loss_of
from seqrec_edu.training.settings import FitSettings
from seqrec_edu.training.step_sizes import StepSizes

SELECT = "NDCG@10"
SECONDS_BETWEEN_SAVES = 60.0
RESAMPLES = 200  # for intervals to look at; a receipt takes 1,000
FEWEST_JUDGED = 100  # targets whose mean loss may be called far worse than guessing: one surprising event may not


class Diverged(ArithmeticError):
    """The loss became NaN, infinite, or far worse than guessing. ``where`` names epoch, step and users of the batch."""

    def __init__(self, message: str, where: dict[str, Any]):
        super().__init__(message)
        self.where = where


@dataclass(frozen=True)
class FitResult:
    """What a run found: the log of every epoch, the best one, and the seconds of training and validation.

    ``settings`` says what it was to do, so that a reader of the log can tell whether it stopped early.
    """

    log: list[dict[str, Any]]
    best_epoch: int
    best: float
    seconds: float
    device: str
    precision: str
    settings: FitSettings | None = None


def fit(
    model: Recommender,
    split: Split,
    settings: FitSettings | None = None,
    *,
    out: str | Path | None = None,
    callbacks: Sequence[Callback] = (),
    device: str = "auto",
) -> FitResult:
    """Train ``model`` on the training events of ``split``; it ends in eval mode with the weights of the best epoch.

    ``out`` is the folder of the run: it gets checkpoints, at least once a minute, and a run that finds its own there
    goes on exactly where it stood. On the CPU a run that was killed and resumed ends bit for bit like one that was not,
    unless one of the two had to compile the loops (see ``ops.compiled``): from then on they differ in rounding.
    Under ``torchrun`` the processes share every batch and end with the same weights.
    Errors: ``NotCausal``; ``ValueError`` for cloze without a mask token, for another number of items than the data has,
    for histories longer than the model takes, and for times that it needs and does not find; ``Diverged``;
    ``CheckpointError`` if ``out`` belongs to another run, or is damaged.
    """
    settings = settings or FitSettings()
    check_objective(model, settings.objective)
    check_catalogue(model, split)
    _check_length(model, split, settings.history_length)
    with torch.random.fork_rng():  # dropout draws from the global stream: the caller's is put back afterwards
        return _Run(model, split, settings, Path(out) if out else None, list(callbacks), device).go()


class _Run:
    def __init__(self, model, split, settings, out, callbacks, device):
        self.settings, self.split, self.out = settings, split, out
        self.fabric = start_engine(device, settings.precision)
        self.callbacks = callbacks if self.fabric.is_global_zero else []
        self.model = model
        model.prepare(split)
        self.fabric.to_device(model)
        self.optimizer = torch.optim.AdamW(
            _parameter_groups(model, settings.weight_decay), lr=settings.learning_rate, fused=True
        )
        self.samples = Samples(split, settings)
        self.at = self._resume()
        self.best_weights = self._weights()
        if self.at.best_epoch:
            self.best_weights = read(self.out / MODEL_FILE)[0]
        self.objective, self.stepper = self.fabric.setup(loss_of(model, settings.objective), self.optimizer)
        self.store = EventStore(split.histories, self.fabric.device)
        self.step_sizes = StepSizes(split, self.store, settings.history_length)
        self.saved = time.monotonic()

    def go(self) -> FitResult:
        self._tell("on_fit_begin", self.settings, len(self._batches(self.at.epoch)[2]), self.at.epoch)
        while self.at.epoch < self.settings.epochs and self.at.stale < self.settings.patience:
            self._epoch()
            self._validate()
        self.model.load_state_dict(self.best_weights)
        self.model.eval()
        at = self.at
        precision = self.fabric._precision.precision
        result = FitResult(
            at.log, at.best_epoch, at.best, at.seconds, str(self.fabric.device), precision, self.settings
        )
        self._tell("on_fit_end", result)
        return result

    def _epoch(self) -> None:
        at = self.at
        start, stop, batches = self._batches(at.epoch)
        self.objective.train()
        while at.step < len(batches):
            began, rows = clocks(), batches[at.step]
            loss, norm = self._step(start, stop, batches)
            # Time is that of steps and validations: what callbacks draw and checkpoints write does not slow a run down.
            at.count(int((stop[rows] - start[rows]).sum()), norm, began, self.fabric.world_size)
            log = {"epoch": at.epoch + 1, "step": at.step, "batches": len(batches), "loss": loss}
            self._tell("on_step_end", {**log, "gradient_norm": norm, **at.so_far})
            if time.monotonic() - self.saved > SECONDS_BETWEEN_SAVES:
                self._save()

    def _step(self, start, stop, batches) -> tuple[float, float]:
        rows = batches[self.at.step]
        rank, world = self.fabric.global_rank, self.fabric.world_size
        # Nothing but these numbers decides the draws of a step, so a resumed run repeats them without any saved state.
        torch.manual_seed(
            int(np.random.SeedSequence([self.settings.seed, self.at.epoch, self.at.step, rank]).generate_state(1)[0])
        )
        for group in self.optimizer.param_groups:
            group["lr"] = self._learning_rate(self.at.epoch + self.at.step / len(batches))
        mine = rows[rank::world]
        share = 1.0 if len(mine) else 0.0
        mine = mine if len(mine) else rows[:1]  # fewer samples than processes: the idle repeat one and weigh it with 0
        batch = self.samples.gather(self.store, start[mine], stop[mine])
        targets = int(self.samples.targets(start[rows], stop[rows]).sum())
        # DDP averages over processes; each contributes its sum over the targets of the whole batch.
        try:
            loss = self.objective(batch) * (share * world / targets)
        except ops.RangeError as error:  # weights that became NaN make steps that an operation refuses
            self._stop(str(error), start[rows])
        mean = float(self.fabric.all_reduce(loss.detach(), reduce_op="mean")) if world > 1 else float(loss.detach())
        self._check_loss(mean, targets, start[rows])
        self.stepper.zero_grad()
        self.fabric.backward(loss)
        norm = self.fabric.clip_gradients(
            self.objective, self.stepper, max_norm=self.settings.clip, error_if_nonfinite=False
        )
        if not math.isfinite(float(norm)):
            self._stop("the gradient is not finite", start[rows])
        self.stepper.step()
        self.at.loss += mean * targets
        self.at.targets += targets
        return mean, float(norm)

    def _batches(self, epoch: int) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
        start, stop = self.samples.epoch(epoch)
        shuffle = np.random.default_rng([self.settings.seed, epoch])
        weights = self.samples.targets(start, stop)
        return start, stop, bucketed(stop - start, self.settings.batch_size, shuffle, weights=weights)

    def _learning_rate(self, epochs: float) -> float:
        s = self.settings
        if epochs < s.warmup:
            return s.learning_rate * min((epochs + 1e-3) / s.warmup, 1.0)  # the first step is not lost to a zero
        if s.schedule == "constant":
            return s.learning_rate
        progress = (epochs - s.warmup) / max(s.epochs - s.warmup, 1e-9)
        return s.learning_rate * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))

    def _validate(self) -> None:
        at = self.at
        log = {**at.end_epoch(self.settings.clip), "learning_rate": self._learning_rate(at.epoch)}
        if at.epoch % self.settings.validate_every == 0 or at.epoch == self.settings.epochs:
            began = time.monotonic()
            log |= self._measure()
            at.seconds += time.monotonic() - began
            if log[SELECT] > at.best:
                at.best, at.best_epoch, at.stale = log[SELECT], at.epoch, 0
                self.best_weights = self._weights()
                if self.out and self.fabric.is_global_zero:
                    save_model(self.model, self.out / MODEL_FILE, epoch=at.epoch, split=self.split.hash)
            else:
                at.stale += self.settings.validate_every
        log |= at.so_far
        at.log.append(log)
        self._save()
        self._tell("on_epoch_end", log)

    def _measure(self) -> dict[str, float]:
        found = {}
        if self.fabric.is_global_zero:
            evaluation = evaluate(
                self.model, self.split, "valid", history_length=self.settings.history_length, resamples=RESAMPLES,
                device=self.fabric.device,
            )  # fmt: skip
            ends = {
                name + end: value
                for name, pair in evaluation.intervals.items()
                for end, value in zip((LOW, HIGH), pair, strict=True)
            }
            found = {**evaluation.metrics, **ends, **self.step_sizes.measure(self.model)}
        return self.fabric.broadcast(found)

    def _weights(self) -> dict[str, torch.Tensor]:
        return {name: value.detach().clone() for name, value in self.model.state_dict().items()}

    def _save(self) -> None:
        self.saved = time.monotonic()
        if self.out and self.fabric.is_global_zero:
            save_state(self.out / STATE_FILE, self.model, self.optimizer, {**asdict(self.at), **self._identity()})

    def _identity(self) -> dict[str, Any]:
        """What has to be the same for a run to go on."""
        model = {"name": self.model.name, **self.model.settings()}
        return {"model": model, "settings": asdict(self.settings), "split": self.split.hash}

    def _resume(self) -> Position:
        if not self.out or not (self.out / STATE_FILE).exists():
            self._check_model_file()
            return Position()
        position = load_state(self.out / STATE_FILE, self.model, self.optimizer, self._check_identity)
        return Position.saved(position)

    def _check_model_file(self) -> None:
        """Weights without a state are overwritten only if a run like this one wrote them and was killed just then."""
        path = self.out / MODEL_FILE if self.out else None
        if path and path.exists():
            about, now = read_about(path), self._identity()
            found = {"name": about.get("model"), **about.get("settings", {})}, about.get("split")
            if found != (now["model"], now["split"]):
                raise CheckpointError(f"{path} holds the weights of another model or other data: choose another folder")

    def _check_identity(self, found: dict[str, Any]) -> None:
        now = self._identity()
        if found["split"] != now["split"]:
            raise CheckpointError(f"{self.out} holds a run on other data or another split: choose another folder")
        for part in ("model", "settings"):
            was = found.get(part, now[part])
            changed = [f"{k}: {was.get(k)} → {v}" for k, v in now[part].items() if was.get(k) != v]
            if changed:
                raise CheckpointError(
                    f"{self.out} holds a run with other settings ({', '.join(changed)}): choose another folder"
                )

    def _check_loss(self, loss: float, targets: int, events: np.ndarray) -> None:
        if not math.isfinite(loss):
            self._stop(f"the loss is {loss}", events)
        guessing, judged = math.log(self.split.histories.n_items), self.at.targets + targets
        of_epoch = (self.at.loss + loss * targets) / judged
        if self.at.epoch > 0 and judged >= FEWEST_JUDGED and of_epoch > 3 * guessing + 3:
            self._stop(f"the loss of this epoch is {of_epoch:.1f}, guessing costs {guessing:.1f}", events)

    def _stop(self, what: str, events: np.ndarray) -> NoReturn:
        users = [self.split.histories.user_ids[u] for u in self.split.users_of(events)]
        where = {"epoch": self.at.epoch + 1, "step": self.at.step + 1, "users": users}
        shown = ", ".join(users[:8]) + (f" and {len(users) - 8} more" if len(users) > 8 else "")
        raise Diverged(
            f"stopped in epoch {where['epoch']}, step {where['step']}: {what}. The batch held users {shown}. "
            f"Lower learning_rate (now {self.settings.learning_rate:g}) or look at their histories.",
            where,
        )

    def _tell(self, event: str, *args) -> None:
        for callback in self.callbacks:
            getattr(callback, event)(*args)


def _check_length(model: Recommender, split: Split, history_length: int) -> None:
    """Say before the first step what would stop a later one: a history too long for the model."""
    start, stop, _ = prefix_targets(split, "valid", history_length)
    trained = int((split.train_end - split.histories.offsets[:-1]).max()) - 1  # the last event is only asked for
    longest = max(min(trained, history_length), int((stop - start).max(initial=0)))
    if model.most_events is not None and longest > model.most_events:
        raise ValueError(
            f"{type(model).__name__} is made for histories of {model.most_events} events, batches will hold {longest}: "
            f"train with history_length={model.most_events} or build it with a larger history_length"
        )


def _parameter_groups(model: Recommender, weight_decay: float) -> list[dict[str, Any]]:
    """Decay the matrices of linear maps; leave embeddings, biases, norms and state-space parameters alone."""
    decayed = {id(m.weight) for m in model.modules() if isinstance(m, torch.nn.Linear)}
    parameters = [p for p in model.parameters() if p.requires_grad]
    return [
        {"params": [p for p in parameters if id(p) in decayed], "weight_decay": weight_decay},
        {"params": [p for p in parameters if id(p) not in decayed], "weight_decay": 0.0},
    ]
