"""The little Markdown that the page needs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path


def link(text: str, path: Path, page: Path) -> str:
    """To a file, from where the page lies."""
    return f"[{text}]({Path(os.path.relpath(path, page.parent)).as_posix()})"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows under a header; bars inside a cell stay in it."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
