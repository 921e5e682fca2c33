"""The same figure for a dark page: every colour of the template exchanged for its counterpart."""

import plotly.graph_objects as go

from . import template
from .template import CATEGORIES, SIGNED

# Lighter than on the light card, where the same seven must be darker: at least 3:1 against the dark card, and apart
# for people who lack one kind of cone (the test of the template measures both sets).
DARK_CATEGORIES = ("#54a9f2", "#db6228", "#1f9979", "#dcad2b", "#925ee0", "#e3abdc", "#e8eaed")
DARK_SIGNED = ("#7cc0ff", "#2f6ea8", "#23272c", "#a85a26", "#ff9c5a")

_PAIRS = {
    template.INK: "#e4e7eb",
    template.MUTED: "#a9b1ba",
    template.QUIET: "#7d8590",
    template.LINE: "#4a5058",
    template.GRID: "#2b3036",
    template.FAINT: "#22262b",
    template.CARD: "#16191d",
    template.HOVER: "#23272c",
    template.GAP: "#7a6c34",
    **dict(zip(CATEGORIES, DARK_CATEGORIES, strict=True)),
    **{light: dark for (_, light), dark in zip(SIGNED, DARK_SIGNED, strict=True)},
}


def dark(figure: go.Figure) -> go.Figure:
    """Make a copy of a figure of this package for a dark page; data, text, axes and frames stay as they are.

    Magnitudes keep their scale (cividis runs from dark to light on either card); the signed scale goes through the
    colour of the card, so that zero stays the quiet middle.

    Raises:
        ValueError: `figure` is not a Plotly figure.
    """
    if not isinstance(figure, go.Figure):
        raise ValueError(f"dark expects a plotly Figure, not {type(figure).__name__}.")
    traces = [_exchanged(trace.to_plotly_json()) for trace in figure.data]
    frames = [frame.to_plotly_json() for frame in figure.frames]
    return go.Figure(data=traces, layout=_exchanged(figure.layout.to_plotly_json()), frames=frames)


def _exchanged(part: object) -> object:
    """The colours in a tree of dicts and lists; arrays of data and anything unknown pass through."""
    if isinstance(part, dict):
        return {key: _exchanged(value) for key, value in part.items()}
    if isinstance(part, (list, tuple)):
        return [_exchanged(value) for value in part]
    return _PAIRS.get(part, part) if isinstance(part, str) else part
