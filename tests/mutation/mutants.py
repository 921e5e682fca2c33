"""Small wrong changes to Python source: the mistakes a person makes in a recurrence, one at a time."""

from __future__ import annotations

import ast
import copy
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ARITHMETIC = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult,
              ast.FloorDiv: ast.Mult, ast.Mod: ast.Add, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd}  # fmt: skip
COMPARISON = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
              ast.Is: ast.IsNot, ast.IsNot: ast.Is}  # fmt: skip
# f(x, …) becomes x, and x.f(…) becomes x.
DROPPED = {"exp", "log", "sqrt", "rsqrt", "silu", "gelu", "softplus", "sigmoid", "softmax", "cumsum", "flip", "tril",
           "triu", "clamp", "masked_fill", "abs", "logcumsumexp"}  # fmt: skip
RENAMED = {"tril": "triu", "triu": "tril", "zeros": "ones", "ones": "zeros", "new_zeros": "new_ones", "min": "max",
           "new_ones": "new_zeros", "max": "min", "amax": "amin", "amin": "amax", "rfft": "fft"}  # fmt: skip
CONFUSED = [{"B", "C"}, {"q", "k"}, {"k", "v"}, {"pool_k", "pool_v"}, {"u", "v"}, {"hidden", "items"}]
PATTERN = re.compile(r"[a-z0-9 ().,…]+(->[a-z0-9 ().…]+)?")  # einops: axis letters
BUILTIN = {"min", "max"}
ONLY_SIZES = {"shape", "dtype", "device", "new_zeros", "dim"}


@dataclass(frozen=True)
class Mutant:
    """One change: ``name`` says it in full and does not move with the line; ``source`` is the whole changed file."""

    name: str
    line: int
    source: str


def mutants(path: Path, label: str) -> list[Mutant]:
    """All mutants of the file at ``path``, in the order of its lines; ``label`` begins their names."""
    text = path.read_text(encoding="utf-8")
    tree, lines = ast.parse(text), text.splitlines()
    known, skipped = _names(tree), _skipped(tree)
    found, sources, seen = [], {ast.unparse(tree) + "\n"}, {}
    for index, node in enumerate(ast.walk(tree)):
        if id(node) in skipped:
            continue
        for replacement in _changes(node):
            if isinstance(replacement, ast.Name) and replacement.id not in known.get(id(node), BUILTIN):
                continue  # a name that is not there would be noticed by anyone
            source = _replaced(tree, index, replacement)
            if source in sources:
                continue
            sources.add(source)
            line = getattr(node, "lineno", 1)
            name = f"{label}: {_text(node)} → {_text(replacement)} in: {lines[line - 1].split('  #')[0].strip()}"
            seen[name] = seen.get(name, 0) + 1
            found.append(Mutant(name if seen[name] == 1 else f"{name} #{seen[name]}", line, source))
    return sorted(found, key=lambda mutant: mutant.line)


def _changes(node: ast.AST) -> Iterator[ast.AST]:
    """What may stand instead of ``node``."""
    for kind, change in (
        ((ast.BinOp, ast.AugAssign), _operator),
        (ast.Compare, _compare),
        (ast.UnaryOp, lambda n: [n.operand] if isinstance(n.op, ast.USub | ast.Not | ast.Invert) else []),
        (ast.BoolOp, lambda n: [ast.BoolOp(ast.Or() if isinstance(n.op, ast.And) else ast.And(), n.values)]),
        (ast.Constant, _constant),
        (ast.Slice, _slice),
        (ast.Subscript, _index),
        (ast.Call, _call),
        ((ast.Name, ast.Attribute), _name),
        (ast.IfExp, lambda n: [] if _flips(n.test) else [ast.IfExp(n.test, n.orelse, n.body)]),
        (ast.If, lambda n: [] if _flips(n.test) else [ast.If(ast.UnaryOp(ast.Not(), n.test), n.body, n.orelse)]),
        (ast.Expr, lambda n: [ast.Pass()]),
    ):
        if isinstance(node, kind):
            yield from change(node)
    if isinstance(node, ast.AugAssign):
        yield ast.Pass()


def _operator(node):
    other = ARITHMETIC.get(type(node.op))
    if other:
        changed = copy.copy(node)
        changed.op = other()
        yield changed


def _flips(test: ast.AST) -> bool:
    """Whether another change turns this condition round already."""
    return isinstance(test, ast.UnaryOp) or (isinstance(test, ast.Compare) and type(test.ops[0]) in COMPARISON)


def _compare(node):
    other = COMPARISON.get(type(node.ops[0]))
    if other and len(node.ops) == 1:
        yield ast.Compare(node.left, [other()], node.comparators)


