"""Over shapes nobody chose: all forms of an operation agree, its matrix is its Jacobian, and bad input is named.

Sizes that a compiled loop is specialised for (state of the scan, head width of SSD) come from two values only: each new
one costs seconds of compiling and says nothing new.
"""

import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from seqrec_edu import ops
from seqrec_edu.ops.checks import ShapeError
from tests.ops.support import (
    DOUBLE,
    SINGLE,
    assert_same,
    conv_inputs,
    normal,
    scan_inputs,
    ssd_inputs,
    values_and_gradients,
)

# Derandomised: a class must not meet a test that fails on one day in a hundred.
EXAMPLES = settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
FEW = settings(EXAMPLES, max_examples=6)
FORMS = [("vectorised", torch.float64, DOUBLE), ("vectorised", torch.float32, SINGLE), ("cpu", torch.float32, SINGLE)]
LENGTHS = st.one_of(st.integers(1, 9), st.integers(1, 70), st.integers(1, 300))
BATCHES = st.integers(1, 3)

PATTERNS = {
    "causal_conv1d": {"x": "b l e", "weight": "e k", "bias": "e", "initial_state": "b k-1 e"},
    "selective_scan": {
        "x": "b l e", "dt": "b l e", "A": "e n", "B": "b l n", "C": "b l n", "D": "e", "z": "b l e",
        "initial_state": "b e n",
    },
    "ssd": {
        "x": "b l h p", "dt": "b l h", "A": "h", "B": "b l g n", "C": "b l g n", "D": "h", "decay_scale": "b l h",
        "initial_state": "b h p n",
    },
}  # fmt: skip
OPTIONAL = {"bias", "D", "z", "decay_scale", "initial_state"}
OVER_TIME = {name: [n for n, axes in patterns.items() if " l" in axes] for name, patterns in PATTERNS.items()}


@st.composite
def conv_cases(draw, lengths=LENGTHS):
    width = draw(st.integers(1, 5))  # a window of one event carries nothing over
    inputs = conv_inputs(draw(BATCHES), draw(lengths), draw(st.integers(1, 5)), width, state=width > 1)
    return ops.causal_conv1d, some(draw, inputs), {"activation": draw(st.sampled_from([None, "silu", "hardswish"]))}


@st.composite
def scan_cases(draw, lengths=LENGTHS):
    inputs = scan_inputs(draw(BATCHES), draw(lengths), draw(st.integers(1, 5)), draw(st.sampled_from([4, 16])))
    start = {"initial_state": inputs["initial_state"]} if inputs["x"].shape[1] == 1 else {}
    return ops.selective_scan, some(draw, inputs) | start, {}  # a single event after nothing never reads A


@st.composite
def ssd_cases(draw, lengths=LENGTHS):
    groups, share, width = draw(st.integers(1, 2)), draw(st.integers(1, 3)), draw(st.sampled_from([3, 8]))
    inputs = ssd_inputs(draw(BATCHES), draw(lengths), groups * share, width, groups, draw(st.integers(1, 6)))
    chunk = draw(st.one_of(st.integers(1, 9), st.sampled_from([64, 1000])))
    return ops.ssd, some(draw, inputs), {"chunk_size": chunk}


CASES = {"causal_conv1d": conv_cases, "selective_scan": scan_cases, "ssd": ssd_cases}


def some(draw, inputs):
    """The inputs without a random part of the optional ones."""
    left_out = draw(st.sets(st.sampled_from(sorted(OPTIONAL & inputs.keys()))))
    return {name: value for name, value in inputs.items() if name not in left_out}


def laid_out(value, layout):
    """The same numbers in other memory: axes stored in another order, or every other number of a longer row."""
    if layout == "turned":
        axes = list(range(value.dim()))[::-1]
        return value.permute(axes).contiguous().permute(axes)
    if layout == "strided":
        wide = torch.full((*value.shape[:-1], 2 * value.shape[-1] + 1), torch.nan, dtype=value.dtype)
        wide[..., 1::2] = value
        return wide[..., 1::2]
    return value.clone()


def in_memory(inputs, dtype, layouts):
    return {
        name: laid_out(value.detach().to(dtype), layout)
        for (name, value), layout in zip(inputs.items(), layouts, strict=False)
    }


