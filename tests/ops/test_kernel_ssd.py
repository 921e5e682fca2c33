"""The Triton kernel of ssd: in Triton's interpreter where there is no GPU, compiled where there is one."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqrec_edu import ops
from seqrec_edu.ops import gpu
from tests.ops.support import DOUBLE, SINGLE, assert_same, ssd_inputs, values_and_gradients

pytest.importorskip("triton", reason="triton is not installed (Linux only)")
interpreted = pytest.mark.skipif(
    not gpu.interpreting(), reason="Triton compiles here, for the GPU; TRITON_INTERPRET=1 runs its interpreter instead"
)
on_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
PRECISIONS = [(torch.float64, DOUBLE), (torch.float32, SINGLE)]


def compare(inputs, dtype, tolerance, *, operation=ops.ssd, **options):
    expected = values_and_gradients(ops.ssd, inputs, torch.float64, backend="reference", return_state=True)
    options = {"backend": "kernel", "return_state": True, "chunk_size": 16} | options
    assert_same(values_and_gradients(operation, inputs, dtype, **options), expected, tolerance)


@interpreted
@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
@pytest.mark.parametrize("length", [1, 2, 16, 17, 33])
def test_lengths(length, dtype, tolerance):
    compare(ssd_inputs(2 if length < 33 else 1, length, 2, 3, 1, 5), dtype, tolerance)


@interpreted
@pytest.mark.parametrize("left_out", ["decay_scale", "initial_state", "D"])
def test_what_may_be_left_out(left_out):
    inputs = ssd_inputs(1, 18, 4, 3, 2, 5)
    del inputs[left_out]
    compare(inputs, torch.float64, DOUBLE)


@interpreted
@pytest.mark.parametrize("chunk_size", [1, 20, 64, 1000])
def test_chunk_size_changes_nothing(chunk_size):
    compare(ssd_inputs(1, 34, 2, 3, 1, 5), torch.float64, DOUBLE, chunk_size=chunk_size)


@interpreted
@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
def test_wide_heads_and_large_states(dtype, tolerance):
    compare(ssd_inputs(1, 17, 2, 40, 1, 20), dtype, tolerance)


@interpreted
@settings(max_examples=5, deadline=None)
@given(
    l=st.integers(1, 40), g=st.integers(1, 2), share=st.integers(1, 2), p=st.integers(1, 40), n=st.integers(1, 20),
    time=st.booleans(), state=st.booleans(),
)  # fmt: skip
def test_any_shape(l, g, share, p, n, time, state):
    compare(ssd_inputs(1, l, g * share, p, g, n, time=time, state=state), torch.float64, DOUBLE)


@interpreted
def test_inputs_need_not_be_contiguous():
    inputs = ssd_inputs(2, 20, 2, 3, 2, 5)
    strided = {name: value.transpose(0, -1).contiguous().transpose(0, -1) for name, value in inputs.items()}
    compare(strided, torch.float64, DOUBLE)


@interpreted
def test_views_of_one_tensor_as_a_layer_cuts_them():
    inputs = ssd_inputs(2, 20, 2, 3, 1, 5)
    whole = torch.cat([inputs[name].flatten(2) for name in ("x", "B", "C")], dim=2)

    def cut(whole, backend):
        x, B, C = whole.split([6, 5, 5], dim=2)
        views = {"x": x.unflatten(2, (2, 3)), "B": B.unflatten(2, (1, 5)), "C": C.unflatten(2, (1, 5))}
        return ops.ssd(**(inputs | views), backend=backend)

    expected = values_and_gradients(cut, {"whole": whole}, torch.float64, backend="reference")
    assert_same(values_and_gradients(cut, {"whole": whole}, torch.float64, backend="kernel"), expected, DOUBLE)


@interpreted
@pytest.mark.parametrize("used", [0, 1])
def test_one_of_both_outputs_is_enough(used):
    def only(**inputs):
        return ops.ssd(**inputs, chunk_size=16, return_state=True)[used]

    inputs = ssd_inputs(1, 20, 2, 3, 1, 5)
    del inputs["D"], inputs["C"]  # the last state does not depend on them
    fixed = {"C": ssd_inputs(1, 20, 2, 3, 1, 5)["C"]}
    with ops.use("reference"):
        expected = values_and_gradients(lambda **given: only(**given, **fixed), inputs, torch.float64)
    with ops.use("kernel"):
        found = values_and_gradients(lambda **given: only(**given, **fixed), inputs, torch.float64)
    assert_same(found, expected, DOUBLE)


@interpreted
def test_gradcheck():
    inputs = ssd_inputs(1, 3, 1, 2, 1, 2)
    leaves = [value.requires_grad_() for value in inputs.values()]

    def run(*values):
        return ops.ssd(**dict(zip(inputs, values, strict=True)), backend="kernel", return_state=True)

    assert torch.autograd.gradcheck(run, leaves, fast_mode=True, check_undefined_grad=False)


@interpreted
def test_cut_anywhere():
    inputs = ssd_inputs(1, 37, 1, 3, 1, 5)
    over_time = ("x", "dt", "B", "C", "decay_scale")
    whole, last = ops.ssd(**inputs, chunk_size=16, return_state=True, backend="kernel")
    for cut in (1, 16):
        first = {name: value[:, :cut] if name in over_time else value for name, value in inputs.items()}
        y1, state = ops.ssd(**first, chunk_size=16, return_state=True, backend="kernel")
        second = {name: value[:, cut:] if name in over_time else value for name, value in inputs.items()}
        y2, state = ops.ssd(**(second | {"initial_state": state}), return_state=True, backend="kernel")
        torch.testing.assert_close(torch.cat([y1, y2], 1), whole, rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(state, last, rtol=1e-9, atol=1e-9)


@interpreted
def test_jacobian_is_the_mixing_matrix():
    """One history per t: the gradient of its output at t to all its inputs is row t."""
    length, rows = 18, torch.tensor([0, 15, 16, 17])
    inputs = ssd_inputs(1, length, 1, 1, 1, 5, state=False)
    del inputs["D"]
    M = ops.mixing_matrix("ssd", *(inputs[name] for name in ("dt", "A", "B", "C", "decay_scale")))
    inputs = {
        name: value if name == "A" else value.expand(len(rows), *value.shape[1:]) for name, value in inputs.items()
    }
    x = inputs["x"].clone().requires_grad_()
    y = ops.ssd(**(inputs | {"x": x}), backend="kernel", chunk_size=16)
    (found,) = torch.autograd.grad(y, x, torch.eye(length, dtype=torch.float64)[rows, :, None, None])
    torch.testing.assert_close(found[:, :, 0, 0], M[0, 0, rows], rtol=1e-9, atol=1e-12)


@interpreted
@pytest.mark.parametrize("stretch", [1e4, 1e38])
def test_an_event_that_wipes_the_state_costs_no_digits(stretch):
    """Sums of log-decays lose what follows a huge one, or become ∞ - ∞; the kernel does not let them get there."""
    inputs = ssd_inputs(1, 24, 2, 3, 1, 5)
    inputs["decay_scale"][:, 5::10] = stretch
    compare(inputs, torch.float32, SINGLE)


@interpreted
def test_half_precision_sums_in_float32():
    for dtype, tolerance in ((torch.bfloat16, 2e-2), (torch.float16, 2e-3)):
        rounded = {name: value.to(dtype).double() for name, value in ssd_inputs(1, 18, 2, 3, 1, 5).items()}
        compare(rounded, dtype, tolerance)


@interpreted
def test_states_are_kept_only_for_a_backward_pass(monkeypatch):
    from seqrec_edu.ops._ssd import kernel

    kept = []
    monkeypatch.setattr(kernel._SSD, "apply", lambda *given: (kept.append(given[-1]), given[0], given[7])[1:])
    inputs = ssd_inputs(1, 4, 2, 3, 1, 5)
    ops.ssd(**inputs, backend="kernel")
    inputs["dt"].requires_grad_()
    ops.ssd(**inputs, backend="kernel")
    with torch.no_grad():
        ops.ssd(**inputs, backend="kernel")
    assert kept == [False, True, False]


@pytest.fixture
def allow_tf32():
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = True
    yield
    torch.backends.cuda.matmul.allow_tf32 = before


def test_float32_products_are_exact_unless_torch_may_round_its_own():
    from seqrec_edu.ops._ssd import kernel

    assert {kernel.precision(dtype) for dtype in (torch.float32, torch.float64, torch.bfloat16)} == {"ieee"}


def test_float32_products_are_rounded_where_torch_may_round_its_own(allow_tf32):
    from seqrec_edu.ops._ssd import kernel

    assert kernel.precision(torch.float32) == "tf32"
    assert {kernel.precision(dtype) for dtype in (torch.float64, torch.bfloat16)} == {"ieee"}


def test_it_waits_to_be_named():
    said = ops.explain("ssd", torch.empty(1))
    assert gpu.HELD_BACK is None or "kernel runs" not in " ".join(said.split())
    if not gpu.interpreting():
        with pytest.raises(ops.BackendError, match="CUDA GPU"):
            ops.ssd(**ssd_inputs(1, 2, 1, 2, 1, 2), backend="kernel")


GPU_PRECISIONS = [*PRECISIONS, (torch.bfloat16, 2e-2), (torch.float16, 5e-3)]
TIM4REC = (4, 32, 1, 32)  # h p g n
# Every pair of a size and a dtype is compiled anew, which takes seconds: lengths of one chunk and more, no more sizes.
ON_GPU = [(length, TIM4REC, True, *how) for length in (1, 50, 200, 257) for how in GPU_PRECISIONS]
ON_GPU += [(63, TIM4REC, False, *how) for how in GPU_PRECISIONS]
for sizes in ((3, 20, 3, 5), (2, 64, 2, 64), (2, 128, 1, 128)):
    ON_GPU += [(length, sizes, True, *how) for length in (2, 63) for how in GPU_PRECISIONS[1:3]]


def through_gpu(**inputs):
    moved = {name: value.cuda() if isinstance(value, torch.Tensor) else value for name, value in inputs.items()}
    return tuple(output.cpu() for output in ops.ssd(**moved))


@on_gpu
@pytest.mark.parametrize(("length", "sizes", "time", "dtype", "tolerance"), ON_GPU, ids=str)
def test_compiled(length, sizes, time, dtype, tolerance):
    inputs = ssd_inputs(3, length, *sizes, time=time, state=time)
    rounded = {name: value.to(dtype).double() for name, value in inputs.items()}
    compare(rounded, dtype, tolerance, operation=through_gpu, chunk_size=64)


@on_gpu
def test_compiled_with_tf32(allow_tf32):
    compare(ssd_inputs(3, 200, 4, 32, 1, 32), torch.float32, 5e-3, operation=through_gpu, chunk_size=64)


@on_gpu
def test_compiled_twice_gives_the_same_bits():
    inputs = ssd_inputs(64, 200, 4, 32, 1, 32)
    options = {"backend": "kernel", "return_state": True}
    once, again = (values_and_gradients(through_gpu, inputs, torch.float32, **options) for _ in range(2))
    assert all(torch.equal(once[name], again[name]) for name in once)


@on_gpu
@pytest.mark.parametrize("length", [50, 200])
def test_compiled_agrees_with_mamba_ssm(length):
    reason = gpu.mamba_ssm_problem()
    if reason:
        pytest.skip(reason)
    inputs = ssd_inputs(3, length, 4, 32, 1, 32)
    compare(inputs, torch.float32, 5e-3, operation=through_gpu, backend="mamba_ssm", chunk_size=32)
