"""One process per run: two that were given one folder do not mix their models in it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from seqrec_edu.data.files import locked

LOCK_FILE = ".running"


def turn(folder: Path) -> AbstractContextManager[bool]:
    """Whether this process may work in `folder`; no other may until the block ends. Inside it, asking again is fine."""
    return locked(folder / LOCK_FILE)
