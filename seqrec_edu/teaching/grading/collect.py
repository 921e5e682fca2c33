"""The lines that a question needs, found by the name of its function: with helpers and imports, nothing else."""

import ast
import builtins
import inspect
import os
import symtable
from dataclasses import dataclass, field
from pathlib import Path

from seqrec_edu.teaching.grading.salvage import read_cells

USUAL = {
    "torch": "import torch", "np": "import numpy as np", "numpy": "import numpy", "math": "import math",
    "einops": "import einops", "nn": "from torch import nn", "F": "import torch.nn.functional as F",
    "Tensor": "from torch import Tensor", "rearrange": "from einops import rearrange",
    "repeat": "from einops import repeat", "reduce": "from einops import reduce", "einsum": "from einops import einsum",
}  # fmt: skip
LOCAL = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)  # what they bind is theirs
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass
class Statement:
    """A top-level statement: what it binds, what it uses, whether it adds to what was bound before."""

    text: str
    node: ast.stmt
    place: str
    binds: set[str]
    uses: set[str]
    adds: bool
    file: str = ""


@dataclass
class Answer:
    """The lines for one question. ``source`` is empty and ``trouble`` says why if there are none."""

    source: str = ""
    trouble: str = ""
    kind: str = ""
    notes: list[str] = field(default_factory=list)
    signature: inspect.Signature | None = None
    file: str = ""


class Submission:
    """All that one student handed in, as statements in order; ``notes`` say what could not be read."""

    def __init__(self, paths, most_mib=20, release=""):
        self.notes, self.statements, self.broken = [], [], []
        self.given = statements(read_cells("release", release.encode())[0]) if release else []
        self.stubs = {ast.dump(each.node) for each in self.given if "NotImplementedError" in each.text}
        self.files = short_names(paths)
        for path, name in zip(paths, self.files, strict=True):
            self._read(Path(path), name, most_mib)

    def _read(self, path, name, most_mib):
        try:
            if path.stat().st_size > most_mib << 20:
                self.notes.append(f"{name} is larger than {most_mib} MiB and was not read")
                return
            data = path.read_bytes()
        except OSError as error:
            self.notes.append(f"{name} could not be opened: {error.strerror}")
            return
        if not data.strip():
            self.notes.append(f"{name} is empty")
            return
        cells, notes = read_cells(name, data)
        self.notes += notes
        self.broken += [note for note in notes if "syntax error" in note]
        self.statements += statements(cells, name)

    def answer(self, name):
        """The lines that define the function ``name``, and what they stand on."""
        found = [each for each in self.statements if name in each.binds and not isinstance(each.node, ast.ImportFrom)]
        found = found or [each for each in self.statements if name in each.binds]
        if not found:
            return self._nothing(name)
        last = (self._written(found) or found)[-1]
        answer = Answer(signature=_signature(last.node), file=last.file)
        if sum(isinstance(each.node, DEFINITIONS) for each in found) > 1:
            which = "the last one" if last is found[-1] else "the last one that is written"
            answer.notes.append(f"{name} is defined {len(found)} times: {which} counts ({last.place})")
        chosen, missing = self._needed(name, last)
        given = [each for each in chosen if each in self.given]
        if given:
            names = ", ".join(sorted(set().union(*(each.binds for each in given))))
            answer.notes.append(f"taken from the release, because it was lost: {names}")
        usual = sorted(missing & set(USUAL))
        if usual:
            answer.notes.append(f"imported for it, because it was lost: {', '.join(usual)}")
        answer.source = "\n".join([*(USUAL[each] for each in usual), *(each.text for each in chosen)]) + "\n"
        if _is_empty(last.node):
            answer.kind, answer.trouble = "not written", "The function is not written yet: nothing stands in it."
        if not self._written([last]) and self._broken(name):  # the answer is there, beside an untouched copy
            answer.kind, answer.trouble = "unreadable", f"{self._broken(name)}."
        return answer

    def _written(self, found):
        """Those that are more than a stub: an untouched copy of the notebook must not beat the answer."""
        return [each for each in found if not (_is_stub(each.node) or ast.dump(each.node) in self.stubs)]

    def _broken(self, name):
        """What is wrong where the function would have been defined, "" if it is not seen there."""
        return next((note for note in self.broken if f"`def {name}`" in note), "")

    def _nothing(self, name):
        if self.broken:
            trouble = f"There is no function {name} in what could be read; {self._broken(name) or self.broken[0]}."
            return Answer(trouble=trouble, kind="unreadable")
        return Answer(trouble=f"There is no function {name}.", kind="missing")

    def _needed(self, name, last):
        """Statements for ``last``, each after those it uses; and names that nobody defines."""
        chosen, seen, missing = [], {id(last)}, set()

        def add(statement):
            for used in sorted(statement.uses):
                if used == name and statement is not last:
                    continue
                defining = self._defining(used, statement.file)
                for other in defining:
                    if id(other) not in seen:
                        seen.add(id(other))
                        add(other)
                if not defining and not hasattr(builtins, used):
                    missing.add(used)
            chosen.append(statement)

        add(last)
        if missing:  # they may come from a star
            stars = [each for each in self.statements if "*" in each.binds]
            chosen[:0] = [each for each in stars if id(each) not in seen]
        return chosen, missing

    def _defining(self, name, file):
        """Statements that make a name what it is at the end: its last definition and what changes it later.

        Those of the same file come first: a helper of the same name in another file belongs to that one's answers.
        """
        found = [each for each in self.statements if name in each.binds]
        written = self._written(found)
        given = [each for each in self.given if name in each.binds]
        for some in ([each for each in written if each.file == file], written, found, given):
            starts = [index for index, each in enumerate(some) if not each.adds]
            if starts:
                return some[starts[-1] :]
        return []


