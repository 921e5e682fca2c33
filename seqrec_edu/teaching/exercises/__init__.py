"""One module per exercise; the file's name is the exercise's. Nothing else needs to know of a new one."""

from functools import cache
from importlib import import_module
from pathlib import Path

from seqrec_edu.teaching.definition import Exercise


@cache
def names() -> tuple[str, ...]:
    """All exercises there are."""
    return tuple(sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py")))


@cache
def load(name: str) -> Exercise:
    """One exercise. ``ValueError`` with the known names where there is none of this name."""
    if name not in names():
        raise ValueError(f"there is no exercise {name!r}; there are {', '.join(names())}")
    return import_module(f"{__name__}.{name}").exercise
