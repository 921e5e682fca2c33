"""Show a figure or a panel so that it can be moved in JupyterLab, seen on a code host, and read as text."""

import plotly.graph_objects as go
from IPython import get_ipython
from IPython.display import display

from seqrec_edu.figures.digest import digest

from .mime import bundle


def show(thing: go.Figure | object, *, values: bool = True, small: bool = False) -> None:
    """Display a figure or panel, then print its digest: the text that a notebook test compares.

    Args:
        thing: a Plotly figure, or a panel of this package.
        values: False keeps numbers that differ between machines out of the digest (see `figures.digest`).
        small: whether a notebook that is executed as a whole stores only a coarse picture of a figure, since it has
            very many of them. Live it can be moved like any other.

    Raises:
        ValueError: neither a figure nor a panel.
        RuntimeError: pictures were asked for and cannot be made (see `pictures.picture`).
    """
    is_figure = isinstance(thing, go.Figure)
    if not is_figure and not hasattr(thing, "digest"):
        raise ValueError(f"show expects a plotly Figure or a panel, not {type(thing).__name__}.")
    if get_ipython() is not None:
        data, metadata = bundle(thing, small=small) if is_figure else thing.bundle()
        display(data, raw=True, metadata=metadata)
    print(digest(thing, values=values) if is_figure else thing.digest(values=values))
