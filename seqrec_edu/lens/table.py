"""Tables as aligned text and as plain HTML, which follows the colours of the page it stands on."""

from __future__ import annotations

import html
from collections.abc import Sequence

Rows = Sequence[Sequence[str]]


def as_text(title: str, head: Sequence[str], rows: Rows) -> str:
    """A title and aligned columns; the last one is not filled up."""
    lines = [list(head), *map(list, rows)]
    wide = [max(len(line[i]) for line in lines) for i in range(len(head))]
    aligned = ("  ".join(cell.ljust(size) for cell, size in zip(line, wide, strict=True)).rstrip() for line in lines)
    return "\n".join([title, *aligned])


def as_html(title: str, head: Sequence[str], rows: Rows) -> str:
    """A table with a caption, and headers for rows and columns."""
    top = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in head)
    body = "".join(
        f'<tr><th scope="row">{html.escape(first)}</th>'
        + "".join(f'<td style="text-align: left">{html.escape(cell)}</td>' for cell in rest)
        + "</tr>"
        for first, *rest in rows
    )
    return f"<table><caption>{html.escape(title)}</caption><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
