"""`Plot`: a Plotly figure that is redrawn in place, a tenth of a second after a slider moved."""

import gzip
import json
from functools import cache
from importlib.resources import files
from pathlib import Path

import anywidget
import plotly.graph_objects as go
import plotly.io as pio
import traitlets


class _Library(anywidget.AnyWidget):
    """plotly.js, compressed, for all plots of a kernel: in a FigureWidget each brings five megabytes of its own."""

    _esm = "export default {};"
    code = traitlets.Bytes().tag(sync=True)


@cache
def _library() -> _Library:
    code = files("plotly").joinpath("package_data/plotly.min.js").read_bytes()
    return _Library(code=gzip.compress(code, 6))


class Plot(anywidget.AnyWidget):
    """One figure on the page. `draw` replaces it; the browser keeps zoom and axes where the layout asks for it.

    Traits:
        picked: the point last clicked: {"x", "y", "trace", "times"}; times counts the clicks.
    """

    _esm = Path(__file__).with_name("plot.js")
    figure = traitlets.Dict().tag(sync=True)
    label = traitlets.Unicode().tag(sync=True)
    library = traitlets.Unicode().tag(sync=True)
    revision = traitlets.Int().tag(sync=True)
    picked = traitlets.Dict().tag(sync=True)

    def __init__(self, **layout: str) -> None:
        super().__init__(library=_library().model_id, layout={"min_width": "0", **layout})

    def draw(self, figure: go.Figure, label: str) -> None:
        """Show another figure; ``label`` says in words what it shows."""
        content = json.loads(pio.to_json(figure, validate=False))
        with self.hold_sync():  # one message: the revision tells the browser that all of it has come
            self.figure, self.label, self.revision = content, label, self.revision + 1
