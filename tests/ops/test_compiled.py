"""The compiled loops are kept on disk: the seconds that compiling takes are paid once, not in every process."""

import subprocess
import sys

# Sizes that other tests use too, so that nothing is compiled for this one alone.
SCRIPT = """
import torch
from seqrec_edu import ops
from seqrec_edu.ops._causal_conv1d import cpu as conv
from seqrec_edu.ops._selective_scan import cpu as scan
from seqrec_edu.ops._ssd import cpu as ssd

leaf = lambda *shape: torch.rand(*shape, requires_grad=True)
ops.causal_conv1d(leaf(2, 5, 3), leaf(3, 4), activation="silu", backend="cpu").sum().backward()
x = leaf(2, 5, 3)
ops.selective_scan(x, x, -leaf(3, 16), leaf(2, 5, 16), leaf(2, 5, 16), leaf(3), x, backend="cpu").sum().backward()
ops.ssd(leaf(2, 5, 2, 8), leaf(2, 5, 2), -leaf(2), leaf(2, 5, 1, 5), leaf(2, 5, 1, 5), backend="cpu").sum().backward()
loops = [*conv._compiled(), *scan._compiled(16), ssd._compiled_forward(8, 2), ssd._compiled_backward(8, 5)]
print(sum(sum(loop.stats.cache_misses.values()) for loop in loops), len(loops))
"""


def test_a_second_process_compiles_nothing():
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "6"]
