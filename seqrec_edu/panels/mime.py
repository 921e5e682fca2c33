"""A figure as a mime bundle: the same content in the forms that JupyterLab, a code host and a terminal can show."""

import base64
import json

import plotly.graph_objects as go
import plotly.io as pio

from seqrec_edu.figures.template import WIDTH
from seqrec_edu.figures.text import plain

from .pictures import SHARP, SMALL, height_of, picture, pictures_wanted

PLOTLY = "application/vnd.plotly.v1+json"
_CONFIG = {"displaylogo": False, "responsive": True}


def bundle(figure: go.Figure, *, with_picture: bool = True, small: bool = False) -> tuple[dict, dict]:
    """The mime bundle of a figure and its metadata, as `display(data, raw=True, metadata=metadata)` takes them.

    It holds the interactive figure, a PNG where `pictures_wanted()`, and the title as plain text. Where it is to be
    small the PNG is a coarse one, and takes the place of the interactive figure.
    """
    data, metadata = picture_bundle(figure, SMALL if small else SHARP) if with_picture else ({}, {})
    title = plain(figure.layout.title.text) or "figure"
    if small and data:
        return {"text/plain": f"[{title}]", **data}, metadata
    content = json.loads(pio.to_json(figure, validate=False))
    return {PLOTLY: {**content, "config": _CONFIG}, "text/plain": f"[{title}]", **data}, metadata


def picture_bundle(figure: go.Figure, scale: float = SHARP) -> tuple[dict, dict]:
    """`{"image/png": …}` and the size to show it at; both empty where no picture is wanted or possible."""
    png = picture(figure, scale) if pictures_wanted() else None
    if png is None:
        return {}, {}
    size = {"width": WIDTH, "height": height_of(figure)}
    return {"image/png": base64.b64encode(png).decode()}, {"image/png": size}
