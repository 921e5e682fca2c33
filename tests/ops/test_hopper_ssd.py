"""The ssd kernels compiled for sm_90 without a GPU, for the sizes of TiM4Rec: 4 heads of 32 channels, 32 states."""

import pytest
import torch

from seqrec_edu.ops import gpu
from tests.ops import hopper

pytest.importorskip("triton", reason="triton is not installed (Linux only)")

SUMS = ["starts", "ddt", "dA", "dB", "dC", "dD", "dtau"]  # float32 whatever the inputs are
INPUTS = ["x", "dt", "A", "B", "C", "D", "tau", "initial", "y", "last", "dy", "dlast", "dx", "dinitial"]
STRIDES = [f"{name}_{axis}" for name in ("x", "B", "C", "dy") for axis in ("batch", "time", "head", "group")]
# Instructions per event: those of the loop over chunks × warps / events of a chunk, as Triton 3.7.1 compiled it. The
# products alone need 128 and 294 multiply-adds in float32 (FFMA × warps / 32 lanes).
MEASURED = {
    ("forward", torch.float32): 210,
    ("forward", torch.bfloat16): 77,
    ("backward", torch.float32): 557,
    ("backward", torch.bfloat16): 185,
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kernel", ["forward", "backward"])
def test_no_spills_and_few_instructions(kernel, dtype, monkeypatch):
    found, per_event = compiled(kernel, dtype, monkeypatch)
    assert found["spill_bytes"] == 0
    assert found["shared_bytes"] <= hopper.SHARED_LIMIT
    assert per_event(found["loops"][0]["instructions"]) <= 1.1 * MEASURED[kernel, dtype]
    on_tensor_cores = hopper.count(found["loops"][0]["opcodes"], "HMMA", "HGMMA")
    assert (on_tensor_cores > 0) == (dtype == torch.bfloat16), "float32 must not be rounded to TF32"


@pytest.mark.parametrize("chunk_size", [32, 64, 256])
def test_no_chunk_size_asks_for_larger_tiles(chunk_size, monkeypatch):
    assert constants(torch.float32, chunk_size, monkeypatch) == constants(torch.float32, 32, monkeypatch)


def constants(dtype, chunk_size, monkeypatch):
    from seqrec_edu.ops._ssd import kernel

    monkeypatch.setattr(gpu, "interpreting", lambda: False)
    x, B = torch.empty(1, 200, 4, 32, dtype=dtype), torch.empty(1, 200, 1, 32, dtype=dtype)
    return kernel.constants(x, B, chunk_size)


def compiled(kernel, dtype, monkeypatch):
    from seqrec_edu.ops._ssd.kernel import warps

    constant = constants(dtype, 64, monkeypatch)
    threads = warps(constant, backward=kernel == "backward")
    of_inputs = "*fp32" if dtype == torch.float32 else "*bf16"
    signature = dict.fromkeys(SUMS, "*fp32") | dict.fromkeys(INPUTS, of_inputs)
    signature |= dict.fromkeys(STRIDES, "i32:16") | {"batches": "i32", "length": "i32"}
    # As in training: histories begin without a state, and nobody asks for the gradient to the last one.
    absent = dict.fromkeys(["initial"] if kernel == "forward" else ["initial", "dinitial", "dlast"])
    found = hopper.resources(
        f"seqrec_edu.ops._ssd.kernel_{kernel}",
        kernel,
        {name: kind for name, kind in signature.items() if name not in absent},
        constant | absent,
        threads,
    )
    return found, lambda instructions: instructions * threads / constant["Q"]
