"""The folder that students' processes import from: the package without what a question asks for."""

import shutil
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2]
REFUSAL = '''"""Left out while answers are graded."""


class _LeftOut:
    """May be imported by what stands above it, but not used."""

    def __init__(self, *args, **kwargs):
        self._name = args[0] if args and isinstance(args[0], str) else "it"

    def _refuse(self, *args, **kwargs):
        raise PermissionError(f"not allowed: {what}: {{self._name}} is not for the answer to use")

    __call__ = __getitem__ = __iter__ = __enter__ = _refuse

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        self._refuse()


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return _LeftOut(name)
'''
CHECKS, OWN = "the checks and solutions are left out", "it is what the question asks for"


def make(folder, blocked):
    """Fill ``folder``: ``inside`` with what runs in a student's process, and one copy of the package per variant.

    ``blocked`` is a list of tuples of modules below ``seqrec_edu`` ("ops._ssd"), one tuple per question; returns the
    name of the variant for each. ``teaching`` is left out of all of them, data files as well.
    """
    shutil.copytree(
        PACKAGE / "teaching/grading/inside", folder / "inside", ignore=shutil.ignore_patterns("__pycache__")
    )
    variants = {}
    for modules in blocked:
        key = tuple(sorted(modules))
        if key not in variants:
            variants[key] = f"variant{len(variants)}"
            _copy(folder / variants[key] / "seqrec_edu", key)
    for place in [folder, *folder.rglob("*")]:
        place.chmod(0o755 if place.is_dir() else 0o644)  # another user reads it
    return [variants[tuple(sorted(modules))] for modules in blocked]


def _copy(target, blocked):
    for source in sorted(PACKAGE.rglob("*.py")):
        inside = source.relative_to(PACKAGE)
        (target / inside).parent.mkdir(parents=True, exist_ok=True)
        dotted = ".".join(inside.with_suffix("").parts)
        if dotted.startswith("teaching"):
            (target / inside).write_text(REFUSAL.format(what=CHECKS), encoding="utf-8")
        elif any(dotted == module or dotted.startswith(module + ".") for module in blocked):
            (target / inside).write_text(REFUSAL.format(what=OWN), encoding="utf-8")
        else:
            shutil.copyfile(source, target / inside)
