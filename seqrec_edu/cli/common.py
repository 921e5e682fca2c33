"""What the commands that train share: options, words for errors, and who speaks under torchrun."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Any

import typer

Device = StrEnum("Device", ["auto", "cpu", "cuda"])


def option(*names: str, help: str, panel: str | None = None, **more: Any) -> Any:
    return typer.Option(*names, help=help, rich_help_panel=panel, show_default=False, **more)


def nothing(*_: Any) -> None:
    """For those who keep quiet."""


def is_first() -> bool:
    return int(os.environ.get("RANK", 0)) == 0  # under torchrun one process speaks for all


@contextmanager
def explained(when_stopped: str = "stopped") -> Iterator[None]:
    """Errors that say what to do come as one line; with SEQREC_EDU_TRACEBACK=1 they come whole."""
    try:
        yield
    except KeyboardInterrupt:
        if is_first():
            typer.echo(f"\n{when_stopped}", err=True)
        raise typer.Exit(130) from None
    except typer.BadParameter:
        if is_first():
            raise
        raise typer.Exit(2) from None
    except Exception as error:
        expected = isinstance(error, (ValueError, OSError, ImportError)) or type(error).__name__ == "Diverged"
        if not expected or os.environ.get("SEQREC_EDU_TRACEBACK"):
            raise
        if is_first():
            typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from None


def use_threads(threads: int | None) -> None:
    import torch

    if threads:
        torch.set_num_threads(threads)
