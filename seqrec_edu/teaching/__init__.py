"""Checks that name the mistake, and the exercises they know; and the one mixer that is scored."""

from typing import Any

from seqrec_edu.teaching.checking import check
from seqrec_edu.teaching.listing import exercise, exercises
from seqrec_edu.teaching.verdict import Verdict

__all__ = ["Verdict", "check", "exercise", "exercises", "try_mixer"]


def __getattr__(name: str) -> Any:
    """Loaded when used: what trains a mixer needs half of the package, and a check none of it."""
    if name != "try_mixer":
        raise AttributeError(f"seqrec_edu.teaching has no {name!r}")
    from seqrec_edu.teaching.mixer import try_mixer

    return try_mixer
