"""Assignments from one source notebook: versions, variants, slides, lesson plans, bundles, exports, grading."""

from importlib import import_module
from typing import Any

PLACES = {
    "Assignment": "source",
    "Built": "building",
    "Limits": "running",
    "NotReady": "building",
    "Question": "source",
    "Variant": "variation",
    "build": "building",
    "bundle": "bundling",
    "export": "exporting",
    "gradable": "handing_in",
    "grade": "handing_in",
    "plan": "planning",
    "prove": "building",
    "read": "source",
    "slides": "presenting",
    "sources": "source",
    "variant": "variation",
    "variants": "rosters",
}
__all__ = sorted(PLACES)


def __getattr__(name: str) -> Any:
    """Loaded when used: a notebook that asks for a student's numbers needs no notebook machinery."""
    if name not in PLACES:
        raise AttributeError(f"seqrec_edu.teaching.course has no {name!r}")
    return getattr(import_module(f"{__name__}.{PLACES[name]}"), name)
