"""Execute the course and store what it shows: ``make course``, or ``python .ci/notebooks.py FILE …`` for some of it.

Outputs and execution counts are kept, because they are what a code host shows and what the tests compare with. Widget
state is not: each figure would bring five megabytes of it. Pictures of figures need Chrome or Chromium.
The seconds of every code cell go to ``timings.json`` beside the notebooks; the minutes that a notebook states and the
limits of its cells are checked against them. They are processor seconds of the kernel and of what it started: on an
idle core that is what a reader waits, and on a busy one it stays the same, which the clock on the wall does not.
Notebooks run side by side, one on each core, with one thread each.
"""

import datetime
import json
import os
import platform
import sys
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import nbformat
import psutil
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parent.parent
TIMINGS = "timings.json"
MOST_AT_ONCE = 4  # each kernel loads torch
STOP = threading.Event()  # set when one notebook has failed: the others end at their next cell
WRITING = threading.Lock()


class Failed(Exception):
    """A notebook that did not run to its end; the message names it and the cell."""


class Stopped(Exception):
    """A notebook that was on its way when another one failed."""


def execute(path: Path) -> list[float]:
    """Execute one notebook in place and return the seconds of each code cell.

    The file is replaced only when every cell has run.
    """
    notebook = nbformat.read(path, as_version=4)
    code = [place for place, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    started, seconds = {}, {}

    def start(cell, cell_index):
        if STOP.is_set():
            raise Stopped
        started[cell_index] = processor_seconds(client)

    def end(cell, cell_index, **_):
        seconds[cell_index] = max(0.0, processor_seconds(client) - started[cell_index])

    client = NotebookClient(
        notebook, timeout=600, resources={"metadata": {"path": str(path.parent)}},
        on_cell_execute=start, on_cell_executed=end,
    )  # fmt: skip
    try:
        client.execute()
    except Stopped:
        raise
    except Exception as error:
        STOP.set()
        raise Failed(f"{path}, {describe(notebook, code, max(started, default=None))}:\n{error}") from None
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # when and how long: it differs with every run
        if cell.cell_type == "code":
            cell.outputs = joined(cell.outputs)
    notebook.metadata.kernelspec = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    replace(path, nbformat.writes(notebook) + "\n")
    return [round(seconds.get(place, 0.0), 2) for place in code]


def joined(outputs: list[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """Printed text in one piece: a slow machine sends it in several, which means nothing."""
    kept = []
    for output in outputs:
        if kept and output.output_type == kept[-1].output_type == "stream" and output.name == kept[-1].name:
            kept[-1].text += output.text
        else:
            kept.append(output)
    return kept


def processor_seconds(client: NotebookClient) -> float:
    """What the kernel and everything it started have used so far, on all cores together."""
    kernel = psutil.Process(client.km.provisioner.pid)
    return sum(sum(one.cpu_times()[:4]) for one in [kernel, *kernel.children(recursive=True)])


def describe(notebook: nbformat.NotebookNode, code: list[int], failed: int | None) -> str:
    """Name a cell as a reader finds it: its number among the code cells, and how it begins."""
    if failed is None:
        return "before its first cell"
    begin = next((line for line in notebook.cells[failed].source.splitlines() if line.strip()), "")
    return f"code cell {code.index(failed) + 1} of {len(code)} ({begin[:60]!r})"


def replace(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    temporary = path.with_name(f".{path.name}")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


def keep(path: Path, seconds: list[float]) -> None:
    """Enter the seconds of one notebook into the timings beside it, with the conditions under which they were taken."""
    with WRITING:
        file = path.parent / TIMINGS
        known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        known[path.stem] = {
            "date": datetime.date.today().isoformat(),
            "machine": f"{platform.system()}, {platform.machine()}, {os.cpu_count()} cores; processor seconds",
            "seconds": seconds,
        }
        lines = (f"{json.dumps(name)}: {json.dumps(known[name])}" for name in sorted(known) if still_there(path, name))
        replace(file, "{\n" + ",\n".join(lines) + "\n}\n")


def still_there(path: Path, name: str) -> bool:
    return path.with_name(f"{name}.ipynb").exists()


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def longest_first(paths: list[Path]) -> list[Path]:
    """Begin with what took longest last time, so that no long notebook runs alone at the end."""
    file = ROOT / "notebooks" / TIMINGS
    known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return sorted(paths, key=lambda path: -sum(known.get(path.stem, {}).get("seconds", [float("inf")])))


def main(names: list[str]) -> None:
    """Execute these notebooks, or all; stop at the first that fails."""
    os.environ["OMP_NUM_THREADS"] = "1"  # the kernels inherit it
    paths = [Path(name) for name in names] or sorted(Path("notebooks").glob("*.ipynb"))
    with ThreadPoolExecutor(min(cores(), MOST_AT_ONCE)) as pool:
        running = {pool.submit(execute, path): path for path in longest_first(paths)}
        for done in as_completed(running):
            try:
                seconds = done.result()
            except Stopped:
                continue  # another notebook failed first
            except Failed as error:
                pool.shutdown(wait=False, cancel_futures=True)
                sys.exit(f"course: {error}")
            keep(running[done], seconds)
            print(f"{running[done]}: {sum(seconds):.0f} s", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
