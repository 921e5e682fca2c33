"""The floors of the package: nothing imports upward, nothing goes in a circle, and importing it stays light."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "seqrec_edu"
FLOORS = (
    "notation",
    "taps",
    "data",
    "ops",
    "layers",
    "models",
    "training",
    "bench",
    "reproduce",
    "lens",
    "figures",
    "panels",
    "teaching",
    "cli",
)
HEAVY = (
    "plotly",
    "ipywidgets",
    "anywidget",
    "triton",
    "mamba_ssm",
    "causal_conv1d",
    "torch",
    "polars",
    "lightning_fabric",
)


@cache
def modules() -> dict[str, Path]:
    """Dotted name → file of every module in the package."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def imports(module: str) -> list[tuple[int, str]]:
    """Line and full dotted name of everything ``module`` imports, inside functions too; not for type checkers only."""
    path = modules()[module]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    hidden = {id(inner) for node in ast.walk(tree) if is_for_types(node) for inner in ast.walk(node)}
    found = []
    for node in ast.walk(tree):
        if id(node) in hidden:
            continue
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            inner = [f"{base}.{alias.name}" for alias in node.names]
            found += [(node.lineno, name if name in modules() else base) for name in inner]
    return found


def is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def floor(module: str) -> int | None:
    """The floor's height, None for the entrance (seqrec_edu itself and its __main__)."""
    parts = module.split(".")
    if len(parts) == 1 or parts[1] == "__main__":
        return None
    assert parts[1] in FLOORS, f"{module} stands on no floor; there are {', '.join(FLOORS)}"
    return FLOORS.index(parts[1])


def outside(module: str) -> list[tuple[int, str]]:
    """Line and top-level name of everything imported from other packages."""
    return [(line, name.split(".")[0]) for line, name in imports(module) if not name.startswith("seqrec_edu")]


def inside(module: str) -> list[tuple[int, str]]:
    return [(line, name) for line, name in imports(module) if name.split(".")[0] == "seqrec_edu"]


def test_nothing_imports_upward():
    for module in modules():
        here = floor(module)
        for line, name in inside(module):
            there = floor(name)
            if here is not None and there is not None:
                assert there <= here, f"{module}:{line} imports {name}, which stands above it"


def test_nothing_goes_in_a_circle():
    edges = {module: {name for _, name in inside(module) if name in modules()} - {module} for module in modules()}
    done: set[str] = set()

    def follow(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, f"a circle: {' → '.join([*trail[trail.index(module) :], module])}"
        if module not in done:
            for name in sorted(edges[module]):
                follow(name, (*trail, module))
            done.add(module)

    for module in edges:
        follow(module, ())


# Floor (or one module of it) → packages that it must not import, and what the rule protects.
FORBIDDEN = [
    ("data", {"torch", "plotly", "ipywidgets"}, "histories load without torch; batches.py alone makes tensors"),
    ("ops", {"plotly", "ipywidgets", "lightning_fabric"}, "operations know tensors only"),
    ("layers", {"plotly", "ipywidgets", "lightning_fabric"}, "layers know tensors only"),
    ("models", {"plotly", "ipywidgets"}, "no plotting in model files"),
    ("training", {"plotly", "ipywidgets"}, "live plots come through callbacks"),
    ("figures", {"torch", "ipywidgets"}, "arrays in, figure out"),
    ("panels", {"torch"}, "no mathematics in views"),
]


@pytest.mark.parametrize(("name", "packages", "reason"), FORBIDDEN, ids=[name for name, _, _ in FORBIDDEN])
def test_floor_keeps_to_its_trade(name, packages, reason):
    for module in modules():
        if module.startswith(f"seqrec_edu.{name}") and module != "seqrec_edu.data.batches":
            for line, imported in outside(module):
                assert imported not in packages, f"{module}:{line} imports {imported}: {reason}"


def test_views_import_no_models():
    below = {"ops", "layers", "models", "training"}
    for module in modules():
        if module.split(".")[1:2] in (["figures"], ["panels"]):
            for line, name in inside(module):
                assert name.split(".")[1] not in below, f"{module}:{line} imports {name}: views take arrays"


def test_references_import_torch_and_einops_only():
    allowed = {"torch", "einops", "jaxtyping", *sys.stdlib_module_names}
    for module in modules():
        if module.endswith(".reference"):
            for line, name in outside(module):
                assert name in allowed, f"{module}:{line} imports {name}: a reference stands on torch and einops alone"


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import seqrec_edu", HEAVY),
        (
            "import seqrec_edu.cli; seqrec_edu.cli.build()",
            ("torch", "plotly", "polars", "ipywidgets", "lightning_fabric"),
        ),
        ("import seqrec_edu.data", ("torch", "plotly", "ipywidgets")),
        ("import seqrec_edu.ops", ("triton", "mamba_ssm", "causal_conv1d", "plotly", "ipywidgets", "lightning_fabric")),
    ],
)
def test_importing_stays_light(statement, absent):
    code = f"{statement}; import sys; print([name for name in {absent!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
