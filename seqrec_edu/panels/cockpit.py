"""Training as its pilot sees it: while it runs, after it ended, and several runs side by side."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import plotly.graph_objects as go
from IPython import get_ipython
from IPython.display import display

from seqrec_edu.figures.cockpit import cockpit
from seqrec_edu.figures.cockpit_layout import ACROSS, PARTS
from seqrec_edu.figures.cockpit_text import cockpit_sentence, cockpit_table
from seqrec_edu.figures.log import layers, values
from seqrec_edu.figures.text import Table
from seqrec_edu.lens.runs import RunLog, Trail, run_logs

from .live_loss import Pace
from .panel import FULL, Panel
from .pictures import under_test

_ALL = "all"
_METRICS = [f"{name}@{k}" for name in ("NDCG", "HR", "MRR") for k in (10, 5, 20, 50)]
_OF_STEPS = ("steps", "events", "seconds", "loss", "gradient_norm")


class Cockpit(Panel):
    """Loss, quality, gradients, step sizes and speed of trainings; pass it to `fit` among its callbacks, or give it
    what ended: `fit(model, split, callbacks=[Cockpit()])`, `Cockpit(result)`, `Cockpit.from_runs("runs")`.

    While a model trains it is redrawn in place, for at most a tenth of the time; its controls answer when the cell has
    ended. Under a test it is drawn at the end alone, and its text leaves out what differs between machines.

    Args:
        runs: finished trainings: whatever `lens.run_logs` takes, at most seven, or six beside one that is watched.
        run: what the one that is watched is called.
        view: "all", or one of `figures.cockpit_layout.PARTS`.
        metric: the quality that is drawn, such as "NDCG@10".
        across: "epochs", "steps", "seconds" or "events".
        level: percentage of the best quality of all runs; when did each run reach it?

    Raises:
        ValueError: no runs in a folder, more than seven, or a view, metric, axis or level there is not.
    """

    name, title = "cockpit", "Training cockpit"

    def __init__(
        self,
        runs: Any = None,
        *,
        run: str = "this run",
        view: str = _ALL,
        metric: str = "NDCG@10",
        across: str = "epochs",
        level: int = 90,
    ) -> None:
        self._others, self._run = ({} if runs is None else run_logs(runs)), run
        self._live: RunLog | None = None
        self._trail, self._pace, self._handle = Trail(), Pace(), None
        self._shown, self._timed, self._untold = False, True, False
        found = (key for log in self._others.values() for record in log.records for key in record)
        metrics = list(dict.fromkeys([*_METRICS, *(key for key in found if "@" in key and " " not in key)]))
        self._view = _choice("view", [_ALL, *PARTS], view)
        self._metric = _choice("metric", metrics, metric)
        self._across = _choice("x axis", list(ACROSS), across)
        self._layer = widgets.IntSlider(value=1, min=1, max=1, description="layer", layout=FULL)
        self._smoothing = widgets.FloatSlider(
            value=0.0, min=0.0, max=0.95, step=0.05, description="smoothing", readout_format=".2f", layout=FULL
        )
        if not 1 <= level <= 100:
            raise ValueError(f"level is a percentage of the best quality, 1…100, got {level!r}")
        self._level = widgets.IntSlider(value=level, min=1, max=100, description="level (%)", layout=FULL)
        self._log = widgets.Checkbox(value=False, description="log scale", layout=FULL)
        super().__init__()
        self._count_layers()
        controls = [self._view, self._metric, self._across, self._level, self._layer, self._smoothing, self._log]
        self.start(controls)

    @classmethod
    def from_runs(cls, runs: str | Path | Mapping[str, Any], **options: Any) -> "Cockpit":
        """Runs from a folder that holds them, or name → folder of a run or result; ``options`` as for `Cockpit`."""
        return cls(runs, **options)

    # --- what is shown ---------------------------------------------------------------------------------------------

    @property
    def runs(self) -> dict[str, RunLog]:
        """Name → log of all that is shown, the one that is watched last."""
        watched = {} if self._live is None and self._others else {self._run: self._live or RunLog()}
        return {**self._others, **watched}

    @property
    def figure(self) -> go.Figure:
        parts = PARTS if self._view.value == _ALL else (self._view.value,)
        if not self._timed:
            parts = tuple(part for part in parts if part != "speed") or ("loss",)
        clips = {log.settings.get("clip") for log in self.runs.values()}
        return cockpit(
            self._logs, parts=parts, metric=self._metric.value, layer=self._layer.value, level=self.level,
            across=self._across.value if self._timed or self._across.value != "seconds" else "epochs",
            smoothing=self._smoothing.value, log_scale=self._log.value, title=self.title,
            stopped=[name for name, log in self.runs.items() if log.ended == "early"],
            clip=clips.pop() if len(clips) == 1 else None, trails={self._run: self._trail.records},
        )  # fmt: skip

    @property
    def sentence(self) -> str:
        ends = {name: log.ended for name, log in self.runs.items()}
        return cockpit_sentence(
            self._logs, metric=self._metric.value, layer=self._layer.value, level=self.level,
            share=self._level.value, ends=ends, timed=self._timed,
        )  # fmt: skip

    @property
    def table(self) -> Table:
        return cockpit_table(
            self._logs, metric=self._metric.value, layer=self._layer.value, level=self.level, timed=self._timed
        )

    @property
    def level(self) -> float | None:
        """The quality that is asked for: so many per cent of the best of all runs; None before the first."""
        found = [v for log in self._logs.values() for v in values(log, self._metric.value) if v is not None]
        return max(found) * (self._level.value / 100) if found else None

    def digest(self, *, values: bool = True) -> str:
        """As every panel, but under a test without seconds and speed."""
        with self._as_compared():
            return super().digest(values=values)

    @property
    def _logs(self) -> dict[str, Any]:
        return {name: log.records for name, log in self.runs.items()}

    @contextmanager
    def _as_compared(self) -> Iterator[None]:
        self._timed = not under_test()
        try:
            yield
        finally:
            self._timed = True

    def _count_layers(self) -> None:
        """A layer slider that goes as far as the runs have step sizes."""
        most = max((len(layers(log)) for log in self._logs.values()), default=0)
        self._layer.max, self._layer.disabled = max(most, 1), most < 2

    # --- while a model trains --------------------------------------------------------------------------------------

    def on_fit_begin(self, settings: Any = None, *_: object) -> None:
        """Forget a run watched before, and show the panel where the reader has not."""
        self._live = RunLog([], asdict(settings) if is_dataclass(settings) else {})
        self._trail, self._pace = Trail(), Pace()
        # A handle that is left is of a run that was interrupted: the next one is shown below its own cell.
        if get_ipython() is not None and (self._handle is not None or not self._shown):
            bundle = {**self._repr_mimebundle_(), "text/plain": f"[{self.title}]"}
            self._handle = display(bundle, raw=True, display_id=True)
        self._on_change()

    def on_step_end(self, log: Mapping[str, Any]) -> None:
        """Keep loss and gradient of the step, and redraw the picture if the last drawing is old enough."""
        place = log["epoch"] - 1 + log["step"] / log["batches"]
        self._trail.add({"epoch": place, **{key: log[key] for key in _OF_STEPS if key in log}})
        if self._watched and self._pace.due:
            with self._pace.drawing():
                if self._untold:
                    self._tell()
                else:
                    self.paint(f"{self.title}, while epoch {log['epoch']} runs")

    def on_epoch_end(self, log: Mapping[str, Any]) -> None:
        """Take the record of the epoch that ended, and redraw picture, sentence and table when it is time."""
        self._live.records.append(dict(log))
        self._count_layers()
        self._untold = True  # steps take nearly every turn to draw: the next one tells, if it is not time now
        if self._watched and self._pace.due:
            with self._pace.drawing():
                self._tell()

    def on_fit_end(self, result: Any = None) -> None:
        """Draw the whole run (of a resumed one the epochs before, too), with its stored picture; print the digest."""
        if getattr(result, "log", None):
            (self._live,) = run_logs(result).values()
        self._count_layers()
        self._on_change()
        if get_ipython() is not None:
            data, metadata = self.bundle()
            if self._handle is not None and "image/png" in data:
                self._handle.update(data, raw=True, metadata=metadata)
            print(self.digest(values=False))
        self._shown, self._handle = False, None  # another run is shown where it is trained

    def _tell(self) -> None:
        """Redraw all, with what the epochs that ended have brought."""
        self._untold = False
        self._on_change()

    @property
    def _watched(self) -> bool:
        return get_ipython() is not None and not under_test()

    def _repr_mimebundle_(self, **options: Any) -> Any:
        self._shown = True
        return super()._repr_mimebundle_(**options)


def _choice(name: str, options: list[str], value: str) -> widgets.Dropdown:
    if value not in options:
        raise ValueError(f"{name} must be one of {', '.join(options)}, got {value!r}")
    return widgets.Dropdown(options=options, value=value, description=name, layout=FULL)
