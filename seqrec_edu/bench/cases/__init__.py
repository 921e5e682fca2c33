"""One file per operation: its sizes, its inputs, its rivals, and the least work it can be done with."""

from __future__ import annotations

import importlib

from seqrec_edu.bench.case import Case
from seqrec_edu.bench.settings import Settings


def cases_of(operation: str, settings: Settings) -> list[Case]:
    """The cases of one operation."""
    return importlib.import_module(f"seqrec_edu.bench.cases.{operation}").cases(settings)
