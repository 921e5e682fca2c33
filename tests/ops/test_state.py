"""Cutting a history anywhere and carrying the state over gives the full pass; so does going event by event."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqrec_edu import ops
from tests.ops.support import conv_inputs, scan_inputs, ssd_inputs

CASES = {
    "causal_conv1d": (ops.causal_conv1d, lambda l: conv_inputs(2, l, 3, 4), ("x",)),
    "selective_scan": (ops.selective_scan, lambda l: scan_inputs(2, l, 3, 4), ("x", "dt", "B", "C", "z")),
    "ssd": (ops.ssd, lambda l: ssd_inputs(2, l, 2, 3, 1, 4), ("x", "dt", "B", "C", "decay_scale")),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(
    ("backend", "dtype"), [("reference", torch.float64), ("vectorised", torch.float64), ("cpu", torch.float32)]
)
@settings(max_examples=15, deadline=None)
@given(length=st.integers(2, 70), data=st.data())
def test_cut_anywhere(name, backend, dtype, length, data):
    operation, make, over_time = CASES[name]
    inputs = {key: value.to(dtype) for key, value in make(length).items()}
    cut = data.draw(st.integers(1, length - 1))
    whole, last = operation(**inputs, return_state=True, backend=backend)
    first = {k: v[:, :cut] if k in over_time else v for k, v in inputs.items()}
    y1, state = operation(**first, return_state=True, backend=backend)
    second = {k: v[:, cut:] if k in over_time else v for k, v in inputs.items()} | {"initial_state": state}
    y2, state = operation(**second, return_state=True, backend=backend)
    tolerance = {"rtol": 1e-9, "atol": 1e-9} if dtype == torch.float64 else {"rtol": 1e-4, "atol": 1e-4}
    torch.testing.assert_close(torch.cat([y1, y2], 1), whole, **tolerance)
    torch.testing.assert_close(state, last, **tolerance)
