"""Code of other projects, measured as it is where a folder with it is given. None of it is part of this one."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType

from einops import einsum

from seqrec_edu.bench.case import Variant
from seqrec_edu.bench.rivals import materialised

PSCAN, MAMBA_MINIMAL, MAMBA2_MINIMAL = "mambapy/pscan.py", "mamba-minimal/model.py", "mamba2-minimal/mamba2.py"
NOT_GIVEN = "no folder was given (--peers DIR)"


def selective_scans(folder: str | None, too_long: str | None = None) -> list[Variant]:
    """mamba.py's parallel scan, and mamba-minimal's loop unless the histories are ``too_long`` for it."""

    def by_pscan(module):
        def run(x, dt, A, B, C, D, **_):
            return einsum(module.pscan(*materialised(x, dt, A, B)), C, "b l e n, b l n -> b l e") + D * x

        return run

    def by_loop(module):
        def run(x, dt, A, B, C, D, **_):
            return module.MambaBlock.selective_scan(None, x, dt, A, B, C, D)

        return run

    return [
        _variant("mamba.py", "mamba.py, pscan", folder, PSCAN, by_pscan),
        _variant("mamba-minimal", "mamba-minimal, selective_scan", folder, MAMBA_MINIMAL, by_loop, too_long),
    ]


def ssds(folder: str | None) -> list[Variant]:
    """mamba2-minimal's chunks; its function takes what is written and the log-decay instead of dt."""

    def chunked(module):
        def run(x, dt, A, B, C, D, **_):
            size = next(q for q in range(min(64, x.shape[1]), 0, -1) if x.shape[1] % q == 0)
            return module.ssd(x * dt[..., None], dt * A, B, C, size)[0] + D[:, None] * x

        return run

    return [_variant("mamba2-minimal", "mamba2-minimal, ssd", folder, MAMBA2_MINIMAL, chunked)]


def _variant(
    key: str, label: str, folder: str | None, file: str, wrap: Callable, missing: str | None = None
) -> Variant:
    run = None
    if folder is None:
        missing = NOT_GIVEN
    elif missing is None:
        try:
            run = wrap(_load(folder, file))
        except Exception as error:  # foreign code may fail in any way; it is then not measured, and this says why
            missing = f"{file} does not load from the folder given: {type(error).__name__}: {error}"
    return Variant(key, label, run or _never, missing=missing)


@cache
def _load(folder: str, file: str) -> ModuleType:
    """A module from a file at ``file`` or, in a checkout of its repository, one folder further down."""
    places = [path for path in (Path(folder) / file, *sorted(Path(folder).glob(f"*/{file}"))) if path.is_file()]
    if not places:
        raise FileNotFoundError(f"it is not there; expected {file}")
    spec = importlib.util.spec_from_file_location(f"peer {file}", places[0])
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up there
    spec.loader.exec_module(module)
    return module


def _never(**_):
    raise AssertionError("a missing variant does not run")
