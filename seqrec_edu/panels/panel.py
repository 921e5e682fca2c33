"""What every panel shares: controls beside a picture, the same in a sentence and in a table, and a calm error."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager, suppress
from html import escape
from typing import Any, TypeVar

import ipywidgets as widgets
import plotly.graph_objects as go

from seqrec_edu.figures.digest import digest
from seqrec_edu.figures.text import Table

from .mime import picture_bundle
from .pictures import SMALL
from .plot import Plot

FULL = {"width": "99%"}
_WRAP = {"flex_flow": "row wrap", "align_items": "flex-start"}
_ROWS = 12  # of the table that a digest holds
_KEPT = 64  # results remembered

Result = TypeVar("Result")


class Panel(widgets.VBox):
    """Controls, and what they choose as a picture, a sentence and a table.

    A panel of this package builds its controls, calls `start` with them, and says what they show: `figure`, `sentence`
    and `table`. Each control that changes redraws all three, once; what `remember` holds is not computed again. An
    error of the reader's model is shown in the panel, which stays alive.

    Attributes:
        name: one word, by which a page finds it: its class is "seqrec-" and this.
        title: what it is, for a reader without the picture.
        plot: the figure on the page.
    """

    name = "panel"
    title = "Panel"

    def __init__(self) -> None:
        self._held, self._known = False, {}
        super().__init__()

    def start(
        self,
        controls: Sequence[widgets.Widget],
        *,
        wide: Sequence[widgets.Widget] = (),
        plot: widgets.Widget | None = None,
    ) -> None:
        """Lay out and draw: ``controls`` stand beside the picture, ``wide`` ones above it; ``plot`` is a picture of
        the panel's own, which its `paint` draws."""
        self.plot = Plot(flex="1 1 560px") if plot is None else plot
        self._status, self._table = widgets.HTML(), widgets.HTML()
        column = [widgets.VBox(list(controls), layout={"width": "300px", "flex": "0 0 auto"})] if controls else []
        self.children = [*wide, widgets.HBox([*column, self.plot], layout=_WRAP), self._status, self._table]
        self.add_class("seqrec-panel").add_class(f"seqrec-{self.name}")
        self.draw()
        for control in (*controls, *wide):
            self.watch(control)

    def watch(self, *controls: widgets.Widget, trait: str = "value") -> None:
        """Redraw when one of these changes."""
        for control in controls:
            if control.has_trait(trait):
                control.observe(self._on_change, names=trait)

    def follow(self, change: Callable[[], None], *controls: widgets.Widget) -> None:
        """Let controls follow others: ``change`` is called when one of these changes, before the panel is drawn, once.

        To be set up before `start`, whose drawing comes after what was observed earlier.
        """

        def answer(_: object) -> None:
            with self.quietly(), suppress(ValueError):  # the drawing meets the same, and says it
                change()

        for control in controls:
            control.observe(answer, names="value")

    # --- what a panel says of itself -------------------------------------------------------------------------------

    @property
    def figure(self) -> go.Figure:
        """What the controls choose, as a Plotly figure."""
        raise NotImplementedError

    @property
    def sentence(self) -> str:
        """What is to be seen, in words."""
        raise NotImplementedError

    @property
    def table(self) -> Table:
        """The same as a table."""
        raise NotImplementedError

    def digest(self, *, values: bool = True) -> str:
        """The sentence, the figure in one line, and the first rows of the table; without values what the panel is."""
        if not values:
            return f"[{self.title}] {digest(self.figure, values=False)}"
        return f"{self.sentence}\n{digest(self.figure)}\n{self.table.head(_ROWS)}"

    def bundle(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The widget, and a picture of its present state for a page without a kernel."""
        picture, metadata = picture_bundle(self.figure, SMALL)
        return {**self._repr_mimebundle_(), "text/plain": f"[{self.title}]", **picture}, metadata

    # --- drawing ---------------------------------------------------------------------------------------------------

    def draw(self) -> None:
        """Bring picture, sentence and table up to what the controls say."""
        sentence = self.sentence
        self.paint(f"{self.title}. {sentence}")
        self._say(f'<p role="status" aria-live="polite" style="line-height:1.4;margin:4px 0">{escape(sentence)}</p>')
        self._table.value = f"<details><summary>The same as a table</summary>{self.table.html(sentence)}</details>"

    def paint(self, label: str) -> None:
        """Draw the picture on the page; ``label`` says in words what it shows."""
        self.plot.draw(self.figure, label)

    def remember(self, key: Hashable, make: Callable[[], Result]) -> Result:
        """The result under this key; it is made once, and the oldest make room."""
        if key not in self._known:
            while len(self._known) >= _KEPT:
                self._known.pop(next(iter(self._known)))
            self._known[key] = make()
        return self._known[key]

    @contextmanager
    def quietly(self) -> Iterator[None]:
        """Change controls without a drawing, as what follows from another that will be drawn."""
        held, self._held = self._held, True
        try:
            yield
        finally:
            self._held = held

    @contextmanager
    def together(self) -> Iterator[None]:
        """Change several controls and redraw once, at the end."""
        with self.quietly():
            yield
        self._on_change()

    def _on_change(self, _: object = None) -> None:
        if self._held:
            return
        try:
            self.draw()
        except Exception as error:  # the model is the reader's own: say what it did, keep the panel alive
            self._say(f'<p role="alert" style="margin:4px 0">{escape(f"{type(error).__name__}: {error}")}</p>')
            self._table.value = ""  # that of the picture before would be taken for this one's

    def _say(self, words: str) -> None:
        self._status.value = words
