"""Results on disk: NAME.json for machines, NAME.md for people; each is there whole or not at all."""

from __future__ import annotations

import json
import os
import uuid
from pathlib import Path
from typing import Any

from seqrec_edu.bench import report

FOLDER = Path("benchmarks") / "results" / "ops"


def write(document: dict[str, Any], folder: Path) -> list[Path]:
    """Write both files of one operation; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    name = document["operation"]
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    files = {folder / f"{name}.json": text, folder / f"{name}.md": report.markdown(document)}
    for path, content in files.items():
        replace(path, content.encode("utf-8"))
    return list(files)


def replace(path: Path, content: bytes) -> None:
    """Write under a temporary name in the same folder, then rename, so that nobody meets half a file."""
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        part.write_bytes(content)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
