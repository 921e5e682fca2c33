"""The versions of an assignment that one source makes; all pure functions from notebook to notebook."""

from copy import deepcopy

from nbformat import NotebookNode

from seqrec_edu.teaching.course.regions import ANSWER, HIDDEN_TESTS, SOLUTION, has, unmarked, without
from seqrec_edu.teaching.course.source import INSTRUCTOR, Assignment, grader, is_solution, stub, tags

KEPT = ("nbgrader", "tags", "slideshow")  # of a cell's metadata; anything else may tell of the author or the solution
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


def release(assignment: Assignment) -> NotebookNode:
    """What learners get: stubs for solutions, no hidden test, no output, and only the metadata that is needed."""
    notebook = _begin(assignment, "release", for_instructor=False)
    for cell in notebook.cells:
        _empty(cell)
        cell.source = without(without_solution(cell), HIDDEN_TESTS)
        _lock(cell)
    return notebook


def solution(assignment: Assignment, executed: NotebookNode) -> NotebookNode:
    """What learners get afterwards: the solutions and what they show; no hidden test, so that it can be set again."""
    notebook = _begin(assignment, "solution", for_instructor=False, of=executed)
    for cell in notebook.cells:
        cell.source = unmarked(without(cell.source, HIDDEN_TESTS))
    return renumbered(notebook)


def instructor(assignment: Assignment, executed: NotebookNode) -> NotebookNode:
    """Everything, executed, with the marks where they stand in the source."""
    return renumbered(_begin(assignment, "instructor", for_instructor=True, of=executed))


def untouched(assignment: Assignment) -> NotebookNode:
    """The release with its hidden tests: what a learner's notebook is before a word is written, as it is graded."""
    notebook = _begin(assignment, "untouched", for_instructor=True)
    for cell in notebook.cells:
        _empty(cell)
        cell.source = without_solution(cell)
    return notebook


def for_others(assignment: Assignment) -> NotebookNode:
    """The source for another tool that knows nbgrader's marks: with marks, without outputs and the teacher's cells."""
    notebook = _begin(assignment, "source", for_instructor=False)
    for cell in notebook.cells:
        _empty(cell)
    return notebook


def without_solution(cell: NotebookNode) -> str:
    """A cell's source with the stub, or the place for an answer, instead of the solution."""
    if not is_solution(cell):
        return without(cell.source, SOLUTION) if has(cell.source, SOLUTION) else cell.source
    if cell.cell_type == "code":
        return stub(cell.source)
    return without(cell.source, SOLUTION, ANSWER) if has(cell.source, SOLUTION) else ANSWER


def renumbered(notebook: NotebookNode) -> NotebookNode:
    """With execution counts 1 … n, as if no cell had been left out."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for count, cell in enumerate(code, start=1):
        cell.execution_count = count
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = count
    return notebook


def _begin(
    assignment: Assignment, version: str, *, for_instructor: bool, of: NotebookNode | None = None
) -> NotebookNode:
    notebook = deepcopy(assignment.notebook if of is None else of)
    notebook.metadata = NotebookNode(
        kernelspec=dict(KERNEL),
        language_info={"name": "python"},
        seqrec_edu={"assignment": assignment.name, "version": version},
    )
    notebook.cells = [cell for cell in notebook.cells if for_instructor or INSTRUCTOR not in tags(cell)]
    for cell in notebook.cells:
        cell.metadata = NotebookNode({key: cell.metadata[key] for key in KEPT if key in cell.metadata})
    return notebook


def _empty(cell: NotebookNode) -> None:
    if cell.cell_type == "code":
        cell.outputs, cell.execution_count = [], None


def _lock(cell: NotebookNode) -> None:
    """As nbgrader does: graded cells cannot be deleted, and locked ones cannot be changed by accident."""
    marks = grader(cell)
    if marks.get("grade") or marks.get("locked") or marks.get("solution"):
        cell.metadata["deletable"] = False
        if marks.get("locked"):
            cell.metadata["editable"] = False
