"""Bad input is named in axis words; a backend that cannot run says why."""

import pytest
import torch

from seqrec_edu import ops
from tests.ops.support import conv_inputs, scan_inputs, ssd_inputs

SCAN, SSD, CONV = scan_inputs(2, 6, 3, 4), ssd_inputs(2, 6, 4, 3, 2, 5), conv_inputs(2, 6, 3, 4)


@pytest.mark.parametrize(
    ("operation", "inputs", "changes", "says"),
    [
        (ops.selective_scan, SCAN, {"B": torch.ones(2, 5, 4)}, "axis l .* of B 'b l n' is 5, but x fixes it at 6"),
        (ops.selective_scan, SCAN, {"A": torch.ones(4, 3)}, "axis e .* of A"),
        (ops.selective_scan, SCAN, {"dt": torch.ones(2, 6)}, "dt needs the 3 axes 'b l e'"),
        (ops.selective_scan, SCAN, {"initial_state": torch.ones(2, 3, 9)}, "axis n .* initial_state"),
        (
            ops.selective_scan,
            SCAN,
            {"C": torch.ones(2, 6, 4, dtype=torch.float32)},
            "C is torch.float32, x is torch.float64",
        ),
        (ops.selective_scan, SCAN, {"x": torch.ones(2, 6, 3, dtype=torch.int64)}, "floating-point"),
        (
            ops.ssd,
            SSD,
            {"B": torch.ones(2, 6, 3, 5).double(), "C": torch.ones(2, 6, 3, 5).double()},
            "4 heads .* cannot share 3 groups",
        ),
        (ops.ssd, SSD, {"chunk_size": 0}, "chunk_size must be at least 1"),
        (ops.ssd, SSD, {"D": torch.ones(3)}, "axis h .* of D"),
        (ops.ssd, SSD, {"x": torch.ones(2, 0, 4, 3)}, "axis l .* is 6, but x fixes it at 0|empty"),
        (ops.causal_conv1d, CONV, {"activation": "relu"}, "'silu'"),
        (ops.causal_conv1d, CONV, {"initial_state": torch.ones(2, 4, 3)}, "axis k-1 .* initial_state"),
    ],
)
def test_named_in_axis_words(operation, inputs, changes, says):
    with pytest.raises(ValueError, match=says):
        operation(**(inputs | changes))


def test_loss_and_rank_refuse_targets_outside_the_catalogue():
    hidden, items = torch.zeros(2, 3), torch.zeros(5, 3)
    with pytest.raises(ValueError, match="0…4"):
        ops.linear_cross_entropy(hidden, items, torch.tensor([1, 5]))
    with pytest.raises(ValueError, match="no mean"):
        ops.linear_cross_entropy(hidden, items, torch.tensor([0, 0]))
    with pytest.raises(ValueError, match="from 1 to 4"):
        ops.target_rank(hidden, items, torch.tensor([0, 1]))


def test_a_named_backend_that_cannot_run_is_an_error():
    with pytest.raises(ops.BackendError, match="compiled for float32"):
        ops.ssd(**SSD, backend="cpu")
    with pytest.raises(ops.BackendError, match="has no 'kernel'"):
        ops.attention(*[torch.zeros(1, 2, 1, 3)] * 3, causal=True, backend="kernel")
    with pytest.raises(ops.BackendError, match="no backend is called"), ops.use("fastest"):
        pass


def test_use_forces_and_explain_says_why():
    with ops.use("reference"):
        assert ops.backends.chosen(torch.empty(1))["ssd"] == "reference"
    text = ops.explain("ssd", torch.empty(1, dtype=torch.float64))
    assert "compiled for float32" in text and "vectorised runs" in " ".join(text.split())
    assert {row["operation"] for row in ops.explain_all()} >= {"ssd", "selective_scan", "attention"}


def test_no_operation_breaks_on_a_silent_decay():
    """Steps so large that the state forgets everything: finite values and gradients, no NaN out of finite input."""
    for backend, dtype in [("reference", torch.float64), ("vectorised", torch.float32), ("cpu", torch.float32)]:
        i = {k: v.to(dtype).requires_grad_() for k, v in (SSD | {"dt": torch.full((2, 6, 4), 500.0)}).items()}
        y = ops.ssd(**i, backend=backend)
        for gradient in torch.autograd.grad(y.sum(), list(i.values())):
            assert torch.isfinite(gradient).all(), backend