@pytest.mark.parametrize("name", CASES)
@EXAMPLES
@given(data=st.data())
def test_all_forms_agree(name, data):
    """Values, last state and every gradient, for any shape, part of the arguments, memory layout and precision."""
    operation, inputs, options = data.draw(CASES[name]())
    layouts = data.draw(st.lists(st.sampled_from(["plain", "turned", "strided"]), min_size=8, max_size=8))
    run = lambda dtype, backend: values_and_gradients(  # noqa: E731
        operation, in_memory(inputs, dtype, layouts), dtype, backend=backend, return_state=True, **options
    )
    expected, rounded = run(torch.float64, "reference"), run(torch.float32, "reference")
    largest = max(float(value.detach().norm()) for value in expected.values())

    def error(found, tensor, dtype):
        # One number may be a sum that cancels, wholly where it is a gradient of A after a single event: what ought to
        # be nothing is compared with a small part of the largest that there is.
        nothing = largest * (1e-2 if dtype == torch.float32 else 1e-4)
        difference = (found[tensor].double() - expected[tensor]).detach().norm()
        return float(difference / (expected[tensor].detach().norm() + nothing))

    for backend, dtype, tolerance in FORMS:
        found = run(dtype, backend)
        for tensor in expected:
            assert found[tensor].shape == expected[tensor].shape, f"{backend}: {tensor}"  # an empty window too
            allowed = tolerance
            if dtype == torch.float32:
                # Where sums are that badly conditioned, float32 cannot be closer than the loop over time is. The fast
                # forms of SSD find the gradient of a log-decay as a difference of sums over many events; in that of A,
                # the sum of all of them, the rounding stays while the events cancel.
                allowed = max(tolerance, 10 * error(rounded, tensor, dtype))
                allowed = max(allowed, 3e-4) if (name, tensor) == ("ssd", "gradient of A") else allowed
            assert error(found, tensor, dtype) < allowed, f"{backend}, {dtype}: {tensor}"  # false for NaN


@pytest.mark.parametrize("name", CASES)
@EXAMPLES
@given(data=st.data())
def test_pads_change_nothing_before_them(name, data):
    operation, inputs, options = data.draw(CASES[name]())
    pads = data.draw(st.integers(1, 20))
    longer = dict(inputs)
    for i, stream in enumerate(s for s in OVER_TIME[name] if s in inputs):
        shape = list(inputs[stream].shape)
        shape[1] = pads
        longer[stream] = torch.cat([inputs[stream], normal(*shape, seed=50 + i).abs()], dim=1)
    for backend, dtype, tolerance in [("reference", torch.float64, DOUBLE), *FORMS]:
        cast = lambda values: {n: v.to(dtype) for n, v in values.items()}  # noqa: B023, E731
        y = operation(**cast(inputs), backend=backend, **options)
        padded = operation(**cast(longer), backend=backend, **options)[:, : y.shape[1]]
        assert_same({"y": padded}, {"y": y}, tolerance)


MATRIX_ARGUMENTS = {"selective_scan": ["dt", "A", "B", "C"], "ssd": ["dt", "A", "B", "C", "decay_scale"]}


def matrix_of(name, inputs):
    if name == "causal_conv1d":
        M = ops.mixing_matrix(name, inputs["weight"], inputs["x"].shape[1])
        return M.expand(len(inputs["x"]), *M.shape)
    return ops.mixing_matrix(name, *(inputs.get(argument) for argument in MATRIX_ARGUMENTS[name]))


def only_mixing(name, inputs):
    """Without what is added to or multiplied with the mixed history."""
    kept = {"causal_conv1d": {"x", "weight"}, "ssd": {"x", *MATRIX_ARGUMENTS["ssd"]}}
    return {n: v for n, v in inputs.items() if n in kept.get(name, {"x", *MATRIX_ARGUMENTS["selective_scan"]})}


@pytest.mark.parametrize("name", CASES)
@EXAMPLES
@given(data=st.data())
def test_the_matrix_applied_is_every_form(name, data):
    operation, inputs, options = data.draw(CASES[name](lengths=st.integers(1, 70)))
    inputs = only_mixing(name, inputs)
    options.pop("activation", None)
    M, x = matrix_of(name, inputs), inputs["x"]
    y = torch.einsum("bets,bse...->bte...", M, x)
    assert (M.triu(1) == 0).all()
    for backend, dtype, tolerance in [("reference", torch.float64, DOUBLE), *FORMS]:
        found = operation(**{n: v.to(dtype) for n, v in inputs.items()}, backend=backend, **options)
        assert_same({"y": found}, {"y": y}, tolerance)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("backend", ["reference", "vectorised"])
