"""Bad input is named in axis words; a backend that cannot run says why."""

import math

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from seqrec_edu import ops
from seqrec_edu.ops.checks import in_range
from tests.ops.support import conv_inputs, normal, scan_inputs, ssd_inputs

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


STEP = "not negative: a step size, softplus already applied"
GROWTH = "not positive: a state may fade, not grow"
BAD_NUMBERS = {
    "dt": [(-0.1, STEP), (math.nan, STEP), (math.inf, STEP)],
    "A": [(0.1, GROWTH), (math.nan, GROWTH), (-math.inf, GROWTH)],
    "decay_scale": [(-0.5, "not negative: a factor on the decay"), (math.nan, "finite"), (math.inf, "finite")],
}


@pytest.mark.parametrize("backend", [None, "reference", "vectorised"])
@pytest.mark.parametrize(
    ("operation", "inputs", "name", "axes"),
    [
        (ops.selective_scan, SCAN, "dt", "b l e"),
        (ops.selective_scan, SCAN, "A", "e n"),
        (ops.ssd, SSD, "dt", "b l h"),
        (ops.ssd, SSD, "A", "h"),
        (ops.ssd, SSD, "decay_scale", "b l h"),
    ],
)
def test_a_number_out_of_range_is_named_with_its_place(operation, inputs, name, axes, backend):
    """An A that grows, or a softplus forgotten, would still give numbers; a NaN may be lost in a compiled loop."""
    place = tuple(size - 1 for size in inputs[name].shape)
    where = ", ".join(f"{axis}={index}" for axis, index in zip(axes.split(), place, strict=True))
    for bad, says in BAD_NUMBERS[name]:
        values = inputs[name].clone()
        values[place] = bad
        with pytest.raises(ops.RangeError) as caught:
            operation(**(inputs | {name: values}), backend=backend)
        said = str(caught.value)
        assert said.startswith(f"{operation.__name__}: {name} '{axes}' is {bad:.4g} at {where}, ") and says in said


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_the_ends_of_a_range_are_in_it(dtype):
    """A step that underflows to 0 writes nothing and fades nothing; with A = 0 nothing fades: linear attention."""
    finite = torch.tensor([0.0, -0.0, torch.finfo(dtype).max], dtype=dtype)
    in_range("ssd", "not negative", least=0, dt=(finite, "l"), decay_scale=(None, "b l h"))
    in_range("ssd", "not positive", most=0, A=(-finite, "h"))
    still = {"dt": torch.zeros_like(SSD["dt"]), "initial_state": SSD["initial_state"]}
    assert torch.equal(ops.ssd(**(SSD | still), return_state=True)[1], SSD["initial_state"])


def test_numbers_that_are_not_there_are_not_looked_at():
    """Shapes without numbers, a traced graph, many functions at once: each as if nothing were checked. A check that
    read a number would break the graph in two, or end in an error of PyTorch's own."""
    run = lambda A: ops.ssd(**(SSD | {"A": A}), backend="vectorised")  # noqa: E731
    expected = run(SSD["A"])
    assert torch.equal(torch.compile(run, backend="eager", fullgraph=True)(SSD["A"]), expected)
    several = torch.stack([SSD["A"], 2 * SSD["A"]])
    torch.testing.assert_close(torch.func.vmap(run)(several), torch.stack([expected, run(several[1])]))
    shapes = {name: value.to("meta") for name, value in SSD.items()}
    assert ops.ssd(**shapes).shape == expected.shape
    with FakeTensorMode() as mode:
        assert ops.ssd(**{name: mode.from_tensor(value) for name, value in SSD.items()}).shape == expected.shape


def test_a_position_must_be_a_whole_number():
    hidden, items, half = normal(2, 3, seed=1), normal(5, 3, seed=2), torch.tensor([1.5, 2.0])
    for call in (ops.linear_cross_entropy, ops.target_rank):
        with pytest.raises(ValueError, match=f"{call.__name__}: target must hold whole numbers, got torch.float32"):
            call(hidden, items, half)
        with pytest.raises(ValueError, match=r"target is on meta, .* on cpu"):
            call(hidden, items, torch.ones(2, dtype=torch.int64, device="meta"))
    with pytest.raises(ValueError, match=r"exclude must hold whole numbers, got torch\.bool"):
        ops.target_rank(hidden, items, torch.tensor([1, 2]), exclude=torch.ones(2, 1, dtype=torch.bool))


def test_attention_refuses_a_mask_of_numbers():
    q = normal(1, 2, 1, 3, seed=1)
    with pytest.raises(ValueError, match=r"attention: mask must be bool, true at real events, got torch\.int64"):
        ops.attention(q, q, q, causal=True, mask=torch.ones(1, 2, dtype=torch.int64))


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
