"""`Equaliser`: a row of bands to draw a curve with, by hand or by keyboard."""

import math
from collections.abc import Sequence
from pathlib import Path

import anywidget
import traitlets

from seqrec_edu.figures.text import number

_STEPS = (1.0, 2.0, 5.0, 10.0)


class Equaliser(anywidget.AnyWidget):
    """One slider for each band of periods; drawing across them with the pointer sets all that it passes.

    Traits:
        value: the gain of each band, 0 … top.
        names: what a band is called in full, for a screen reader; ``ticks`` what stands below it.
        top: the largest gain.
        description: what the row is, for a screen reader; ``hint`` what stands above it.
    """

    _esm = Path(__file__).with_name("equaliser.js")
    value = traitlets.List(traitlets.Float()).tag(sync=True)
    names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    ticks = traitlets.List(traitlets.Unicode()).tag(sync=True)
    top = traitlets.Float(1.0).tag(sync=True)
    description = traitlets.Unicode().tag(sync=True)
    hint = traitlets.Unicode().tag(sync=True)

    def bring(self, periods: Sequence[tuple[float, float]], gains: Sequence[float]) -> None:
        """Show other bands: the longest and shortest period of each, in events, and its gain."""
        gains = [float(gain) for gain in gains]
        with self.hold_sync():
            self.top = _top(max(gains))
            self.names = [_spoken(*period) for period in periods]
            self.ticks = [_tick(*period) for period in periods]
            self.value = gains


def _top(largest: float) -> float:
    """1, 2 or 5 times a power of ten that holds the largest gain; 1 for a filter drawn by hand."""
    if largest <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(largest))
    return next(step * power for step in _STEPS if step * power >= largest * (1 - 1e-9))


def _spoken(longest: float, shortest: float) -> str:
    if math.isinf(longest):
        return "gain of the constant part"
    if longest == shortest:
        return f"gain at period {_plain(longest)} events"
    return f"gain at periods {_plain(shortest)} to {_plain(longest)} events"


def _tick(longest: float, shortest: float) -> str:
    if math.isinf(longest):
        return "∞"
    middle = math.sqrt(longest * shortest)
    return f"{middle:.0f}" if middle >= 10 else f"{middle:.1f}".removesuffix(".0")


def _plain(period: float) -> str:
    return number(period, 3).removesuffix(".0")
