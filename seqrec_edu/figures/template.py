"""The Plotly template `seqrec`: a light card with dark ink, so that a figure reads the same on a light and a dark page.

Plotly's default template adds 6.5 kB to every stored figure; this one adds less than 1.5 kB. Every colour of every
figure stands here, which is what lets `dark` exchange them all.
"""

import plotly.graph_objects as go
import plotly.io as pio

INK = "#24292f"  # text and marks that carry meaning
MUTED = "#57606a"  # axis text, notes
QUIET = "#8b949e"  # unchanged, other, unknown
LINE = "#c9cdd2"  # frames, axes, paths that only connect
GRID = "#e6e8ea"
FAINT = "#f0f1f2"  # the quietest grid, and areas that hold nothing
CARD = "#fcfcfa"
HOVER = "#ffffff"  # behind hover texts
GAP = "#d9c98a"  # waiting time

# Seven colours: at least 3:1 against the card, and apart for people who lack one kind of cone (a test measures both).
# Colour is never the only sign: a category also has its own marker and dash.
CATEGORIES = ("#2a78c0", "#b83c0a", "#006b5c", "#b08c00", "#5f2a8c", "#cc76ad", "#2f343a")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "star", "x")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot", "solid")

BETTER, WORSE = CATEGORIES[0], CATEGORIES[1]  # blue up, rust down: never red against green

MAGNITUDE = "Cividis"  # from nothing to much
SIGNED = [[0.0, "#0b4a8f"], [0.25, "#7fb0dc"], [0.5, "#f6f4ef"], [0.75, "#e3a071"], [1.0, "#9c3206"]]  # centred on 0

WIDTH = 800  # pixels of a stored picture; on a page the figure takes the width that it is given

_AXIS = {
    "gridcolor": GRID,
    "linecolor": LINE,
    "zerolinecolor": LINE,
    "tickfont": {"color": MUTED, "size": 12},
    "title": {"font": {"color": MUTED, "size": 12}, "standoff": 8},
    "automargin": True,
    "ticklabelstandoff": 6,
    "ticks": "",
}

pio.templates["seqrec"] = go.layout.Template(
    layout={
        "font": {"family": "Inter, system-ui, 'DejaVu Sans', sans-serif", "size": 13, "color": INK},
        "paper_bgcolor": CARD,
        "plot_bgcolor": CARD,
        "colorway": list(CATEGORIES),
        "colorscale": {"sequential": MAGNITUDE, "diverging": SIGNED},
        "title": {
            "x": 0,
            "xref": "container",
            "xanchor": "left",
            "y": 1,
            "yref": "container",
            "yanchor": "top",
            "pad": {"l": 20, "t": 18},
            "font": {"size": 16, "color": INK},
            "subtitle": {"font": {"size": 12.5, "color": MUTED}},
        },
        "margin": {"l": 20, "r": 24, "t": 84, "b": 48},
        "xaxis": _AXIS,
        "yaxis": _AXIS,
        "hoverlabel": {"bgcolor": HOVER, "bordercolor": LINE, "font": {"color": INK, "size": 12.5}},
        "legend": {"orientation": "h", "x": 0, "y": -0.12, "yanchor": "top", "font": {"color": MUTED, "size": 12}},
        "bargap": 0.32,
    }
)


def new_figure(title: str, subtitle: str = "", *, height: int = 380) -> go.Figure:
    """Start an empty figure in the house template; `height` in pixels, the width is left to the page."""
    return dress(go.Figure(), title, subtitle, height=height)


def dress(figure: go.Figure, title: str, subtitle: str = "", *, height: int = 380) -> go.Figure:
    """Put the house template, a title and a height on a figure, and return it."""
    # In one go: each call costs milliseconds, which a slider would feel.
    return figure.update_layout(dressed(title, subtitle, height=height))


def dressed(title: str, subtitle: str = "", *, height: int = 380) -> dict:
    """The same as a layout, for a figure that is built in one go."""
    layout = {"template": "seqrec", "title": {"text": f"<b>{title}</b>"}, "height": height}
    if subtitle:
        return {**layout, "title": {**layout["title"], "subtitle": {"text": subtitle}}}
    return {**layout, "margin": {"t": 60}, "height": height - 24}
