"""Execute notebooks in one kernel, within limits, and note of every cell how it ended."""

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

# Runs in the kernel. After each cell: the kind of the verdict that it showed, or that its assertion carried. A bare
# `assert check(…)` carries nothing, so it is run as `assert (v := check(…)), v`.
LISTEN = """
def _listen():
    import ast
    shell = get_ipython()
    class Carry(ast.NodeTransformer):
        def visit_Assert(self, node):
            name = getattr(node.test, "func", None)
            if node.msg is None and getattr(name, "attr", getattr(name, "id", "")) in ("check", "try_mixer"):
                kept = ast.NamedExpr(ast.Name("_asserted", ast.Store()), node.test)
                node = ast.copy_location(ast.Assert(kept, ast.Name("_asserted", ast.Load())), node)
            return node
    shell.ast_transformers.append(Carry())
    def note(result):
        shell.seqrec_edu_verdict = None
        error = result.error_in_exec
        shown = error.args[0] if getattr(error, "args", ()) else result.result
        if hasattr(shown, "kind") and hasattr(shown, "sentence"):
            shell.seqrec_edu_verdict = {"kind": str(shown.kind), "sentence": str(shown.sentence)}
    shell.events.register("post_run_cell", note)
_listen()
"""
# The question is a cell as well, so that its own end is noted after it has printed the answer.
ASK = "import json as _json; print(_json.dumps(getattr(get_ipython(), 'seqrec_edu_verdict', None)))"
STOPPED = ("TimeLimit", "DeadKernel", "NotRun")  # after these the kernel is of no more use
FORGET = "get_ipython().run_line_magic('reset', '-f')"


@dataclass(frozen=True)
class Limits:
    """What an execution may take: seconds of one cell, seconds of the notebook."""

    cell: int = 120
    total: int = 600


@dataclass(frozen=True)
class Ended:
    """How one code cell ended: processor seconds, the error's name and message, the verdict that it showed."""

    seconds: float = 0.0
    error: str = ""
    message: str = ""
    kind: str = ""
    sentence: str = ""


Execute = Callable[[NotebookNode], list[Ended]]


@contextlib.contextmanager
def kernel(folder: Path, limits: Limits = Limits()) -> Iterator[Execute]:
    """One kernel in ``folder``; gives a function that executes a notebook in it and returns one ``Ended`` per cell.

    A second notebook finds the imported modules loaded, and no variable of the first. Outputs are written into the
    notebook. Errors of cells are noted and the next cell runs; after a time limit or a dead kernel nothing more runs,
    and the cells that are left say so.
    """
    from nbclient import NotebookClient

    limits = limits or Limits()
    empty = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
    client = NotebookClient(
        empty, timeout=limits.cell, allow_errors=True, store_widget_state=False, record_timing=False,
        resources={"metadata": {"path": str(folder)}},
    )  # fmt: skip
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    # What a kernel says to the terminal is about itself, not about the notebook.
    with client.setup_kernel(env=environment, stderr=subprocess.DEVNULL):
        first = True

        def run(notebook: NotebookNode) -> list[Ended]:
            nonlocal first
            client.nb = notebook
            client.reset_execution_trackers()
            if not first:
                _silent(client, FORGET)
            _silent(client, LISTEN if first else "")
            first = False
            return _cells(client, notebook, limits)

        yield run


def _cells(client, notebook: NotebookNode, limits: Limits) -> list[Ended]:
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    ended, begun, over = [], time.perf_counter(), ""
    for place, cell in enumerate(notebook.cells):
        if cell.cell_type != "code":
            ended.append(Ended())
            continue
        if not over and time.perf_counter() - begun > limits.total:
            over = f"the notebook took more than {limits.total} seconds"
        if over:
            ended.append(Ended(error="NotRun", message=over))
            continue
        start = _processor_seconds(client)
        try:
            client.execute_cell(cell, place)
            ended.append(_ended(client, cell, max(0.0, _processor_seconds(client) - start)))
        except CellTimeoutError:
            over = f"cell {place + 1} took more than {limits.cell} seconds"
            ended.append(Ended(_processor_seconds(client) - start, "TimeLimit", f"more than {limits.cell} seconds"))
        except DeadKernelError:
            over = f"the kernel died in cell {place + 1}"
            ended.append(Ended(0.0, "DeadKernel", "the kernel died in this cell"))
    return ended


def _processor_seconds(client) -> float:
    """What the kernel and the programs it started have computed: on a busy machine the same as on an idle one."""
    import psutil

    try:
        kernel = psutil.Process(client.km.provisioner.pid)
        return sum(sum(each.cpu_times()[:4]) for each in (kernel, *kernel.children(recursive=True)))
    except psutil.Error:
        return 0.0  # it is gone


def _ended(client, cell: NotebookNode, seconds: float) -> Ended:
    heard = json.loads(_silent(client, ASK) or "null") or {}
    for output in cell.outputs:
        if output.output_type == "error":
            return Ended(seconds, output.ename, output.evalue, **heard)
    return Ended(seconds, **heard)


def _silent(client, code: str) -> str:
    """Run a line in the kernel that is in no notebook; returns what it printed."""
    cell = nbformat.v4.new_code_cell(code)
    kept = client.nb
    client.nb = nbformat.v4.new_notebook(cells=[cell])
    try:
        client.execute_cell(cell, 0, store_history=False)
    finally:
        client.nb = kept
    return "".join(output.text for output in cell.outputs if output.output_type == "stream")
