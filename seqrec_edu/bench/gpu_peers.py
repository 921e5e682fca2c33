"""Kernels of other projects on a GPU, in the layouts that they want, so that no copies are charged to them.

Each builds a function of the inputs of a case, or raises what its import raises.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import types
from collections.abc import Callable


def scan() -> Callable:
    """mamba-ssm's selective scan with gate, time last."""
    bare_mamba_ssm()
    function = importlib.import_module("mamba_ssm.ops.selective_scan_interface").selective_scan_fn
    return lambda x, dt, A, B, C, D, z: function(x, dt, A.float(), B, C, D=D.float(), z=z)


def ssd(chunk: int) -> Callable:
    """mamba-ssm's chunked kernels of Mamba-2."""
    bare_mamba_ssm()
    function = importlib.import_module("mamba_ssm.ops.triton.ssd_combined").mamba_chunk_scan_combined
    return lambda x, dt, A, B, C, D, **_: function(x, dt, A, B, C, chunk, D=D)


def convolution(run: Callable) -> Callable:
    """causal-conv1d through our adapter, which passes histories on as they lie in memory."""
    importlib.import_module("causal_conv1d")
    return run


def exact_cce() -> Callable:
    """Apple's cut cross-entropy without its filter, which leaves out small gradients."""
    function = importlib.import_module("cut_cross_entropy").linear_cross_entropy
    return lambda hidden, items, target: function(hidden, items, target, impl="cce_exact")


def liger() -> Callable:
    """Liger's fused linear cross-entropy."""
    return importlib.import_module("liger_kernel.transformers.functional").liger_fused_linear_cross_entropy


def bare_mamba_ssm() -> None:
    """mamba_ssm as a package whose own ``__init__`` never runs: that one wants transformers and every extension."""
    if "mamba_ssm" in sys.modules:
        return
    spec = importlib.util.find_spec("mamba_ssm")
    if spec is None:
        raise ImportError("mamba_ssm is not installed")
    package = types.ModuleType("mamba_ssm")
    package.__path__, package.__spec__ = list(spec.submodule_search_locations), spec
    sys.modules["mamba_ssm"] = package
