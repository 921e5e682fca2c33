"""Results on disk: NAME.json for machines, NAME.md for people; each is there whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from seqrec_edu.bench import report
from seqrec_edu.data.files import write_whole

FOLDER = Path("benchmarks") / "results" / "ops"


def write(document: dict[str, Any], folder: Path) -> list[Path]:
    """Write both files of one operation; returns their paths."""
    name = document["operation"]
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    files = {folder / f"{name}.json": text, folder / f"{name}.md": report.markdown(document)}
    for path, content in files.items():
        write_whole(path, content.encode("utf-8"))
    return list(files)
