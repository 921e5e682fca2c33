"""One process per run: two that were given one folder do not mix their models in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seqrec_edu.data.files import locked

LOCK_FILE = ".running"


@contextmanager
def turn(folder: Path) -> Iterator[bool]:
    """Whether this process may work in `folder`; no other may until the block ends. Inside it, asking again is fine."""
    with locked(folder / LOCK_FILE) as mine:
        yield mine
