"""Run notebooks from top to bottom and store what they show: ``make notebooks``, or ``python .ci/notebooks.py FILE …``.

Outputs and execution counts are kept, because they are what a code host shows and what the tests compare with. Widget
state is not: each figure would bring five megabytes of it. Pictures of figures need Chrome or Chromium.
"""

import os
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient


def execute(path: Path) -> None:
    """Execute one notebook in place. The file is replaced only when every cell has run."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(path.parent)}}).execute()
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # when and how long: it differs with every run
    notebook.metadata.kernelspec = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    temporary = path.with_name(f".{path.name}")
    nbformat.write(notebook, temporary)
    os.replace(temporary, path)


if __name__ == "__main__":
    for name in sys.argv[1:] or sorted(map(str, Path("notebooks").glob("*.ipynb"))):
        print(f"executing {name}", flush=True)
        execute(Path(name))
