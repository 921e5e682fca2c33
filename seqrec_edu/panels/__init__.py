"""Panels: views that a reader can operate, each also a picture without a kernel and text for a screen reader."""

from .live_loss import LiveLoss
from .show import show
from .what_if import WhatIf

__all__ = ["LiveLoss", "WhatIf", "show"]
