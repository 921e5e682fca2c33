"""A course folder that nbgrader's own commands accept."""

from pathlib import Path

import nbformat

from seqrec_edu.data.files import write_whole
from seqrec_edu.teaching.course import rules, versions
from seqrec_edu.teaching.course.building import NotReady
from seqrec_edu.teaching.course.regions import STUB
from seqrec_edu.teaching.course.source import read, sources

CONFIG = '''\
"""nbgrader's settings for this course. Its bin folder must be on PATH: nbgrader calls `alembic` as a program."""

c = get_config()  # noqa: F821
c.CourseDirectory.course_id = {course!r}
c.ClearSolutions.code_stub = {{"python": {stub!r}}}
c.ClearSolutions.text_stub = "*Your answer here.*"
c.ExecutePreprocessor.timeout = 120
'''


def export(path: str | Path, out: str | Path, *, course: str = "seqrec_edu") -> list[Path]:
    """Write ``out/source/NAME/NAME.ipynb`` and ``out/nbgrader_config.py`` for one source notebook or a folder of them.

    Solutions and hidden tests keep their marks: nbgrader takes them out and puts the tests back itself. What only the
    teacher is to see is left out, because nbgrader would release it. Raises NotReady where a source breaks a rule.
    """
    assignments = [read(each) for each in sources(path)]
    if found := {each.name: wrong for each in assignments if (wrong := rules.problems(each))}:
        raise NotReady(found)
    out, written = Path(out), []
    for assignment in assignments:
        notebook = versions.for_others(assignment)
        target = out / "source" / assignment.name / f"{assignment.name}.ipynb"
        write_whole(target, (nbformat.writes(notebook, version=nbformat.NO_CONVERT) + "\n").encode())
        written.append(target)
    write_whole(out / "nbgrader_config.py", CONFIG.format(course=course, stub=STUB).encode())
    return written
