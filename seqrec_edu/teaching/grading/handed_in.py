"""Who handed in what: the files of each student in a folder, and what in it belongs to nobody."""

import os
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

from seqrec_edu.teaching.grading.collect import readable

TOP = (".ipynb", ".py")  # beside students' folders; a note or a table there is no student
SUFFIXES = (*TOP, ".txt", ".json")  # in a student's own folder also under a wrong name


@dataclass
class HandedIn:
    """``students``: the files to read of each. ``unread``: why there are none. ``strays``: what is no student's."""

    students: dict[str, list[Path]] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)
    strays: list[str] = field(default_factory=list)


def handed_in(folder, name="", roster=()):
    """Everybody with a file or a folder: ``ada.ipynb``, ``ada/any.ipynb`` or, like nbgrader, ``ada/NAME/any.ipynb``.

    A student is spelled as in the ``roster``, whatever the case of letters in the name of the file. Links are not
    followed: they could show one student's work as another's.
    """
    known, found = {each.casefold(): each for each in roster}, HandedIn()
    seen = {}
    for path in sorted(Path(folder).iterdir()):
        if path.name.startswith((".", "__")):  # of the system, and __MACOSX, __pycache__
            continue
        if not path.is_dir() and path.suffix.lower() not in TOP:
            found.strays.append(readable(path.name))
            continue
        student = unicodedata.normalize("NFC", readable(path.name if path.is_dir() else path.stem))
        student = known.get(student.casefold(), student)
        paths, others = _files(path, name)
        found.students.setdefault(student, []).extend(paths)
        seen.setdefault(student, []).extend(others)
    for student, paths in found.students.items():
        if not paths:
            what = f"found {', '.join(seen[student])}" if seen[student] else "the folder is empty"
            found.unread[student] = f"no notebook or Python file; {what}"
    return found


def _files(path, name):
    """``(paths, names)``: what can be read in a student's file or folder, and the names of the rest."""
    if path.is_symlink():
        return [], [f"{readable(path.name)} (a link)"]
    if not path.is_dir():
        return [path], []
    paths, others = [], []
    for top, folders, files in os.walk(path):
        folders[:] = [each for each in folders if not each.startswith((".", "__"))]
        for each in (Path(top) / file for file in files if not file.startswith(".")):
            if each.is_symlink():
                others.append(f"{readable(each.name)} (a link)")
            elif each.suffix.lower() in SUFFIXES:
                paths.append(each)
            else:
                others.append(readable(each.name))
    own = [each for each in paths if name and name in each.relative_to(path).parts[:-1]]
    return sorted(own or paths), sorted(others)
