"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block ends well, and vanishes when it does not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes files private; data that a class shares must be readable like any other file.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file by way of a temporary name."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


@contextmanager
def locked(path: Path) -> Iterator[bool]:
    """Whether this process holds the lock file `path` until the block ends; it may hold it already.

    The system lets go of it when a process ends, however it ends: a file that is left then stops nobody.
    """
    from filelock import FileLock, Timeout

    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path.resolve(), timeout=0, is_singleton=True)
    try:
        lock.acquire()
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        if lock.lock_counter == 1:
            with suppress(OSError):  # Windows keeps an open file
                path.unlink()  # before others may have it: who opened it by now sees that it is gone, and tries again
        lock.release()