def _constant(node):
    """Another number: an index, axis or fill that is off by one. Another order of axes in an einops pattern."""
    if isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    elif isinstance(node.value, int):
        yield from (ast.Constant(node.value + 1), ast.Constant(node.value - 1))
    elif isinstance(node.value, float):
        yield ast.Constant({0.0: 1.0, 1.0: 0.0}.get(node.value, 2 * node.value))
    elif isinstance(node.value, str) and " " in node.value and PATTERN.fullmatch(node.value):
        yield from (ast.Constant(changed) for changed in _patterns(node.value) if changed != node.value)


def _patterns(pattern: str):
    """A pattern with its last two axes turned round, in the result and in each bracket: a transposed matrix, or heads
    counted inside groups the other way."""
    before, arrow, after = pattern.rpartition("->")
    turned = re.sub(r"(\w+) (\w+)$", r"\2 \1", after)
    yield before + arrow + turned
    for bracket in re.finditer(r"\((\w+) (\w+)\)", pattern):
        yield pattern[: bracket.start()] + f"({bracket[2]} {bracket[1]})" + pattern[bracket.end() :]


def _slice(node):
    for end in ("lower", "upper"):
        bound = getattr(node, end)
        if bound is not None and not isinstance(bound, ast.Constant):
            for operator in (ast.Add, ast.Sub):
                changed = copy.copy(node)
                setattr(changed, end, ast.BinOp(bound, operator(), ast.Constant(1)))
                yield changed


def _index(node):
    if isinstance(node.slice, ast.Name) and isinstance(node.ctx, ast.Load):
        for operator in (ast.Add, ast.Sub):
            yield ast.Subscript(node.value, ast.BinOp(node.slice, operator(), ast.Constant(1)), node.ctx)


def _call(node):
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if name in DROPPED:
        module = isinstance(node.func, ast.Attribute) and getattr(node.func.value, "id", "") in ("torch", "F")
        yield node.args[0] if module or isinstance(node.func, ast.Name) else node.func.value
    names = [place for place, argument in enumerate(node.args) if isinstance(argument, ast.Name)]
    for first, second in itertools.pairwise(names):
        args = list(node.args)
        args[first], args[second] = args[second], args[first]
        yield ast.Call(node.func, args, node.keywords)


def _name(node):
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        for pair in CONFUSED:
            if node.id in pair:
                yield ast.Name((pair - {node.id}).pop(), node.ctx)
        if node.id in ("min", "max"):
            yield ast.Name(RENAMED[node.id], node.ctx)
    elif isinstance(node, ast.Attribute) and node.attr in RENAMED:
        yield ast.Attribute(node.value, RENAMED[node.attr], node.ctx)


def _names(tree: ast.AST) -> dict[int, set[str]]:
    """For every node inside a function, the names bound there: arguments and what is assigned."""
    found: dict[int, set[str]] = {}
    for definition in ast.walk(tree):
        if isinstance(definition, ast.FunctionDef | ast.Lambda):
            inside = list(ast.walk(definition))
            bound = {each.arg for each in inside if isinstance(each, ast.arg)} | BUILTIN
            bound |= {each.id for each in inside if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}
            for each in inside:
                found[id(each)] = found.get(id(each), set()) | bound
    return found


def _skipped(tree: ast.AST) -> set[int]:
    """Documentation, annotations, imports, decorators and error messages are no part of the mathematics, and the shape
    of B is the shape of C."""
    found: set[int] = set()
    for node in ast.walk(tree):
        hidden: list[ast.AST | None] = []
        if isinstance(node, ast.Import | ast.ImportFrom | ast.Raise | ast.JoinedStr) or (
            isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        ):
            hidden = [node]
        elif isinstance(node, ast.Attribute) and node.attr in ONLY_SIZES:
            hidden = [node.value]
        elif isinstance(node, ast.FunctionDef):
            hidden = [*node.decorator_list, node.returns]
        elif isinstance(node, ast.arg):
            hidden = [node.annotation]
        found |= {id(inner) for each in hidden if each is not None for inner in ast.walk(each)}
    return found


def _replaced(tree: ast.AST, index: int, replacement: ast.AST) -> str:
    """Source of the tree with its ``index``-th node replaced."""
    changed = copy.deepcopy(tree)
    target = list(ast.walk(changed))[index]
    for parent in ast.walk(changed):
        for field, value in ast.iter_fields(parent):
            if value is target:
                setattr(parent, field, replacement)
            elif isinstance(value, list):
                for place, each in enumerate(value):
                    if each is target:
                        value[place] = replacement
    return ast.unparse(ast.fix_missing_locations(changed)) + "\n"


def _text(node: ast.AST) -> str:
    """The node on one line."""
    text = " ".join(ast.unparse(ast.fix_missing_locations(copy.deepcopy(node))).split())
    return text if len(text) <= 70 else f"{text[:44]} … {text[-22:]}"
