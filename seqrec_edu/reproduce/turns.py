"""One process per run: the same command, given in two terminals, shares the work instead of doing it twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK_FILE = ".running"


@contextmanager
def turn(folder: Path) -> Iterator[bool]:
    """Whether this process may work in `folder`; nobody else may until the block ends.

    The system lets go of the lock when a process ends, however it ends, so none is ever left behind. Where there are
    no such locks (Windows), everybody may.
    """
    try:
        import fcntl
    except ImportError:
        yield True
        return
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK_FILE).open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        yield True