def short_names(paths):
    """Names of files as people read them: from the folder that holds them all."""
    paths = [os.path.abspath(path) for path in paths]
    around = os.path.commonpath([os.path.dirname(path) for path in paths]) if paths else ""
    return [readable(Path(os.path.relpath(path, around)).as_posix()) for path in paths]


def readable(name):
    """A file's name that can be written into a report: archives from elsewhere hold bytes that are no text."""
    text = os.fsencode(name).decode("utf-8", "replace")
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)


def statements(cells, file=""):
    """The top-level statements of parsed cells that something could depend on."""
    found = []
    for cell in cells:
        for node in cell.tree.body:
            if isinstance(node, ast.Expr):
                continue  # prints, plots, experiments: nothing depends on them by name
            binds, adds = _bound(node)
            start = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", ()))])
            text = "\n".join(cell.source.split("\n")[start - 1 : node.end_lineno])
            if ";" in text or text[:1].isspace():
                text = ast.unparse(node)  # several statements on a line: only this one
            found.append(Statement(text, node, cell.place, binds, _used(node), adds, file))
    return found


def _bound(node):
    """``(names, adds)``: what a statement defines; ``adds`` if it only changes what is there."""
    if isinstance(node, DEFINITIONS):
        return {node.name}, False
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name.split(".")[0] for alias in node.names}, False
    names, changed = set(), set()
    for part in _outside_functions(node):
        if isinstance(part, DEFINITIONS):
            names.add(part.name)
        elif isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            names.add(part.id)
        elif isinstance(part, ast.Attribute | ast.Subscript) and isinstance(part.ctx, ast.Store):
            base = part.value
            while isinstance(base, ast.Attribute | ast.Subscript):
                base = base.value
            changed |= {base.id} if isinstance(base, ast.Name) else set()
        elif isinstance(part, ast.Import | ast.ImportFrom):
            names |= _bound(part)[0]
    again = isinstance(node, ast.Assign) and names & _used(node)
    return names | changed, not names or isinstance(node, ast.AugAssign) or bool(again)


def _outside_functions(node):
    yield node
    for child in ast.iter_child_nodes(node):
        if isinstance(child, DEFINITIONS):
            yield child
        elif not isinstance(child, LOCAL):
            yield from _outside_functions(child)


def _used(node):
    """Names that a statement reads from outside itself: what its functions bind is their own."""
    try:
        return _read(symtable.symtable(ast.unparse(node), "answer", "exec"))
    except SyntaxError:  # such as an await outside of a function, which a notebook allows
        return {part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load)}


def _read(table):
    top = table.get_type() == "module"
    read = {each.get_name() for each in table.get_symbols() if each.is_referenced() and (top or each.is_global())}
    return read.union(*map(_read, table.get_children()))


def _signature(node):
    """The parameters' names and kinds, without running anything; None for what is no definition."""
    if not isinstance(node, ast.FunctionDef):
        return None
    arguments, kind = node.args, inspect.Parameter
    plain = [*arguments.posonlyargs, *arguments.args]
    required = len(plain) - len(arguments.defaults)
    found = [
        kind(each.arg, kind.POSITIONAL_OR_KEYWORD, default=kind.empty if index < required else None)
        for index, each in enumerate(plain)
    ]
    found += [kind(arguments.vararg.arg, kind.VAR_POSITIONAL)] if arguments.vararg else []
    found += [kind(each.arg, kind.KEYWORD_ONLY, default=None) for each in arguments.kwonlyargs]
    found += [kind(arguments.kwarg.arg, kind.VAR_KEYWORD)] if arguments.kwarg else []
    return inspect.Signature(found)


def _is_stub(node):
    """Empty, or it raises NotImplementedError before it could return anything."""
    if not isinstance(node, ast.FunctionDef):
        return False
    for each in node.body:
        raised = getattr(each, "exc", None)
        raised = raised.func if isinstance(raised, ast.Call) else raised
        if isinstance(each, ast.Raise) and isinstance(raised, ast.Name) and raised.id == "NotImplementedError":
            return True
        if any(isinstance(part, ast.Return | ast.Yield | ast.YieldFrom) for part in ast.walk(each)):
            break
    return _is_empty(node)


def _is_empty(node):
    """A definition of nothing but a docstring, ``pass``, ``...`` or ``return None``."""
    if not isinstance(node, ast.FunctionDef):
        return False
    for each in node.body:
        value = getattr(each, "value", None)
        nothing = value is None or (
            isinstance(value, ast.Constant) and (value.value is None or isinstance(each, ast.Expr))
        )
        if not isinstance(each, ast.Pass | ast.Expr | ast.Return) or not nothing:
            return False
    return True
