"""What the GPU kernels share: when Triton or mamba-ssm can run, and how a kernel is imported only once it is wanted."""

import importlib
import importlib.util
import os
from collections.abc import Callable
from functools import cache

from torch import Tensor

# A kernel is named by the caller until it has been timed and checked on a real GPU; then this becomes None.
HELD_BACK = "checked in Triton's interpreter, but not yet on a GPU: name it to run it"


def interpreting() -> bool:
    """Whether Triton runs its kernels in its interpreter: on the CPU, statement by statement, for tests and lessons."""
    return os.environ.get("TRITON_INTERPRET") == "1"


def refuses(x: Tensor) -> str | None:
    """Why a Triton kernel cannot run on a tensor like ``x``, or None."""
    if importlib.util.find_spec("triton") is None:
        return "triton is not installed (Linux only): pip install triton"
    if x.device.type != "cuda" and not interpreting():
        return (
            f"it needs a CUDA GPU, the tensor is on {x.device}; to try a small one on the CPU, set TRITON_INTERPRET=1 "
            "before Python starts"
        )
    return None


def refuses_mamba_ssm(x: Tensor) -> str | None:
    """Why mamba-ssm cannot run on a tensor like ``x``, or None."""
    if x.device.type != "cuda":
        return f"mamba-ssm needs a CUDA GPU, the tensor is on {x.device}"
    return mamba_ssm_problem()


@cache
def mamba_ssm_problem() -> str | None:
    """The exact reason mamba-ssm does not import, or None. Tried once: the import takes seconds."""
    try:
        importlib.import_module("mamba_ssm")
    except Exception as error:  # a build against another torch fails with anything from ImportError to OSError
        return f"mamba_ssm does not import: {type(error).__name__}: {error}"
    return None


def later(module: str, function: str) -> Callable:
    """``function`` of ``module``, imported at the first call, so that importing the package loads no Triton."""

    def run(*args, **options):
        return getattr(importlib.import_module(module), function)(*args, **options)

    return run


def in_rows(tensor: Tensor | None) -> Tensor | None:
    """As it is if its events follow each other at one distance, through all histories; else a copy that does."""
    if tensor is None or (tensor.stride(2) == 1 and tensor.stride(0) == tensor.shape[1] * tensor.stride(1)):
        return tensor
    return tensor.contiguous()
