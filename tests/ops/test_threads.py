"""The compiled loops leave torch with the number of threads it was told to use."""

import subprocess
import sys

SCRIPT = """
import torch
torch.set_num_threads(1)
from seqrec_edu import ops
ops.causal_conv1d(torch.randn(2, 5, 3), torch.randn(3, 4), backend="cpu")  # starts numba's threads
print(torch.get_num_threads())
"""


def test_starting_the_compiled_loops_does_not_raise_the_number_of_threads():
    """In a process of its own, because numba starts its threads once, and raises the number for everybody then."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"
