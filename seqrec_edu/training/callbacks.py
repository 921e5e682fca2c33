"""Named events of a training run, for whoever wants to watch it."""

from __future__ import annotations

from typing import Any


class Callback:
    """Override what you need.

    ``log`` is a plain dict of numbers. Of an epoch it holds

    epoch, loss, learning_rate
    steps, events, seconds        of the run so far: steps taken, events in the windows they read, and the time of steps
                                  and validations (of the machine)
    gradient_norm, … low, … high  median, least and greatest of its steps, before clipping; clipped: the share of steps
                                  whose gradient was shortened
    events_per_second             while it trained; events_per_cpu_second: the same of processor time, over all threads
    NDCG@10, NDCG@10 low, … high  and the other metrics, with the ends of their bootstrap intervals: where it validated
    dt LAYER, … low, q25, q75, high  quantiles of the step sizes of that layer, see `StepSizes`: where it validated

    Logs of older versions lack some of them.
    """

    def on_fit_begin(self, settings: Any, batches: int, first_epoch: int) -> None:
        """Before the first step; ``batches`` per epoch, about, and the epoch a resumed run starts from."""

    def on_step_end(self, log: dict[str, Any]) -> None:
        """After every step: epoch, step, batches, loss, gradient_norm, and steps, events, seconds of the run so far."""

    def on_epoch_end(self, log: dict[str, Any]) -> None:
        """After every epoch, validated or not."""

    def on_fit_end(self, result: Any) -> None:
        """After the best weights were put back."""


class Progress(Callback):
    """A progress bar per run, on a terminal only, and one line per epoch."""

    bar = None

    def on_fit_begin(self, settings, batches, first_epoch):
        from tqdm import tqdm

        total, done = settings.epochs * batches, first_epoch * batches
        # disable=None: a log file gets the lines of the epochs and not a thousand redrawn bars
        self.bar = tqdm(total=total, initial=done, unit="step", mininterval=1.0, leave=False, disable=None)

    def on_step_end(self, log):
        self.bar.update(1)
        self.bar.set_postfix(epoch=log["epoch"], loss=f"{log['loss']:.3f}", refresh=False)

    def on_epoch_end(self, log):
        found = f"  NDCG@10 {log['NDCG@10']:.4f}  HR@10 {log['HR@10']:.4f}" if "NDCG@10" in log else ""
        self.bar.write(f"epoch {log['epoch']:>3}  loss {log['loss']:.4f}{found}  {log['seconds']:.0f} s")

    def on_fit_end(self, result):
        self.close()

    def close(self) -> None:
        """Take the bar away, also after a run that was stopped."""
        if self.bar is not None:
            self.bar.close()
