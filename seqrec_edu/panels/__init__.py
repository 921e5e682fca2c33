"""Panels: views that a reader can operate, each also a picture without a kernel and text for a screen reader.

Each is one call: ``Mixer(model, data.user(7))``. As the last line of a cell it is shown; `show(panel)` also prints its
text, which a test of the notebook compares. A panel is loaded when it is first asked for, and torch with it.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from .show import show

if TYPE_CHECKING:
    from .cockpit import Cockpit
    from .filter_bench import FilterBench
    from .gate import GateAndInterests
    from .live_loss import LiveLoss
    from .mixer import Mixer
    from .probe import Probe
    from .theatre import Theatre
    from .time_lab import TimeMaskLab
    from .views import FiveViews
    from .what_if import WhatIf

_PLACES = {
    "Cockpit": "cockpit",
    "FilterBench": "filter_bench",
    "FiveViews": "views",
    "GateAndInterests": "gate",
    "LiveLoss": "live_loss",
    "Mixer": "mixer",
    "Probe": "probe",
    "Theatre": "theatre",
    "TimeMaskLab": "time_lab",
    "WhatIf": "what_if",
}

__all__ = [
    "Cockpit",
    "FilterBench",
    "FiveViews",
    "GateAndInterests",
    "LiveLoss",
    "Mixer",
    "Probe",
    "Theatre",
    "TimeMaskLab",
    "WhatIf",
    "show",
]


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"seqrec_edu.panels has no {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(f".{_PLACES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
