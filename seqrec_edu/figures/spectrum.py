"""How many dimensions a mixing matrix really uses: its singular values, and the rank they amount to."""

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go

from .curves import curve, named, ring
from .template import new_figure
from .text import aligned

_SMALL = 1e-9  # of the largest: below it a singular value is zero but for rounding


def singular_spectrum(
    values: np.ndarray | Mapping[str, np.ndarray],
    effective: Mapping[str, float] | float | None = None,
    *,
    title: str = "Singular values of the mixing matrix",
) -> go.Figure:
    """Draw singular values on a logarithmic axis, as shares of the largest; a ring marks the effective rank.

    Args:
        values: "l", not increasing and not negative, or name → such an array.
        effective: effective rank, for each name; None leaves it out.
        title: what stands above the figure.

    Raises:
        ValueError: values that are negative, increase or are all zero; an effective rank outside 1…l.
    """
    spectra = named("values", values, "l")
    ranks = {next(iter(spectra)): float(effective)} if isinstance(effective, (int, float)) else dict(effective or {})
    figure = new_figure(title, _spectrum_summary(spectra, ranks), height=400)
    for n, (name, s) in enumerate(spectra.items()):
        if s.min() < 0 or (np.diff(s) > 0).any() or s[0] == 0:
            raise ValueError(
                f'the singular values of "{name}" must be sorted, largest first, none negative, not all 0.'
            )
        share = np.where(s > _SMALL * s[0], s / s[0], np.nan)
        shown = f"{name} (effective rank {ranks[name]:.3g})" if name in ranks else name
        hover = "value %{x}: <b>%{y:.3~g}</b> of the largest"
        figure.add_trace(curve(np.arange(1, len(s) + 1), share, shown, n, hover, legend=True))
        if name in ranks:
            figure.add_trace(_on_curve(ranks[name], share, n, name))
    longest = max(map(len, spectra.values()))
    figure.update_xaxes(title_text="number of the singular value", range=[0.5, longest + 0.5], tickformat="d")
    figure.update_xaxes(dtick=1 if longest <= 15 else None)
    figure.update_yaxes(
        title_text="share of the largest", type="log", exponentformat="power", dtick=1, tickfont_size=10
    )
    lowest = min(float(np.nanmin(np.asarray(trace.y, float))) for trace in figure.data)
    figure.update_yaxes(range=[min(np.log10(lowest) - 0.2, -1.05), 0.15])
    figure.update_layout(showlegend=len(spectra) > 1 or bool(ranks), legend={"y": -0.22})
    return figure


def spectrum_table(values: np.ndarray | Mapping[str, np.ndarray]) -> str:
    """Write singular values as text, with the share of the squared sum that the first ones hold together."""
    rows = []
    for name, s in named("values", values, "l").items():
        together = np.cumsum(s**2) / (s**2).sum()
        rows += [(name, k + 1, float(s[k]), f"{together[k]:.1%}") for k in range(len(s))]
    return aligned(("matrix", "number", "singular value", "squares so far"), rows)


def _on_curve(rank: float, share: np.ndarray, n: int, name: str) -> go.Scatter:
    """A ring at a rank that need not be whole, on the line between its neighbours (straight on a logarithmic axis)."""
    if not 1 <= rank <= len(share) + 1e-9:
        raise ValueError(f'the effective rank of "{name}" must lie within 1…{len(share)}, got {rank}.')
    known = np.flatnonzero(~np.isnan(share))
    y = 10 ** np.interp(rank - 1, known, np.log10(share[known]))
    return ring(float(rank), float(y), n, f"{name}: effective rank {rank:.3g} of {len(share)}")


def _spectrum_summary(spectra: Mapping[str, np.ndarray], ranks: Mapping[str, float]) -> str:
    parts = []
    for name, s in spectra.items():
        above = int((s > _SMALL * s[0]).sum())
        start = f"{name}: " if len(spectra) > 1 else ""
        parts.append(f"{start}{above} of {len(s)} not zero")
    rings = "; the ring is the effective rank" if ranks else ""
    return "; ".join(parts[:4]) + ("; …" if len(parts) > 4 else "") + rings
