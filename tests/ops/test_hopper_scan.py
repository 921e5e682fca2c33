"""The kernels of selective_scan and causal_conv1d compiled for sm_90 without a GPU, as a Mamba layer launches them.

The numbers are instructions of one warp in the loop over time, as Triton 3.7.1 compiled it, shared out over what a lane
does there. They bound the time from below: a processor starts four instructions a cycle.
"""

import pytest
import torch

from tests.ops import hopper

pytest.importorskip("triton", reason="triton is not installed (Linux only)")

FORWARD = ["x", "dt", "A", "B", "C", "D", "z", "y", "last", "starts"]
BACKWARD = ["x", "dt", "A", "B", "C", "D", "z", "starts", "dy", "dx", "ddt", "dA", "dB", "dC", "dD", "dz"]
ROWS = ["x_row", "dt_row", "B_row", "C_row", "z_row", "dy_row", "cell"]
# Instructions per event and number of the state, skip and gate included. Forward 5 are needed: two multiplications, an
# exponential, two multiply-adds. Backward it is 15, and 8 to add dB and dC up over the lanes.
MEASURED = {("forward", 16): 7.7, ("backward", 16): 32.2, ("backward", 32): 33.3}


def plan(states, batch=2048):
    """What a layer of 128 channels launches its kernels with, for a batch that fills the machine."""
    from seqrec_edu.ops._selective_scan import kernel

    x, B = torch.empty(batch, 1, 128), torch.empty(batch, 1, states)
    cell, common = kernel.plan(128, B, B)
    tile, steps = kernel.forward_tile(x, x, x, cell)
    forward = {"TILE": tile, "STEPS": steps, "CELL": cell, "LANE": max(1, tile // 32)}
    common = {"WHOLE": True} | {name: value for name, value in common.items() if name != "num_warps"}
    return forward | common, {"TILE": cell, "STEPS": kernel.STEPS} | common


def compiled(kernel, pointers, absent, constants):
    signature = dict.fromkeys(pointers, "*fp32") | dict.fromkeys(["length", "channels", "tiles", *ROWS], "i32")
    if kernel == "forward":
        del signature["dy_row"]
    module = f"seqrec_edu.ops._selective_scan.kernel_{kernel}"
    return hopper.resources(module, kernel, signature, constants | dict.fromkeys(absent), 1)


def test_scan_forward():
    constants, _ = plan(16)
    assert constants["TILE"] == 64 and constants["STEPS"] == 1
    found = compiled("forward", FORWARD, ["initial"], constants)
    _, step = found["loops"]  # chunks of events between stored states, and the events inside
    assert found["spill_bytes"] == 0 and found["registers"] <= 168  # three warps for every scheduler
    assert hopper.count(step["opcodes"], "SHFL", "BAR", "LDS", "STS") == 0, "lanes must not need each other"
    assert step["instructions"] / (16 * 64 / 32) <= 1.05 * MEASURED["forward", 16]


@pytest.mark.parametrize("states", [16, 32])
def test_scan_backward(states):
    _, constants = plan(states)
    found = compiled("backward", BACKWARD, ["dlast", "dinitial"], constants)
    block, walk = (loop["instructions"] for loop in found["loops"])  # 4 events, and the walk to them, of 0 or 4 steps
    assert found["spill_bytes"] == 0
    per_event = (2 * (block - walk) + 4 * walk) / 8
    assert per_event / (states * constants["TILE"] / 32) <= 1.05 * MEASURED["backward", states]
    if states == 16:
        assert hopper.count(found["opcodes"], "BAR", "LDS", "STS") == 0
        shuffles = hopper.count(found["loops"][0]["opcodes"], "SHFL")
        assert shuffles == 4 * 2 * 16, "a sum over 32 lanes of 16 numbers takes 8 + 4 + 2 + 1 + 1 exchanges, not 80"


def test_conv():
    pointers = dict.fromkeys(["x", "weight", "bias", "y", "dy", "dx", "dweight", "dbias"], "*fp32")
    sizes = dict.fromkeys(["channels", "x_row", "dy_row"], "i32:16")
    sizes |= dict.fromkeys(["length", "times", "segments", "tiles"], "i32")
    module, common = "seqrec_edu.ops._causal_conv1d.kernel", {"K": 4, "TILE": 64, "SILU": True, "DOUBLE": False}
    forward = hopper.resources(module, "forward", pointers | sizes, common | {"EVENTS": 16, "initial": None}, 2)
    assert forward["spill_bytes"] == 0 and not forward["loops"]
    assert forward["opcodes"]["LDG.E.128"] == 16 and forward["opcodes"]["STG.E.128"] == 4, "four channels at a time"
    absent = dict.fromkeys(["initial", "dinitial"])
    backward = hopper.resources(module, "backward", pointers | sizes, common | {"SEGMENT": 64, "STEPS": 4} | absent, 1)
    assert backward["spill_bytes"] == 0
    (events,) = backward["loops"]  # four events of two channels a lane
    assert events["instructions"] / 8 <= 1.05 * 47.8
