"""Tables for people: rich ones on a terminal, aligned plain text elsewhere."""

from __future__ import annotations

import sys

import typer

NARROWEST = 16  # of a column that may wrap; below that it is left out


def table(header: list[str], rows: list[list[str]], right: tuple[int, ...] = (), wraps: int | None = None) -> None:
    """Print a rich table on a terminal, aligned plain text elsewhere.

    Args:
        right: places of columns with numbers.
        wraps: place of the one column that may wrap, or go, where the terminal is narrow. Numbers are never cut.
    """
    widths = [max(len(row[place]) for row in [header, *rows]) for place in range(len(header))]
    if sys.stdout.isatty():
        _rich(header, rows, right, wraps, widths)
        return
    for row in [header, *rows]:
        cells = (
            cell.rjust(width) if place in right else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        typer.echo("  ".join(cells).rstrip())


def _rich(
    header: list[str], rows: list[list[str]], right: tuple[int, ...], wraps: int | None, widths: list[int]
) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    room = Console().width
    kept = list(range(len(header)))
    if wraps is not None and (excess := sum(widths) + 3 * len(widths) + 2 - room) > 0:
        if widths[wraps] - excess >= NARROWEST:
            widths[wraps] -= excess
        else:
            kept.remove(wraps)
    grid = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    for place in kept:
        side = "right" if place in right else "left"
        grid.add_column(header[place], justify=side, width=widths[place], overflow="fold")
    for row in rows:
        grid.add_row(*(Text(row[place]) for place in kept))
    needed = sum(widths[place] for place in kept) + 3 * len(kept) + 2
    Console(width=max(room, needed)).print(grid, soft_wrap=needed > room)


def facts(rows: list[tuple[str, str]]) -> None:
    """Two columns without a header: what, and what it is."""
    width = max(len(what) for what, _ in rows)
    for what, value in rows:
        lines = value.splitlines() or [""]
        typer.echo(f"{what.ljust(width)}  {lines[0]}")
        for line in lines[1:]:
            typer.echo(f"{' ' * width}  {line}")


def count(number: int | None) -> str:
    return "-" if number is None else f"{number:,}"
