"""One process per run: two that were given one folder do not mix their models in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK_FILE = ".running"
_mine: set[Path] = set()  # a file that is locked cannot be locked again, not even by who holds it


@contextmanager
def turn(folder: Path) -> Iterator[bool]:
    """Whether this process may work in `folder`; no other may until the block ends. Inside it, asking again is fine.

    The system lets go of the lock when a process ends, however it ends; the file that it leaves then stops nobody.
    Where there are no such locks (Windows), everybody may.
    """
    try:
        import fcntl
    except ImportError:
        yield True
        return
    folder.mkdir(parents=True, exist_ok=True)
    path = folder.resolve() / LOCK_FILE
    if path in _mine:
        yield True
        return
    with path.open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        if not (path.exists() and os.path.samestat(os.fstat(held.fileno()), path.stat())):
            yield False  # who had it took the file away between our opening and locking it
            return
        _mine.add(path)
        try:
            yield True
        finally:
            _mine.discard(path)
            path.unlink(missing_ok=True)
