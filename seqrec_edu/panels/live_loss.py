"""The loss while it falls: one picture that is redrawn as epochs end, for `fit` to call."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from IPython import get_ipython
from IPython.display import display

from seqrec_edu.figures.digest import digest
from seqrec_edu.figures.log import HIGH, LOW
from seqrec_edu.figures.sketch import sketch
from seqrec_edu.figures.training import training_curves

from .mime import bundle
from .pictures import under_test

_PAUSE = 0.3  # seconds from one drawing to the next at least: faster flickers
_SHARE = 0.1  # of the time at most goes into drawing, on a slow machine too


class Pace:
    """When to draw what changes all the time: `due` says so, and drawing stands inside `drawing`."""

    def __init__(self) -> None:
        self._next = 0.0

    @property
    def due(self) -> bool:
        """Whether the last drawing is old enough."""
        return time.monotonic() >= self._next

    @contextmanager
    def drawing(self) -> Iterator[None]:
        """Note how long this took, so that the next one waits for ten times as long."""
        begun = time.monotonic()
        try:
            yield
        finally:
            now = time.monotonic()
            self._next = now + max(_PAUSE, (now - begun) / _SHARE)


class LiveLoss:
    """Draw loss and metric while a model trains; pass it to `fit` among its callbacks.

    One output is updated in place: a sketch of a few kB while it runs, the figure at the end. Under a test the
    figure is drawn once, at the end, so that the stored outputs do not depend on how fast the machine is; outside
    IPython nothing is drawn. `on_fit_end` prints the digest without values, because a training's last digits differ
    between machines. More than these two lines, with controls, is shown by `Cockpit`.

    Args:
        metric, references, title: as `figures.training_curves`.
        earlier: run name → log of runs to draw beside this one.
        name: what this run is called in the legend, with `earlier`.
    """

    def __init__(
        self,
        *,
        metric: str = "NDCG@10",
        references: Mapping[str, float] | None = None,
        title: str = "Training",
        earlier: Mapping[str, Sequence[Mapping[str, float]]] | None = None,
        name: str = "this run",
    ) -> None:
        self.log: list[dict[str, float]] = []
        self._style = {"metric": metric, "references": references, "title": title}
        self._earlier, self._name = dict(earlier or {}), name
        self._handle, self._pace = None, Pace()

    @property
    def figure(self):
        """The curves so far, as a Plotly figure: lines alone, without the intervals of the log."""
        plain = [{key: value for key, value in r.items() if not key.endswith((LOW, HIGH))} for r in self.log]
        return training_curves({**self._earlier, self._name: plain}, **self._style)

    def on_fit_begin(self, *_: object) -> None:
        """Forget an earlier run, so that one object can watch several in turn."""
        self.log, self._handle, self._pace = [], None, Pace()

    def on_step_end(self, log: Mapping[str, float]) -> None:
        """Nothing: a drawing per epoch is enough to watch."""

    def on_epoch_end(self, log: Mapping[str, float]) -> None:
        """Take the record of the epoch that ended, and redraw if the last drawing is old enough."""
        self.log.append(dict(log))
        if not under_test() and self._pace.due:
            self._draw()

    def on_fit_end(self, result: object = None) -> None:
        """Draw the whole run (of a resumed one the epochs before, too), with its stored picture; print the digest."""
        self.log = [dict(record) for record in getattr(result, "log", None) or self.log]
        if not self.log:
            return
        self._draw(last=True)
        if get_ipython() is not None:
            print(digest(self.figure, values=False))

    def _draw(self, *, last: bool = False) -> None:
        """Show a sketch while it runs, the figure at the end: JupyterLab does not update a Plotly output in place."""
        if get_ipython() is None:
            return
        with self._pace.drawing():
            figure = self.figure
            data, metadata = bundle(figure) if last else ({"text/html": sketch(figure), "text/plain": "[training]"}, {})
            if self._handle is None:
                self._handle = display(data, raw=True, metadata=metadata, display_id=True)
            else:
                self._handle.update(data, raw=True, metadata=metadata)