@FEW
@given(data=st.data())
def test_the_matrix_is_the_jacobian(name, backend, data):
    """Of every output to every input: the matrix where they share a channel, zero where they do not."""
    operation, inputs, _ = data.draw(CASES[name](lengths=st.integers(1, 7)))
    inputs = only_mixing(name, inputs)
    M, x = matrix_of(name, inputs), inputs["x"]
    J = torch.autograd.functional.jacobian(lambda v: operation(**(inputs | {"x": v}), backend=backend), x)
    batch, length = x.shape[:2]
    J = J.reshape(batch, length, -1, batch, length, x[0, 0].numel())
    M = M.repeat_interleave(x[0, 0].numel() // M.shape[1], dim=1)  # a head mixes each of its channels alike
    expected = torch.zeros_like(J)
    for b in range(batch):
        for e in range(J.shape[2]):
            expected[b, :, e, b, :, e] = M[b, e]
    torch.testing.assert_close(J, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_gradients_through_the_matrix_are_those_of_the_operation(name):
    """Also of the decay, where what is masked above the diagonal would overflow."""
    operation, inputs = getattr(ops, name), only_mixing(name, GOOD[name])
    leaves = {n: v.detach().clone().requires_grad_() for n, v in inputs.items()}
    y = operation(**leaves, backend="reference")
    applied = torch.einsum("bets,bse...->bte...", matrix_of(name, leaves), leaves["x"])
    upstream = torch.randn(y.shape, generator=torch.Generator().manual_seed(0), dtype=y.dtype)
    expected, found = (torch.autograd.grad(each, list(leaves.values()), upstream) for each in (y, applied))
    for n, a, b in zip(leaves, found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12, msg=lambda said, n=n: f"gradient of {n}: {said}")


GOOD = {
    "causal_conv1d": conv_inputs(2, 6, 3, 4),
    "selective_scan": scan_inputs(2, 6, 3, 4),
    "ssd": ssd_inputs(2, 6, 4, 3, 2, 5),
}
ARGUMENTS = [(name, argument) for name, patterns in PATTERNS.items() for argument in patterns]


@pytest.mark.parametrize(("name", "argument"), ARGUMENTS)
@FEW
@given(data=st.data())
def test_an_axis_of_another_size_is_named(name, argument, data):
    """One axis of one tensor one longer or shorter, missing or doubled: an error that names operation and axis."""
    value, axes = GOOD[name][argument], PATTERNS[name][argument].split()
    axis = data.draw(st.integers(0, value.dim() - 1))
    change = data.draw(st.sampled_from(["longer", "shorter", "missing", "doubled"]))
    alone = name == "causal_conv1d" and axes[axis] == "l"  # nothing else says how long a history is
    assume(change in ("missing", "doubled") or not alone)
    if change in ("longer", "shorter"):
        size = value.shape[axis] + (1 if change == "longer" else -1)
        bad = value.index_select(axis, torch.arange(size) % value.shape[axis])
    else:
        bad = value.select(axis, 0) if change == "missing" else value.unsqueeze(axis)
    with pytest.raises(ShapeError) as caught:
        getattr(ops, name)(**(GOOD[name] | {argument: bad}))
    said = str(caught.value)
    assert said.startswith(f"{name}: ")
    letter = axes[axis].partition("-")[0]
    if change in ("missing", "doubled"):
        assert f"{argument} needs the {len(axes)} axes '{PATTERNS[name][argument]}'" in said
    else:
        # The first tensor in the signature fixes a size, so an error may name the next one that disagrees with it.
        assert f"axis {letter}" in said or f"heads (axis {letter} of" in said


@pytest.mark.parametrize(("name", "argument"), ARGUMENTS)
def test_another_kind_of_number_is_named(name, argument):
    for dtype, says in [(torch.float32, "convert one of them"), (torch.int64, "floating-point")]:
        bad = GOOD[name] | {argument: GOOD[name][argument].to(dtype)}
        with pytest.raises(ValueError, match=says) as caught:
            getattr(ops, name)(**bad)
        assert (str(caught.value).startswith(f"{name}: ") and argument in str(caught.value)) or argument == "x"


@pytest.mark.parametrize(("name", "axis"), [(n, a) for n in PATTERNS for a in "bl"])
def test_an_empty_axis_is_named(name, axis):
    """No event, or no history at all."""
    empty = {}
    for argument, pattern in PATTERNS[name].items():
        place = pattern.split().index(axis) if axis in pattern.split() else None
        value = GOOD[name][argument]
        empty[argument] = value if place is None else value.narrow(place, 0, 0)
    with pytest.raises(ShapeError, match=f"{name}: axis {axis} .* is empty"):
        getattr(ops, name)(**empty)


def test_what_is_not_a_shape_is_named_too():
    for chunk in (0, -3):
        with pytest.raises(ValueError, match=f"chunk_size must be at least 1, got {chunk}"):
            ops.ssd(**GOOD["ssd"], chunk_size=chunk)
    three = {n: normal(2, 6, 3, 5, seed=1) for n in "BC"}
    with pytest.raises(ShapeError, match=r"4 heads \(axis h of x\) cannot share 3 groups \(axis g of B\) evenly"):
        ops.ssd(**(GOOD["ssd"] | three))
    x = torch.zeros(2, 6, 3)
    for lengths in ([7, 1], [-1, 2]):
        with pytest.raises(ValueError, match=r"lengths run from -?\d to \d, .* 0 to 6 events \(axis l\)"):
            ops.flip_history(x, torch.tensor(lengths))
