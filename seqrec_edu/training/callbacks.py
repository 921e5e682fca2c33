"""Named events of a training run, for whoever wants to watch it."""

from __future__ import annotations

from typing import Any


class Callback:
    """Override what you need.

    ``log`` is a plain dict: epoch, loss, seconds (of the run so far), learning_rate, and after validation NDCG@10 …
    """

    def on_fit_begin(self, settings: Any, batches: int, first_epoch: int) -> None:
        """Before the first step; ``batches`` per epoch, about, and the epoch a resumed run starts from."""

    def on_step_end(self, log: dict[str, Any]) -> None:
        """After every step: epoch, step, batches, loss, gradient_norm."""

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
