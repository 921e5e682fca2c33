"""Running a module with one version of the operations it calls, and seeing which it calls."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from seqrec_edu.lens.subject import Subject
from seqrec_edu.lens.verdict import FAILS, HOLDS, NOT_APPLICABLE, Property
from seqrec_edu.ops import gpu
from seqrec_edu.ops.backends import NAMES, Operation

# Relative error allowed in float64 and in float32. The bar of one operation in float32 is 2e-5; the gradient of one
# weight of a model can be a sum over all events that nearly cancels. A wrong version is off by a hundredth and more.
ALLOWED = {True: 1e-9, False: 2e-4}


@dataclass
class Calls:
    """What a module called: the version that ran for each operation, and the step sizes given to the state spaces."""

    ran: dict[str, str] = field(default_factory=dict)
    steps: list[Tensor] = field(default_factory=list)


@contextmanager
def prefer(backend: str | None) -> Iterator[Calls]:
    """Inside the block every operation runs its version ``backend`` where it has one that can, else its reference.

    ``ops.use`` forces one version on all operations, and is an error as soon as one of them lacks it; a model of many
    operations could not be compared that way. None leaves the choice alone and only watches.
    """
    calls, pick = Calls(), Operation.pick

    def watched(operation: Operation, x: Tensor, named: str | None, *others: Tensor):
        wanted = named
        if named is None and backend is not None:
            rung = operation.rungs.get(backend)
            wanted = backend if rung is not None and rung.refuses(x, *others) is None else "reference"
        run = pick(operation, x, wanted, *others)
        calls.ran[operation.name] = next(name for name, rung in operation.rungs.items() if rung.run is run)

        def seen(*args, **options):
            if operation.name in ("ssd", "selective_scan"):
                calls.steps.append(args[1].detach())
            return run(*args, **options)

        return seen

    Operation.pick = watched
    try:
        yield calls
    finally:
        Operation.pick = pick


def backends(module: Subject) -> Property:
    """Every version of the operations gives the reference's outputs and gradients."""
    single = module.single()
    expected, calls = _outcome(module, "reference")
    if not calls.ran:
        return Property("backends", NOT_APPLICABLE, None, "It calls no operation of seqrec_edu.ops.")
    noise = _error(_outcome(single, "reference")[0], expected)
    worst, said, wrong = 0.0, [], []
    for backend in NAMES:
        if backend == "reference" or (backend == "kernel" and gpu.interpreting()):
            continue  # in Triton's interpreter a model takes minutes, and the tests of the kernels have done it
        for each in (module, single):
            error, which = _compare(each, backend, expected)
            if which:
                # A whole model in float32 rounds more than one operation does: the reference itself says how much.
                allowed = ALLOWED[True] if each.exact else max(ALLOWED[False], 10 * noise)
                worst = max(worst, error)
                precision = str(each.like.dtype).removeprefix("torch.")
                text = f"{backend} ({', '.join(which)}) is off by {error:.1e} in {precision}"
                (said if error <= allowed else wrong).append(text)
                break
    if not said and not wrong:
        return Property("backends", NOT_APPLICABLE, None, "Only the reference of its operations runs here.")
    if wrong:
        return Property("backends", FAILS, worst, f"Output or gradients differ from the reference: {'; '.join(wrong)}.")
    return Property("backends", HOLDS, worst, f"Output and gradients against the reference: {'; '.join(said)}.")


def _compare(module: Subject, backend: str, expected: dict[str, Tensor]) -> tuple[float, list[str]]:
    """Error of one version, and the operations that ran it; an error it raises is infinite."""
    with prefer(backend) as calls:
        try:
            error = _error(values_and_gradients(module), expected)
        except (ValueError, RuntimeError):
            error = float("inf")
    return error, sorted(name for name, ran in calls.ran.items() if ran == backend)


def _outcome(module: Subject, backend: str) -> tuple[dict[str, Tensor], Calls]:
    with prefer(backend) as calls:
        return values_and_gradients(module), calls


def values_and_gradients(module: Subject) -> dict[str, Tensor]:
    """Output at real events, and the gradient of a fixed weighting of it to every parameter and stream of numbers."""
    rows = module.padded()
    streams = {n: v.clone().requires_grad_() if v.is_floating_point() else v for n, v in rows.streams.items()}
    rows = replace(rows, streams=streams)
    leaves = {f"parameter {n}": p for n, p in module.module.named_parameters() if p.requires_grad}
    leaves |= {f"input {n}": v for n, v in streams.items() if v.is_floating_point()}
    with torch.enable_grad():
        y = module.run(rows)[0][rows.mask]
        found = {"output": y.detach()}
        if leaves and y.requires_grad:
            draw = torch.Generator().manual_seed(module.seed)
            weights = torch.randn(y.shape, generator=draw).to(y)
            gradients = torch.autograd.grad((y * weights).sum(), list(leaves.values()), allow_unused=True)
            for (name, leaf), gradient in zip(leaves.items(), gradients, strict=True):
                found[name] = torch.zeros_like(leaf) if gradient is None else gradient
    return found


def _error(found: dict[str, Tensor], expected: dict[str, Tensor]) -> float:
    """Largest relative error; a gradient counts against no less than a thousandth of the largest one."""
    floor = 1e-3 * max((float(v.norm()) for n, v in expected.items() if n != "output"), default=0.0)
    errors = []
    for name, value in expected.items():
        size = float(value.norm()) if name == "output" else max(float(value.norm()), floor)
        error = float((found[name].to(value.dtype) - value).norm()) / max(size, 1e-30)
        errors.append(error if error == error else float("inf"))
    return max(errors)
